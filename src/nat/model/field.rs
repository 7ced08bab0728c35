//! What of a packet a rule can look at.

use crate::net::{Family, Protocol};

/// Which end of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PacketEnd {
    Source,
    Destination,
}

/// Which of the two marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MarkOf {
    Packet,
    Connection,
}

/// Which interface an address type is asked for (`addrtype --limit-iface-in`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    None,
    In,
    Out,
}

/// A property of a packet, its connection or its socket. Values are numbers, or names for
/// interfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// Absent in packets of the other family.
    Address(PacketEnd, Family),
    /// Absent in packets of another protocol; `None` = of any protocol with ports.
    Port(PacketEnd, Option<Protocol>),
    /// IP protocol number.
    Protocol,
    /// 2 for IPv4, 10 for IPv6 (`NFPROTO_*`).
    NetworkFamily,
    InInterface,
    OutInterface,
    /// The bridge port it came in by, empty if it did not cross a bridge.
    BridgePort,
    Mark(MarkOf),
    /// Bits of [`ct`].
    State,
    /// Bits of [`ct`].
    Status,
    /// 128 bits.
    Label,
    /// 0 original, 1 reply.
    Direction,
    /// Address before any translation.
    Original(PacketEnd, Family),
    OriginalPort(PacketEnd),
    /// Absent: no ICMP packet is ever walked.
    Icmp(Family),
    /// SYN alone for the first packet of a TCP connection.
    TcpFlags,
    /// Bytes of the IP packet.
    Length,
    /// Absent unless a local process sent it.
    Uid,
    Gid,
    /// `RTN_*` numbers of the routing type of an address.
    Type(PacketEnd, Limit),
    /// 1 when the route back to the source leaves by the interface the packet came in by (by any
    /// interface, if loose).
    ReversePath {
        loose: bool,
        /// Whether the packet's mark counts on the way back.
        by_mark: bool,
    },
    /// 0 = for this host.
    PacketType,
}

/// Bits of conntrack state and status, as iptables and nft name them. States and translations share
/// one number because `--ctstate` mixes them.
pub mod ct {
    pub const INVALID: u64 = 1;
    pub const ESTABLISHED: u64 = 1 << 1;
    pub const RELATED: u64 = 1 << 2;
    pub const NEW: u64 = 1 << 3;
    pub const UNTRACKED: u64 = 1 << 6;
    pub const SNAT: u64 = 1 << 7;
    pub const DNAT: u64 = 1 << 8;
    pub const EXPECTED: u64 = 1 << 10;
    pub const SEEN_REPLY: u64 = 1 << 11;
    pub const ASSURED: u64 = 1 << 12;
    pub const CONFIRMED: u64 = 1 << 13;

    /// The bits that are states, of which a packet has exactly one.
    pub const STATES: u64 = INVALID | ESTABLISHED | RELATED | NEW | UNTRACKED;

    /// The bit of a name, in any case.
    #[must_use]
    pub fn bit(name: &str) -> Option<u64> {
        Some(match name.to_ascii_lowercase().as_str() {
            "invalid" => INVALID,
            "established" => ESTABLISHED,
            "related" => RELATED,
            "new" => NEW,
            "untracked" => UNTRACKED,
            "snat" => SNAT,
            "dnat" => DNAT,
            "expected" => EXPECTED,
            "seen-reply" | "seen_reply" => SEEN_REPLY,
            "assured" => ASSURED,
            "confirmed" => CONFIRMED,
            "none" => 0,
            _ => return None,
        })
    }
}

/// The `RTN_*` number of an address type's name (linux/rtnetlink.h).
#[must_use]
pub fn address_type(name: &str) -> Option<u64> {
    let names = [
        "unspec",
        "unicast",
        "local",
        "broadcast",
        "anycast",
        "multicast",
        "blackhole",
        "unreachable",
        "prohibit",
        "throw",
    ];
    let position = names
        .iter()
        .position(|known| known.eq_ignore_ascii_case(name))?;
    u64::try_from(position).ok()
}
