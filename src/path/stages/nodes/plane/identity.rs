//! Whom Cilium takes an end of the path for.

use serde_json::Value;

use super::super::trip::Trip;
use crate::cluster::{ClusterView, Named, Pod, Resource};
use crate::dataplane::cilium::Agent;

/// Reserved identities (Cilium, pkg/identity/numericidentity.go).
const HOST: u32 = 1;
const REMOTE_NODE: u32 = 6;

/// The identity of the source as its packets carry it. In a tunnel that is the one of the source's own
/// endpoint; without one the receiving node looks the address up.
pub(super) fn of_source(trip: &Trip<'_, '_>, last: &Agent) -> Option<u32> {
    if trip.is_entering {
        return None;
    }
    let Some(pod) = trip.source_pod() else {
        let is_node = trip.site.node_name().is_some();
        let own = if trip.is_same_node() {
            HOST
        } else {
            REMOTE_NODE
        };
        return is_node.then_some(own);
    };
    let is_tunneled = !trip.is_same_node() && routes_natively(last) == Some(true);
    let looked_up = last
        .addresses
        .as_ref()
        .and_then(|book| book.owner(trip.client));
    match looked_up.filter(|_| is_tunneled) {
        Some((_, owner)) => Some(owner.identity),
        None => own(trip, pod),
    }
}

/// Whether packets between nodes travel as they are.
fn routes_natively(agent: &Agent) -> Option<bool> {
    let status = agent.status.as_ref()?;
    (!status.routing.is_empty()).then(|| status.routing == "Native")
}

/// The identity that the pod's own agent has given it, else the one of its CiliumEndpoint.
pub(super) fn own(trip: &Trip<'_, '_>, pod: &Pod) -> Option<u32> {
    let site = trip.nodes().node(pod.node_name()?);
    let agent = site.and_then(|site| site.tables.cilium.as_ref());
    let endpoint = agent.and_then(|agent| agent.endpoint(pod)?.identity);
    endpoint.or_else(|| of_object(trip.walker.view, pod))
}

/// The identity that a CiliumEndpoint names.
pub(super) fn of_object(view: &ClusterView, pod: &Pod) -> Option<u32> {
    let table = view.custom.get(&Resource::CiliumEndpoints)?;
    let object = table.get(pod.namespace(), pod.name())?;
    let id = object
        .pointer("/status/identity/id")
        .and_then(Value::as_u64)?;
    id.try_into().ok()
}
