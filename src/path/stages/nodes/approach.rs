//! From a pod or node of the cluster to another node where its packet enters: a node port, a host port.
//!
//! ```text
//!  source pod ─► its node ─► entry node ─► …      this stage is the first arrow pair, and their way back
//! ```

use super::trip::Trip;
use super::{back, nat, route};
use crate::path::trail::Trail;
use crate::path::{Backend, Status};

/// Adds what stops the packet before it enters, or leaves that open.
pub(super) fn step<'v>(trip: &Trip<'_, 'v>, trail: &mut Trail<'v>) {
    let (Some(asked), Some(entry)) = (trip.asked, trip.first) else {
        return;
    };
    let crosses = trip.site.node_name().is_some_and(|own| own != entry);
    if !trip.is_entering || trip.site.is_outside() || !crosses {
        return;
    }
    // To its node alone: what that one does with the packet comes later.
    let door = Backend {
        address: Some(asked.ip()),
        port: asked.port(),
        pod: None,
        node: Some(entry),
        is_hypothetical: false,
    };
    let kind = (trip.family, trip.protocol);
    let Some(way) = Trip::between(trip.walker, (trip.site, None), None, &door, None, kind) else {
        return;
    };
    let mut own = Trail::default();
    let sent = nat::step(&way, &mut own);
    let arrived = route::step(&way, sent.as_ref(), &mut own);
    if let (Some(sent), true) = (&sent, arrived) {
        back::step(&way, sent, &mut own);
    }
    let matters = |status: Status| matches!(status, Status::Fail | Status::Warn | Status::Unknown);
    trail
        .hops
        .extend(own.hops.into_iter().filter(|hop| matters(hop.status)));
    trail.breaks.extend(own.breaks);
}
