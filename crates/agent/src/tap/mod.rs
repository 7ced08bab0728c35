//! The tap: one packet socket in the network namespace of the node, and what of a marked probe it sees.
//!
//! ```text
//!  all packets of all interfaces ─► filter (in the kernel) ─► packet (read) ─► point, once each ─► Line
//!  pulse: a marked datagram over loopback, ten times a second, through the same filter
//! ```
//!
//! Every point is sent as it is seen. A pulse that was seen proves that the tap was looking until then, and,
//! because lines keep their order, that all points before it were sent.

mod assembler;
mod filter;
mod interfaces;
mod marked;
mod nfnetlink;
mod packet;
mod pulse;
mod rules;
mod socket;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::Sender;
use tokio::time::{interval, sleep_until};

use super::hex;
use interfaces::Interfaces;
pub(super) use marked::marked;
use netpath_protocol::tap::{Segment, Tap, TapLine, TapOpen, TapPoint, TapPulse};
use netpath_protocol::{Line, Outcome};
use packet::Packet;
use pulse::Heart;
use rules::Rules;
use socket::{PacketSocket, Sighted};

/// Between two pulses.
const PULSE: Duration = Duration::from_millis(100);
/// More points than this are those of somebody else.
const MAX_POINTS: usize = 500;

/// Where the lines of a tap go.
pub(super) struct Post {
    lines: Sender<Line>,
}

// === impl Post ===

impl Post {
    pub(super) fn new(_task: usize, lines: &Sender<Line>) -> Self {
        Self {
            lines: lines.clone(),
        }
    }

    /// False when nobody reads any more.
    async fn send(&self, line: TapLine) -> bool {
        self.lines.send(Line::Tap(line)).await.is_ok()
    }
}

/// What a tap has seen so far.
struct Watch<'a> {
    wanted: &'a Tap,
    interfaces: Interfaces,
    opened: Duration,
    /// What was told already.
    told: BTreeSet<(u32, bool, Segment, Option<u32>, bool)>,
    copied: u64,
}

/// Looks until the time is over; an outcome only where it cannot.
pub(super) async fn tap(wanted: &Tap, post: Post, deadline: Instant) -> Option<Outcome> {
    let filter = filter::program(wanted);
    let opened = PacketSocket::open(&filter).and_then(|socket| Ok((socket, Heart::new(wanted)?)));
    let (socket, mut heart) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            let why = format!("a packet socket needs NET_RAW in the node's network ({error})");
            return Some(Outcome::Unsupported { why });
        }
    };
    let mut watch = Watch {
        wanted,
        interfaces: Interfaces::read(),
        opened: std::time::UNIX_EPOCH.elapsed().unwrap_or_default(),
        told: BTreeSet::new(),
        copied: 0,
    };
    let end = deadline.min(Instant::now() + Duration::from_millis(wanted.listen_ms));
    let mut beats = interval(PULSE);
    let (mut rules, no_rules) = trace(wanted);
    let at_micros = u64::try_from(watch.opened.as_micros()).unwrap_or_default();
    let open = TapOpen {
        no_rules,
        at_micros,
    };
    if !post.send(TapLine::Open(open)).await {
        return None;
    }
    loop {
        let lines = tokio::select! {
            () = sleep_until(end.into()) => return None,
            _ = beats.tick() => {
                heart.beat();
                continue;
            }
            sighted = socket.next() => match sighted {
                Ok(sighted) => watch.line(&sighted).into_iter().collect(),
                Err(error) => return Some(Outcome::Unsupported { why: error.to_string() }),
            },
            told = next_rules(rules.as_mut()) => told,
        };
        for line in lines {
            if !post.send(line).await {
                return None;
            }
        }
    }
}

/// Starts to trace rules, or says why that cannot be.
fn trace(wanted: &Tap) -> (Option<Rules>, Option<String>) {
    if !wanted.rules {
        return (None, None);
    }
    match Rules::start(wanted) {
        Ok(rules) => (Some(rules), None),
        Err(error) => {
            let why =
                format!("tracing rules needs NET_ADMIN and nf_tables of Linux 5.12 ({error})");
            (None, Some(why))
        }
    }
}

/// The rules that were met next; never, where none are traced.
async fn next_rules(rules: Option<&mut Rules>) -> Vec<TapLine> {
    match rules {
        // More than the socket holds is lost, and the rest is good.
        Some(rules) => {
            let met = rules.next().await.unwrap_or_default();
            met.into_iter().map(TapLine::Rule).collect()
        }
        None => std::future::pending().await,
    }
}

// === impl Watch ===

impl Watch<'_> {
    /// What a packet is worth telling, if anything.
    fn line(&mut self, sighted: &Sighted) -> Option<TapLine> {
        if let Some(number) = pulse::number(&sighted.bytes, self.wanted.mark) {
            // It leaves by the loopback, and comes in by it.
            let is_in = !sighted.out;
            return is_in.then(|| {
                TapLine::Pulse(TapPulse {
                    number,
                    micros: self.micros(sighted),
                    copied: self.copied,
                })
            });
        }
        self.copied += 1;
        let packet = packet::read(&sighted.bytes, self.wanted)?;
        let key = (
            sighted.index,
            sighted.out,
            packet.segment,
            packet.flow,
            packet.outer.is_some(),
        );
        let is_new = self.told.len() < MAX_POINTS && self.told.insert(key);
        is_new.then(|| TapLine::Point(self.point(sighted, packet)))
    }

    fn point(&mut self, sighted: &Sighted, packet: Packet) -> TapPoint {
        let (interface, role) = self.interfaces.get(sighted.index);
        let micros = self.micros(sighted);
        let bytes = (self.wanted.capture).then(|| (hex::encode(&sighted.bytes), sighted.length));
        TapPoint {
            interface,
            role,
            out: sighted.out,
            segment: packet.segment,
            source: packet.source,
            destination: packet.destination,
            flow: packet.flow,
            ip_id: packet.ip_id,
            ttl: packet.ttl,
            outer: packet.outer,
            icmp: packet.icmp,
            micros,
            bytes,
        }
    }

    fn micros(&self, sighted: &Sighted) -> u64 {
        let since = sighted.at.saturating_sub(self.opened);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }
}
