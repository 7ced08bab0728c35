//! ING-06, ING-12, ING-14: what a route sends requests to.

use serde_json::json;

use super::{describe, edit};
use crate::causes::Code;
use crate::cluster::ObjectRef;
use crate::cluster::gateway_api::GROUP;
use crate::diagnose::kubectl::quote;
use crate::diagnose::{Case, Finding};
use crate::gateway::{BackendTrouble, grant};
use crate::path::{Share, Stage, ports_text};
use crate::text::list;

/// ING-12.
pub(super) fn bad_backend(
    case: &Case<'_, '_>,
    (route, field): (&ObjectRef, &str),
    (to, why): (&ObjectRef, &BackendTrouble),
    share: Share,
) -> Finding {
    let answer = match route.kind.as_str() {
        "HTTPRoute" | "GRPCRoute" => {
            format!("{} of its requests get a 500 response", capital(share))
        }
        _ => format!("{} of its connections are closed", capital(share)),
    };
    let change = edit(route);
    let finding = |why: String, part: &str| {
        let field = format!("{field}{part}");
        Finding::new(
            Code::ING_12,
            Stage::Service,
            format!("{} references {to}, {why}", route.name),
        )
        .blame(route.clone(), field)
        .because(answer.clone())
    };
    match why {
        BackendTrouble::NotPermitted => {
            let found = finding("which no ReferenceGrant permits".to_owned(), "");
            permit(case, found, route, ("", to))
        }
        BackendTrouble::Missing => {
            let names = case
                .view
                .services
                .in_namespace(&to.namespace)
                .map(crate::cluster::Named::name);
            let near = crate::text::nearest(&to.name, names);
            let found = finding("which does not exist".to_owned(), ".name");
            match near.as_slice() {
                [] => found
                    .fix("create the Service, or correct the name")
                    .run(change),
                near => found
                    .fix(format!("did you mean {}?", near.join(" or ")))
                    .run(change),
            }
        }
        BackendTrouble::Port(port) => {
            let service = case.view.services.get(&to.namespace, &to.name);
            let has = service.map_or_else(String::new, ports_text);
            let text = port.map_or_else(
                || "at no port".to_owned(),
                |port| format!("which has no port {port}"),
            );
            finding(text, ".port")
                .because(format!("{to} has {has}"))
                .fix("use a port that the Service declares")
                .run(change)
        }
        BackendTrouble::Kind => finding(
            format!("and a {} is not a supported backend", to.kind),
            ".kind",
        )
        .fix("reference a Service")
        .run(change),
    }
}

/// The ReferenceGrant that is missing, ready to be applied.
pub(super) fn permit(
    case: &Case<'_, '_>,
    finding: Finding,
    from: &ObjectRef,
    (group, to): (&str, &ObjectRef),
) -> Finding {
    let near = grant::near(case.view, from, to);
    let grant = json!({
        "apiVersion": format!("{GROUP}/v1beta1"),
        "kind": "ReferenceGrant",
        "metadata": {"name": format!("{}-from-{}", to.kind.to_lowercase(), from.namespace), "namespace": to.namespace},
        "spec": {
            "from": [{"group": GROUP, "kind": from.kind, "namespace": from.namespace}],
            "to": [{"group": group, "kind": to.kind, "name": to.name}],
        },
    });
    let finding = match near.as_slice() {
        [] => finding.because(format!(
            "namespace {} has no ReferenceGrant for it",
            to.namespace
        )),
        near => finding.because(format!(
            "ReferenceGrant {} of {} does not cover both sides",
            list(near),
            to.namespace
        )),
    };
    let text = quote(&grant.to_string());
    finding
        .fix(format!(
            "create a ReferenceGrant in namespace {}, if that is intended",
            to.namespace
        ))
        .run(format!("echo {text} | kubectl apply -f -"))
}

/// ING-12, of a kind that no implementation is known to have.
pub(super) fn odd_backend(route: &ObjectRef, field: &str, to: &ObjectRef, group: &str) -> Finding {
    Finding::new(
        Code::ING_12,
        Stage::Service,
        format!(
            "{} references a {} of {group}, which no known implementation supports",
            route.name, to.kind
        ),
    )
    .suspected()
    .blame(route.clone(), format!("{field}.kind"))
    .because("requests to an unsupported kind get a 500 response (reason InvalidKind)")
    .fix("reference a Service, or a kind that the implementation of the Gateway supports")
    .run(describe(route))
}

/// ING-14.
pub(super) fn dead_share(
    (route, field): (&ObjectRef, &str),
    share: Share,
    service: &ObjectRef,
    deeper: &Finding,
) -> Finding {
    Finding::new(
        Code::ING_14,
        Stage::Endpoints,
        format!(
            "{} of the requests of {} go to {}, which has no ready endpoint",
            share.words(),
            route.name,
            service.name
        ),
    )
    .degraded()
    .blame(route.clone(), field)
    .because(format!("they get a 503 response: {}", deeper.summary))
    .because_all(deeper.evidence.iter().cloned())
    .fix(format!(
        "set weight 0 to stop sending requests to it; then {}",
        deeper.fix.summary
    ))
    .run(edit(route))
}

/// ING-06.
pub(super) fn backend_tls(policy: &ObjectRef, service: &ObjectRef, why: &str) -> Finding {
    Finding::new(
        Code::ING_06,
        Stage::Service,
        format!(
            "TLS to backend {} is configured and cannot work: {why}",
            service.name
        ),
    )
    .blame(policy.clone(), "spec.validation.caCertificateRefs")
    .because("without a valid CA requests get a 5xx response (reason NoValidCACertificate)")
    .fix("reference a ConfigMap with the CA in ca.crt, or set wellKnownCACertificates: System")
    .run(edit(policy))
}

fn capital(share: Share) -> String {
    match share.words() {
        all if all == "all" => "All".to_owned(),
        words => words,
    }
}
