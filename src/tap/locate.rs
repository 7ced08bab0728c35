//! Where a packet vanishes: behind the last point that saw it.

use std::net::IpAddr;

use super::journey::{Direction, Ends, Journey, Stop};
use crate::net::Protocol;
use crate::observe::Tapped;
use netpath_protocol::IcmpError;
use netpath_protocol::tap::{Role, Segment, TapRule};

/// Between which points.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gap {
    /// It never came out of the pod that it starts in.
    InSource,
    /// It came to a node, or started there, and did not leave it.
    OnNode { node: String },
    /// It was put on the wire of one node and did not come to another.
    Wire { from: String, to: String },
    /// The node's bridge had it, and the pod's cable did not.
    ToPod { node: String },
    /// It was handed to the pod of the backend, and nothing came back.
    InBackend { node: String },
}

/// How an attempt ended, as far as taps saw it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// The answer came back to the source.
    Complete,
    /// The backend's own reset came back to the source.
    Refused,
    /// It vanished.
    Lost { direction: Direction, gap: Gap },
    /// It was rejected there, with an ICMP error.
    Rejected { direction: Direction, gap: Gap },
    /// Nobody looked where it went, or what happens there is not visible to a tap; why.
    Unseen(String),
}

/// What the attempts of one probe agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    pub end: End,
    /// So many attempts ended so, of so many.
    pub agreeing: usize,
    pub attempts: usize,
    /// The points of one of those, there and back.
    pub stops: Vec<Stop>,
    /// What identifies it.
    pub flow: Option<u32>,
    pub refusal: Option<IcmpError>,
    /// The rule that dropped or rejected it, where the kernel told.
    pub rule: Option<TapRule>,
    /// Nodes whose taps do not count, and why.
    pub blind: Vec<(String, String)>,
    pub tapped: Tapped,
}

/// Locates the end of a probe; none if there was no probe.
#[must_use]
pub fn locate(tapped: &Tapped, ends: &Ends) -> Option<Located> {
    let attempts = tapped.attempts.as_ref().ok()?;
    let mut all: Vec<(End, Journey, Option<u32>)> = Vec::new();
    for (at, attempt) in attempts.iter().enumerate() {
        // One that found no port of its own sent nothing.
        let Some(local) = attempt.local else {
            continue;
        };
        let flow = flow(tapped, at, local.port());
        // A number that no packet has.
        let journey = Journey::of(tapped, ends, flow.unwrap_or(NOBODY));
        let end = match (attempt.error.is_none(), end(tapped, ends, &journey)) {
            (true, End::Complete) => End::Complete,
            (true, _) => End::Unseen("the attempt succeeds past the taps".to_owned()),
            (false, end) => end,
        };
        all.push((end, journey, flow));
    }
    rejected_alike(&mut all);
    let mut counted: Vec<(usize, usize)> = (0..all.len())
        .map(|at| {
            let alike = all.iter().filter(|other| other.0 == all[at].0).count();
            (alike, all[at].1.stops.len())
        })
        .collect();
    // What fails is what was asked for, however often it works.
    for (at, count) in counted.iter_mut().enumerate() {
        if all[at].0 == End::Complete && count.0 < all.len() {
            count.0 = 0;
        }
    }
    let at = (0..all.len()).max_by_key(|at| (counted[*at], usize::MAX - at))?;
    let total = all.len();
    let agreeing = all.iter().filter(|other| other.0 == all[at].0).count();
    let (end, journey, flow) = all.swap_remove(at);
    let rule = end
        .gap()
        .and_then(|(_, gap)| dropped_by(tapped, gap.node()?, flow?));
    let blind = tapped.nodes.iter();
    let blind = blind.filter_map(|tap| Some((tap.node.clone(), tap.blind.clone()?)));
    Some(Located {
        end,
        agreeing,
        attempts: total,
        stops: journey.stops,
        flow,
        rule,
        refusal: journey.refusal.and_then(|stop| stop.point.icmp),
        blind: blind.collect(),
        tapped: tapped.clone(),
    })
}

/// Who rejects packets says so to some of them: the kernel limits the ICMP errors it sends (`icmp_ratelimit`, and
/// `ip_rt_error_cost` for routes of every kind of refusal). So what vanishes where others are rejected is rejected.
fn rejected_alike(all: &mut [(End, Journey, Option<u32>)]) {
    let rejected: Vec<(End, Journey)> = all
        .iter()
        .filter(|(end, ..)| matches!(end, End::Rejected { .. }))
        .map(|(end, journey, _)| (end.clone(), journey.clone()))
        .collect();
    for (end, journey, _) in all {
        let mut alike = rejected
            .iter()
            .filter(|(other, _)| other.gap() == end.gap());
        if matches!(end, End::Lost { .. })
            && let Some((other, with)) = alike.next()
        {
            *end = other.clone();
            journey.refusal.clone_from(&with.refusal);
        }
    }
}

/// The rule of a node that stopped a flow: the last one that it met.
fn dropped_by(tapped: &Tapped, node: &str, flow: u32) -> Option<TapRule> {
    let rules = tapped.nodes.iter().filter(|tap| tap.node == node);
    let mut own = rules.flat_map(|tap| &tap.rules);
    let last = own.rfind(|rule| rule.flow == Some(flow))?;
    (last.verdict == "drop").then(|| last.clone())
}

