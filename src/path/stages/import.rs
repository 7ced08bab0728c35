//! Stages `service` and `endpoints` of a ServiceImport: its port, and the endpoints of all clusters.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::cluster::access::{EndpointExt, ServiceExt, SliceExt};
use crate::cluster::endpoints::{PortEndpoint, ProxyNode, endpoints_of};
use crate::cluster::multicluster::{ImportPort, ServiceExport, ServiceImport, remote_cluster};
use crate::cluster::{ClusterView, Resource};
use crate::net::{Family, Protocol};
use crate::path::trail::Trail;
use crate::path::{Backend, Break, ClusterSetTrouble, Hop, Stage, Status};
use crate::resolve::Site;
use crate::target::PortSpec;
use crate::text::{count, list};

/// Adds the hop of an import and chooses its port. None when it has no such port.
pub(in crate::path) fn port<'v>(
    view: &'v ClusterView,
    import: ServiceImport<'v>,
    (asked, protocol): (Option<&PortSpec>, Option<Protocol>),
    trail: &mut Trail<'v>,
) -> Option<ImportPort> {
    let conflict = ServiceExport::find(view, import.namespace(), import.name())
        .and_then(|export| Some((export.reference(), export.conflict()?)));
    if let Some((export, why)) = conflict {
        trail
            .breaks
            .push(seen(ClusterSetTrouble::Conflict { export, why }));
    }
    let hop = |status, text| {
        Hop::new(Stage::Service, status, text)
            .at(import.reference())
            .fact(
                format!("{} spec.ports", import.reference()),
                ports_text(import),
            )
    };
    if let Some(port) = import.port(asked, protocol) {
        trail.push(hop(Status::Pass, port_text(view, import, &port)));
        return Some(port);
    }
    let asked = asked.cloned().unwrap_or(PortSpec::Number(0));
    let text = format!("no port {asked}; it has {}", ports_text(import));
    let trouble = ClusterSetTrouble::Port { import, asked };
    trail.stop(hop(Status::Fail, text), seen(trouble));
    None
}

fn seen(trouble: ClusterSetTrouble<'_>) -> Break<'_> {
    Break::ClusterSet(Box::new(trouble))
}

fn port_text(view: &ClusterView, import: ServiceImport<'_>, port: &ImportPort) -> String {
    let number = port.number;
    if import.is_headless() {
        return format!("headless import, the endpoints themselves at port {number}");
    }
    let ips: Vec<String> = import.ips().iter().map(ToString::to_string).collect();
    let by = import.derived(view).map_or_else(String::new, |service| {
        format!(", served as {}", service.reference())
    });
    match ips.as_slice() {
        [] => format!("import without an address of its own, port {number}"),
        ips => format!("clusterset IP {}:{number}{by}", ips.join(", ")),
    }
}

/// `80/TCP (http)`.
pub(crate) fn ports_text(import: ServiceImport<'_>) -> String {
    let text = |port: &ImportPort| match port.name.as_str() {
        "" => format!("{}/{}", port.number, port.protocol),
        name => format!("{}/{} ({name})", port.number, port.protocol),
    };
    let ports: Vec<String> = import.ports().iter().map(text).collect();
    if ports.is_empty() {
        return "no port at all".to_owned();
    }
    list(&ports)
}

/// The families to walk: those that the import and the source both have.
pub(in crate::path) fn families<'v>(
    view: &'v ClusterView,
    import: ServiceImport<'v>,
    site: Site<'_>,
) -> Vec<Family> {
    let ips = import.ips();
    let has = |family: &Family| match ips.as_slice() {
        [] => import
            .slices(view)
            .any(|slice| slice.family() == Some(*family)),
        ips => ips.iter().any(|ip| Family::of(*ip) == *family),
    };
    let of_source = site.families();
    let both = Family::ALL.into_iter().filter(has);
    both.filter(|family| of_source.contains(family)).collect()
}

