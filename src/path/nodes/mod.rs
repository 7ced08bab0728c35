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

mod back;
mod cross;
mod forwarding;
mod nat;
mod pod;
mod route;
mod trip;
mod tunnel;
mod wire;

use k8s_openapi::api::core::v1::Service;

use super::walker::{Leg, Walker};
use super::{Backend, Mode, Status};
use crate::net::{Family, Protocol};
use trip::Trip;

/// Adds the hops of one backend.
pub(super) fn step<'v>(
    walker: &Walker<'v>,
    leg: &mut Leg<'_, 'v>,
    backend: &Backend<'v>,
    service: Option<&'v Service>,
    (family, protocol): (Family, Protocol),
) {
    if walker.nodes.is_empty() || backend.is_hypothetical {
        return;
    }
    if leg.mode != Mode::ContainerToContainer
        && let Some(trip) = Trip::new(walker, leg, backend, service, (family, protocol))
    {
        // A source that cannot send says nothing about the nodes.
        let sent = nat::step(&trip, &mut leg.trail);
        let arrived = route::step(&trip, sent.as_ref(), &mut leg.trail);
        if let (Some(sent), true) = (sent, arrived) {
            back::step(&trip, &sent, &mut leg.trail);
        }
    }
    pod::step(&walker.nodes, backend, (family, protocol), &mut leg.trail);
}

/// Whether a stage before the nodes has stopped the packet already.
fn is_denied(trail: &super::trail::Trail<'_>) -> bool {
    let mut hops = trail.hops.iter();
    hops.any(|hop| {
        hop.status == Status::Fail
            && matches!(
                hop.stage,
                super::Stage::EgressPolicy | super::Stage::IngressPolicy
            )
    })
}
