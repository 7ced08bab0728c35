//! The fixed fields that messages of rtnetlink begin with, as far as they say something here. Their
//! layout is that of the kernel's headers (include/uapi/linux): what is a number of more than one byte
//! has the order of this machine.

use super::message::Message;

pub(crate) type LinkMessage = Message<LinkHeader, 16>;
pub(crate) type AddressMessage = Message<AddressHeader, 8>;
pub(crate) type RouteMessage = Message<RouteHeader, 12>;
pub(crate) type NeighbourMessage = Message<NeighbourHeader, 12>;
pub(crate) type RuleMessage = Message<RuleHeader, 12>;

/// `struct ifinfomsg` (rtnetlink.h).
#[derive(Debug, Clone, Copy)]
pub(crate) struct LinkHeader {
    /// What its link layer is: `ARPHRD_…`.
    pub(crate) layer: u16,
    pub(crate) index: u32,
    /// `IFF_…`
    pub(crate) flags: u32,
}

/// `struct ifaddrmsg` (if_addr.h).
#[derive(Debug, Clone, Copy)]
pub(crate) struct AddressHeader {
    pub(crate) length: u8,
    /// `RT_SCOPE_…`
    pub(crate) scope: u8,
    pub(crate) index: u32,
}

/// `struct rtmsg` (rtnetlink.h).
#[derive(Debug, Clone, Copy)]
pub(crate) struct RouteHeader {
    pub(crate) family: u8,
    pub(crate) length: u8,
    /// The low byte of the table's number.
    pub(crate) table: u8,
    /// `RTPROT_…`
    pub(crate) protocol: u8,
    /// `RTN_…`
    pub(crate) kind: u8,
    /// `RTNH_F_…`, those of the first hop.
    pub(crate) flags: u32,
}

/// `struct ndmsg` (neighbour.h).
#[derive(Debug, Clone, Copy)]
pub(crate) struct NeighbourHeader {
    pub(crate) family: u8,
    pub(crate) index: u32,
    /// `NUD_…`
    pub(crate) state: u16,
}

/// `struct fib_rule_hdr` (fib_rules.h).
#[derive(Debug, Clone, Copy)]
pub(crate) struct RuleHeader {
    pub(crate) destination_length: u8,
    pub(crate) source_length: u8,
    pub(crate) tos: u8,
    /// The low byte of the table's number.
    pub(crate) table: u8,
    /// `FR_ACT_…`
    pub(crate) action: u8,
    /// `FIB_RULE_…`
    pub(crate) flags: u32,
}

impl From<[u8; 16]> for LinkHeader {
    fn from(bytes: [u8; 16]) -> Self {
        let [_family, _, l0, l1, i0, i1, i2, i3, f0, f1, f2, f3, ..] = bytes;
        Self {
            layer: u16::from_ne_bytes([l0, l1]),
            index: u32::from_ne_bytes([i0, i1, i2, i3]),
            flags: u32::from_ne_bytes([f0, f1, f2, f3]),
        }
    }
}

impl From<[u8; 8]> for AddressHeader {
    fn from(bytes: [u8; 8]) -> Self {
        let [_family, length, _flags, scope, index @ ..] = bytes;
        Self {
            length,
            scope,
            index: u32::from_ne_bytes(index),
        }
    }
}

impl From<[u8; 12]> for RouteHeader {
    fn from(bytes: [u8; 12]) -> Self {
        let [
            family,
            length,
            _source,
            _tos,
            table,
            protocol,
            _scope,
            kind,
            flags @ ..,
        ] = bytes;
        Self {
            family,
            length,
            table,
            protocol,
            kind,
            flags: u32::from_ne_bytes(flags),
        }
    }
}

impl From<[u8; 12]> for NeighbourHeader {
    fn from(bytes: [u8; 12]) -> Self {
        let [family, _, _, _, i0, i1, i2, i3, s0, s1, _flags, _kind] = bytes;
        Self {
            family,
            index: u32::from_ne_bytes([i0, i1, i2, i3]),
            state: u16::from_ne_bytes([s0, s1]),
        }
    }
}

impl From<[u8; 12]> for RuleHeader {
    fn from(bytes: [u8; 12]) -> Self {
        let [
            _family,
            destination_length,
            source_length,
            tos,
            table,
            _,
            _,
            action,
            flags @ ..,
        ] = bytes;
        Self {
            destination_length,
            source_length,
            tos,
            table,
            action,
            flags: u32::from_ne_bytes(flags),
        }
    }
}
