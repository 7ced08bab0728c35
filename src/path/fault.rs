//! What a node or a pod really holds that keeps traffic from passing, or makes it limp.

use std::net::IpAddr;

use super::Stage;
use super::plane_fault::PlaneFault;
use crate::cluster::ObjectRef;
use crate::facts::Attached;
use crate::nat::eval::TrailStep;
use crate::nat::proxy::{Difference, Mode, NodePortAddresses};
use crate::net::{Family, Packet};
use crate::node::Hanging;

/// One thing found, and where.
#[derive(Debug, Clone)]
pub struct NodeFault {
    /// The node or the pod that holds it.
    pub at: ObjectRef,
    pub stage: Stage,
    /// The Service that the packet was for.
    pub service: Option<ObjectRef>,
    /// Whether it stops the answers and not the questions.
    pub is_return: bool,
    pub kind: Fault,
}

/// By what it is about.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The rules for Services.
    Proxy(ProxyFault),
    /// A rule drops or rejects the packet.
    Blocked {
        rule: TrailStep,
        /// What the sender hears: `icmp-port-unreachable` …; none for silence.
        answer: Option<String>,
        packet: Packet,
        /// Whether chance lets others pass.
        is_share: bool,
    },
    Way(WayFault),
    Tunnel(TunnelFault),
    /// A setting or a table of the kernel.
    Kernel(KernelFault),
    /// Inside the destination pod.
    Pod(PodFault),
    /// The tables of a dataplane.
    Plane(PlaneFault),
    /// The DNS cache of a node (NodeLocal DNSCache) that pods ask is not there.
    NoNodeCache {
        address: IpAddr,
        /// Whether even its address is gone, and not its socket alone.
        lacks_address: bool,
    },
}

/// The rules for Services are not what they ought to be.
#[derive(Debug, Clone)]
pub enum ProxyFault {
    /// There are none of any Service, and nobody else serves Services.
    Absent,
    /// They are there, and nothing leads to them.
    Unreferenced { missing: Vec<String> },
    /// Those of one address differ from its Service.
    Drift {
        difference: Box<Difference>,
        /// Whether they are what kube-proxy would have written at an earlier time.
        is_older_state: bool,
        /// How many other addresses of Services differ, too.
        others: usize,
    },
    /// Somebody else's rule rewrites the packet first.
    Foreign { rule: TrailStep, to: String },
    /// Somebody else's rule would rewrite the packet, and no dump shows whether it is asked before
    /// kube-proxy's.
    Contested {
        rule: TrailStep,
        to: String,
        why: String,
    },
    /// Somebody else's rule hides who calls.
    Masqueraded { rule: TrailStep },
    /// Untracked packets are never translated.
    Untracked { rule: TrailStep },
    /// Two rule sets serve it, and no dump shows which one is asked first.
    Ambiguous { why: String, modes: Vec<Mode> },
    /// Node ports answer on other addresses of the node only.
    NodePortElsewhere {
        asked: IpAddr,
        answers: Vec<IpAddr>,
        addresses: NodePortAddresses,
    },
    /// A connection that still leads to an endpoint that is gone.
    StaleConnection { entry: String, endpoint: IpAddr },
    /// A rule leads a host port to something else than its pod.
    HostPortElsewhere {
        pod: ObjectRef,
        port: u16,
        to: String,
        rule: TrailStep,
        /// Whether anybody has that address.
        is_somebody: bool,
    },
    /// No rule leads a host port to its pod.
    NoHostPort { pod: ObjectRef, port: u16 },
    /// A pod's own packet may not come back through its bridge port.
    NoHairpin { port: String },
}

/// The way between two ends.
#[derive(Debug, Clone)]
pub enum WayFault {
    NoRoute {
        to: IpAddr,
    },
    /// The packet for a pod leaves by the default route, though its way back has a route of its own.
    ByDefault {
        to: IpAddr,
        gateway: Option<IpAddr>,
        peer_route: String,
    },
    /// A `blackhole`, `unreachable` or `prohibit` route, or a policy rule that sends it to one.
    DeadEnd {
        to: IpAddr,
        what: String,
    },
    /// The next hop does not answer.
    DeadNeighbour {
        ip: IpAddr,
        device: String,
    },
    /// The next hop is another node than the one with the pod.
    WrongNode {
        to: IpAddr,
        gateway: IpAddr,
        owner: String,
    },
    /// A pod's own address leaves the node, where other nodes put theirs in its place.
    NotMasqueraded {
        to: IpAddr,
        other: String,
    },
    /// A link address was written by hand, and it is not the one.
    WrongLinkAddress {
        ip: IpAddr,
        noted: String,
        real: String,
    },
    LinkDown {
        device: String,
        is_tunnel: bool,
    },
    /// The other end takes smaller packets than are sent, and nobody on the way can say so.
    TooLarge {
        sends: u32,
        takes: u32,
        device: String,
    },
    /// The pod does not hang on the node's network.
    Detached {
        pod: ObjectRef,
        how: Hanging,
    },
    /// The bridge has lost the address that pods use as gateway.
    NoGateway {
        pod: ObjectRef,
        gateway: IpAddr,
    },
}

