//! What the client asks an agent, and what the agent answers: JSON, one line an answer.
//!
//! ```text
//!  client --Plan (argument or environment)--> agent
//!  agent  --Hello, Observation…, Fact…, Done--> client     one JSON object a line on stdout
//! ```
//!
//! Both sides are the same program, but not always the same version: a field that is not known is
//! passed over, a task that is not known is answered with [`Outcome::Unsupported`].

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::Protocol;

/// The version of this protocol; it changes when an old side would misread a new one.
pub const VERSION: u32 = 1;

/// Everything an agent is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    pub version: u32,
    /// The agent ends after so many milliseconds, whatever is still running.
    pub deadline_ms: u64,
    pub tasks: Vec<Task>,
}

/// One question. Tasks run side by side; attempts within one as it says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Task {
    /// One query to one server.
    #[serde(rename_all = "camelCase")]
    Dns {
        server: SocketAddr,
        /// Absolute, without the final dot.
        name: String,
        record: Record,
        over_tcp: bool,
        /// Whether to announce room for large answers (RFC 6891). Resolvers of the C libraries do not,
        /// so that more than 512 bytes come back truncated.
        #[serde(default)]
        edns: bool,
        timeout_ms: u64,
    },
    /// Connections, each from a source port of its own.
    #[serde(rename_all = "camelCase")]
    Connect {
        to: SocketAddr,
        /// TCP or SCTP.
        #[serde(default)]
        protocol: Protocol,
        /// At most 100 are made.
        attempts: u32,
        /// Between the starts of two attempts; 0 starts all at once.
        spacing_ms: u64,
        timeout_ms: u64,
        /// Whether an attempt that succeeded makes the later ones unnecessary.
        until_open: bool,
        /// What to say once connected; without it the connection is closed at once.
        #[serde(default)]
        exchange: Option<Exchange>,
    },
    /// A datagram, and whatever comes back: an answer, an ICMP error, or silence.
    #[serde(rename_all = "camelCase")]
    Udp {
        to: SocketAddr,
        /// What is sent, in hexadecimal.
        payload: String,
        attempts: u32,
        spacing_ms: u64,
        timeout_ms: u64,
    },
    /// An HTTP/1.1 request, with or without TLS.
    #[serde(rename_all = "camelCase")]
    Http {
        to: SocketAddr,
        host: String,
        path: String,
        tls: bool,
        /// Bytes of padding in a header: makes the request too large for one packet.
        padding: usize,
        timeout_ms: u64,
    },
    /// A TLS handshake, for the certificate; it need not be valid.
    #[serde(rename_all = "camelCase")]
    Tls {
        to: SocketAddr,
        server_name: String,
        timeout_ms: u64,
    },
    /// ICMP echo requests.
    #[serde(rename_all = "camelCase")]
    Echo {
        to: IpAddr,
        attempts: u32,
        #[serde(default)]
        spacing_ms: u64,
        timeout_ms: u64,
    },
    /// The largest packet that passes without being fragmented.
    #[serde(rename_all = "camelCase")]
    PathMtu { to: SocketAddr, timeout_ms: u64 },
    /// The routers on the way, by growing hop limits.
    #[serde(rename_all = "camelCase")]
    Trace {
        to: SocketAddr,
        /// TCP segments instead of UDP datagrams.
        tcp: bool,
        max_hops: u8,
        timeout_ms: u64,
    },
    /// The facts of the agent's own network namespace, in the form of a snapshot's pod folder.
    PodFacts,
    /// The facts of the agent's node, in the form of a snapshot's node folder.
    #[serde(rename_all = "camelCase")]
    NodeFacts {
        /// Which connections to list; none lists those of all addresses, as many as fit.
        #[serde(default)]
        addresses: Vec<IpAddr>,
    },
}

/// What is said over a connection that opened, and how long to wait for more.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exchange {
    /// What is sent, in hexadecimal; may be empty, to hear whether the peer speaks or hangs up first.
    #[serde(default)]
    pub payload: String,
    /// Bytes of zero sent behind it, to fill more than one packet.
    #[serde(default)]
    pub padding: usize,
    /// How long to listen; ends early when the peer closes.
    pub listen_ms: u64,
}

/// The record types that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Record {
    A,
    Aaaa,
    Srv,
}

/// One line of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Line {
    Hello(Hello),
    Observation(Observation),
    Fact(Fact),
    Done(Done),
}