/// What no flow is called.
const NOBODY: u32 = u32::MAX;

/// What identifies the packets of an attempt: the number of a datagram, or the initial sequence number of the SYN
/// that came from its port.
fn flow(tapped: &Tapped, attempt: usize, port: u16) -> Option<u32> {
    if tapped.tapping.protocol == Protocol::Udp {
        return u32::try_from(attempt).ok();
    }
    let mut points = tapped.nodes.iter().flat_map(|tap| &tap.points);
    let start = points.find(|point| point.segment == Segment::Syn && point.source.port() == port);
    start.and_then(|point| point.flow)
}

fn end(tapped: &Tapped, ends: &Ends, journey: &Journey) -> End {
    let reset = |stop: &&Stop| stop.point.segment == Segment::Reset;
    if let Some(last) = journey.last(Direction::Return) {
        let is_home = is_back(last, ends);
        let refused = journey.stops.iter().rev().any(|stop| reset(&stop));
        return match (is_home, refused) {
            (true, true) => End::Refused,
            (true, false) => End::Complete,
            (false, _) => behind(tapped, ends, journey, last),
        };
    }
    match journey.last(Direction::Forward) {
        Some(last) => behind(tapped, ends, journey, last),
        None => never_left(tapped, ends),
    }
}

/// Whether an answer is where it was waited for.
fn is_back(stop: &Stop, ends: &Ends) -> bool {
    let is_source = ends.source_node.as_ref() == Some(&stop.node);
    let is_handed = stop.point.out && stop.point.role == Role::PodVeth;
    is_source && (is_handed || (ends.is_host && !stop.point.out))
}

/// No tap saw it at all.
fn never_left(tapped: &Tapped, ends: &Ends) -> End {
    let node = ends.source_node.as_deref();
    let is_watched = node.is_some_and(|node| tapped.watching(node).is_some());
    match (is_watched, &ends.skips) {
        (true, None) if ends.is_host => End::Lost {
            direction: Direction::Forward,
            gap: Gap::OnNode {
                node: node.unwrap_or_default().to_owned(),
            },
        },
        (true, None) => End::Lost {
            direction: Direction::Forward,
            gap: Gap::InSource,
        },
        (true, Some(who)) => End::Unseen(skipped(who)),
        (false, _) => End::Unseen("nobody looked on the node of the source".to_owned()),
    }
}

/// Behind the last point of a direction.
fn behind(tapped: &Tapped, ends: &Ends, journey: &Journey, last: &Stop) -> End {
    let direction = last.direction;
    let node = last.node.clone();
    // Where it goes: to the backend's node, or back to the source's.
    let target = match direction {
        Direction::Forward => journey.home.clone(),
        Direction::Return => ends.source_node.clone(),
    };
    let is_there = target.as_ref() == Some(&node);
    let is_host = match direction {
        Direction::Forward => ends.hosts.contains(&journey.meant),
        Direction::Return => ends.is_host,
    };
    let gap = match (last.point.role, last.point.out) {
        (Role::Uplink, true) => match target {
            Some(to) if is_there => Gap::OnNode { node: to },
            Some(to) => Gap::Wire { from: node, to },
            None => return End::Unseen(outside(journey.meant, &node)),
        },
        (Role::PodVeth, true) => Gap::InBackend { node },
        (Role::Bridge, true) if is_there && !is_host => Gap::ToPod { node },
        _ => Gap::OnNode { node },
    };
    if let Some(why) = unseen(tapped, ends, journey, &gap, last) {
        return End::Unseen(why);
    }
    match journey.refusal {
        Some(_) => End::Rejected { direction, gap },
        None => End::Lost { direction, gap },
    }
}

/// Why nothing follows from what was not seen.
fn unseen(
    tapped: &Tapped,
    ends: &Ends,
    journey: &Journey,
    gap: &Gap,
    last: &Stop,
) -> Option<String> {
    let blind = |node: &str| match tapped.nodes.iter().find(|tap| tap.node == node) {
        Some(tap) => tap.blind.clone(),
        None => Some(format!("nobody looked on {node}")),
    };
    let nodes: Vec<&str> = match gap {
        Gap::InSource => ends.source_node.as_deref().into_iter().collect(),
        Gap::OnNode { node } | Gap::ToPod { node } | Gap::InBackend { node } => vec![node],
        Gap::Wire { from, to } => vec![from, to],
    };
    if let Some(why) = nodes.into_iter().find_map(blind) {
        return Some(why);
    }
    let who = ends.skips.as_deref()?;
    // What is handed over between interfaces by a program shows at none of them but the first; what leaves by
    // the uplink and what comes by it always shows.
    let must_leave = last.direction == Direction::Forward
        && ends.source_node.as_ref() == Some(&last.node)
        && journey.home.as_ref() != Some(&last.node);
    let is_sure = matches!(gap, Gap::Wire { .. }) || (must_leave && !last.point.out);
    (!is_sure).then(|| skipped(who))
}

fn skipped(who: &str) -> String {
    format!("{who} takes packets past the points where a tap looks: not visible here")
}

fn outside(meant: IpAddr, node: &str) -> String {
    format!("{meant} is on no node of the cluster; the packet left {node}")
}
