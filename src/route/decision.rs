//! Question and answer of a route lookup.

use std::fmt;
use std::net::IpAddr;

use crate::facts::NextHop;
use crate::net::Protocol;

/// What a lookup depends on.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    pub src: Option<IpAddr>,
    pub dst: IpAddr,
    /// Where the packet came in; none for one made here (policy rules see `iif lo` then).
    pub iif: Option<&'a str>,
    pub mark: u32,
    pub protocol: Option<Protocol>,
}

/// What the kernel does with the packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// For this host itself.
    Deliver,
    /// Out through one of these, each with the same right.
    Forward(Vec<NextHop>),
    /// Nowhere.
    Refuse(NoWay),
    /// What is known of the host does not decide it.
    Unknown(String),
}

/// Why a packet goes nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoWay {
    /// No route matches: ICMP network unreachable.
    NoRoute,
    /// A `blackhole` route: silence.
    Blackhole,
    /// An `unreachable` route: ICMP host unreachable.
    Unreachable,
    /// A `prohibit` route: ICMP administratively prohibited.
    Prohibit,
}

// === impl NoWay ===

impl NoWay {
    /// Whether the sender hears of it.
    #[must_use]
    pub const fn is_answered(self) -> bool {
        !matches!(self, Self::Blackhole)
    }
}

impl fmt::Display for NoWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoRoute => "no route",
            Self::Blackhole => "blackhole route",
            Self::Unreachable => "unreachable route",
            Self::Prohibit => "prohibit route",
        })
    }
}