/// The agent, about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hello {
    pub version: u32,
    /// The program's version.
    pub agent: String,
    pub uid: u32,
    /// Effective capabilities by name (`NET_RAW`), from /proc/self/status.
    pub capabilities: Vec<String>,
    /// Whether unprivileged ICMP sockets are open to it (net.ipv4.ping_group_range).
    pub can_ping: bool,
    pub hostname: String,
}

/// What one task found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observation {
    /// The position of the task in the plan.
    pub task: usize,
    pub outcome: Outcome,
}

/// The answer to a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    Dns(DnsReply),
    Attempts(Vec<Attempt>),
    Http(HttpReply),
    Tls(TlsReply),
    PathMtu(MtuReply),
    Trace(Vec<TraceHop>),
    /// The agent may not, or cannot, do it here; with the capability or kernel feature it lacks.
    Unsupported {
        why: String,
    },
}

/// What a DNS server said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DnsReply {
    /// `NOERROR`, `NXDOMAIN`, `SERVFAIL` …; none without an answer.
    pub rcode: Option<String>,
    pub authoritative: bool,
    pub truncated: bool,
    /// Addresses, alias targets (`CNAME x.y.`) and `SRV port target`, as they stand in the answer.
    pub answers: Vec<String>,
    /// The zone whose authority the server names, which tells who denied a name: `cluster.local.`
    /// or, from a forwarder, `.`.
    #[serde(default)]
    pub authority: Option<String>,
    /// Why there is no answer.
    pub error: Option<Failure>,
    pub elapsed_us: u64,
}

/// One attempt of a connection, a datagram or an echo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// None when it succeeded.
    pub error: Option<Failure>,
    pub elapsed_us: u64,
    /// The source address and port the kernel picked.
    pub local: Option<SocketAddr>,
    /// Bytes that came back.
    #[serde(default)]
    pub received: usize,
    /// Bytes of an exchange that the peer's kernel had not acknowledged at the end, where ours tells.
    #[serde(default)]
    pub unacknowledged: Option<u64>,
    /// The ICMP message behind the error, where the kernel hands it out. With it, errors are seen that
    /// an ordinary UDP socket would pass over in silence (host and network unreachable).
    #[serde(default)]
    pub icmp: Option<IcmpError>,
}

/// An ICMP error message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IcmpError {
    /// Who sent it: the place that refused. The own address where resolving a neighbour failed.
    pub from: IpAddr,
    /// Of ICMP or ICMPv6, as the address says.
    pub icmp_type: u8,
    pub code: u8,
    /// What "fragmentation needed" and "packet too big" name.
    #[serde(default)]
    pub mtu: Option<u32>,
}

/// How something failed. Time matters as much as the name: "no route to host" at once is a
/// firewall, after three seconds a neighbour that does not answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Failure {
    /// Nothing within the time allowed.
    Timeout,
    /// ECONNREFUSED.
    Refused,
    /// ECONNRESET.
    Reset,
    /// EHOSTUNREACH.
    HostUnreachable,
    /// ENETUNREACH.
    NetUnreachable,
    /// EACCES or EPERM: an IPv6 firewall, a local filter, or a missing capability.
    Denied,
    /// EADDRNOTAVAIL: no source port left.
    NoLocalPort,
    /// EMFILE or ENFILE.
    NoDescriptor,
    /// The peer closed before it said anything.
    Closed,
    /// Something else, with the kernel's own name where it has one.
    Other { text: String },
}

/// What an HTTP server said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpReply {
    pub status: Option<u16>,
    /// The `Server` header: who answered.
    pub server: Option<String>,
    pub location: Option<String>,
    /// Bytes of head and body that were read, at most 256 KiB.
    pub received: usize,
    /// Bytes of the request.
    #[serde(default)]
    pub sent: usize,
    /// Bytes that the peer's kernel had not acknowledged at the end, where ours tells: a request that
    /// never arrived is the network's fault, one that stays unanswered the server's.
    #[serde(default)]
    pub unacknowledged: Option<u64>,
    /// The source address and port the kernel picked.
    #[serde(default)]
    pub local: Option<SocketAddr>,
    /// To the end of the TCP handshake.
    pub connect_us: Option<u64>,
    /// To the first byte of the answer.
    pub first_byte_us: Option<u64>,
    pub elapsed_us: u64,
    pub error: Option<Failure>,
}

