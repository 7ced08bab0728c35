//! Stage `endpoints`: which pods the Service leads to, as kube-proxy on the source's node chooses.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::{Node, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;

use super::service::Chosen;
use crate::cluster::access::{
    EndpointExt, NodeExt, ServiceExt, ServiceKind, SliceExt, target_port,
};
use crate::cluster::endpoints::{
    EndpointChoice, PortEndpoint, ProxyNode, Topology, TrafficPolicies, WithoutEndpoints,
    addresses_of, categorize, endpoints_of,
};
use crate::cluster::multicluster::{is_global, mirrored_from, remote_cluster};
use crate::cluster::{ClusterView, Named, ObjectRef, Pod, Resource, resolve_port, selected};
use crate::net::Family;
use crate::path::trail::Trail;
use crate::path::{Backend, Break, Hop, Stage, Status};
use crate::resolve;
use crate::text::{count, list};

/// Who asks, and where its packets meet kube-proxy.
#[derive(Debug, Clone, Copy)]
pub(in crate::path) struct Asker<'a> {
    pub node: Option<&'a str>,
    pub door: Door,
}

/// By which of a Service's addresses the packet came, which says whose traffic policy counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::path) enum Door {
    /// The cluster IP: `internalTrafficPolicy`.
    Inner,
    /// A node port, an external IP or a load-balancer address, from outside: `externalTrafficPolicy`.
    Outer,
    /// One of those, from a pod or process of the node itself: kube-proxy short-cuts such traffic
    /// to every endpoint (chain `KUBE-EXT-…`), whatever the policies say.
    ShortCut,
}

/// Adds the hop and returns the backends: those in use, or the ones evidently meant when there are
/// none (marked hypothetical).
pub(in crate::path) fn step<'v>(
    view: &'v ClusterView,
    service: &'v Service,
    chosen: Chosen<'v>,
    family: Family,
    asker: Asker<'_>,
    trail: &mut Trail<'v>,
) -> Vec<Backend<'v>> {
    if view.is_planned() && slices(view, service).next().is_none() {
        return planned(view, service, chosen, family, trail);
    }
    if let Some(unread) = view.unread(Resource::EndpointSlices, service.namespace()) {
        let text = format!("{} {}", unread.what, unread.why);
        trail.push(Hop::new(Stage::Endpoints, Status::Unknown, text).at(service.reference()));
        return Vec::new();
    }
    let zone = asker.node.and_then(|node| view.nodes.get("", node)?.zone());
    let node = ProxyNode {
        name: asker.node.unwrap_or_default(),
        zone,
    };
    let own = slices(view, service);
    // Behind a headless Service the client's own port counts, not the slice's.
    let all = if service.service_kind() == ServiceKind::Headless {
        addresses_of(own, family, chosen.number, node)
    } else {
        let name = chosen.port.name.as_deref();
        endpoints_of(own, family, name, chosen.protocol, node)
    };
    let policies = match service.service_kind() {
        // No kube-proxy takes part: the name leads to every ready endpoint.
        ServiceKind::Headless => TrafficPolicies::default(),
        _ => TrafficPolicies::of(service, chosen.port),
    };
    let policies = match asker.door {
        Door::ShortCut => TrafficPolicies {
            internal_local: false,
            ..policies
        },
        Door::Inner | Door::Outer => policies,
    };
    let choice = categorize(&all, policies, node);
    let (fate, used) = match asker.door {
        Door::Outer => (choice.external_fate(), choice.external()),
        Door::Inner | Door::ShortCut => (choice.internal_fate(), choice.internal()),
    };
    match fate {
        WithoutEndpoints::Forward => {
            trail.push(in_use(service, &choice, used, all.len()));
            used.iter()
                .map(|endpoint| backend(view, service, endpoint))
                .collect()
        }
        WithoutEndpoints::Reject if is_global(view, service) => {
            let text = "no endpoint here; those of other clusters are served, too (service.cilium.io/global)";
            trail.push(hop(service, Status::Unknown, text.to_owned()));
            Vec::new()
        }
        WithoutEndpoints::Reject => {
            let text = nothing_text(view, service, family, &all);
            let seen = Break::NoEndpoints {
                service,
                port: chosen.port,
                family,
            };
            trail.stop(hop(service, Status::Fail, text), seen);
            meant(view, service, chosen, family)
        }
        WithoutEndpoints::Drop => {
            let elsewhere = nodes_of(&all);
            let policy = if asker.door == Door::Outer {
                "externalTrafficPolicy"
            } else {
                "internalTrafficPolicy"
            };
            let text = format!(
                "{policy} is Local and {} has no endpoint; {} has",
                node.name,
                list(&elsewhere)
            );
            let hop = hop(service, Status::Fail, text)
                .fact(format!("{} spec.{policy}", service.reference()), "Local");
            let seen = Break::NoLocalEndpoints {
                service,
                node: node.name.to_owned(),
                elsewhere,
                from_outside: asker.door == Door::Outer,
            };
            trail.stop(hop, seen);
            let ready = all.iter().filter(|endpoint| endpoint.endpoint.is_ready());
            let backends = ready.map(|endpoint| backend(view, service, endpoint));
            backends.map(Backend::as_hypothetical).collect()
        }
    }
}

