//! Large packets where rules look at the length: those of a connection that small ones have opened.

use super::cross::{self, Left, Passage};
use super::trip::{Trip, device_to, node_hop};
use crate::nat::eval::{Question, Undo};
use crate::nat::model::{Field, Step};
use crate::net::Packet;
use crate::path::trail::Trail;
use crate::path::{Break, Fault, Stage, WayFault};
use crate::world::NodeSite;

/// What a full packet has on a link that says nothing of its own.
const ETHERNET: u32 = 1500;

/// Adds a warning for the first node that stops full packets, on the way there or back.
pub(super) fn step<'v>(trip: &Trip<'_, 'v>, sent: &Left, trail: &mut Trail<'v>) {
    let there = Packet {
        src: trip.client,
        ..trip.packet().to(trip.endpoint.ip(), trip.endpoint.port())
    };
    let (arriving, answer) = (sent.packet, trip.answer_to(sent.packet.src));
    let (first, last) = (
        trip.first_site(),
        trip.last_site().filter(|_| !trip.is_same_node()),
    );
    let ways = [
        (first, Stage::Route, there, trip.source_pod()),
        (last, Stage::Route, arriving, None),
        (
            last.or(first),
            Stage::Return,
            answer,
            trip.destination_pod(),
        ),
        (
            first.filter(|_| last.is_some()),
            Stage::Return,
            answer,
            None,
        ),
    ];
    for (node, stage, packet, from) in ways {
        let Some(node) = node.filter(|node| looks_at_length(node)) else {
            continue;
        };
        let interface = match from {
            Some(pod) => trip.interface_of(node, pod),
            None => device_to(node, packet.src),
        };
        let Some(interface) = interface else {
            continue;
        };
        let size = size(node, &interface);
        if let Some(rule) = stopped(node, packet, &interface, size) {
            let text = format!(
                "{}: packets of {size} bytes are dropped by {rule}",
                node.name
            );
            let hop = node_hop(stage, &node.name, text.clone())
                .held(format!("Node/{} rules", node.name), text);
            let fault = Fault::Way(WayFault::LargeStopped { rule, size });
            let fault = trip.at_node(&node.name, stage, fault);
            return trail.warn(hop, Break::Node(Box::new(fault)));
        }
    }
}

#[allow(
    clippy::redundant_closure_for_method_calls,
    reason = "the type is private to its module"
)]
fn looks_at_length(node: &NodeSite) -> bool {
    let tables = node.state.rules.iter().flat_map(|rules| &rules.tables);
    let mut steps = tables.flat_map(|table| table.all_steps());
    steps.any(|step| matches!(step, Step::Test(test) if test.field == Field::Length))
}

/// What the senders behind an interface fill their packets up to.
fn size(node: &NodeSite, interface: &str) -> u32 {
    let link = node.state.host.link(interface);
    link.map_or(ETHERNET, |link| link.mtu)
}

/// The rule that stops a packet of an open connection because of its length.
fn stopped(
    node: &NodeSite,
    packet: Packet,
    interface: &str,
    size: u32,
) -> Option<crate::nat::eval::TrailStep> {
    let of = |length| {
        let question = Question {
            length: Some(length),
            // Established, and translated already.
            reply: Some(Undo::default()),
            ..Question::incoming(packet, interface)
        };
        let answer = cross::walk(node, &question);
        cross::passage(&answer, &answer.outcomes)
    };
    match (of(40), of(size)) {
        (Passage::Free(_), Passage::Stopped(Fault::Blocked { rule, .. })) => Some(rule),
        _ => None,
    }
}