/// Adds the hop of the endpoints of all clusters, and returns those that are ready.
pub(in crate::path) fn endpoints<'v>(
    view: &'v ClusterView,
    import: ServiceImport<'v>,
    port: &ImportPort,
    family: Family,
    trail: &mut Trail<'v>,
) -> Vec<Backend<'v>> {
    let hop = |status, text| Hop::new(Stage::Endpoints, status, text).at(import.reference());
    let unread = view.unread(Resource::EndpointSlices, import.namespace());
    if let Some(unread) = unread {
        let text = format!("{} {}", unread.what, unread.why);
        trail.push(hop(Status::Unknown, text));
        return Vec::new();
    }
    let all = of_port(view, import, port, family);
    if all.is_empty() && !import.has_slices() {
        let text = "its endpoints are not kept as EndpointSlices here".to_owned();
        trail.push(hop(Status::Unknown, text));
        return Vec::new();
    }
    let ready: Vec<PortEndpoint<'v>> = all
        .iter()
        .filter(|one| one.endpoint.is_ready())
        .copied()
        .collect();
    if ready.is_empty() {
        let not_ready = all.len();
        let text = match not_ready {
            0 => "no cluster has an endpoint".to_owned(),
            some => format!("0 of {} ready", count(some, "endpoint")),
        };
        let trouble = ClusterSetTrouble::NoEndpoints { import, not_ready };
        trail.stop(hop(Status::Fail, text), seen(trouble));
        return Vec::new();
    }
    trail.push(in_use(view, import, &ready, all.len()));
    let backend = |one: &PortEndpoint<'v>| Backend {
        address: Some(one.address),
        port: if import.is_headless() {
            port.number
        } else {
            one.port
        },
        pod: pod_of(view, import, one),
        node: one.endpoint.node_name.as_deref(),
        is_hypothetical: false,
        cluster: remote_cluster(view, one.slice, one.endpoint),
    };
    ready.iter().map(backend).collect()
}

fn of_port<'v>(
    view: &'v ClusterView,
    import: ServiceImport<'v>,
    port: &ImportPort,
    family: Family,
) -> Vec<PortEndpoint<'v>> {
    let nowhere = ProxyNode {
        name: "",
        zone: None,
    };
    let name = Some(port.name.as_str());
    endpoints_of(import.slices(view), family, name, port.protocol, nowhere)
}

/// The pod of an endpoint of this cluster. The pod names of other clusters mean nothing here.
fn pod_of<'v>(
    view: &'v ClusterView,
    import: ServiceImport<'v>,
    one: &PortEndpoint<'v>,
) -> Option<&'v crate::cluster::Pod> {
    if remote_cluster(view, one.slice, one.endpoint).is_some() {
        return None;
    }
    let mut pods = view.pods.in_namespace(import.namespace());
    pods.find(|pod| pod.ips().contains(&one.address))
}

fn in_use(
    view: &ClusterView,
    import: ServiceImport<'_>,
    ready: &[PortEndpoint<'_>],
    all: usize,
) -> Hop {
    let mut by_cluster: BTreeMap<&str, usize> = BTreeMap::new();
    for one in ready {
        let cluster = remote_cluster(view, one.slice, one.endpoint);
        *by_cluster.entry(cluster.unwrap_or_default()).or_default() += 1;
    }
    let text = |(cluster, number): (&&str, &usize)| match *cluster {
        "" => format!("{number} in this cluster"),
        cluster => format!("{number} in cluster {cluster}"),
    };
    let clusters: Vec<String> = by_cluster.iter().map(text).collect();
    let of = if all > ready.len() {
        format!(" of {all}")
    } else {
        String::new()
    };
    let ready_text = format!(
        "{} ready{of}: {}",
        count(ready.len(), "endpoint"),
        list(&clusters)
    );
    let addresses: Vec<String> = ready
        .iter()
        .take(8)
        .map(|one| std::net::SocketAddr::new(one.address, one.port).to_string())
        .collect();
    Hop::new(Stage::Endpoints, Status::Pass, ready_text)
        .at(import.reference())
        .fact(
            format!("EndpointSlices of {}", import.reference()),
            addresses.join(", "),
        )
}

/// The slice that lists an address, for a cluster.
pub(in crate::path) fn slice_of<'v>(
    view: &'v ClusterView,
    namespace: &str,
    cluster: &str,
    address: IpAddr,
) -> Option<&'v k8s_openapi::api::discovery::v1::EndpointSlice> {
    let mut slices = view.endpoint_slices.in_namespace(namespace);
    slices.find(|slice| {
        let mut endpoints = slice.endpoints.iter().flatten();
        endpoints.any(|one| {
            one.address() == Some(address) && remote_cluster(view, slice, one) == Some(cluster)
        })
    })
}
