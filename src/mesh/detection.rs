//! Ports whose protocol a proxy gets wrong: declared as HTTP and served by something else, or left to
//! detection although the server speaks first.

use k8s_openapi::api::core::v1::{Service, ServicePort};
use serde_json::json;

use super::Meshes;
use super::connection::{Connection, Mesh, Reason, Repair, Requested, Stop};
use super::istio::protocol::{Speech, of_port};
use super::member::{Member, namespace_annotation};
use super::text::lists_port;
use crate::cluster::Named;
use crate::cluster::access::{ServiceExt, ServicePortExt};

/// Where Linkerd reads which ports to forward without looking at them.
const OPAQUE: &str = "config.linkerd.io/opaque-ports";
/// Ports where the client waits for the server's greeting (SMTP, submission, MySQL): detection sees no
/// byte there. <https://istio.io/latest/docs/ops/deployment/application-requirements/#server-first-protocols>
const GREETING: [u16; 3] = [25, 587, 3306];
/// Ports of databases, caches and mail. Of Linkerd's default opaque ports 4444 is left out: Selenium serves
/// HTTP there.
const NO_HTTP: [u16; 8] = [25, 587, 3306, 5432, 6379, 9300, 11_211, 27_017];
/// Names of the protocols that begin with the server's greeting.
const GREETING_NAMES: [&str; 2] = ["mysql", "smtp"];

/// What a proxy on the way takes the port of a Service for, where that cannot work. Nothing proves which
/// protocol the application uses, so this is worth knowing and stops nothing.
pub(super) fn misread(
    meshes: &Meshes<'_>,
    connection: &Connection<'_, '_>,
    (client, server): (Option<&Member<'_>>, Option<&Member<'_>>),
) -> Option<Stop> {
    let Requested::Service { service, port } = connection.asked else {
        return None;
    };
    let of = |member: Option<&Member<'_>>, mesh| {
        member.is_some_and(|member| member.mesh() == Some(mesh))
    };
    let seen = Seen {
        service,
        port,
        target: connection.server_port,
        declared: declared(connection).unwrap_or_default(),
    };
    if of(client, Mesh::Istio) || of(server, Mesh::Istio) {
        return seen.by_istio();
    }
    // A client's proxy tells the server's that the connection is opaque; without one, the server's decides.
    let is_opaque = match (client, server) {
        (client, _) if of(client, Mesh::Linkerd) => seen.is_opaque_to_clients(meshes),
        (_, Some(server)) if of(Some(server), Mesh::Linkerd) => {
            seen.is_opaque_to_server(meshes, server)
        }
        _ => return None,
    };
    (!is_opaque).then(|| seen.by_linkerd(meshes)).flatten()
}

/// The port of a Service as proxies see it, and what else tells the application behind it.
struct Seen<'a> {
    service: &'a Service,
    port: &'a ServicePort,
    target: u16,
    /// The name that the server's container gives the port.
    declared: String,
}

// === impl Seen ===

