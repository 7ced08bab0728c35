//! Stages `nat`, `route` and `return`, and what sockets say at `destination`: what nodes and pods
//! really do with the packet.
//!
//! ```text
//!  source pod ─► its node: rules ─► wire or tunnel ─► the backend's node: rules ─► pod ─► socket
//!             nat                 route                                        destination
//!             ◄──────────────────────────── return ◄───────────────────────────
//! ```
//!
//! Only what was gathered is claimed: a node without facts has no hop. Where a rule asks a program
//! in userspace, the policy stages have given that program's verdict already, and the walk goes on.

mod approach;
mod back;
mod counters;
mod cross;
mod distribution;
mod forwarding;
mod intercept;
mod judge;
mod large;
mod nat;
mod plane;
mod pod;
mod route;
mod sender;
mod tables;
mod trip;
mod tunnel;
mod wire;

use std::net::SocketAddr;

use k8s_openapi::api::core::v1::Service;

use crate::net::{Family, Protocol};
use crate::path::context::{Leg, Walker};
use crate::path::trail::Trail;
use crate::path::{Backend, Break, Mode, NodeFault, Status};
use crate::resolve::Site;
use trip::Trip;

/// Adds the hops of one backend.
pub(in crate::path) fn step<'v>(
    walker: &Walker<'_, 'v>,
    leg: &mut Leg<'_, 'v>,
    backend: &Backend<'v>,
    service: Option<&'v Service>,
    (family, protocol): (Family, Protocol),
) {
    if walker.nodes.is_empty() || backend.is_hypothetical {
        return;
    }
    // Who asks, in the eyes of the backend, where that is known.
    let client = if leg.mode != Mode::ContainerToContainer
        && let Some(mut trip) = Trip::new(walker, leg, backend, service, (family, protocol))
    {
        plane::policy(&trip, &mut leg.trail);
        // A source that cannot send says nothing about the nodes.
        sender::step(&trip, &mut leg.trail);
        if let Some(own) = approach::step(&trip, &mut leg.trail) {
            trip.client = own;
        }
        let sent = nat::step(&trip, &mut leg.trail);
        let arrived = route::step(&trip, sent.as_ref(), &mut leg.trail);
        if let (Some(sent), true) = (&sent, arrived) {
            back::step(&trip, sent, &mut leg.trail);
            large::step(&trip, sent, &mut leg.trail);
        }
        tables::step(&trip, sent.as_ref(), &mut leg.trail);
        match &sent {
            Some(left) => {
                Some(left.packet.src).filter(|_| !trip.is_stand_in || left.is_masqueraded)
            }
            None => Some(trip.client).filter(|_| !trip.is_stand_in && trip.asked.is_none()),
        }
    } else {
        None
    };
    let kind = (family, protocol);
    pod::step(walker.nodes, backend, kind, client, &mut leg.trail);
}

/// What ails a site's packets to one backend of a Service, by what nodes hold, and whether it stops
/// all of them.
pub(in crate::path) fn fault<'v>(
    walker: &Walker<'_, 'v>,
    site: Site<'v>,
    asked: SocketAddr,
    backend: &Backend<'v>,
    service: &'v Service,
) -> Option<(NodeFault, bool)> {
    if walker.nodes.is_empty() {
        return None;
    }
    let kind = (Family::of(asked.ip()), Protocol::Udp);
    let trip = Trip::between(
        walker,
        (site, None),
        Some(asked),
        backend,
        Some(service),
        kind,
    )?;
    let mut trail = Trail::default();
    sender::step(&trip, &mut trail);
    let sent = nat::step(&trip, &mut trail);
    let arrived = route::step(&trip, sent.as_ref(), &mut trail);
    if let (Some(sent), true) = (&sent, arrived) {
        back::step(&trip, sent, &mut trail);
    }
    let fails = trail.hops.iter().any(|hop| hop.status == Status::Fail);
    tables::step(&trip, sent.as_ref(), &mut trail);
    let mut faults = trail.breaks.into_iter().filter_map(|seen| match seen {
        Break::Node(fault) if !fault.kind.is_notice() => Some(*fault),
        _ => None,
    });
    faults.next().map(|fault| (fault, fails))
}

/// Whether a stage before the nodes has stopped the packet already.
fn is_denied(trail: &Trail<'_>) -> bool {
    let mut hops = trail.hops.iter();
    hops.any(|hop| {
        hop.status == Status::Fail
            && matches!(
                hop.stage,
                crate::path::Stage::EgressPolicy | crate::path::Stage::IngressPolicy
            )
    })
}
