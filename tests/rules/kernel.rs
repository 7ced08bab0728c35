//! The evaluator against the kernel of this machine: random rule sets are loaded on a router, packets
//! are sent through it, and both say where they end.
//!
//! ```text
//!  client 10.0.1.1 ── router ── server 10.0.2.2, .10-.12, 10.96.0.0/16
//!           │        (rules)      │
//!         errors    raw sockets: what was delivered here, with its addresses
//! ```
//!
//! Nothing waits for something that may not come. Every packet is followed by a fence, a datagram over
//! IPv6 that no rule sees; all queues on the way are one queue of one CPU, so that whatever was to become
//! of the packet has become of it when the fence is back.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::process::{Command, Stdio};
use std::time::Duration;

use netpath::facts::{links, routes};
use netpath::nat::eval::{Fate, Outcome, Question, Tracer};
use netpath::nat::model::Ruleset;
use netpath::nat::read::{read_iptables, read_nft};
use netpath::net::{Family, Packet, Protocol};
use netpath::route::{Host, Routing};
use socket2::{Domain, SockAddr, Socket, Type};

use super::random::{ENDPOINTS, PORTS, ROUTER, RuleSet, VIPS};
use crate::agent::ground::{at, chain, on_own_ground, sh};
use crate::policy::random::Dice;

/// Rule sets for each backend, and packets through each.
const RULESETS: u64 = 120;
const PACKETS: u64 = 16;

/// How rules get into the kernel, and out again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Backend {
    IptablesNft,
    IptablesLegacy,
    Nft,
}

/// Where a packet was seen last.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    At {
        place: &'static str,
        src: IpAddr,
        to: SocketAddr,
    },
    /// The sender got an error.
    Refused,
    Nowhere,
}

on_own_ground! {
    /// Over `iptables-nft`.
    fn agrees_with_a_kernel_over_iptables_nft() {
        agree(Backend::IptablesNft);
    }
}

on_own_ground! {
    /// Over the older interface of the kernel.
    fn agrees_with_a_kernel_over_iptables_legacy() {
        agree(Backend::IptablesLegacy);
    }
}

on_own_ground! {
    /// Over native tables.
    fn agrees_with_a_kernel_over_nftables() {
        agree(Backend::Nft);
    }
}

fn agree(backend: Backend) {
    lay_out();
    if !backend.works() {
        eprintln!("SKIPPED: {}: not in this kernel", backend.name());
        return;
    }
    let ground = Ground::new();
    let host = host();
    let mut source_port = 20_000;
    let mut ends: BTreeMap<&str, u32> = BTreeMap::new();
    let mut wrong = Vec::new();
    for seed in 0..RULESETS {
        backend.load(&RuleSet::new(seed));
        let dump = backend.save();
        let rules = backend.read(&dump);
        assert_eq!(rules.notes, Vec::<String>::new(), "rule set {seed}");
        let tracer = Tracer::new(&rules, &host);
        let mut dice = Dice::new(seed);
        for _ in 0..PACKETS {
            source_port += 1;
            let probe = Probe::random(&mut dice, source_port);
            let (packet, seen) = ground.send(&probe);
            let question = if probe.from == "router" {
                Question::made_here(packet)
            } else {
                Question::incoming(packet, "client")
            };
            let answer = tracer.walk(&question);
            *ends.entry(seen.name()).or_default() += 1;
            let ours = answer.outcomes.iter().any(|outcome| end(outcome) == seen);
            if !ours || !answer.is_certain() {
                wrong.push(format!(
                    "rule set {seed}, {packet} {} from {}: kernel {seen:?}\n{answer:#?}\n{dump}",
                    packet.protocol, probe.from
                ));
            }
        }
    }
    println!(
        "{}: {} packets: {ends:?}",
        backend.name(),
        RULESETS * PACKETS
    );
    // A test that only ever sees one end proves little.
    for (end, count) in ["server", "router", "refused", "nowhere"].map(|end| (end, ends.get(end))) {
        assert!(count.is_some_and(|count| *count > 30), "{end}: {count:?}");
    }
    assert!(
        wrong.is_empty(),
        "{} wrong, the first:\n{}",
        wrong.len(),
        wrong[0]
    );
}

/// The addresses of the ground; everybody knows everybody's link address already.
fn lay_out() {
    chain(&["client", "router", "server"]);
    sh(
        "for last in 10 11 12; do ip -n server addr add 10.0.2.$last/24 dev router; done
        ip -n router addr add 10.0.2.200/24 dev server
        ip -n server route add local 10.96.0.0/16 dev lo
        ip -n router route add 10.96.0.0/16 via 10.0.2.2
        ip -n client route add 10.96.0.0/16 via 10.0.1.2
        mac() { ip -n $1 -j link show dev $2 | sed 's/.*\"address\":\"\\([0-9a-f:]*\\)\".*/\\1/'; }
        know() { ip -n $1 neigh replace $3 lladdr $(mac $4 $5) dev $2 nud permanent; }
        know client router 10.0.1.2 router client; know router client 10.0.1.1 client router
        know client router fd00:1::2 router client; know router client fd00:1::1 client router
        for last in 2 10 11 12; do know router server 10.0.2.$last server router; done
        for last in 1 200; do know server router 10.0.2.$last router server; done
        know router server fd00:2::2 server router; know server router fd00:2::1 router server",
    );
    // One queue: everything that is sent from here is handled on one CPU.
    let mut one = nix::sched::CpuSet::new();
    one.set(0).expect("there is a first CPU");
    nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &one).expect("of this thread");
}

