//! The tap: what one packet looks like at every interface of a node.
//!
//! ```text
//!  Task::Tap          on each node: one packet socket, a filter that lets the marked probe through
//!  Task::MarkedProbe  in the source: connections or datagrams that carry the mark
//!  Line::Tap          one line for every point, as it is seen, with pulses between them
//! ```
//!
//! A mark survives every rewrite: it is the MSS option of a SYN (RFC 9293, 3.7.1), or the first bytes of a
//! datagram. Answers carry no mark; they acknowledge the initial sequence number of a marked SYN, or come
//! from the address and port that was asked.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::{IcmpError, Protocol};

/// The first bytes of a marked datagram; the mark and the number of the shot follow, two bytes each.
pub const MAGIC: [u8; 4] = *b"nptp";

/// Marks are MSS values below those of any link, so that nothing lowers them on the way.
pub const MARKS: std::ops::Range<u16> = 500..1000;

/// What a tap looks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tap {
    /// TCP or UDP.
    pub protocol: Protocol,
    pub mark: u16,
    /// The source ports of the probe.
    #[serde(default)]
    pub ports: Vec<u16>,
    /// Who may answer: the Service's address and the backends.
    #[serde(default)]
    pub answerers: Vec<SocketAddr>,
    /// UDP ports of tunnels beside the usual ones.
    #[serde(default)]
    pub tunnel_ports: Vec<u16>,
    /// How long to look, at most.
    pub listen_ms: u64,
    /// Whether to send the packets' first bytes, too.
    #[serde(default)]
    pub capture: bool,
    /// Whether to ask the kernel which rules the packet meets.
    #[serde(default)]
    pub rules: bool,
}

/// One line of a tap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TapLine {
    /// It looks from now on.
    Open(TapOpen),
    Point(TapPoint),
    /// It still looks: a packet that it sent itself came through the same filter. All points that were seen
    /// before were sent before.
    Pulse(TapPulse),
    /// A rule that the packet met.
    Rule(TapRule),
}

/// What a tap has before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TapOpen {
    /// Why the rules stay unnamed, if they do.
    #[serde(default)]
    pub no_rules: Option<String>,
    /// When, by the node's own clock: microseconds since 1970.
    #[serde(default)]
    pub at_micros: u64,
}

/// A sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TapPulse {
    pub number: u64,
    /// Since the tap was opened, by the node's own clock.
    pub micros: u64,
    /// Packets that were copied to the agent so far, without its own.
    pub copied: u64,
}

/// What an interface is to a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// The node's end of a pod's cable.
    PodVeth,
    Bridge,
    /// VXLAN, Geneve, IPIP, WireGuard.
    Tunnel,
    /// Where the node meets its network.
    Uplink,
    Loopback,
}

/// What a packet is in the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Segment {
    Syn,
    SynAck,
    Reset,
    /// A marked datagram.
    Datagram,
    /// What came back for one.
    Reply,
    /// An ICMP error that quotes the packet.
    Error,
}

/// A packet at an interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TapPoint {
    pub interface: String,
    pub role: Role,
    /// Whether it leaves the node's stack by the interface.
    pub out: bool,
    pub segment: Segment,
    pub source: SocketAddr,
    pub destination: SocketAddr,
    /// What ties the packets of one attempt together across rewrites: the initial sequence number of the
    /// SYN, or the number of the datagram. None for replies to datagrams.
    pub flow: Option<u32>,
    pub ip_id: Option<u16>,
    pub ttl: u8,
    /// What carries it.
    #[serde(default)]
    pub outer: Option<Outer>,
    #[serde(default)]
    pub icmp: Option<IcmpError>,
    /// Since the tap was opened, by the node's own clock.
    pub micros: u64,
    /// The first bytes from the IP header on, in hexadecimal, and how many there were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<(String, usize)>,
}

/// The packet around a packet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outer {
    /// `vxlan`, `geneve`, `ipip`.
    pub kind: String,
    pub source: IpAddr,
    pub destination: IpAddr,
}

/// A rule that a packet met, as the kernel numbers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TapRule {
    /// `ip`, `ip6`, `inet`, `bridge`, `netdev`.
    pub family: String,
    pub table: String,
    pub chain: String,
    /// None where the policy of the chain decides.
    pub handle: Option<u64>,
    /// `accept`, `drop`, `jump X`, `goto X`, `return`, `continue`, `queue`.
    pub verdict: String,
    /// As that of the packet's points.
    pub flow: Option<u32>,
    /// The interfaces the packet came by and leaves by, where they are known.
    #[serde(default)]
    pub input: Option<String>,
    #[serde(default)]
    pub output: Option<String>,
    pub micros: u64,
}
