//! Family ING: Gateways and their routes.

use serde_json::json;

use super::eps;
use crate::causes::Code;
use crate::cluster::ObjectRef;
use crate::cluster::access::ServiceExt;
use crate::cluster::gateway_api::GROUP;
use crate::diagnose::kubectl::{kubectl, merge_patch, quote};
use crate::diagnose::{Case, Finding};
use crate::gateway::listener::{GatewayTrouble, ReferenceTrouble, SlotTrouble};
use crate::gateway::{BackendTrouble, Refusal, grant};
use crate::path::{DoorTrouble, Share, Stage, ports_text};
use crate::text::list;

/// What is wrong at a Gateway or a route. Where a way to its proxies is broken, that is named by its own
/// cause.
pub(in crate::diagnose) fn trouble(case: &Case<'_, '_>, trouble: &DoorTrouble<'_>) -> Finding {
    match trouble {
        DoorTrouble::Gateway { gateway, trouble } => not_programmed(case, gateway, trouble),
        DoorTrouble::Listener {
            owner,
            field,
            name,
            trouble,
            ..
        } => listener(case, (owner, field, name), trouble),
        DoorTrouble::SetNotAdmitted {
            set,
            gateway,
            exists,
        } => set_not_admitted(set, gateway, *exists),
        DoorTrouble::Refused {
            route,
            index,
            parent,
            refusal,
            is_part,
        } => refused(case, (route, *index, parent), refusal, *is_part),
        DoorTrouble::BadBackend {
            route,
            field,
            to,
            why,
            share,
        } => bad_backend(case, (route, field), (to, why), *share),
        DoorTrouble::OddBackend {
            route,
            field,
            to,
            group,
        } => odd_backend(route, field, to, group),
        DoorTrouble::DeadShare {
            route,
            field,
            share,
            service,
            port,
            family,
        } => {
            let deeper = eps::none(case, service, port, *family);
            dead_share((route, field), *share, &service.reference(), &deeper)
        }
        DoorTrouble::NoRule { door, asked, near } => no_rule(door, asked, near),
        DoorTrouble::NoBackends {
            route,
            rule,
            is_weightless,
        } => no_backends(route, *rule, *is_weightless),
        DoorTrouble::Loop {
            route,
            rule,
            url,
            shadowed,
        } => redirect_loop(route, *rule, url, shadowed.as_deref()),
        DoorTrouble::ProxiesDown {
            door,
            service,
            port,
            family,
        } => proxies_down(door, eps::none(case, service, port, *family)),
        DoorTrouble::NoProxyReady { door, pods } => no_proxy_ready(door, pods),
        // Named by the caller, by the break that is part of it.
        DoorTrouble::PartOfFront(_) => Finding::new(
            Code::ING_10,
            Stage::Entry,
            "some of the proxies are not reached",
        ),
        DoorTrouble::BackendTls {
            policy,
            service,
            why,
        } => backend_tls(policy, service, why),
        DoorTrouble::NobodyTakes { host, near } => nobody_takes(host, near),
    }
}

/// ING-13.
fn not_programmed(case: &Case<'_, '_>, gateway: &ObjectRef, trouble: &GatewayTrouble) -> Finding {
    let finding = |why: &str| {
        let summary = format!("{} is not programmed: {why}", gateway.name);
        Finding::new(Code::ING_13, Stage::Gateway, summary)
    };
    match trouble {
        GatewayTrouble::Class(why) => {
            let api = &case.view.gateway_api;
            let classes: Vec<&str> = api
                .classes
                .iter()
                .map(crate::cluster::Named::name)
                .collect();
            let known = if classes.is_empty() {
                "the cluster has no GatewayClass at all".to_owned()
            } else {
                format!("there is {}", list(&classes))
            };
            let finding = finding(why)
                .blame(gateway.clone(), "spec.gatewayClassName")
                .because(known);
            match classes.as_slice() {
                [] => finding
                    .fix("install an implementation of the Gateway API, or its GatewayClass")
                    .run("kubectl get gatewayclass"),
                _ => finding
                    .fix("name a class that its controller accepts")
                    .run(kubectl(
                        &gateway.namespace,
                        format!("edit gateway {}", gateway.name),
                    )),
            }
        }
        GatewayTrouble::Parameters(to, why) => {
            finding(&format!("its parameters {to} {}", reference_words(*why)))
                .blame(gateway.clone(), "spec.infrastructure.parametersRef")
                .fix("set parameters that exist and are of a supported kind")
                .run(kubectl(
                    &gateway.namespace,
                    format!("edit gateway {}", gateway.name),
                ))
        }
        GatewayTrouble::ClientCertificate(to, why) => finding(&format!(
            "its certificate for backends, {to}, {}",
            reference_words(*why)
        ))
        .blame(gateway.clone(), "spec.tls.backend.clientCertificateRef")
        .fix("name a Secret of type kubernetes.io/tls that it may refer to")
        .run(kubectl(
            &gateway.namespace,
            format!("edit gateway {}", gateway.name),
        )),
        GatewayTrouble::Status {
            condition,
            reason,
            message,
        } => finding(reason)
            .blame(gateway.clone(), "status.conditions")
            .because(format!("{condition} is False, {reason}: {message}"))
            .fix("check its conditions and events, and the Service and Deployment created for it")
            .run(kubectl(
                &gateway.namespace,
                format!("describe gateway {}", gateway.name),
            )),
    }
}

