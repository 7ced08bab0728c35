//! Ports whose protocol a proxy gets wrong: declared as HTTP and served by something else, or left to
//! detection although the server speaks first.

use k8s_openapi::api::core::v1::{Service, ServicePort};
use serde_json::json;

use super::connection::{Connection, Mesh, Reason, Repair, Requested, Stop};
use super::istio::protocol::{Speech, of_port};
use super::member::{Member, annotation};
use super::text::lists_port;
use super::{Meshes, SERVER_FIRST};
use crate::cluster::Named;
use crate::cluster::access::{ServiceExt, ServicePortExt};

/// Where Linkerd reads which ports to forward without looking at them.
const OPAQUE: &str = "config.linkerd.io/opaque-ports";
/// Ports where the client waits for the server's greeting (SMTP, submission, MySQL): detection sees no
/// byte there. <https://istio.io/latest/docs/ops/deployment/application-requirements/#server-first-protocols>
const GREETING: [u16; 3] = [25, 587, 3306];
/// Names of the protocols that begin with the server's greeting.
const GREETING_NAMES: [&str; 2] = ["mysql", "smtp"];

/// What a proxy on the way takes the port of a Service for, where that cannot work. Nothing proves which
/// protocol the application uses, so this is worth knowing and stops nothing.
pub(super) fn misread(
    meshes: &Meshes<'_>,
    connection: &Connection<'_, '_>,
    members: [&Option<Member<'_>>; 2],
) -> Option<Stop> {
    let Requested::Service { service, port } = connection.asked else {
        return None;
    };
    let is_through = |mesh| {
        let mut members = members.into_iter().flatten();
        members.any(|member| member.mesh() == Some(mesh))
    };
    let seen = Seen {
        service,
        port,
        target: connection.server_port,
        declared: declared(connection).unwrap_or_default(),
    };
    if is_through(Mesh::Istio) {
        seen.by_istio()
    } else if is_through(Mesh::Linkerd) {
        seen.by_linkerd(meshes, connection)
    } else {
        None
    }
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
    fn by_linkerd(&self, meshes: &Meshes<'_>, connection: &Connection<'_, '_>) -> Option<Stop> {
        let is_declared = self.port.app_protocol.is_some();
        if is_declared || !self.has_greeting() || self.is_opaque(meshes, connection) {
            return None;
        }
        let patch = json!({"metadata": {"annotations": {OPAQUE: self.port.number().to_string()}}});
        Some(self.stop(
            "waits up to 10 s for the client to send first",
            format!("metadata.annotations[{OPAQUE}]"),
            "mark the port as opaque, on the Service and on its pods",
            (false, patch),
        ))
    }

    /// By the annotation of the Service for its port, by that of the pod or its namespace for the target.
    fn is_opaque(&self, meshes: &Meshes<'_>, connection: &Connection<'_, '_>) -> bool {
        let annotations = self.service.metadata.annotations.as_ref();
        let of_service = annotations
            .and_then(|all| all.get(OPAQUE))
            .map(String::as_str);
        let of_pod = connection.server.and_then(|pod| annotation(pod, OPAQUE));
        let defaults = meshes.linkerd.opaque_ports();
        let of_service = lists_port(of_service.unwrap_or(defaults), self.port.number());
        of_service || lists_port(of_pod.unwrap_or(defaults), self.target)
    }

    fn is_no_http(&self) -> bool {
        let numbers = [self.port.number(), self.target];
        numbers.iter().any(|number| SERVER_FIRST.contains(number)) || self.is_declared_greeting()
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
        let name = self.port.name.as_deref().unwrap_or_default();
        let number = self.port.number();
        Stop {
            reason: Reason::Misread,
            object: self.service.reference(),
            field,
            summary: format!(
                "the mesh proxy {does} on port {number} of {}: connections may hang",
                self.service.name()
            ),
            because: vec![format!(
                "port {number} is named {name:?}, appProtocol is {}; the target is {}{}",
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