/// The slices of a Service.
pub(crate) fn slices<'v>(
    view: &'v ClusterView,
    service: &'v Service,
) -> impl Iterator<Item = &'v EndpointSlice> {
    view.endpoint_slices
        .in_namespace(service.namespace())
        .filter(|slice| slice.service_name() == Some(service.name()))
}

fn hop(service: &Service, status: Status, text: String) -> Hop {
    Hop::new(Stage::Endpoints, status, text).at(service.reference())
}

fn in_use(
    service: &Service,
    choice: &EndpointChoice<'_>,
    used: &[PortEndpoint<'_>],
    all: usize,
) -> Hop {
    let ready = used
        .iter()
        .filter(|endpoint| endpoint.endpoint.is_ready())
        .count();
    let mut text = if ready == used.len() {
        format!("{} ready", count(ready, "endpoint"))
    } else {
        format!(
            "no endpoint ready; {} terminating and still serving",
            count(used.len(), "endpoint")
        )
    };
    if all > used.len() {
        text = format!("{text} of {all}");
    }
    match choice.topology {
        Topology::Any => {}
        Topology::SameNode => text.push_str(", on this node as hinted"),
        Topology::SameZone => text.push_str(", in this zone as hinted"),
    }
    let addresses: Vec<String> = used
        .iter()
        .take(8)
        .map(|endpoint| display(endpoint))
        .collect();
    hop(service, Status::Pass, text).fact(
        format!("EndpointSlices of {}", service.reference()),
        format!(
            "{}{}",
            addresses.join(", "),
            if used.len() > 8 { " …" } else { "" }
        ),
    )
}

fn display(endpoint: &PortEndpoint<'_>) -> String {
    std::net::SocketAddr::new(endpoint.address, endpoint.port).to_string()
}

/// Counts what there is, for the line that says that nothing is usable.
fn nothing_text(
    view: &ClusterView,
    service: &Service,
    family: Family,
    all: &[PortEndpoint<'_>],
) -> String {
    if !all.is_empty() {
        return format!("0 of {} ready", count(all.len(), "endpoint"));
    }
    let addresses: usize = slices(view, service)
        .filter(|slice| slice.family() == Some(family))
        .map(|slice| slice.endpoints.as_ref().map_or(0, Vec::len))
        .sum();
    match addresses {
        0 => format!("no {family} endpoint"),
        some => format!("{} without this port", count(some, "endpoint")),
    }
}

fn nodes_of(endpoints: &[PortEndpoint<'_>]) -> Vec<String> {
    let ready = endpoints
        .iter()
        .filter(|endpoint| endpoint.endpoint.is_ready());
    let mut nodes: Vec<String> = ready
        .filter_map(|endpoint| endpoint.endpoint.node_name.clone())
        .collect();
    nodes.sort_unstable();
    nodes.dedup();
    nodes
}

fn backend<'v>(
    view: &'v ClusterView,
    service: &'v Service,
    endpoint: &PortEndpoint<'v>,
) -> Backend<'v> {
    let name = endpoint.endpoint.pod_name();
    Backend {
        address: Some(endpoint.address),
        port: endpoint.port,
        pod: name.and_then(|name| view.pods.get(service.namespace(), name)),
        node: endpoint.endpoint.node_name.as_deref(),
        is_hypothetical: false,
        cluster: remote_cluster(view, endpoint.slice, endpoint.endpoint)
            .or_else(|| mirrored_from(service)),
    }
}

/// Why the pod that an endpoint names is not in the view.
pub(in crate::path) enum Absent<'v> {
    /// It does not exist; the slice still lists it.
    Gone(ObjectRef),
    /// The slice names no pod, and its address is one of a node's pods, none of which has it.
    Nobodys(ObjectRef),
    /// Pods of its namespace could not be read, or not all of them.
    Unread(&'v str),
    /// It would be a pod of this node, and not all pods were read.
    UnreadOn(&'v str, ObjectRef),
}

/// Whether the endpoint of an address names a pod that is not in the view, and why it is not.
pub(in crate::path) fn absent<'v>(
    view: &'v ClusterView,
    service: &'v Service,
    address: IpAddr,
) -> Option<Absent<'v>> {
    if view.is_planned() {
        return None;
    }
    let namespace = service.namespace();
    let by_name = slices(view, service).find_map(|slice| {
        let endpoints = slice.endpoints.iter().flatten();
        let mut named = endpoints
            .filter(|endpoint| endpoint.address() == Some(address))
            .filter_map(EndpointExt::pod_name)
            .filter(|name| view.pods.get(namespace, name).is_none());
        let name = named.next()?;
        let is_read = view.unread(Resource::Pods, namespace).is_none()
            && (view.lacks(Resource::Pods, namespace, name) || were_read(view, service));
        Some(if is_read {
            Absent::Gone(ObjectRef::new("EndpointSlice", namespace, slice.name()))
        } else {
            Absent::Unread(name)
        })
    });
    by_name.or_else(|| nobodys(view, service, address))
}