const fn reference_words(why: ReferenceTrouble) -> &'static str {
    match why {
        ReferenceTrouble::NotPermitted => {
            "are in another namespace, and no ReferenceGrant permits it"
        }
        ReferenceTrouble::Missing => "do not exist",
        ReferenceTrouble::Malformed => "are not in the form that is needed",
        ReferenceTrouble::Kind => "are of a kind that cannot be used here",
    }
}

/// ING-13, of one listener.
fn listener(
    case: &Case<'_, '_>,
    (owner, field, name): (&ObjectRef, &str, &str),
    trouble: &SlotTrouble,
) -> Finding {
    let summary = format!("listener {name} of {}: {}", owner.name, trouble.words());
    let part = match trouble {
        SlotTrouble::Conflict { .. } => "port",
        SlotTrouble::UnsupportedProtocol(_) => "protocol",
        SlotTrouble::Kinds { .. } => "allowedRoutes.kinds",
        SlotTrouble::Reference { .. } | SlotTrouble::NoCertificate => "tls.certificateRefs",
        SlotTrouble::Status { .. } => "name",
    };
    let edit = kubectl(
        &owner.namespace,
        format!("edit {} {}", owner.kind.to_lowercase(), owner.name),
    );
    let finding = Finding::new(Code::ING_13, Stage::Gateway, summary)
        .blame(owner.clone(), format!("{field}.{part}"))
        .because(format!("reason {}", trouble.reason()));
    match trouble {
        SlotTrouble::Reference {
            to,
            why: ReferenceTrouble::NotPermitted,
            ..
        } => permit(case, finding, owner, ("", to)),
        SlotTrouble::Conflict { .. } => finding
            .fix("give it a port or a host name of its own")
            .run(edit),
        SlotTrouble::Kinds { .. } => finding
            .fix("allow route kinds that its protocol supports")
            .run(edit),
        SlotTrouble::UnsupportedProtocol(_) => {
            finding.fix("use HTTP, HTTPS, TLS, TCP or UDP").run(edit)
        }
        SlotTrouble::NoCertificate | SlotTrouble::Reference { .. } => finding
            .fix("name a Secret of type kubernetes.io/tls that holds certificate and key")
            .run(edit),
        SlotTrouble::Status { .. } => finding.fix("its controller says why").run(kubectl(
            &owner.namespace,
            format!("describe {} {}", owner.kind.to_lowercase(), owner.name),
        )),
    }
}

/// ING-13, of a ListenerSet.
fn set_not_admitted(set: &ObjectRef, gateway: &ObjectRef, exists: bool) -> Finding {
    if !exists {
        return Finding::new(
            Code::ING_13,
            Stage::Gateway,
            format!(
                "{} adds listeners to {gateway}, which does not exist",
                set.name
            ),
        )
        .blame(set.clone(), "spec.parentRef")
        .fix("name a Gateway that exists")
        .run(kubectl(
            &set.namespace,
            format!("edit listenerset {}", set.name),
        ));
    }
    let from = if set.namespace == gateway.namespace {
        "Same"
    } else {
        "All"
    };
    let patch = json!({"spec": {"allowedListeners": {"namespaces": {"from": from}}}});
    Finding::new(Code::ING_13, Stage::Gateway, format!("{gateway} does not accept listeners from {}", set.name))
        .blame(set.clone(), "spec.parentRef")
        .because(format!("spec.allowedListeners of {gateway} does not allow namespace {}; by default no ListenerSet is allowed", set.namespace))
        .fix("allow ListenerSets of that namespace")
        .patch(merge_patch(gateway, &patch), patch.to_string())
}

