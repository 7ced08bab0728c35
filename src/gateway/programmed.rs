//! What keeps a Gateway as a whole from being programmed.

use super::class::condition;
use super::class_of;
use super::listener::{ReferenceTrouble, reference, reference_trouble};
use crate::cluster::gateway_api::Gateway;
use crate::cluster::{ClusterView, Named, ObjectRef};

/// What is wrong with a Gateway as a whole, whatever its listeners say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GatewayTrouble {
    /// No such class, or one that its controller refuses.
    Class(String),
    /// Parameters that do not exist or are of the wrong kind.
    Parameters(ObjectRef, ReferenceTrouble),
    /// The certificate that is shown to backends.
    ClientCertificate(ObjectRef, ReferenceTrouble),
    /// The controller says so.
    Status {
        condition: String,
        reason: String,
        message: String,
    },
}

/// What is wrong with a Gateway as a whole.
#[must_use]
pub fn gateway_trouble(view: &ClusterView, gateway: &Gateway) -> Option<GatewayTrouble> {
    let class = class_of(view, gateway);
    let name = &gateway.spec.gateway_class_name;
    match class {
        super::ClassState::Missing => {
            return Some(GatewayTrouble::Class(format!(
                "there is no GatewayClass {name}"
            )));
        }
        super::ClassState::Refused(_, why) => {
            let why = format!(
                "GatewayClass {name} is not accepted: {} {}",
                why.reason, why.message
            );
            return Some(GatewayTrouble::Class(why.trim_end().to_owned()));
        }
        super::ClassState::Served(_) | super::ClassState::Unread => {}
    }
    parameters(view, gateway, class.controller())
        .or_else(|| client_certificate(view, gateway))
        .or_else(|| by_status(view, gateway))
}

/// Istio takes its parameters from a ConfigMap and from nothing else; what others take is theirs to know.
fn parameters(
    view: &ClusterView,
    gateway: &Gateway,
    controller: Option<&str>,
) -> Option<GatewayTrouble> {
    let infrastructure = gateway.spec.infrastructure.as_ref()?;
    let parameters = infrastructure.parameters_ref.as_ref()?;
    let to = parameters.object("ConfigMap", gateway.namespace());
    let is_config_map =
        parameters.group.as_deref().is_none_or(str::is_empty) && to.kind == "ConfigMap";
    let why = if is_config_map {
        let is_missing = view.config_maps.get(&to.namespace, &to.name).is_none()
            && super::backend::shows_config_maps(view, &to.namespace);
        is_missing.then_some(ReferenceTrouble::Missing)
    } else {
        let is_istio = controller.is_some_and(|name| name.starts_with("istio.io/"));
        is_istio.then_some(ReferenceTrouble::Kind)
    };
    why.map(|why| GatewayTrouble::Parameters(to, why))
}

fn client_certificate(view: &ClusterView, gateway: &Gateway) -> Option<GatewayTrouble> {
    let backend = gateway.spec.tls.as_ref()?.backend.as_ref()?;
    let certificate = backend.client_certificate_ref.as_ref()?;
    let owner = reference(gateway);
    let to = certificate.object("Secret", &owner.namespace);
    let why = reference_trouble(view, &owner, certificate, "Secret").err()?;
    Some(GatewayTrouble::ClientCertificate(to, why))
}

/// What the controller says of the Gateway as a whole. That listeners are at fault is told at them.
fn by_status(view: &ClusterView, gateway: &Gateway) -> Option<GatewayTrouble> {
    let status = gateway.status.as_ref()?;
    let generation = gateway.metadata.generation;
    let find = |kind: &str| {
        let found = condition(&status.conditions, kind, generation);
        // Of addresses manifests say nothing: what was said of them was said of another cluster.
        let is_elsewhere = |reason: &str| view.is_planned() && reason.starts_with("Address");
        found.filter(|one| {
            one.is_false() && one.reason != "ListenersNotValid" && !is_elsewhere(&one.reason)
        })
    };
    let said = find("Accepted").or_else(|| find("Programmed"))?;
    Some(GatewayTrouble::Status {
        condition: said.kind.clone(),
        reason: said.reason.clone(),
        message: said.message.clone(),
    })
}
