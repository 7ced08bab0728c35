//! What is asked.

use std::net::IpAddr;

use crate::net::Packet;

/// A packet at the moment it meets the first rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub packet: Packet,
    /// The interface it comes in by; none for a packet created on this host.
    pub in_interface: Option<String>,
    /// Who sends it, for a packet made here; none when that is not known.
    pub uid: Option<u32>,
    /// Its length, where it matters; the first packet of a connection is short.
    pub length: Option<u32>,
    /// Set for an answer: the connection exists, and its translation is undone.
    pub reply: Option<Undo>,
}

/// What conntrack rewrites in an answer, to make it look as if it came from where the question went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Undo {
    /// The source that replaces the endpoint's: the address that was asked.
    pub source: Option<(IpAddr, u16)>,
    /// The destination that replaces the masqueraded one: the client's own.
    pub destination: Option<IpAddr>,
}

// === impl Question ===

impl Question {
    /// The first packet of a connection from somewhere else.
    #[must_use]
    pub fn incoming(packet: Packet, interface: impl Into<String>) -> Self {
        Self {
            in_interface: Some(interface.into()),
            ..Self::made_here(packet)
        }
    }

    /// The first packet of a connection that a process of this host (root, unless said otherwise)
    /// opens.
    #[must_use]
    pub const fn made_here(packet: Packet) -> Self {
        Self {
            packet,
            in_interface: None,
            uid: Some(0),
            length: None,
            reply: None,
        }
    }
}