/// What a TLS server showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TlsReply {
    pub protocol: Option<String>,
    /// Subject and alternative names of its certificate.
    pub names: Vec<String>,
    /// RFC 3339.
    pub not_before: Option<String>,
    pub not_after: Option<String>,
    pub issuer: Option<String>,
    /// The TLS alert or other reason the handshake failed with.
    pub alert: Option<String>,
    /// Whether it asked for a certificate of the client, as in mutual TLS.
    #[serde(default)]
    pub asks_for_certificate: bool,
    pub error: Option<Failure>,
    pub elapsed_us: u64,
}

/// What a path lets through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MtuReply {
    /// The MTU of the interface the packets left by.
    pub interface: Option<u32>,
    /// The largest IP packet that passed, if any did.
    pub passed: Option<u32>,
    /// The smallest that did not, and whether a router said so or it vanished.
    pub failed: Option<u32>,
    pub said_so: bool,
    /// Who said so.
    #[serde(default)]
    pub by: Option<IpAddr>,
    /// What could not be told, and why.
    #[serde(default)]
    pub unknown: Option<String>,
}

/// One router of a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TraceHop {
    pub hop: u8,
    /// None for one that stays silent.
    pub address: Option<IpAddr>,
    pub elapsed_us: Option<u64>,
    /// Whether this is the destination.
    pub arrived: bool,
    /// What it said instead of "time exceeded": the packet goes no further.
    #[serde(default)]
    pub icmp: Option<IcmpError>,
}

/// A fact under the name of its file in a snapshot, or a part of it: a long text comes in several
/// lines, to be put together in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fact {
    /// The position of the task in the plan.
    #[serde(default)]
    pub task: usize,
    /// `sockets.txt`
    pub file: String,
    pub text: String,
    /// What could not be gathered, and why; what came of the text before is then no fact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

/// The end of the answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Done {
    pub elapsed_ms: u64,
    /// Whether the deadline cut something off.
    pub cut_short: bool,
}

// === impl Fact ===

impl Fact {
    /// Whether `part` goes on where this one ends.
    #[must_use]
    pub fn continues_in(&self, part: &Self) -> bool {
        self.task == part.task && self.file == part.file
    }

    /// Puts the next part behind this one.
    pub fn append(&mut self, part: Self) {
        self.text.push_str(&part.text);
        self.missing = self.missing.take().or(part.missing);
    }
}

// === impl IcmpError ===

impl IcmpError {
    /// In the words of RFC 792, RFC 1812 and RFC 4443.
    #[must_use]
    pub const fn words(&self) -> &'static str {
        match (self.from, self.icmp_type, self.code) {
            (IpAddr::V4(_), 3, 0) | (IpAddr::V6(_), 1, 0) => "network unreachable",
            (IpAddr::V4(_), 3, 1) | (IpAddr::V6(_), 1, 3) => "host unreachable",
            (IpAddr::V4(_), 3, 2) => "protocol unreachable",
            (IpAddr::V4(_), 3, 3) | (IpAddr::V6(_), 1, 4) => "port unreachable",
            (IpAddr::V4(_), 3, 4) => "fragmentation needed",
            (IpAddr::V6(_), 2, _) => "packet too big",
            (IpAddr::V4(_), 3, 9) => "network prohibited",
            (IpAddr::V4(_), 3, 10) => "host prohibited",
            (IpAddr::V4(_), 3, 13) | (IpAddr::V6(_), 1, 1) => "administratively prohibited",
            (IpAddr::V6(_), 1, 5) => "source address failed policy",
            (IpAddr::V6(_), 1, 6) => "route rejected",
            (IpAddr::V4(_), 11, 0) | (IpAddr::V6(_), 3, 0) => "time exceeded",
            _ => "another ICMP error",
        }
    }
}

// === impl Failure ===

impl Failure {
    /// In the words of an engineer.
    #[must_use]
    pub fn words(&self) -> &str {
        match self {
            Self::Timeout => "timeout",
            Self::Refused => "connection refused",
            Self::Reset => "connection reset",
            Self::HostUnreachable => "no route to host",
            Self::NetUnreachable => "network unreachable",
            Self::Denied => "permission denied",
            Self::NoLocalPort => "no source port left",
            Self::NoDescriptor => "no file descriptor left",
            Self::Closed => "closed by the peer",
            Self::Other { text } => text,
        }
    }
}

// === impl MtuReply ===

impl MtuReply {
    /// Whether packets that the interface would send vanish on the way, and no router says so.
    #[must_use]
    pub fn is_black_hole(&self) -> bool {
        let fits = |size: u32| self.interface.is_none_or(|mtu| size <= mtu);
        self.passed.is_some() && self.failed.is_some_and(fits) && !self.said_so
    }
}
