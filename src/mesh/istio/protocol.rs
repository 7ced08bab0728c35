//! Which protocol Istio takes a port for.

use k8s_openapi::api::core::v1::{Service, ServicePort};

use crate::cluster::access::{ServiceExt, ServicePortExt, target_port};
use crate::cluster::{ClusterView, Named, Pod, resolve_port};

/// What a sidecar speaks on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speech {
    Http,
    Tcp,
    /// Neither name nor appProtocol say it: the first bytes decide.
    Detected,
}

/// By `appProtocol`, before the name up to its first hyphen, before well-known server-first ports
/// (istio `pkg/config/kube/conversion.go`, ConvertProtocol).
#[must_use]
pub(crate) fn of_port(port: &ServicePort) -> Speech {
    let named = |name: &str| {
        let name = name.to_lowercase();
        let name = name
            .trim_start_matches("kubernetes.io/")
            .trim_start_matches("istio.io/");
        let prefix = if name.starts_with("grpc-web") {
            "grpc-web"
        } else {
            name.split('-').next().unwrap_or_default()
        };
        match prefix {
            "http" | "http2" | "grpc" | "grpc-web" | "http_proxy" | "h2c" | "ws" => {
                Some(Speech::Http)
            }
            "tcp" | "tls" | "https" | "mongo" | "redis" | "mysql" | "udp" | "wss" | "hbone" => {
                Some(Speech::Tcp)
            }
            _ => None,
        }
    };
    let by_app = port.app_protocol.as_deref().and_then(named);
    let by_name = || port.name.as_deref().and_then(named);
    by_app
        .or_else(by_name)
        .unwrap_or_else(|| match port.number() {
            25 | 53 | 3306 | 27_017 => Speech::Tcp,
            _ => Speech::Detected,
        })
}

/// What the sidecar of a pod speaks on one of its own ports: as the first Service says that leads
/// there. A port of no Service is detected.
#[must_use]
pub(super) fn of_pod(view: &ClusterView, pod: &Pod, number: u16) -> Speech {
    port_of(view, pod, number).map_or(Speech::Detected, |(_, port)| of_port(port))
}

/// The Service and port that lead to a port of a pod.
pub(super) fn port_of<'v>(
    view: &'v ClusterView,
    pod: &Pod,
    number: u16,
) -> Option<(&'v Service, &'v ServicePort)> {
    let services = view.services.in_namespace(pod.namespace());
    let mut leading = services.filter(|service| {
        let selector = service.selector();
        selector.is_some_and(|selector| selector.matches(pod.labels()))
    });
    leading.find_map(|service| {
        let mut ports = service.ports().iter();
        let port = ports
            .find(|port| resolve_port(pod, &target_port(port), port.protocol()) == Some(number))?;
        Some((service, port))
    })
}
