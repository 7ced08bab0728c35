//! The tap as reports have it: the points in their order, the break between two of them.

use serde::Serialize;

use crate::diagnose::Case;
use crate::tap::{Direction, End, Gap, Located, Stop};
use netpath_protocol::tap::{Outer, Role, Segment};

/// What a tap saw of one probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportTap {
    pub source: String,
    pub to: String,
    pub protocol: String,
    /// What identifies the packet that is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<TapKey>,
    /// How many attempts were made, and how many of them ended like this one.
    pub attempts: usize,
    pub agreeing: usize,
    /// `complete`, `refused`, `rejected`, `lost`, `unseen`.
    pub outcome: &'static str,
    /// The outcome in words.
    pub summary: String,
    pub points: Vec<ReportPoint>,
    /// The last point that saw the packet, and the one behind it that did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost_between: Option<[usize; 2]>,
    /// What the place rests on: `tap`, or `nftTrace` where the kernel named the rule.
    pub verdict_from: &'static str,
    /// Nodes whose taps do not count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blind: Vec<BlindNode>,
}

/// A packet's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TapKey {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub src_port: Option<u16>,
    /// The initial sequence number of the SYN, or the number of the datagram.
    pub isn: u32,
}

/// A node whose tap does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BlindNode {
    pub node: String,
    pub why: String,
}

/// One point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportPoint {
    pub node: String,
    /// None for a point that was not met.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    pub role: Role,
    /// `in` or `out`, as the node sees it.
    pub direction: &'static str,
    pub way: Direction,
    pub seen: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<Segment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tuple: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outer: Option<Outer>,
    /// Since the first point on this node, by its clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub micros: Option<u64>,
    /// `DNAT`, `SNAT`: how the addresses differ from those at the point before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rewritten: Option<&'static str>,
    /// The rule that did it, where the kernel told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rewritten_by: Option<String>,
}

/// The tap of a case, if there was one.
pub(super) fn report(case: &Case<'_, '_>) -> Option<ReportTap> {
    let located = case.taps.first()?;
    let tapping = &located.tapped.tapping;
    let mut points: Vec<ReportPoint> = Vec::new();
    for (at, stop) in located.stops.iter().enumerate() {
        let before = at
            .checked_sub(1)
            .and_then(|before| located.stops.get(before));
        points.push(point(located, stop, before));
    }
    let lost_between = located.end.gap().and_then(|(direction, gap)| {
        let mut stops = located.stops.iter();
        let last = stops.rposition(|stop| stop.direction == direction);
        points.push(unmet(case, direction, gap));
        Some([last?, points.len() - 1])
    });
    Some(ReportTap {
        source: tapping.source.to_string(),
        to: tapping.to.to_string(),
        protocol: tapping.protocol.to_string(),
        key: located.flow.map(|isn| TapKey {
            src_port: located.stops.first().map(|stop| stop.point.source.port()),
            isn,
        }),
        attempts: located.attempts,
        agreeing: located.agreeing,
        outcome: match &located.end {
            End::Complete => "complete",
            End::Refused => "refused",
            End::Lost { .. } => "lost",
            End::Rejected { .. } => "rejected",
            End::Unseen(_) => "unseen",
        },
        summary: located.words(),
        points,
        lost_between,
        verdict_from: if located.rule.is_some() {
            "nftTrace"
        } else {
            "tap"
        },
        blind: located
            .blind
            .iter()
            .map(|(node, why)| BlindNode {
                node: node.clone(),
                why: why.clone(),
            })
            .collect(),
    })
}

fn point(located: &Located, stop: &Stop, before: Option<&Stop>) -> ReportPoint {
    let seen = &stop.point;
    let own = located.stops.iter().filter(|other| other.node == stop.node);
    let first = own.map(|other| other.point.micros).min();
    let before = before.filter(|before| before.direction == stop.direction);
    let rewritten = before.and_then(|before| {
        let is_source = before.point.source != seen.source;
        let is_destination = before.point.destination != seen.destination;
        match (is_source, is_destination) {
            // On its way back an answer gets the addresses that were rewritten there.
            (true, _) | (_, true) if stop.direction == Direction::Return => Some("reverse NAT"),
            (true, true) => Some("DNAT and SNAT"),
            (true, false) => Some("SNAT"),
            (false, true) => Some("DNAT"),
            (false, false) => None,
        }
    });
    ReportPoint {
        node: stop.node.clone(),
        interface: Some(seen.interface.clone()),
        role: seen.role,
        direction: if seen.out { "out" } else { "in" },
        way: stop.direction,
        seen: true,
        segment: Some(seen.segment),
        tuple: Some(format!("{} → {}", seen.source, seen.destination)),
        outer: seen.outer.clone(),
        micros: first.map(|first| seen.micros - first),
        rewritten,
        rewritten_by: rewritten.and_then(|how| rewritten_by(located, stop, how)),
    }
}

/// The rule of a node that rewrote a packet: the first that let it pass in a table of NAT for the destination, the
/// last for the source.
fn rewritten_by(located: &Located, stop: &Stop, how: &str) -> Option<String> {
    let taps = located
        .tapped
        .nodes
        .iter()
        .filter(|tap| tap.node == stop.node);
    let mut rules = taps.flat_map(|tap| &tap.rules).filter(|rule| {
        let is_nat = rule.table == "nat" || rule.table == "kube-proxy";
        is_nat && rule.flow == stop.point.flow && rule.verdict == "accept" && rule.handle.is_some()
    });
    let rule = match how {
        "DNAT" => rules.next(),
        "SNAT" => rules.next_back(),
        _ => None,
    }?;
    Some(format!(
        "{} ({} {}, handle {})",
        rule.chain, rule.family, rule.table, rule.handle?
    ))
}

/// The point behind the gap, which did not see the packet.
fn unmet(case: &Case<'_, '_>, way: Direction, gap: &Gap) -> ReportPoint {
    let source = case.taps.first();
    let nodes = source.map(|located| located.tapped.tapping.nodes.as_slice());
    let first = nodes.and_then(<[String]>::first);
    let is_first = |node: &String| Some(node) == first;
    let is_one = nodes.is_some_and(|nodes| nodes.len() == 1);
    // On the node where it starts it would leave by the uplink, on that where it ends by the pod's cable.
    let leaves = |node: &String| match way {
        _ if is_one => Role::PodVeth,
        Direction::Forward if is_first(node) => Role::Uplink,
        Direction::Return if !is_first(node) => Role::Uplink,
        _ => Role::PodVeth,
    };
    let (node, role, direction) = match gap {
        Gap::InSource => (first.cloned().unwrap_or_default(), Role::PodVeth, "in"),
        Gap::OnNode { node } => (node.clone(), leaves(node), "out"),
        Gap::Wire { to, .. } => (to.clone(), Role::Uplink, "in"),
        Gap::ToPod { node } => (node.clone(), Role::PodVeth, "out"),
        Gap::InBackend { node } => (node.clone(), Role::PodVeth, "in"),
    };
    ReportPoint {
        node,
        interface: None,
        role,
        direction,
        way: match gap {
            Gap::InBackend { .. } => Direction::Return,
            _ => way,
        },
        seen: false,
        segment: None,
        tuple: None,
        outer: None,
        micros: None,
        rewritten: None,
        rewritten_by: None,
    }
}

/// What a role is called.
#[must_use]
pub(super) const fn role(role: Role) -> &'static str {
    match role {
        Role::PodVeth => "Pod veth",
        Role::Bridge => "bridge",
        Role::Tunnel => "tunnel",
        Role::Uplink => "uplink",
        Role::Loopback => "loopback",
    }
}