/// Whether the pods of a Service were asked for: some are there, or there is none. A capture of another path has
/// the slices of the Service without its pods.
fn were_read(view: &ClusterView, service: &Service) -> bool {
    service.selector().is_some_and(|selector| {
        let mut pods = view.pods.in_namespace(service.namespace());
        pods.any(|pod| selector.matches(pod.labels())) || view.has_no_pod(&selector)
    })
}

/// An endpoint without a pod's name, at an address that a node gives to its pods and that no pod has.
fn nobodys<'v>(view: &'v ClusterView, service: &'v Service, address: IpAddr) -> Option<Absent<'v>> {
    let slice = slices(view, service).find(|slice| {
        let mut endpoints = slice.endpoints.iter().flatten();
        endpoints.any(|one| one.address() == Some(address) && one.pod_name().is_none())
    })?;
    let gives = |node: &&Node| {
        node.pod_cidrs()
            .iter()
            .any(|range| range.contains(&address))
    };
    let node = view.nodes.iter().find(gives)?;
    // The bridge's own address, say.
    let is_first = |range: &ipnet::IpNet| range.hosts().next() == Some(address);
    if node.addresses().contains(&address) || node.pod_cidrs().iter().any(is_first) {
        return None;
    }
    let slice = ObjectRef::new("EndpointSlice", service.namespace(), slice.name());
    Some(if view.holds_all(Resource::Pods, "") {
        Absent::Nobodys(slice)
    } else {
        Absent::UnreadOn(node.name(), slice)
    })
}

/// The pods that the Service evidently means while it has no endpoint: those it selects, ready or
/// not; else those it would select elsewhere, or but for a slip in the selector.
fn meant<'v>(
    view: &'v ClusterView,
    service: &'v Service,
    chosen: Chosen<'_>,
    family: Family,
) -> Vec<Backend<'v>> {
    let mut pods: Vec<&Pod> = selected(view, service).collect();
    if let (true, Some(selector)) = (pods.is_empty(), service.selector()) {
        let elsewhere = view.pods.iter().filter(|pod| !pod.is_finished());
        pods.extend(elsewhere.filter(|pod| selector.matches(pod.labels())));
        if pods.is_empty()
            && let Some(meant) = resolve::meant(view, service.namespace(), &selector)
        {
            pods.extend(meant.pods(view, service.namespace()));
        }
    }
    pods.into_iter()
        .filter_map(|pod| {
            // Once the Service has the pods' family and port, this is where it leads.
            let has_family = pod.ip(family).is_some();
            let family = if has_family {
                family
            } else {
                Family::of(*pod.ips().first()?)
            };
            let declared = || Some(pod.declared_ports().first()?.container_port);
            let port = pod_port(pod, chosen).or_else(|| u16::try_from(declared()?).ok())?;
            Some(Backend::of_pod(pod, family, port).as_hypothetical())
        })
        .collect()
}

fn pod_port(pod: &Pod, chosen: Chosen<'_>) -> Option<u16> {
    resolve_port(pod, &target_port(chosen.port), chosen.protocol)
}

/// Manifests hold no slices: the pods that the selector finds stand for them.
fn planned<'v>(
    view: &'v ClusterView,
    service: &'v Service,
    chosen: Chosen<'v>,
    family: Family,
    trail: &mut Trail<'v>,
) -> Vec<Backend<'v>> {
    let pods: Vec<&Pod> = selected(view, service).collect();
    let backends: Vec<Backend<'v>> = pods
        .iter()
        .filter_map(|pod| Some(Backend::of_pod(pod, family, pod_port(pod, chosen)?)))
        .collect();
    if backends.is_empty() {
        let text = format!("the selector finds {} with that port", count(0, "pod"));
        let seen = Break::NoEndpoints {
            service,
            port: chosen.port,
            family,
        };
        trail.stop(hop(service, Status::Fail, text), seen);
    } else {
        let text = format!("the selector finds {}", count(pods.len(), "pod"));
        trail.push(hop(service, Status::Pass, text));
    }
    backends
}
