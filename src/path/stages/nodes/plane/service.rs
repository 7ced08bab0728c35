//! Stage `nat`, where Services stand in a table of the dataplane and not in rules.

use std::net::SocketAddr;

use super::super::nat::raise;
use super::super::trip::{Trip, node_hop};
use crate::dataplane::{ServiceTable, differences, redirected};
use crate::nat::dataplane::Dataplane;
use crate::nat::proxy::{Difference, DifferenceKind, ProxyEntry, SliceIndex, entries_of};
use crate::net::Packet;
use crate::path::slices;
use crate::path::trail::Trail;
use crate::path::{Fault, PlaneFault, Stage};
use crate::text::list;
use crate::world::NodeSite;

/// Whether the Service's address of a trip is served from a table of its first node.
pub fn is_served(trip: &Trip<'_, '_>, node: &NodeSite) -> bool {
    trip.asked.is_some() && trip.service.is_some() && node.tables.services().is_some()
}

/// Adds the hop, and gives back the packet as it leaves the table; none where it does not.
pub fn step<'v>(trip: &Trip<'_, 'v>, node: &NodeSite, trail: &mut Trail<'v>) -> Option<Packet> {
    let (asked, service) = (trip.asked?, trip.service?);
    let (dataplane, table) = node.tables.services()?;
    let index = SliceIndex::new(slices(trip.walker.view, service));
    let entries = entries_of(service, &index, &node.setup);
    let is_asked = |entry: &&ProxyEntry<'_>| {
        SocketAddr::new(entry.address, entry.number) == asked && entry.protocol == trip.protocol
    };
    // A node port may be asked at any address of the node.
    let is_alike = |entry: &&ProxyEntry<'_>| {
        entry.is_external() && entry.number == asked.port() && entry.protocol == trip.protocol
    };
    let entry = entries
        .iter()
        .find(is_asked)
        .or_else(|| entries.iter().find(is_alike))?;
    let found = differences(entry, &index, table);
    let before = trip.packet();
    let after = before.to(trip.endpoint.ip(), trip.endpoint.port());
    let Some((difference, is_all)) = worst(&found, trip.endpoint) else {
        let hop = node_hop(
            Stage::Nat,
            &node.name,
            served(node, dataplane, table, trip, asked),
        )
        .translating(Some(before), Some(after))
        .held(reference(node, dataplane), held(table, trip, asked));
        trail.push(hop);
        return Some(after);
    };
    let fault = fault(trip, node, dataplane, difference, asked);
    let text = format!("{}: {}", node.name, fault.words());
    let hop = node_hop(Stage::Nat, &node.name, text.clone()).held(reference(node, dataplane), text);
    let fault = trip.at_node(&node.name, Stage::Nat, Fault::Plane(fault));
    raise(trail, hop, fault, is_all);
    (!is_all).then_some(after)
}

/// The difference that matters to a backend, and whether it keeps every packet from it.
fn worst(found: &[Difference], endpoint: SocketAddr) -> Option<(&Difference, bool)> {
    use DifferenceKind as Kind;
    let stops = |one: &&Difference| match one.kind {
        Kind::ServiceMissing => true,
        Kind::EndpointMissing => one.endpoint == Some(endpoint),
        _ => false,
    };
    // A slot that leads nowhere, and an address that is no endpoint, take a share of all connections.
    let limps = |one: &&Difference| match one.kind {
        Kind::EndpointStale => true,
        Kind::EndpointMissing => one.endpoint.is_none(),
        _ => false,
    };
    let stopping = found.iter().find(stops).map(|one| (one, true));
    stopping.or_else(|| found.iter().find(limps).map(|one| (one, false)))
}

fn fault(
    trip: &Trip<'_, '_>,
    node: &NodeSite,
    dataplane: Dataplane,
    difference: &Difference,
    asked: SocketAddr,
) -> PlaneFault {
    let agent = node.tables.cilium.as_ref();
    let mut kept_back = agent
        .map(|agent| agent.kept_back(asked))
        .into_iter()
        .flatten();
    if let Some((endpoint, state)) = kept_back.find(|(to, _)| Some(*to) == difference.endpoint) {
        return PlaneFault::KeptBack { endpoint, state };
    }
    let mut meant = agent
        .into_iter()
        .flat_map(|agent| agent.meant.iter().flatten());
    let is_meant = meant.any(|one| {
        let addresses = one.backends.iter().map(|(to, _)| to.to_string());
        one.address == asked
            && addresses
                .collect::<Vec<_>>()
                .iter()
                .any(|to| difference.expected.contains(to))
    });
    let drift = &node.drift(trip.walker.view).differences;
    let others = drift
        .iter()
        .filter(|one| one.service.is_some() && one.service != difference.service);
    PlaneFault::Services {
        dataplane,
        is_meant,
        others: others.count(),
        difference: Box::new(difference.clone()),
    }
}

/// `node1: Cilium sends 10.96.6.170:8080 to 10.244.1.5:9090 or 10.244.2.5:9090, when the client connects`
fn served(
    node: &NodeSite,
    dataplane: Dataplane,
    table: &ServiceTable,
    trip: &Trip<'_, '_>,
    asked: SocketAddr,
) -> String {
    let frontend = table.get(asked.ip(), asked.port(), trip.protocol);
    if frontend.is_some_and(redirected) {
        return format!(
            "{}: {} leads {asked} elsewhere on purpose",
            node.name,
            dataplane.name()
        );
    }
    let backends: Vec<String> = frontend
        .iter()
        .flat_map(|one| one.backends())
        .map(|to| to.to_string())
        .collect();
    let shown = match backends.len() {
        0..=4 => list(&backends),
        many => format!("{many} backends"),
    };
    let status = node
        .tables
        .cilium
        .as_ref()
        .and_then(|agent| agent.status.as_ref());
    let at_connect = status.is_some_and(|status| {
        status.socket_lb && !status.socket_lb_host_only && trip.source_pod().is_some()
    });
    let how = if at_connect {
        ", translated when the client connects"
    } else {
        ""
    };
    format!("{asked} ⇒ {shown} by {}{how}", dataplane.name())
}

fn held(table: &ServiceTable, trip: &Trip<'_, '_>, asked: SocketAddr) -> String {
    let frontend = table.get(asked.ip(), asked.port(), trip.protocol);
    let slots = frontend.map_or(0, |frontend| frontend.slots.len());
    let head = frontend
        .and_then(|frontend| frontend.head.as_deref())
        .unwrap_or_default();
    format!("{asked} [{head}], {slots} backend slots")
}

fn reference(node: &NodeSite, dataplane: Dataplane) -> String {
    format!("Node/{} {} Service table", node.name, dataplane.name())
}