/// What the router knows of itself.
fn host() -> Host {
    let ask = |arguments: &str| output(&format!("ip -n router -j {arguments}"));
    Host {
        links: Some(links(&ask("-d addr")).expect("ip -j addr")),
        addresses: None,
        routing: Some(Routing::new(
            routes(&ask("route show table all"), Family::V4).expect("ip -j route"),
            Vec::new(),
        )),
    }
}

fn output(command: &str) -> String {
    let output = Command::new("sh")
        .args(["-euc", command])
        .output()
        .expect("sh runs");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {complaint}");
    String::from_utf8(output.stdout).expect("text")
}

// === impl Backend ===

impl Backend {
    const fn name(self) -> &'static str {
        match self {
            Self::IptablesNft => "iptables-nft",
            Self::IptablesLegacy => "iptables-legacy",
            Self::Nft => "nftables",
        }
    }

    fn load(self, rules: &RuleSet) {
        let (text, program) = match self {
            Self::IptablesNft => (rules.iptables(), "iptables-nft-restore"),
            Self::IptablesLegacy => (rules.iptables(), "iptables-legacy-restore"),
            Self::Nft => (format!("flush ruleset\n{}", rules.nft()), "nft -f -"),
        };
        let result = feed(program, &text);
        assert!(result.is_ok(), "{text}\n{result:?}");
    }

    /// Whether the kernel and the tools know it.
    fn works(self) -> bool {
        self == Self::Nft || {
            let program = format!("{}-restore", self.name());
            feed(&program, "*filter\n-A FORWARD -j ACCEPT\nCOMMIT\n").is_ok()
        }
    }

    fn save(self) -> String {
        let program = match self {
            Self::Nft => "nft -j list ruleset".to_owned(),
            _ => format!("{}-save -c 2>/dev/null", self.name()),
        };
        output(&format!("nsenter --net=/run/netns/router {program}"))
    }

    fn read(self, dump: &str) -> Ruleset {
        let mut rules = Ruleset::default();
        match self {
            Self::Nft => read_nft(&mut rules, dump).expect("a listing"),
            _ => read_iptables(&mut rules, dump, None, false).expect("a dump"),
        }
        rules
    }
}

/// Runs a program on the router with a text as its input.
fn feed(program: &str, text: &str) -> Result<(), String> {
    let mut child = Command::new("nsenter")
        .arg("--net=/run/netns/router")
        .args(["sh", "-c", program])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut stdin = child.stdin.take().expect("piped");
    let written = std::io::Write::write_all(&mut stdin, text.as_bytes());
    drop(stdin);
    let output = child
        .wait_with_output()
        .map_err(|error| error.to_string())?;
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success() && written.is_ok())
        .then_some(())
        .ok_or(complaint)
}

/// One packet to be sent.
struct Probe {
    from: &'static str,
    to: SocketAddrV4,
    source_port: u16,
    protocol: Protocol,
}

// === impl Probe ===

impl Probe {
    fn random(dice: &mut Dice, source_port: u16) -> Self {
        let place = match dice.below(8) {
            0..=3 => dice.pick(&VIPS),
            4 | 5 => dice.pick(&ENDPOINTS),
            _ => ROUTER,
        };
        let index = usize::try_from(dice.below(PORTS.len() as u64)).expect("an index");
        Self {
            from: if dice.chance(30) { "router" } else { "client" },
            to: SocketAddrV4::new(place.parse().expect("an address"), PORTS[index]),
            source_port,
            protocol: if dice.chance(70) {
                Protocol::Tcp
            } else {
                Protocol::Udp
            },
        }
    }
}

