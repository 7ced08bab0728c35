//! The points of one attempt, in the order in which the packet passed them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::observe::{NodeTap, Tapped};
use netpath_protocol::tap::{Role, Segment, TapPoint};

/// Where a probe starts and where it may end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ends {
    /// The node of the source.
    pub source_node: Option<String>,
    /// The addresses of the source.
    pub source: Vec<IpAddr>,
    /// Whether the source is in the network of its node.
    pub is_host: bool,
    /// The nodes of the backends, by address.
    pub homes: BTreeMap<IpAddr, String>,
    /// Backends in the network of their node.
    pub hosts: Vec<IpAddr>,
    /// A dataplane that takes packets past the points where taps look, by name.
    pub skips: Option<String>,
}

/// Which way a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Direction {
    Forward,
    Return,
}

/// A point of a journey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    pub node: String,
    pub direction: Direction,
    pub point: TapPoint,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Journey {
    /// There, then back.
    pub(super) stops: Vec<Stop>,
    /// The ICMP error that ended it, with the node that sent it.
    pub(super) refusal: Option<Stop>,
    /// The node of the backend that it was meant for.
    pub(super) home: Option<String>,
    /// The address it was meant for.
    pub(super) meant: IpAddr,
}

// === impl Direction ===

impl Direction {
    pub(super) const fn of(segment: Segment) -> Option<Self> {
        match segment {
            Segment::Syn | Segment::Datagram => Some(Self::Forward),
            Segment::SynAck | Segment::Reset | Segment::Reply => Some(Self::Return),
            Segment::Error => None,
        }
    }
}

// === impl Journey ===

impl Journey {
    /// The journey of one attempt.
    pub(super) fn of(tapped: &Tapped, ends: &Ends, flow: u32) -> Self {
        let source = ends.source_node.as_deref();
        let on = |node: Option<&str>, direction| {
            let tap = node.and_then(|name| tapped.nodes.iter().find(|tap| tap.node == name));
            tap.map_or_else(Vec::new, |tap| stops(tap, flow, direction))
        };
        let mut there = on(source, Direction::Forward);
        // Where the source's node sent it: what a Service's address became.
        let meant = there.last().map(|stop| stop.point.destination.ip());
        let meant = meant.unwrap_or_else(|| tapped.tapping.to.ip());
        let home = ends.homes.get(&meant).map(String::as_str);
        let others = tapped.nodes.iter().map(|tap| tap.node.as_str());
        let between: Vec<&str> = others
            .filter(|name| Some(*name) != source && Some(*name) != home)
            .collect();
        let direct = home.filter(|home| Some(*home) != source);
        for node in between.iter().copied().chain(direct) {
            there.extend(on(Some(node), Direction::Forward));
        }
        let mut back = on(direct, Direction::Return);
        for node in between.into_iter().chain(source) {
            back.extend(on(Some(node), Direction::Return));
        }
        let refusal = refusal(tapped, ends, flow);
        let home = home.map(str::to_owned);
        there.extend(back);
        Self {
            stops: there,
            refusal,
            home,
            meant,
        }
    }

    /// The last point of a direction.
    pub(super) fn last(&self, direction: Direction) -> Option<&Stop> {
        let mut stops = self.stops.iter().rev();
        stops.find(|stop| stop.direction == direction)
    }
}

/// The points of a flow on one node, one way, by that node's clock.
fn stops(tap: &NodeTap, flow: u32, direction: Direction) -> Vec<Stop> {
    let own = tap.points.iter().filter(|point| {
        point.flow == Some(flow)
            && Direction::of(point.segment) == Some(direction)
            && point.role != Role::Loopback
    });
    let mut stops: Vec<Stop> = own
        .map(|point| Stop {
            node: tap.node.clone(),
            direction,
            point: point.clone(),
        })
        .collect();
    stops.sort_by_key(|stop| stop.point.micros);
    stops
}

/// The error that ended a flow, where it was sent: on the node that saw it leave without seeing it come. One
/// that the source itself sends is about an answer that it no longer waits for.
fn refusal(tapped: &Tapped, ends: &Ends, flow: u32) -> Option<Stop> {
    let is_own = |point: &&TapPoint| {
        let from = point.icmp.map(|icmp| icmp.from);
        let is_foreign = from.is_some_and(|from| ends.is_host || !ends.source.contains(&from));
        point.segment == Segment::Error && point.flow == Some(flow) && is_foreign
    };
    let of = |tap: &NodeTap| {
        let own = tap.points.iter().filter(is_own);
        let first = own.min_by_key(|point| point.micros)?;
        Some(Stop {
            node: tap.node.clone(),
            direction: Direction::Return,
            point: first.clone(),
        })
    };
    let all: Vec<Stop> = tapped.nodes.iter().filter_map(of).collect();
    let sent = all.iter().find(|stop| stop.point.out);
    sent.or_else(|| all.last()).cloned()
}
