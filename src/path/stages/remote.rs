//! The far half of a path to another cluster. Nothing of that cluster was read: what its pods and policies
//! make of a packet is unknown, and only what this cluster's own objects say can stop it.

use ipnet::IpNet;

use super::import::slice_of;
use super::policy;
use crate::cluster::access::{NodeExt, ServiceExt};
use crate::cluster::multicluster::{ServiceImport, links, local_name};
use crate::cluster::{Named, ObjectRef, Resource};
use crate::net::Protocol;
use crate::path::context::{Leg, Walker};
use crate::path::{Backend, Boundary, Break, ClusterSetTrouble, Hop, Stage, Status};

/// Adds the hops of a backend in another cluster. `of` is the import or Service that leads there.
pub(in crate::path) fn step<'v>(
    walker: &Walker<'_, 'v>,
    leg: &mut Leg<'_, 'v>,
    backend: &Backend<'v>,
    cluster: &'v str,
    of: &ObjectRef,
    protocol: Protocol,
) {
    policy::toward_cluster(walker, leg, backend, protocol);
    stale(walker, leg, backend, cluster, of);
    if let Some((hop, trouble)) = overlap(walker, backend, cluster, of) {
        leg.trail.stop(hop, Break::ClusterSet(Box::new(trouble)));
    } else {
        link(walker, leg, cluster);
    }
    let unread = format!("policies of cluster {cluster} were not read");
    leg.trail
        .push(Hop::new(Stage::IngressPolicy, Status::Unknown, unread));
    let text = format!(
        "{} in cluster {cluster}, which was not read",
        backend.display()
    );
    let hop = Hop::new(Stage::Destination, Status::Unknown, text);
    leg.trail.push(hop.within(Boundary::Outside));
}

/// A slice of a cluster that the import does not list.
fn stale<'v>(
    walker: &Walker<'_, 'v>,
    leg: &mut Leg<'_, 'v>,
    backend: &Backend<'v>,
    cluster: &str,
    of: &ObjectRef,
) {
    let Some(import) = ServiceImport::find(walker.view, &of.namespace, &of.name) else {
        return;
    };
    let listed = import.clusters();
    if listed.is_empty() || listed.contains(&cluster) {
        return;
    }
    let slice = backend
        .address
        .and_then(|address| slice_of(walker.view, &of.namespace, cluster, address));
    let Some(slice) = slice else {
        return;
    };
    let slice = ObjectRef::new("EndpointSlice", slice.namespace(), slice.name());
    let text = format!("{slice} is of cluster {cluster}, which no longer exports it");
    let trouble = ClusterSetTrouble::Stale {
        import,
        slice: slice.clone(),
        cluster: cluster.to_owned(),
    };
    let hop = Hop::new(Stage::Route, Status::Unknown, text).at(slice);
    leg.trail.doubt(hop, Break::ClusterSet(Box::new(trouble)));
}

/// Whether this cluster keeps packets for an address of the other to itself: it is in a range of its own.
fn overlap<'v>(
    walker: &Walker<'_, 'v>,
    backend: &Backend<'v>,
    cluster: &str,
    of: &ObjectRef,
) -> Option<(Hop, ClusterSetTrouble<'v>)> {
    let address = backend.address?;
    let slice = slice_of(walker.view, &of.namespace, cluster, address)?;
    // Without a name of its own, a cluster cannot tell its own slices from those of others, unless it has no
    // such Service.
    let view = walker.view;
    let is_remote = local_name(view).is_some()
        || view.services.get(&of.namespace, &of.name).is_none()
            && view.lacks(Resource::Services, &of.namespace, &of.name);
    if !is_remote {
        return None;
    }
    let has = |range: &IpNet| range.contains(&address);
    let (owner, range) = view.nodes.iter().find_map(|node| {
        let range = node.pod_cidrs().into_iter().find(has)?;
        Some((node.reference(), range))
    })?;
    let slice = ObjectRef::new("EndpointSlice", slice.namespace(), slice.name());
    let text = format!("{address} of cluster {cluster} is in {range} of {owner}: it stays here");
    let hop = Hop::new(Stage::Route, Status::Fail, text).at(owner.clone());
    let cluster = cluster.to_owned();
    let trouble = ClusterSetTrouble::Overlap {
        cluster,
        slice,
        address,
        range,
        owner,
    };
    Some((hop, trouble))
}

/// What the gateways of this cluster say of the way there.
fn link(walker: &Walker<'_, '_>, leg: &mut Leg<'_, '_>, cluster: &str) {
    let links = links(walker.view, cluster);
    let is_up = links.iter().any(|link| link.status == "connected");
    let Some(first) = links.into_iter().next() else {
        return;
    };
    if is_up {
        let text = format!("{} is connected to cluster {cluster}", first.gateway);
        let hop = Hop::new(Stage::Route, Status::Pass, text).at(first.gateway);
        return leg.trail.push(hop.within(Boundary::Outside));
    }
    let text = format!(
        "{} has no connection to cluster {cluster}: {}",
        first.gateway, first.status
    );
    let hop = Hop::new(Stage::Route, Status::Unknown, text).at(first.gateway.clone());
    let trouble = ClusterSetTrouble::LinkDown {
        cluster: cluster.to_owned(),
        link: first,
    };
    leg.trail.doubt(hop, Break::ClusterSet(Box::new(trouble)));
}

/// The Service or import that a path to another cluster leads through.
pub(in crate::path) fn through(
    leg: &Leg<'_, '_>,
    service: Option<&k8s_openapi::api::core::v1::Service>,
) -> ObjectRef {
    let import = leg.import.map(|import| import.reference());
    import
        .or_else(|| service.map(ServiceExt::reference))
        .unwrap_or_else(|| ObjectRef::cluster_wide("Cluster", ""))
}
