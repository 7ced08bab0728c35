//! Address translation.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Key, SetRef};

/// What a translation does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nat {
    pub kind: NatKind,
    pub target: NatTarget,
    /// New ports, inclusive; none keeps the port.
    pub ports: Option<(u16, u16)>,
}

/// Which address is rewritten, and to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NatKind {
    Destination,
    Source,
    /// Source, to the address of the interface it leaves by.
    Masquerade,
    /// Destination, to the host itself.
    Redirect,
    /// Destination on the way in, source on the way out: the prefix alone is rewritten.
    Netmap,
}

/// Where the new address comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NatTarget {
    /// No address is given.
    Unchanged,
    /// One of these, inclusive.
    Addresses(IpAddr, IpAddr),
    Prefix(IpNet),
    /// What a map says, address and perhaps port.
    Map(Box<(Key, SetRef)>),
}
