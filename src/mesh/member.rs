//! Who is in a mesh: what takes a pod's connections over, wish against truth.

use super::connection::Mesh;
use super::text::lists_port;
use crate::cluster::{ClusterView, Container, Named, Pod};

/// A pod, and the meshes it is in.
#[derive(Debug, Clone)]
pub struct Member<'v> {
    pub pod: &'v Pod,
    /// Empty outside of every mesh.
    pub meshes: Vec<Mesh>,
    /// The mesh that the pod or its namespace asks for.
    pub wished: Option<Mesh>,
}

// === impl Member ===

impl<'v> Member<'v> {
    /// Reads it from the pod: the proxy's container, or the annotation that Istio's CNI agent leaves on
    /// a pod whose traffic it redirects. Of manifests the wish counts, as the webhook has not run.
    #[must_use]
    pub fn of(view: &ClusterView, pod: &'v Pod) -> Self {
        let mut meshes = Vec::new();
        if has_istio_sidecar(pod) {
            meshes.push(Mesh::Istio);
        } else if annotation(pod, "ambient.istio.io/redirection") == Some("enabled") {
            meshes.push(Mesh::Ambient);
        }
        if proxy_container(pod, "linkerd-proxy").is_some() {
            meshes.push(Mesh::Linkerd);
        }
        let wished = wish(view, pod);
        if meshes.is_empty() && view.is_planned() && !pod.is_host_network() {
            meshes.extend(wished);
        }
        Self {
            pod,
            meshes,
            wished,
        }
    }

    /// The mesh that takes its connections over.
    #[must_use]
    pub fn mesh(&self) -> Option<Mesh> {
        self.meshes.first().copied()
    }

    /// Whether two meshes compete for its connections.
    #[must_use]
    pub const fn is_of_two(&self) -> bool {
        self.meshes.len() > 1
    }

    /// Why its connections are plaintext, if it is in no mesh.
    #[must_use]
    pub fn why_plain(&self) -> Option<String> {
        if self.mesh().is_some() {
            return None;
        }
        let name = self.pod.name();
        Some(match self.wished {
            _ if self.pod.is_host_network() => {
                format!("{name} uses the host network, where no mesh intercepts connections")
            }
            Some(Mesh::Ambient) => format!(
                "{name} is labeled for the ambient mesh but lacks the annotation ambient.istio.io/redirection: istio-cni has not enrolled it"
            ),
            Some(mesh) => format!(
                "{name} is labeled for a {mesh} but has none: it is older than the label, or the injector did not run"
            ),
            None => format!("{name} is in no mesh"),
        })
    }

    /// The proxy's container, if it is certain not to serve: waiting, ended, or not ready.
    #[must_use]
    pub fn dead_proxy(&self) -> Option<(&'static str, String)> {
        let name = match self.mesh()? {
            Mesh::Istio => "istio-proxy",
            Mesh::Linkerd => "linkerd-proxy",
            Mesh::Ambient => return None,
        };
        let statuses = self.pod.container_statuses();
        let status = statuses.into_iter().find(|status| status.name == name)?;
        let state = status.state.as_ref();
        let waiting = state.and_then(|state| state.waiting.as_ref());
        let ended = state.and_then(|state| state.terminated.as_ref());
        let why = match (waiting, ended) {
            (Some(waiting), _) => waiting
                .reason
                .clone()
                .unwrap_or_else(|| "waiting".to_owned()),
            (_, Some(ended)) => format!("ended with exit code {}", ended.exit_code),
            _ if status.ready == Some(false) => "not ready".to_owned(),
            _ => return None,
        };
        Some((name, why))
    }

    /// A setting of the pod, or else of its namespace, as annotations write it.
    #[must_use]
    pub fn setting<'a>(&'a self, view: &'a ClusterView, key: &str) -> Option<&'a str> {
        annotation(self.pod, key).or_else(|| namespace_annotation(view, self.pod.namespace(), key))
    }

    /// The first of some annotations of the pod that lists a port.
    #[must_use]
    pub fn lists(&self, keys: &[&'static str], port: u16) -> Option<&'static str> {
        let mut keys = keys.iter().copied();
        keys.find(|key| annotation(self.pod, key).is_some_and(|list| lists_port(list, port)))
    }
}

/// An annotation of a pod.
pub(super) fn annotation<'a>(pod: &'a Pod, key: &str) -> Option<&'a str> {
    let annotations = pod.metadata.annotations.as_ref()?;
    annotations.get(key).map(String::as_str)
}

/// An annotation of a namespace.
pub(super) fn namespace_annotation<'a>(
    view: &'a ClusterView,
    namespace: &str,
    key: &str,
) -> Option<&'a str> {
    let namespace = view.namespaces.get("", namespace)?;
    let annotations = namespace.metadata.annotations.as_ref()?;
    annotations.get(key).map(String::as_str)
}

fn proxy_container<'a>(pod: &'a Pod, name: &str) -> Option<&'a Container> {
    let mut containers = pod.running_containers().into_iter();
    containers.find(|container| container.name == name)
}

/// Gateways, waypoints and ztunnels run a container of that name, too, and redirect nothing.
fn has_istio_sidecar(pod: &Pod) -> bool {
    let is_gateway = annotation(pod, "inject.istio.io/templates")
        .is_some_and(|templates| templates.contains("gateway"))
        || pod
            .labels()
            .contains_key("gateway.networking.k8s.io/gateway-name")
        || pod.labels().get("app").is_some_and(|app| app == "ztunnel");
    !is_gateway && proxy_container(pod, "istio-proxy").is_some()
}

/// What labels and annotations ask for; the pod's own go before its namespace's.
fn wish(view: &ClusterView, pod: &Pod) -> Option<Mesh> {
    let labels = pod.labels();
    let of_namespace = view.namespace_labels(pod.namespace());
    let label = |key: &str| {
        labels
            .get(key)
            .or_else(|| of_namespace.get(key))
            .map(String::as_str)
    };
    let own = |key: &str| {
        labels
            .get(key)
            .map(String::as_str)
            .or_else(|| annotation(pod, key))
    };
    let has_revision = label("istio.io/rev").is_some();
    match (own("sidecar.istio.io/inject"), label("istio-injection")) {
        (Some("false"), _) => {}
        (Some("true"), _) | (_, Some("enabled")) => return Some(Mesh::Istio),
        (_, None) if has_revision && label("istio.io/dataplane-mode").is_none() => {
            return Some(Mesh::Istio);
        }
        _ => {}
    }
    if label("istio.io/dataplane-mode") == Some("ambient") {
        return Some(Mesh::Ambient);
    }
    let inject = annotation(pod, "linkerd.io/inject")
        .or_else(|| namespace_annotation(view, pod.namespace(), "linkerd.io/inject"));
    matches!(inject, Some("enabled" | "ingress")).then_some(Mesh::Linkerd)
}