/// ING-11.
fn refused(
    case: &Case<'_, '_>,
    (route, index, parent): (&ObjectRef, usize, &ObjectRef),
    refusal: &Refusal,
    is_part: bool,
) -> Finding {
    let field = format!("spec.parentRefs[{index}]");
    let edit = kubectl(
        &route.namespace,
        format!("edit {} {}", route.kind.to_lowercase(), route.name),
    );
    let finding = |why: String| {
        let summary = format!("{parent} does not accept {}: {why}", route.name);
        let finding = Finding::new(Code::ING_11, Stage::Gateway, summary)
            .because(format!("reason {}", refusal.reason()));
        // Who asks by another parent does not notice.
        if is_part {
            finding
                .degraded()
                .suspected()
                .because("another parent accepts it")
        } else {
            finding
        }
    };
    match refusal {
        Refusal::NoParent { near } => {
            let found = finding("it does not exist".to_owned()).blame(route.clone(), field);
            match near.as_slice() {
                [] => found.fix("name a Gateway that exists").run("kubectl get gateway -A"),
                near => found.fix(format!("did you mean {}?", near.join(" or "))).run(edit),
            }
        }
        Refusal::NoClass { class } => finding(format!("no controller serves class {class}"))
            .blame(parent.clone(), "spec.gatewayClassName")
            .fix("name a class that exists")
            .run("kubectl get gatewayclass"),
        Refusal::SetNotAdmitted { gateway } => finding(format!("{gateway} does not allow its listeners"))
            .blame(gateway.clone(), "spec.allowedListeners")
            .fix("allow ListenerSets of that namespace")
            .run(kubectl(&gateway.namespace, format!("edit gateway {}", gateway.name))),
        Refusal::NoSection { asked, has } => finding(format!("it has no listener {asked}"))
            .blame(route.clone(), field)
            .because(format!("it has {}", list(has)))
            .fix("name a listener it has, or none to attach to all")
            .run(edit),
        Refusal::Kind { takes } => finding(format!("its listeners do not allow {}", route.kind))
            .blame(parent.clone(), "spec.listeners[].allowedRoutes.kinds")
            .because(if takes.is_empty() { "they take no kind of route".to_owned() } else { format!("they take {}", list(takes)) })
            .fix("attach it to a listener of its protocol, or allow its kind there")
            .run(kubectl(&parent.namespace, format!("edit {} {}", parent.kind.to_lowercase(), parent.name))),
        Refusal::Namespace { from } => finding(format!("its listeners do not allow routes from namespace {}", route.namespace))
            .blame(route.clone(), field)
            .because(format!("allowedRoutes.namespaces.from is {}", list(from)))
            .because(format!("labels of {}: {}", route.namespace, labels(case, &route.namespace)))
            .fix(format!("allow routes from namespace {} in the listener (from: All, or a Selector that matches it)", route.namespace))
            .run(kubectl(&parent.namespace, format!("edit {} {}", parent.kind.to_lowercase(), parent.name))),
        Refusal::Hostname { listeners } => finding("none of its host names matches a listener".to_owned())
            .blame(route.clone(), "spec.hostnames")
            .because(format!("listeners are {}; a wildcard matches subdomains, not the domain itself", list(listeners)))
            .fix("use a host name that a listener matches, or add a listener for it")
            .run(edit),
        Refusal::Status { reason, message } => finding(reason.clone())
            .blame(route.clone(), field)
            .because(format!("its controller says {reason}: {message}"))
            .fix("its controller says why")
            .run(kubectl(&route.namespace, format!("describe {} {}", route.kind.to_lowercase(), route.name))),
    }
}

fn labels(case: &Case<'_, '_>, namespace: &str) -> String {
    let labels = case.view.namespace_labels(namespace);
    let shown: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    shown.join(", ")
}

/// ING-12.
fn bad_backend(
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
    let edit = kubectl(
        &route.namespace,
        format!("edit {} {}", route.kind.to_lowercase(), route.name),
    );
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
                    .run(edit),
                near => found
                    .fix(format!("did you mean {}?", near.join(" or ")))
                    .run(edit),
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
                .run(edit)
        }
        BackendTrouble::Kind => finding(
            format!("and a {} is not a supported backend", to.kind),
            ".kind",
        )
        .fix("name a Service")
        .run(edit),
    }
}

fn capital(share: Share) -> String {
    match share.words() {
        all if all == "all" => "All".to_owned(),
        words => words,
    }
}

