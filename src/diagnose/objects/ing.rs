//! Family ING: Ingress.

use std::net::IpAddr;

use k8s_openapi::api::networking::v1::Ingress;
use serde_json::json;

use crate::causes::Code;
use crate::cluster::Named;
use crate::cluster::access::ServiceExt;
use crate::diagnose::kubectl::{kubectl, merge_patch};
use crate::diagnose::{Case, Finding};
use crate::path::{IngressTrouble, Stage, ingress_addresses, ingress_reference, ports_text};
use crate::text::{list, nearest};

/// What is wrong at an Ingress.
pub(in crate::diagnose) fn trouble(case: &Case<'_, '_>, trouble: &IngressTrouble<'_>) -> Finding {
    match trouble {
        IngressTrouble::NoController { ingress, class } => {
            no_controller(case, ingress, class.as_deref())
        }
        IngressTrouble::NoRule {
            ingress,
            host,
            path,
        } => no_rule(ingress, host, path),
        IngressTrouble::NoBackend {
            ingress,
            field,
            service,
            port,
        } => no_backend(case, ingress, field, service, port.as_deref()),
        IngressTrouble::Elsewhere {
            ingress,
            host,
            found,
        } => elsewhere(ingress, host, found),
    }
}

/// ING-01.
fn no_controller(case: &Case<'_, '_>, ingress: &Ingress, class: Option<&str>) -> Finding {
    let object = ingress_reference(ingress);
    let classes: Vec<&str> = case.view.ingress_classes.iter().map(Named::name).collect();
    let summary = class.map_or_else(
        || {
            format!(
                "{} has no class and there is no default class: no controller serves it",
                object.name
            )
        },
        |class| {
            format!(
                "{} has class {class}, which does not exist: no controller serves it",
                object.name
            )
        },
    );
    let finding = Finding::new(Code::ING_01, Stage::Ingress, summary)
        .blame(object.clone(), "spec.ingressClassName")
        .because("status.loadBalancer is empty: no controller has claimed it");
    let Some(meant) = classes.first() else {
        return finding
            .because("the cluster has no IngressClass")
            .fix("install an ingress controller")
            .run(kubectl("", "get ingressclass"));
    };
    let patch = json!({"spec": {"ingressClassName": meant}});
    finding
        .because(format!("there is {}", list(&classes)))
        .fix(format!("use class {meant}"))
        .patch(merge_patch(&object, &patch), patch.to_string())
}

/// ING-15. A proxy in front has addresses of its own, and may be meant.
fn elsewhere(ingress: &Ingress, host: &str, found: &[IpAddr]) -> Finding {
    let object = ingress_reference(ingress);
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    let summary = format!(
        "{host} resolves to {}, which is not an address of {}",
        list(&found),
        object.name
    );
    let noted = ingress_addresses(ingress);
    Finding::new(Code::ING_15, Stage::Ingress, summary)
        .notice()
        .suspected()
        .blame(object, "status.loadBalancer")
        .because(format!("the DNS of the source returns {}", list(&found)))
        .because(format!("status.loadBalancer has {}", list(&noted)))
        .fix("correct the DNS record (or what maintains it, such as external-dns), unless a proxy in front of the cluster is intended")
}

/// ING-04.
fn no_rule(ingress: &Ingress, host: &str, path: &str) -> Finding {
    let object = ingress_reference(ingress);
    let rules: Vec<String> = ingress
        .spec
        .iter()
        .flat_map(|spec| spec.rules.iter().flatten())
        .flat_map(|rule| {
            let host = rule.host.clone().unwrap_or_else(|| "*".to_owned());
            let paths = rule.http.iter().flat_map(|http| http.paths.clone());
            paths.map(move |path| {
                format!(
                    "{host}{} ({})",
                    path.path.as_deref().unwrap_or("/"),
                    path.path_type
                )
            })
        })
        .collect();
    Finding::new(
        Code::ING_04,
        Stage::Ingress,
        format!("no rule of {} matches {host}{path}", object.name),
    )
    .blame(object.clone(), "spec.rules")
    .because(format!(
        "it has {}",
        if rules.is_empty() {
            "no rule".to_owned()
        } else {
            list(&rules)
        }
    ))
    .fix("use a host and path that it has, or add a rule")
    .run(kubectl(
        &object.namespace,
        format!("edit ingress {}", object.name),
    ))
}

/// ING-02.
fn no_backend(
    case: &Case<'_, '_>,
    ingress: &Ingress,
    field: &str,
    service: &str,
    port: Option<&str>,
) -> Finding {
    let object = ingress_reference(ingress);
    let namespace = &object.namespace;
    if let Some(found) = case.view.services.get(namespace, service) {
        let port = port.unwrap_or_default();
        return Finding::new(
            Code::ING_02,
            Stage::Service,
            format!(
                "{} points to port {port} of service/{service}, which does not exist",
                object.name
            ),
        )
        .blame(object.clone(), format!("{field}.backend.service.port"))
        .because(format!("{} has {}", found.reference(), ports_text(found)))
        .fix("use a port that the Service declares")
        .run(kubectl(namespace, format!("edit ingress {}", object.name)));
    }
    let names = case.view.services.in_namespace(namespace).map(Named::name);
    let near = nearest(service, names);
    let finding = Finding::new(
        Code::ING_02,
        Stage::Service,
        format!(
            "{} points to service/{service}, which does not exist",
            object.name
        ),
    )
    .blame(object.clone(), format!("{field}.backend.service.name"))
    .because(format!("there is no Service {service} in {namespace}"));
    match near.as_slice() {
        [] => finding.fix("create the Service, or correct the name"),
        near => finding.fix(format!("did you mean {}?", near.join(" or "))),
    }
    .run(kubectl(namespace, format!("edit ingress {}", object.name)))
}