impl Seen<'_> {
    /// Istio decides by `appProtocol` and by the name of the port; without either it looks at the first bytes.
    fn by_istio(&self) -> Option<Stop> {
        let summary = match of_port(self.port) {
            Speech::Http if self.is_no_http() => "expects HTTP",
            Speech::Detected if self.has_greeting() => "waits for the client to send first",
            _ => return None,
        };
        let index = self.index();
        let patch = json!([{"op": "add", "path": format!("/spec/ports/{index}/appProtocol"), "value": "tcp"}]);
        Some(self.stop(
            summary,
            format!("spec.ports[{index}]"),
            "set appProtocol: tcp, and rename a port called http-… to tcp-…",
            (true, patch),
        ))
    }

    /// Linkerd looks at the first bytes of every port that is not opaque, for up to 10 seconds.
    fn by_linkerd(&self, meshes: &Meshes<'_>) -> Option<Stop> {
        if self.port.app_protocol.is_some() || !self.has_greeting() {
            return None;
        }
        // An annotation replaces the list that counted so far.
        let list = format!("{},{}", self.opaque_ports(meshes), self.port.number());
        let patch = json!({"metadata": {"annotations": {OPAQUE: list.trim_start_matches(',')}}});
        Some(self.stop(
            "waits up to 10 s for the client to send first",
            format!("metadata.annotations[{OPAQUE}]"),
            "mark the port as opaque, on the Service and on its pods",
            (false, patch),
        ))
    }

    /// The opaque ports of the Service: its annotation, or that of its namespace, in place of the defaults.
    fn opaque_ports<'m>(&'m self, meshes: &'m Meshes<'_>) -> &'m str {
        let annotations = self.service.metadata.annotations.as_ref();
        let own = annotations.and_then(|all| all.get(OPAQUE));
        own.map(String::as_str)
            .or_else(|| namespace_annotation(meshes.view, self.service.namespace(), OPAQUE))
            .unwrap_or_else(|| meshes.linkerd.opaque_ports())
    }

    /// A client's proxy goes by the Service.
    fn is_opaque_to_clients(&self, meshes: &Meshes<'_>) -> bool {
        lists_port(self.opaque_ports(meshes), self.port.number())
    }

    /// A server's proxy goes by the annotation of the pod or its namespace, and by the Server of the port.
    fn is_opaque_to_server(&self, meshes: &Meshes<'_>, server: &Member<'_>) -> bool {
        let list = server
            .setting(meshes.view, OPAQUE)
            .unwrap_or_else(|| meshes.linkerd.opaque_ports());
        lists_port(list, self.target) || meshes.linkerd.is_opaque(server.pod, self.target)
    }

    fn is_no_http(&self) -> bool {
        let numbers = [self.port.number(), self.target];
        numbers.iter().any(|number| NO_HTTP.contains(number)) || self.is_declared_greeting()
    }

    fn has_greeting(&self) -> bool {
        let numbers = [self.port.number(), self.target];
        let name = self.port.name.as_deref().unwrap_or_default();
        numbers.iter().any(|number| GREETING.contains(number))
            || GREETING_NAMES.iter().any(|known| name.contains(known))
            || self.is_declared_greeting()
    }

    fn is_declared_greeting(&self) -> bool {
        GREETING_NAMES
            .iter()
            .any(|known| self.declared.contains(known))
    }

    fn index(&self) -> usize {
        let mut ports = self.service.ports().iter();
        ports.position(|port| port == self.port).unwrap_or_default()
    }

    fn stop(
        &self,
        does: &str,
        field: String,
        repair: &str,
        (is_json, patch): (bool, serde_json::Value),
    ) -> Stop {
        let number = self.port.number();
        let name = self.port.name.as_ref();
        let name = name.map_or_else(
            || "has no name".to_owned(),
            |name| format!("is named {name:?}"),
        );
        Stop {
            reason: Reason::Misread,
            object: self.service.reference(),
            field,
            summary: format!(
                "the mesh proxy {does} on port {number} of {}: connections may hang",
                self.service.name()
            ),
            because: vec![format!(
                "port {number} {name}, appProtocol is {}; the target is {}{}",
                self.port.app_protocol.as_deref().unwrap_or("not set"),
                self.target,
                if self.declared.is_empty() {
                    String::new()
                } else {
                    format!(" ({})", self.declared)
                }
            )],
            repair: Repair {
                summary: repair.to_owned(),
                patch: Some((self.service.reference(), is_json, patch)),
            },
        }
    }
}

/// The name of the server's port, as its container declares it.
fn declared(connection: &Connection<'_, '_>) -> Option<String> {
    let ports = connection.server?.declared_ports();
    let mut ports = ports.into_iter();
    let port = ports.find(|port| port.container_port == i32::from(connection.server_port))?;
    port.name.clone()
}
