//! How a Gateway speaks to a Service: by TLS where a BackendTLSPolicy says so.

use k8s_openapi::api::core::v1::{Service, ServicePort};

use crate::cluster::access::ServiceExt;
use crate::cluster::gateway_api::BackendTlsPolicy;
use crate::cluster::{ClusterView, Named, ObjectRef};
use crate::gateway::listener::{ReferenceTrouble, reference_trouble};
use crate::path::trail::Trail;
use crate::path::{Break, DoorTrouble, Hop, Stage, Status};

/// Adds the hop of the policy for a port of a Service, if there is one. One that names the port comes
/// before one for all ports, then the older one (GEP-1897).
pub fn step<'v>(
    view: &'v ClusterView,
    service: &'v Service,
    port: &ServicePort,
    trail: &mut Trail<'v>,
) {
    let policies = view
        .gateway_api
        .tls_policies
        .in_namespace(service.namespace());
    let mut found: Vec<(bool, &BackendTlsPolicy)> = policies
        .filter_map(|policy| Some((!names(policy, service, port)?, policy)))
        .collect();
    found.sort_by_key(|(is_general, policy)| {
        let created = policy
            .metadata
            .creation_timestamp
            .as_ref()
            .map(|time| time.0);
        (
            *is_general,
            created.is_none(),
            created,
            policy.name().to_owned(),
        )
    });
    let Some((_, policy)) = found.first() else {
        return;
    };
    let object = ObjectRef::new("BackendTLSPolicy", policy.namespace(), policy.name());
    let hostname = &policy.spec.validation.hostname;
    let text = format!("by TLS, as {hostname} ({})", policy.name());
    let hop = Hop::new(Stage::Service, Status::Pass, text).at(object.clone());
    match problem(view, policy, &object) {
        None => trail.push(hop),
        Some(why) => {
            let service = service.reference();
            let trouble = DoorTrouble::BackendTls {
                policy: object,
                service,
                why,
            };
            trail.stop(hop, Break::Door(Box::new(trouble)));
        }
    }
}

/// Whether a policy is for a port of a Service, and names it.
fn names(policy: &BackendTlsPolicy, service: &Service, port: &ServicePort) -> Option<bool> {
    let mut targets = policy.spec.target_refs.iter();
    targets.find_map(|target| {
        let is_service = target.to.group.as_deref().is_none_or(str::is_empty)
            && target.to.kind.as_deref() == Some("Service")
            && target.to.name == service.name();
        match (&target.section_name, is_service) {
            (_, false) => None,
            (None, true) => Some(false),
            (Some(name), true) => (port.name.as_ref() == Some(name)).then_some(true),
        }
    })
}

/// Without one valid authority nothing is verified, and requests fail (`NoValidCACertificate`).
fn problem(view: &ClusterView, policy: &BackendTlsPolicy, object: &ObjectRef) -> Option<String> {
    let validation = &policy.spec.validation;
    if validation.well_known_ca_certificates.is_some() {
        return None;
    }
    if validation.ca_certificate_refs.is_empty() {
        return Some("it sets no CA to verify the backend with".to_owned());
    }
    let judged: Vec<Result<bool, ReferenceTrouble>> = validation
        .ca_certificate_refs
        .iter()
        .map(|reference| {
            let kind = match reference.kind.as_deref() {
                Some("Secret") => "Secret",
                _ => "ConfigMap",
            };
            reference_trouble(view, object, reference, kind)
        })
        .collect();
    let all_bad = judged.iter().all(Result::is_err);
    let first = validation.ca_certificate_refs.first()?;
    let to = first.object("ConfigMap", &object.namespace);
    all_bad.then(|| format!("{to} holds no usable authority (ca.crt)"))
}