/// The tunnel between two nodes.
#[derive(Debug, Clone)]
pub enum TunnelFault {
    /// No entry says to which node frames for a link address go.
    NoEntry {
        device: String,
        mac: Option<String>,
        gateway: IpAddr,
    },
    /// The entry names an address that the peer does not have.
    WrongPeer {
        device: String,
        to: IpAddr,
        peer: Vec<IpAddr>,
    },
    /// The peer's end has another link address.
    OtherAddress {
        device: String,
        noted: String,
        real: String,
    },
    /// Identifier or port differ.
    Differs {
        device: String,
        here: String,
        there: String,
    },
    /// The peer has no such tunnel.
    NoPeer { device: String },
    /// A rule stops the outer packets.
    PortBlocked {
        device: String,
        rule: Box<TrailStep>,
        packet: Packet,
    },
}

/// A setting or a table of the kernel.
#[derive(Debug, Clone)]
pub enum KernelFault {
    NotForwarding {
        setting: String,
        family: Family,
    },
    /// Strict reverse-path filtering drops what comes in by another interface than it would go out.
    ReversePath {
        setting: String,
        interface: String,
        source: IpAddr,
        back: String,
        /// Whether the packet comes from outside, at one of several interfaces of the node.
        is_entering: bool,
    },
    /// Answers between pods of one bridge pass the node's translation by.
    BridgeBypass {
        setting: String,
        value: Option<i64>,
        bridge: String,
    },
    /// The connection table has no room.
    ConnectionsFull {
        count: i64,
        max: i64,
    },
    NeighboursFull {
        count: usize,
        max: i64,
    },
    /// New connections are lost, since others have the same addresses and ports.
    Collides {
        /// How many while the node was looked at.
        count: u64,
        among: Colliding,
    },
    /// A program that is asked before all rules.
    Program(Attached),
    /// Packets that belong to no connection pass untranslated.
    LetsStraysPass {
        count: u64,
    },
    /// Translated connections are forgotten soon after their last packet.
    ForgetsIdle {
        setting: &'static str,
        seconds: i64,
    },
}

/// What can collide in a connection table.
#[derive(Debug, Clone)]
pub enum Colliding {
    /// The two packets of one lookup, sent at once by one socket.
    Lookups { kernel: String },
    /// Source ports that a rule picks in order.
    Ports { rule: TrailStep },
}

/// Inside the destination.
#[derive(Debug, Clone)]
pub enum PodFault {
    /// No socket on the port; the ports that have one.
    NotListening {
        port: u16,
        open: Vec<u16>,
    },
    LoopbackOnly {
        port: u16,
        address: IpAddr,
    },
    OtherFamily {
        port: u16,
        address: IpAddr,
        family: Family,
    },
    QueueFull {
        port: u16,
        waiting: u32,
        backlog: u32,
    },
    Filtered {
        port: u16,
        rule: TrailStep,
        /// Whether it is the pod that sends.
        is_source: bool,
    },
    /// No route for a packet that the pod sends, as a client or as an answer.
    NoRoute {
        to: IpAddr,
        why: String,
    },
    /// Its datagrams to clients come from another address than the one that was asked.
    AnswersFrom {
        address: IpAddr,
        /// The question, and what answers it, as the node remembers them.
        entries: [String; 2],
    },
    /// The address of the pod's status is not on any of its interfaces.
    AddressGone {
        address: IpAddr,
        has: Vec<IpAddr>,
    },
}

// === impl WayFault ===

impl WayFault {
    /// In a few words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::NoRoute { to } => format!("no route to {to}"),
            Self::ByDefault { to, .. } => format!("{to} only by the default route"),
            Self::DeadEnd { to, what } => format!("{to}: {what}"),
            Self::DeadNeighbour { ip, .. } => format!("{ip} does not answer"),
            Self::WrongNode { to, owner, .. } => format!("{to} goes to {owner}"),
            Self::NotMasqueraded { to, .. } => format!("not masqueraded on the way to {to}"),
            Self::WrongLinkAddress { ip, .. } => format!("wrong link address for {ip}"),
            Self::LinkDown { device, .. } => format!("{device} is down"),
            Self::TooLarge { sends, takes, .. } => {
                format!("sends {sends} bytes, the other end accepts {takes}")
            }
            Self::Detached { pod, .. } => format!("{} is cut off", pod.name),
            Self::NoGateway { gateway, .. } => format!("gateway {gateway} is gone"),
        }
    }
}

// === impl Fault ===

impl Fault {
    /// Whether it is worth knowing and no more.
    #[must_use]
    pub const fn is_notice(&self) -> bool {
        match self {
            Self::Kernel(KernelFault::Program(_)) => true,
            Self::Plane(fault) => fault.is_notice(),
            _ => false,
        }
    }

    /// Whether some packets pass all the same: small ones, or those that chance spares.
    #[must_use]
    pub const fn is_partial(&self) -> bool {
        matches!(
            self,
            Self::Way(WayFault::TooLarge { .. }) | Self::Blocked { is_share: true, .. }
        )
    }
}

// === impl TunnelFault ===

impl TunnelFault {
    /// In a few words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::NoEntry {
                device, gateway, ..
            } => format!("{device} does not know where {gateway} is"),
            Self::WrongPeer { device, to, .. } => format!("{device} sends to {to}"),
            Self::OtherAddress { device, .. } => {
                format!("the other end of {device} has another link address")
            }
            Self::Differs { device, .. } => format!("the ends of {device} differ"),
            Self::NoPeer { device } => format!("no other end of {device}"),
            Self::PortBlocked { device, packet, .. } => {
                format!(
                    "a rule stops the packets of {device} to port {}",
                    packet.dport
                )
            }
        }
    }
}
