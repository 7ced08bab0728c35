//! Transport protocols.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The transport protocols that Services and policies can name.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum Protocol {
    /// What the API means when it names no protocol.
    #[default]
    Tcp,
    Udp,
    Sctp,
}

/// A name that is none of the three protocols.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a protocol; use tcp, udp or sctp")]
pub struct UnknownProtocol(pub String);

// === impl Protocol ===

impl Protocol {
    /// The three protocols, in the order the API documentation lists them.
    pub const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::Sctp];

    /// Reads the API's optional `protocol` field: absent means TCP.
    ///
    /// # Errors
    /// When the field holds something else than TCP, UDP or SCTP in any case.
    pub fn from_field(field: Option<&str>) -> Result<Self, UnknownProtocol> {
        field.map_or(Ok(Self::Tcp), str::parse)
    }

    /// The lower-case name, as kube-proxy, iptables and nft spell it.
    #[must_use]
    pub const fn lower(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }

    /// The IP protocol number (RFC 9293, RFC 768, RFC 9260).
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        })
    }
}

impl FromStr for Protocol {
    type Err = UnknownProtocol;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|protocol| protocol.lower().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownProtocol(text.to_owned()))
    }
}
