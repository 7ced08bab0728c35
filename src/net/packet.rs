//! The first packet of a flow.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::{Family, Protocol};

/// Addresses and ports of a flow's first packet at one place on its way.
///
/// The source port is absent while no socket has picked one; it is then printed as `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Packet {
    pub src: IpAddr,
    pub sport: Option<u16>,
    pub dst: IpAddr,
    pub dport: u16,
    pub protocol: Protocol,
}

// === impl Packet ===

impl Packet {
    /// A packet from an address with an unpicked source port.
    #[must_use]
    pub const fn new(src: IpAddr, dst: IpAddr, dport: u16, protocol: Protocol) -> Self {
        Self {
            src,
            sport: None,
            dst,
            dport,
            protocol,
        }
    }

    /// The same packet after its destination was rewritten.
    #[must_use]
    pub const fn to(self, dst: IpAddr, dport: u16) -> Self {
        Self { dst, dport, ..self }
    }

    /// The same packet after its source was rewritten; the port is then the kernel's choice.
    #[must_use]
    pub const fn masqueraded_as(self, src: IpAddr) -> Self {
        Self {
            src,
            sport: None,
            ..self
        }
    }

    /// The family the destination belongs to.
    #[must_use]
    pub const fn family(&self) -> Family {
        Family::of(self.dst)
    }
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.src, self.sport) {
            (src, Some(port)) => write!(f, "{}", SocketAddr::new(src, port))?,
            (IpAddr::V4(src), None) => write!(f, "{src}:*")?,
            (IpAddr::V6(src), None) => write!(f, "[{src}]:*")?,
        }
        write!(f, " > {}", SocketAddr::new(self.dst, self.dport))
    }
}
