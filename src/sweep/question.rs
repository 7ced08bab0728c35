//! What is asked: a user and a Service at one of its ports, or somebody outside and a door.

use k8s_openapi::api::core::v1::Service;

use super::users::User;
use crate::cluster::access::{ServiceExt, ServicePortExt};
use crate::cluster::gateway_api::{Gateway, RouteKind};
use crate::cluster::{ClusterView, Named, ObjectRef};
use crate::net::Protocol;
use crate::shell::{Command, words};
use crate::target::{HttpAsked, Kind, PortSpec, Request, Spec, Target};

/// One question of a sweep.
#[derive(Debug, Clone)]
pub struct Question {
    pub request: Request,
    /// The Service or door that is asked.
    pub object: ObjectRef,
}

/// One port of a Service.
#[derive(Debug, Clone, Copy)]
pub(super) struct Port {
    number: u16,
    protocol: Protocol,
}

// === impl Question ===

impl Question {
    pub(super) fn of(user: &User, service: &Service, port: Option<&Port>) -> Self {
        let target = target(Kind::Service, service.name());
        let destination = Target {
            port: port.map(|port| PortSpec::Number(port.number)),
            ..target
        };
        let protocol = port.map(|port| port.protocol);
        let namespace = service.namespace();
        Self {
            request: request(user.source(namespace), destination, protocol, namespace),
            object: service.reference(),
        }
    }

    /// The command that asks the same.
    #[must_use]
    pub fn command(&self) -> Command {
        let request = &self.request;
        let (source, destination) = (request.source.to_string(), request.destination.to_string());
        let command = words!(
            "kubectl netpath {} {} -n {}",
            source,
            destination,
            request.source_namespace
        );
        // Without a protocol, TCP is asked wherever that is offered.
        match request.protocol {
            None | Some(Protocol::Tcp) => command,
            Some(protocol) => {
                command.and(["--protocol".to_owned(), protocol.to_string().to_lowercase()])
            }
        }
    }
}

/// Every port of a Service; none stands for a Service without any.
pub(super) fn ports(service: &Service) -> Vec<Option<Port>> {
    let all = service.ports();
    if all.is_empty() {
        return vec![None];
    }
    let ports = all.iter().map(|port| Port {
        number: port.number(),
        protocol: port.protocol(),
    });
    ports.map(Some).collect()
}

/// Every Ingress, Gateway and route, asked from outside.
pub(super) fn doors(view: &ClusterView) -> Vec<Question> {
    let ingresses = view.ingresses.iter();
    let ingresses = ingresses.map(|ingress| (Kind::Ingress, ingress.namespace(), ingress.name()));
    let gateways = view.gateway_api.gateways.iter();
    let gateways = gateways.filter(|gateway| !is_waypoint(gateway));
    let gateways = gateways.map(|gateway| (Kind::Gateway, gateway.namespace(), gateway.name()));
    let routes = view.gateway_api.routes();
    let routes = routes.map(|(kind, route)| (route_kind(kind), route.namespace(), route.name()));
    let doors = ingresses.chain(gateways).chain(routes);
    let doors = doors.map(|(kind, namespace, name)| {
        let external = Target {
            spec: Spec::External(None),
            port: None,
            url: None,
        };
        Question {
            request: request(external, target(kind, name), None, namespace),
            object: ObjectRef::new(kind.resource().kind(), namespace, name),
        }
    });
    doors.collect()
}

/// Whether it is a waypoint of an ambient mesh, which takes tunnels of the mesh alone (Istio: protocol HBONE).
fn is_waypoint(gateway: &Gateway) -> bool {
    let listeners = &gateway.spec.listeners;
    !listeners.is_empty()
        && listeners
            .iter()
            .all(|listener| listener.protocol == "HBONE")
}

const fn route_kind(kind: RouteKind) -> Kind {
    match kind {
        RouteKind::Http => Kind::HttpRoute,
        RouteKind::Grpc => Kind::GrpcRoute,
        RouteKind::Tls => Kind::TlsRoute,
        RouteKind::Tcp => Kind::TcpRoute,
        RouteKind::Udp => Kind::UdpRoute,
    }
}

pub(super) fn target(kind: Kind, name: &str) -> Target {
    Target {
        spec: Spec::Object {
            kind,
            namespace: None,
            name: name.to_owned(),
        },
        port: None,
        url: None,
    }
}

fn request(
    source: Target,
    destination: Target,
    protocol: Option<Protocol>,
    namespace: &str,
) -> Request {
    Request {
        source,
        destination,
        source_namespace: namespace.to_owned(),
        destination_namespace: namespace.to_owned(),
        protocol,
        http: HttpAsked::default(),
    }
}
