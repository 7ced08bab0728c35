//! Whose an address of the cluster's second family is: field selectors know only the first address of a pod
//! (`status.podIP`) and of a Service (`spec.clusterIP`).

use std::net::IpAddr;

use super::ends::PAGE;
use crate::cluster::access::{NodeExt, ServiceExt};
use crate::cluster::query::Query;
use crate::cluster::{ClusterView, Named, Resource};
use crate::target::{Request, Spec};

/// The lists that tell whose the addresses of a request are, where nobody is known to have them.
pub(super) fn owners(view: &ClusterView, request: &Request) -> Vec<Query> {
    let ends = [&request.source.spec, &request.destination.spec];
    let addresses = ends.into_iter().filter_map(|spec| match spec {
        Spec::Address(address) | Spec::External(Some(address)) => Some(*address),
        _ => None,
    });
    addresses
        .filter(|address| is_secondary(view, *address) && !is_owned(view, *address))
        .flat_map(|address| [pods(view, address), services()])
        .collect()
}

/// Every node lists an address of the first family first (`--node-ip`, KEP-563).
fn is_secondary(view: &ClusterView, address: IpAddr) -> bool {
    let mut first = view
        .nodes
        .iter()
        .filter_map(|node| node.addresses().first().copied());
    first
        .next()
        .is_some_and(|first| first.is_ipv4() != address.is_ipv4())
}

fn is_owned(view: &ClusterView, address: IpAddr) -> bool {
    let mut services = view.services.iter();
    view.pods.iter().any(|pod| pod.ips().contains(&address))
        || view
            .nodes
            .iter()
            .any(|node| node.addresses().contains(&address))
        || services.any(|service| service.cluster_ips().contains(&address))
}

/// Those of the node whose range it is in, else all that a bounded list has.
fn pods(view: &ClusterView, address: IpAddr) -> Query {
    let mut nodes = view.nodes.iter();
    let home = nodes.find(|node| {
        node.pod_cidrs()
            .iter()
            .any(|range| range.contains(&address))
    });
    let pods = Query::list(Resource::Pods, None);
    match home {
        Some(node) => pods.with_fields(format!("spec.nodeName={}", node.name())),
        None => pods.at_most(4 * PAGE),
    }
}

fn services() -> Query {
    Query::list(Resource::Services, None).at_most(4 * PAGE)
}
