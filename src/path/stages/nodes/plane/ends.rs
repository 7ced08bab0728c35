//! Whether Cilium has the pods of the path in hand, and what it dropped between them.

use super::super::trip::Trip;
use crate::cluster::{Named, ObjectRef, Pod};
use crate::path::{Fault, PlaneFault};
use crate::world::NodeSite;

/// Something that is wrong with a pod's place in the dataplane: it leaves open what becomes of its packets.
pub(super) fn astray(node: &NodeSite, pod: &Pod) -> Option<PlaneFault> {
    let agent = node.tables.cilium.as_ref()?;
    let known = agent.endpoints.as_ref().filter(|all| !all.is_empty())?;
    if pod.is_host_network() || pod.node_name() != Some(&node.name) || pod.is_finished() {
        return None;
    }
    let pod_of = |name: &str| known.iter().any(|one| one.is_of(pod.namespace(), name));
    let Some(endpoint) = agent.endpoint(pod).filter(|_| pod_of(pod.name())) else {
        return Some(PlaneFault::NotManaged {
            pod: pod.reference(),
        });
    };
    agent
        .lacks_program(endpoint)
        .then(|| PlaneFault::NoProgram {
            pod: pod.reference(),
            endpoint: endpoint.id,
        })
}

/// The packet itself, seen being dropped at one of its nodes.
pub(super) fn dropped(trip: &Trip<'_, '_>) -> Option<(ObjectRef, Fault)> {
    let sites = [trip.first_site(), trip.last_site()];
    sites.into_iter().flatten().find_map(|node| {
        let agent = node.tables.cilium.as_ref()?;
        let found = agent.drop_of(trip.client, trip.endpoint)?;
        let fault = PlaneFault::Dropped {
            source: found.source,
            destination: found.destination,
            reason: found.reason.clone(),
        };
        Some((
            ObjectRef::cluster_wide("Node", &node.name),
            Fault::Plane(fault),
        ))
    })
}
