//! From a pod or node of the cluster to another node where its packet enters: a node port, a host port.
//!
//! ```text
//!  source pod ─► its node ─► entry node ─► …      this stage is the first arrow pair, and their way back
//! ```

use std::net::IpAddr;

use super::trip::Trip;
use super::{back, nat, route};
use crate::path::trail::Trail;
use crate::path::{Backend, Break, Hop, Status};

/// Adds what stops the packet, or the answer to it, between its source and the node where it enters. Gives back
/// the address under which it enters, where its own node masquerades it.
pub(super) fn step<'v>(trip: &Trip<'_, 'v>, trail: &mut Trail<'v>) -> Option<IpAddr> {
    let (asked, entry) = (trip.asked?, trip.first?);
    let crosses = trip.site.node_name().is_some_and(|own| own != entry);
    if !trip.is_entering || trip.site.is_outside() || !crosses {
        return None;
    }
    // To its node alone: what that one does with the packet comes later.
    let door = Backend {
        address: Some(asked.ip()),
        port: asked.port(),
        pod: None,
        node: Some(entry),
        is_hypothetical: false,
        cluster: None,
    };
    let kind = (trip.family, trip.protocol);
    let way = Trip::between(trip.walker, (trip.site, None), None, &door, None, kind)?;
    let mut own = Trail::default();
    let sent = nat::step(&way, &mut own);
    let arrived = route::step(&way, sent.as_ref(), &mut own);
    if let (Some(sent), true) = (&sent, arrived) {
        back::step(&way, sent, &mut own);
    }
    let masqueraded = sent.filter(|left| left.is_masqueraded);
    let enters_as = masqueraded.map(|left| left.packet.src);
    // What the entry node holds is walked with the packet itself.
    let is_elsewhere =
        |seen: &Break<'_>| matches!(seen, Break::Node(fault) if fault.at.name != entry);
    if own.breaks.is_empty() || !own.breaks.iter().all(is_elsewhere) {
        return enters_as;
    }
    let matters = |hop: &Hop| matches!(hop.status, Status::Fail | Status::Warn);
    trail.hops.extend(own.hops.into_iter().filter(matters));
    trail.breaks.extend(own.breaks);
    enters_as
}
