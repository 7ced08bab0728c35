//! What the source's own network namespace does with the packet before its node sees it: its address, its
//! routes, its packet filter.

use super::cross::Passage;
use super::pod::{address, walk_inside};
use super::trip::Trip;
use crate::cluster::{Named, Pod};
use crate::nat::eval::Question;
use crate::net::{Family, Packet};
use crate::node::PodState;
use crate::path::trail::Trail;
use crate::path::{Break, Fault, Hop, NodeFault, PodFault, Stage, Status};
use crate::route::{Decision, Query};

/// Judges what leaves the source pod; `false` when nothing does.
pub(super) fn step<'v>(trip: &Trip<'_, 'v>, trail: &mut Trail<'v>) -> bool {
    let Some(pod) = trip.source_pod() else {
        return true;
    };
    let Some(state) = trip.nodes().pod(pod) else {
        return true;
    };
    let reference = pod.reference();
    if let Some((fault, text, what)) = look(trip, pod, state) {
        let hop = Hop::new(Stage::Source, Status::Fail, text.clone())
            .at(reference.clone())
            .held(format!("{reference} {what}"), text);
        let fault = NodeFault {
            is_return: false,
            ..trip.fault(reference, Stage::Source, Fault::Pod(fault))
        };
        trail.stop(hop, Break::Node(Box::new(fault)));
        return false;
    }
    if let Some(why) = doubt(trip, state) {
        let hop = Hop::new(
            Stage::Source,
            Status::Unknown,
            format!("{}: {why}", pod.name()),
        );
        trail.push(
            hop.at(reference.clone())
                .held(format!("{reference} rules"), why),
        );
    }
    true
}

/// What keeps the packet in the pod, in words, and which listing shows it.
fn look(
    trip: &Trip<'_, '_>,
    pod: &Pod,
    state: &PodState,
) -> Option<(PodFault, String, &'static str)> {
    let own = pod.ip(trip.family)?;
    if let Some(fault) = address(own, state) {
        let text = format!("{own} of its status is on none of its interfaces");
        return Some((fault, text, "interfaces"));
    }
    if let Some(fault) = no_route(state, trip.packet()) {
        let text = format!("{} has no route to {}", pod.name(), trip.packet().dst);
        return Some((fault, text, "routes"));
    }
    match leaves(trip, state)? {
        Passage::Stopped(Fault::Blocked { rule, .. }) => {
            let text = format!("stopped inside {} by {rule}", pod.name());
            let port = trip.packet().dport;
            let is_source = true;
            Some((
                PodFault::Filtered {
                    port,
                    rule,
                    is_source,
                },
                text,
                "rules",
            ))
        }
        _ => None,
    }
}

fn doubt(trip: &Trip<'_, '_>, state: &PodState) -> Option<String> {
    if let Some(bad) = state.unread_way() {
        return Some(format!("{}: {}", bad.file, bad.why));
    }
    match leaves(trip, state)? {
        Passage::Unknown(why) => Some(why),
        _ => None,
    }
}

/// The packet through the pod's own rules. Whose process sends it is not known.
fn leaves(trip: &Trip<'_, '_>, state: &PodState) -> Option<Passage> {
    let question = Question {
        uid: None,
        ..Question::made_here(trip.packet())
    };
    walk_inside(state, &question)
}

/// The fault of a pod without a route for a packet. A listing of one family says nothing of the other.
pub(super) fn no_route(state: &PodState, packet: Packet) -> Option<PodFault> {
    let routing = state.host.routing.as_ref()?;
    let family = packet.family();
    let mut routes = routing.routes();
    if family == Family::V6 && !routes.any(|route| Family::of(route.destination.addr()) == family) {
        return None;
    }
    let query = Query {
        src: Some(packet.src),
        dst: packet.dst,
        iif: None,
        mark: 0,
        protocol: Some(packet.protocol),
    };
    match state.host.route(query) {
        Decision::Refuse(why) => Some(PodFault::NoRoute {
            to: packet.dst,
            why: why.to_string(),
        }),
        _ => None,
    }
}