/// Sockets that see what is delivered, and those of the fence.
struct Ground {
    eyes: Vec<(&'static str, Protocol, Socket)>,
    fence: [(&'static str, UdpSocket); 2],
    far_end: UdpSocket,
}

// === impl Ground ===

impl Ground {
    fn new() -> Self {
        let mut eyes = Vec::new();
        for place in ["router", "server"] {
            for protocol in [Protocol::Tcp, Protocol::Udp] {
                let number = i32::from(protocol.number());
                let socket = at(place, move || {
                    Socket::new(Domain::IPV4, Type::RAW, Some(number.into()))
                });
                let socket = socket.expect("a raw socket");
                socket.set_nonblocking(true).expect("a socket");
                eyes.push((place, protocol, socket));
            }
        }
        let open = |place| at(place, || UdpSocket::bind("[::]:9").expect("a free port"));
        let ground = Self {
            eyes,
            fence: ["client", "router"].map(|place| (place, open(place))),
            far_end: open("server"),
        };
        let patience = Some(Duration::from_secs(30));
        for socket in ground.fence.iter().map(|(_, socket)| socket) {
            socket.set_read_timeout(patience).expect("a socket");
        }
        ground.far_end.set_read_timeout(patience).expect("a socket");
        ground
    }

    /// Sends one packet; its addresses as they left the sender, and where it was seen.
    fn send(&self, probe: &Probe) -> (Packet, Seen) {
        let kind = match probe.protocol {
            Protocol::Udp => Type::DGRAM,
            _ => Type::STREAM,
        };
        let socket = at(probe.from, move || Socket::new(Domain::IPV4, kind, None));
        let socket = socket.expect("a socket");
        socket.set_nonblocking(true).expect("a socket");
        let source = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, probe.source_port);
        socket.bind(&source.into()).expect("a free port");
        // For TCP this sends the first packet; refused at once where the way is short.
        let connected = socket.connect(&SockAddr::from(probe.to));
        let own = socket.local_addr().ok().and_then(|own| own.as_socket());
        if probe.protocol == Protocol::Udp {
            // An output rule may refuse it on the spot; that shows below.
            let _ = socket.send(b"packet");
        }
        let mut refused = connected.is_err_and(|error| {
            !matches!(error.kind(), ErrorKind::WouldBlock) && error.raw_os_error() != Some(115)
        });
        self.wait(probe.from);
        refused |= socket.take_error().is_ok_and(|error| error.is_some());
        let own = own.filter(|own| !own.ip().is_unspecified());
        let src = own.map_or_else(|| sender(probe), |own| own.ip());
        let mut packet = Packet::new(
            src,
            IpAddr::V4(*probe.to.ip()),
            probe.to.port(),
            probe.protocol,
        );
        packet.sport = Some(probe.source_port);
        let delivered = self.delivered(probe);
        let seen = delivered.unwrap_or(if refused {
            Seen::Refused
        } else {
            Seen::Nowhere
        });
        (packet, seen)
    }

    /// A datagram there and back again, over IPv6: whatever was sent before it has arrived.
    fn wait(&self, from: &str) {
        let (_, near) = self
            .fence
            .iter()
            .find(|(place, _)| *place == from)
            .expect("a place");
        let mut room = [0; 16];
        near.send_to(b"fence", "[fd00:2::2]:9")
            .expect("no rule for IPv6");
        let (length, back) = self
            .far_end
            .recv_from(&mut room)
            .expect("the fence arrives");
        self.far_end
            .send_to(&room[..length], back)
            .expect("no rule for IPv6");
        near.recv_from(&mut room).expect("the fence comes back");
    }

    /// What the eyes saw of it: the packet itself, not an answer to it.
    fn delivered(&self, probe: &Probe) -> Option<Seen> {
        let mut found = None;
        for (place, protocol, socket) in &self.eyes {
            let mut room = [0; 2048];
            while let Ok(length) = (&*socket).read(&mut room) {
                let packet = &room[..length];
                let header = usize::from(packet[0] & 0x0f) * 4;
                let port =
                    |at: usize| u16::from_be_bytes([packet[header + at], packet[header + at + 1]]);
                let address = |at: usize| {
                    let bytes: [u8; 4] = packet[at..at + 4].try_into().expect("four bytes");
                    IpAddr::from(bytes)
                };
                let is_first = *protocol == Protocol::Udp || packet[header + 13] & 0x12 == 0x02;
                let is_ours = *protocol == probe.protocol
                    // Translation of the source may change its port.
                    && (port(0) == probe.source_port || address(12) != sender(probe));
                if is_first && is_ours {
                    let to = SocketAddr::new(address(16), port(2));
                    let src = address(12);
                    found = Some(Seen::At { place, src, to });
                }
            }
        }
        found
    }
}

/// The address that the sender uses.
fn sender(probe: &Probe) -> IpAddr {
    let own: Ipv4Addr = match probe.from {
        "client" => [10, 0, 1, 1].into(),
        _ => [10, 0, 2, 1].into(),
    };
    own.into()
}

// === impl Seen ===

impl Seen {
    const fn name(&self) -> &'static str {
        match self {
            Self::At { place, .. } => place,
            Self::Refused => "refused",
            Self::Nowhere => "nowhere",
        }
    }
}

/// An outcome of the evaluator in the same words.
const fn end(outcome: &Outcome) -> Seen {
    let place = match &outcome.fate {
        Fate::Forward(_) => "server",
        Fate::Deliver => "router",
        Fate::Drop | Fate::Unknown(_) => return Seen::Nowhere,
        Fate::Reject(_) => return Seen::Refused,
    };
    Seen::At {
        place,
        src: outcome.packet.src,
        to: SocketAddr::new(outcome.packet.dst, outcome.packet.dport),
    }
}