/// The ReferenceGrant that is missing, ready to be applied.
fn permit(
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
fn odd_backend(route: &ObjectRef, field: &str, to: &ObjectRef, group: &str) -> Finding {
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
    .fix("name a Service, or a kind that the Gateway's implementation documents")
    .run(kubectl(
        &route.namespace,
        format!("describe {} {}", route.kind.to_lowercase(), route.name),
    ))
}

/// ING-14.
fn dead_share(
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
    .run(kubectl(
        &route.namespace,
        format!("edit {} {}", route.kind.to_lowercase(), route.name),
    ))
}

/// ING-04.
fn no_rule(door: &ObjectRef, asked: &str, near: &[String]) -> Finding {
    Finding::new(
        Code::ING_04,
        Stage::Gateway,
        format!(
            "no route of {} matches {asked}: the response is 404",
            door.name
        ),
    )
    .blame(door.clone(), "spec")
    .because(if near.is_empty() {
        "it has no rule for that host".to_owned()
    } else {
        format!("it has {}", list(near))
    })
    .fix("use a host, path, method and headers that a rule matches, or add a rule")
    .run(kubectl(
        &door.namespace,
        format!("describe {} {}", door.kind.to_lowercase(), door.name),
    ))
}

/// ING-17.
fn no_backends(route: &ObjectRef, rule: usize, is_weightless: bool) -> Finding {
    let why = if is_weightless {
        "every backend of it has weight 0"
    } else {
        "it has no backend and no redirect"
    };
    Finding::new(
        Code::ING_17,
        Stage::Gateway,
        format!("rule {rule} of {} has no backend", route.name),
    )
    .blame(route.clone(), format!("spec.rules[{rule}].backendRefs"))
    .because(format!("{why}: requests get a 500 response"))
    .fix("name a backend with a weight")
    .run(kubectl(
        &route.namespace,
        format!("edit {} {}", route.kind.to_lowercase(), route.name),
    ))
}

/// ING-09 where the redirect hides a rule that would have served, ING-16 where there is none.
fn redirect_loop(route: &ObjectRef, rule: usize, url: &str, shadowed: Option<&str>) -> Finding {
    let code = if shadowed.is_some() {
        Code::ING_09
    } else {
        Code::ING_16
    };
    let finding = Finding::new(
        code,
        Stage::Gateway,
        format!(
            "rule {rule} of {} redirects {url} to itself in an endless loop",
            route.name
        ),
    )
    .blame(route.clone(), format!("spec.rules[{rule}]"));
    let finding = match shadowed {
        Some(other) => finding.because(format!(
            "{other} would serve it but never matches: it is not more specific and has lower precedence"
        )),
        None => finding.because("no rule serves what it redirects to"),
    };
    finding
        .fix("put the redirect into a route of its own, attached to the HTTP listener alone (sectionName)")
        .run(kubectl(&route.namespace, format!("edit {} {}", route.kind.to_lowercase(), route.name)))
}

/// ING-10: what keeps the Service in front of the proxies from leading anywhere.
fn proxies_down(door: &ObjectRef, deeper: Finding) -> Finding {
    let why = deeper.summary.clone();
    Finding {
        code: Code::ING_10,
        stage: Stage::Entry,
        summary: format!(
            "the proxies of {} are down: none of its hosts responds",
            door.name
        ),
        ..deeper
    }
    .because(why)
}

/// ING-10, where no Service stands in front of them.
fn no_proxy_ready(door: &ObjectRef, pods: &[ObjectRef]) -> Finding {
    let summary = format!(
        "no proxy of {} is ready: none of its hosts responds",
        door.name
    );
    let finding = Finding::new(Code::ING_10, Stage::Entry, summary);
    let Some(first) = pods.first() else {
        return finding.blame(door.clone(), "");
    };
    finding
        .blame(first.clone(), "status.conditions")
        .fix("bring them up; their events and logs say what keeps them")
        .run(kubectl(
            &first.namespace,
            format!("describe pod {}", first.name),
        ))
}

/// ING-06.
fn backend_tls(policy: &ObjectRef, service: &ObjectRef, why: &str) -> Finding {
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
    .fix("name a ConfigMap with the authority in ca.crt, or wellKnownCACertificates: System")
    .run(kubectl(
        &policy.namespace,
        format!("edit backendtlspolicy {}", policy.name),
    ))
}

/// ING-04, as far as it can be told: the name may lead elsewhere.
fn nobody_takes(host: &str, near: &[String]) -> Finding {
    let finding = Finding::new(
        Code::ING_04,
        Stage::Gateway,
        format!("no Ingress and no route matches {host}"),
    )
    .notice()
    .suspected()
    .blame(ObjectRef::cluster_wide("Name", host), "");
    match near {
        [] => finding
            .fix("use a host that a rule matches, or test from a place where the name resolves"),
        near => finding.fix(format!("did you mean {}?", near.join(" or "))),
    }
}
