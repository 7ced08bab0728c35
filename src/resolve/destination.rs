//! DST.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::Service;

use super::{Destination, Place, Request, Unresolved, near, workload};
use crate::cluster::access::{NodeExt, ServiceExt};
use crate::cluster::gateway_api::RouteKind;
use crate::cluster::{ClusterView, ObjectRef};
use crate::net::Family;
use crate::target::{Kind, Spec};

pub(super) fn find<'v>(
    view: &'v ClusterView,
    request: &Request,
) -> Result<Destination<'v>, Unresolved> {
    let default_namespace = request.destination_namespace.as_str();
    let (object, place) = match &request.destination.spec {
        Spec::Bare(name) => match view.pods.get(default_namespace, name) {
            Some(pod) => (pod.reference(), Place::Pods(vec![pod])),
            None if name.contains('.') => by_name(name),
            None => return Err(near::missing(view, Kind::Pod, default_namespace, name)),
        },
        Spec::Object {
            kind,
            namespace,
            name,
        } => {
            let namespace = namespace.as_deref().unwrap_or(default_namespace);
            by_object(view, *kind, namespace, name)?
        }
        Spec::Address(addr) | Spec::External(Some(addr)) => by_address(view, *addr),
        Spec::Name(name) => by_name(name),
        Spec::External(None) => {
            return Err(Unresolved {
                message: "external alone is not a destination".to_owned(),
                hint: "name the host: external/ADDR, ip/ADDR:PORT or dns/NAME:PORT".to_owned(),
            });
        }
    };
    Ok(Destination {
        object,
        place,
        family: match &request.destination.spec {
            Spec::Address(addr) | Spec::External(Some(addr)) => Some(Family::of(*addr)),
            _ => None,
        },
        port: request.destination.port.clone(),
        url: request.destination.url.clone(),
        http: request.http.clone(),
    })
}

fn by_name<'v>(name: &str) -> (ObjectRef, Place<'v>) {
    let object = ObjectRef::cluster_wide("Name", name);
    (object, Place::Name(name.to_owned()))
}

fn by_object<'v>(
    view: &'v ClusterView,
    kind: Kind,
    namespace: &str,
    name: &str,
) -> Result<(ObjectRef, Place<'v>), Unresolved> {
    let missing = || near::missing(view, kind, namespace, name);
    let object = ObjectRef::new(kind.resource().kind(), namespace, name);
    Ok(match kind {
        Kind::Pod => {
            let pod = view.pods.get(namespace, name).ok_or_else(missing)?;
            (object, Place::Pods(vec![pod]))
        }
        Kind::Service => match view.services.get(namespace, name) {
            Some(service) => (
                object,
                Place::Service {
                    service,
                    address: None,
                },
            ),
            None if view.unread(kind.resource(), namespace).is_some() => return Err(missing()),
            None => {
                let (namespace, name) = (namespace.to_owned(), name.to_owned());
                (object, Place::NoService { namespace, name })
            }
        },
        Kind::Node => {
            let node = view.nodes.get("", name).ok_or_else(missing)?;
            (
                node.reference(),
                Place::Node {
                    node,
                    address: None,
                },
            )
        }
        Kind::Ingress => {
            let ingress = view.ingresses.get(namespace, name).ok_or_else(missing)?;
            (object, Place::Ingress(ingress))
        }
        Kind::Gateway => {
            let gateway = view.gateway_api.gateways.get(namespace, name);
            (object, Place::Gateway(gateway.ok_or_else(missing)?))
        }
        Kind::ListenerSet => {
            let set = view.gateway_api.listener_sets.get(namespace, name);
            (object, Place::ListenerSet(set.ok_or_else(missing)?))
        }
        Kind::HttpRoute | Kind::GrpcRoute | Kind::TlsRoute | Kind::TcpRoute | Kind::UdpRoute => {
            let kind = route_kind(kind);
            let route = view.gateway_api.routes_of(kind).get(namespace, name);
            (object, Place::Route(kind, route.ok_or_else(missing)?))
        }
        _ => {
            let pods = workload::pods(view, kind, namespace, name).ok_or_else(missing)?;
            (object, Place::Pods(pods))
        }
    })
}

const fn route_kind(kind: Kind) -> RouteKind {
    match kind {
        Kind::GrpcRoute => RouteKind::Grpc,
        Kind::TlsRoute => RouteKind::Tls,
        Kind::TcpRoute => RouteKind::Tcp,
        Kind::UdpRoute => RouteKind::Udp,
        _ => RouteKind::Http,
    }
}

/// Whose address it is.
#[must_use]
pub fn owner_of(view: &ClusterView, addr: IpAddr) -> Place<'_> {
    by_address(view, addr).1
}

/// A Service's before a pod's before a node's, as the rules on a node decide.
fn by_address(view: &ClusterView, addr: IpAddr) -> (ObjectRef, Place<'_>) {
    if let Some(service) = view
        .services
        .iter()
        .find(|service| answers_at(service, addr))
    {
        let address = Some(addr);
        return (service.reference(), Place::Service { service, address });
    }
    let mut pods = view.pods.iter();
    if let Some(pod) =
        pods.find(|pod| !pod.is_host_network() && !pod.is_finished() && pod.ips().contains(&addr))
    {
        return (pod.reference(), Place::Pods(vec![pod]));
    }
    if let Some(node) = view
        .nodes
        .iter()
        .find(|node| node.addresses().contains(&addr))
    {
        let address = Some(addr);
        return (node.reference(), Place::Node { node, address });
    }
    let object = ObjectRef::cluster_wide("Address", addr.to_string());
    (object, Place::Address(addr))
}

/// Whether nodes translate the address for this Service: cluster IP, external IP or an assigned
/// load-balancer address.
fn answers_at(service: &Service, addr: IpAddr) -> bool {
    let text = addr.to_string();
    let spec = service.spec.as_ref();
    let external = spec.and_then(|spec| spec.external_ips.as_deref());
    service.cluster_ips().contains(&addr)
        || external.is_some_and(|ips| ips.contains(&text))
        || service.ingress_addresses().contains(&text)
}
