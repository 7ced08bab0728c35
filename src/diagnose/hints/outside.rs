//! Hints about ways in from outside.

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::Ingress;

use super::hint;
use crate::causes::Code;
use crate::cluster::access::{NodeExt, ServiceExt, ServiceKind, host_matches};
use crate::cluster::{Named, ObjectRef, Resource};
use crate::diagnose::kubectl::kubectl;
use crate::diagnose::objects::ends;
use crate::diagnose::{Case, Finding};
use crate::path::{Stage, ingress_reference};
use crate::resolve::{Place, Site};

pub(super) fn findings(case: &Case<'_, '_>) -> Vec<Finding> {
    let from_outside = case.flow.source.sites.iter().any(Site::is_outside);
    if !from_outside {
        return Vec::new();
    }
    let mut found: Vec<Finding> = clients_network(case).into_iter().collect();
    for service in ends::services(case) {
        if service.service_kind() == ServiceKind::LoadBalancer
            && !service.ingress_addresses().is_empty()
        {
            found.extend(not_announced(case, service));
            found.extend(health_check(service));
        }
    }
    found.extend(certificate(case));
    found
}

/// EXT-13: node addresses of kind and the like exist only inside its host.
fn clients_network(case: &Case<'_, '_>) -> Option<Finding> {
    let node = case.view.nodes.iter().find(|node| {
        let spec = node.spec.as_ref();
        let id = spec.and_then(|spec| spec.provider_id.as_deref());
        id.is_some_and(|id| id.starts_with("kind://"))
    })?;
    Some(
        Finding::new(
            Code::EXT_13,
            Stage::Entry,
            "this is a kind cluster: its node addresses are reachable from its host only",
        )
        .notice()
        .blame(node.reference(), "spec.providerID")
        .because("on macOS and Windows even the host cannot reach them")
        .fix("use extraPortMappings, port-forward, or cloud-provider-kind"),
    )
}

/// EXT-05: an address that probably nobody answers for on the wire.
fn not_announced(case: &Case<'_, '_>, service: &Service) -> Option<Finding> {
    let addresses = service.ingress_addresses().join(", ");
    let finding = hint(
        Code::EXT_05,
        Stage::Entry,
        format!("{addresses} may not be announced on the network"),
    );
    let speaker = case.view.workloads_of(Resource::DaemonSets).find(|set| {
        let labels = set.meta.labels.as_ref();
        let is_metallb = labels.is_some_and(|labels| {
            ["app", "app.kubernetes.io/name"]
                .iter()
                .any(|key| labels.get(*key).is_some_and(|value| value == "metallb"))
        });
        is_metallb && set.name().contains("speaker")
    })?;
    let ready = speaker.number_ready?;
    (ready == 0).then(|| {
        finding
            .blame(
                ObjectRef::new("DaemonSet", speaker.namespace(), speaker.name()),
                "status.numberReady",
            )
            .because("no MetalLB speaker pod is ready, and only the speaker answers ARP or announces over BGP")
            .fix("bring the speaker up")
            .run(kubectl(
                speaker.namespace(),
                format!("describe daemonset {}", speaker.name()),
            ))
    })
}

/// EXT-08: under policy Local balancers choose nodes by a health check of their own.
fn health_check(service: &Service) -> Option<Finding> {
    let port = service.spec.as_ref()?.health_check_node_port?;
    (service.is_external_local() && port > 0).then(|| {
        hint(
            Code::EXT_08,
            Stage::Entry,
            format!("a load balancer that cannot reach health check port {port} treats all nodes as down"),
        )
        .blame(service.reference(), "spec.healthCheckNodePort")
        .because("externalTrafficPolicy Local: nodes report there (GET /healthz) whether they have a local endpoint")
        .fix(format!("let the load balancer reach port {port} of every node"))
    })
}

/// ING-05: an https request for a host that no `tls` entry names.
fn certificate(case: &Case<'_, '_>) -> Option<Finding> {
    let url = case.flow.destination.url.as_ref()?;
    let Place::Name(host) = &case.flow.destination.place else {
        return None;
    };
    let ingress = case.view.ingress_of(host)?;
    let is_covered = ingress
        .spec
        .iter()
        .flat_map(|spec| spec.tls.iter().flatten())
        .flat_map(|tls| tls.hosts.iter().flatten())
        .any(|name| host_matches(name, host));
    (url.scheme == "https" && !is_covered).then(|| without_certificate(ingress, host))
}

fn without_certificate(ingress: &Ingress, host: &str) -> Finding {
    let object = ingress_reference(ingress);
    hint(
        Code::ING_05,
        Stage::Ingress,
        format!(
            "no tls entry of {} names {host}: clients get the default certificate of the controller",
            object.name
        ),
    )
    .blame(object, "spec.tls")
    .because(
        "a certificate is served only for the hosts of its tls entry; netpath does not read Secrets",
    )
    .fix(format!(
        "add {host} to spec.tls, with a Secret that holds its certificate"
    ))
}
