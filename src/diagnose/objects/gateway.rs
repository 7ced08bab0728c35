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
            let classes: Vec<&str> = api.classes.iter().map(crate::cluster::Named::name).collect();
            let known = if classes.is_empty() {
                "the cluster has no GatewayClass at all".to_owned()
            } else {
                format!("there is {}", list(&classes))
            };
            let finding = finding(why).blame(gateway.clone(), "spec.gatewayClassName").because(known);
            match classes.as_slice() {
                [] => finding.fix("install an implementation of the Gateway API, or its GatewayClass").run("kubectl get gatewayclass"),
                _ => finding
                    .fix("name a class that its controller accepts")
                    .run(kubectl(&gateway.namespace, format!("edit gateway {}", gateway.name))),
            }
        }
        GatewayTrouble::Parameters(to, why) => finding(&format!("its parameters {to} {}", reference_words(*why)))
            .blame(gateway.clone(), "spec.infrastructure.parametersRef")
            .fix("name parameters that exist, of a kind that its implementation takes")
            .run(kubectl(&gateway.namespace, format!("edit gateway {}", gateway.name))),
        GatewayTrouble::ClientCertificate(to, why) => finding(&format!("its certificate for backends, {to}, {}", reference_words(*why)))
            .blame(gateway.clone(), "spec.tls.backend.clientCertificateRef")
            .fix("name a Secret of type kubernetes.io/tls that it may refer to")
            .run(kubectl(&gateway.namespace, format!("edit gateway {}", gateway.name))),
        GatewayTrouble::Status { condition, reason, message } => finding(reason)
            .blame(gateway.clone(), "status.conditions")
            .because(format!("{condition} is False, {reason}: {message}"))
            .fix("its controller says why; look at its events, and at the Service and Deployment made for it")
            .run(kubectl(&gateway.namespace, format!("describe gateway {}", gateway.name))),
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
            .fix("allow kinds of routes that its protocol carries")
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
    Finding::new(Code::ING_13, Stage::Gateway, format!("{gateway} takes no listeners from {}", set.name))
        .blame(set.clone(), "spec.parentRef")
        .because(format!("spec.allowedListeners of {gateway} does not admit namespace {}; without it no ListenerSet is admitted", set.namespace))
        .fix("admit ListenerSets of that namespace")
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
        let summary = format!("{parent} does not take {}: {why}", route.name);
        let finding = Finding::new(Code::ING_11, Stage::Gateway, summary)
            .because(format!("reason {}", refusal.reason()));
        // Who asks by another parent does not notice.
        if is_part {
            finding
                .degraded()
                .suspected()
                .because("another parent takes it")
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
        Refusal::SetNotAdmitted { gateway } => finding(format!("{gateway} does not admit its listeners"))
            .blame(gateway.clone(), "spec.allowedListeners")
            .fix("admit ListenerSets of that namespace")
            .run(kubectl(&gateway.namespace, format!("edit gateway {}", gateway.name))),
        Refusal::NoSection { asked, has } => finding(format!("it has no listener {asked}"))
            .blame(route.clone(), field)
            .because(format!("it has {}", list(has)))
            .fix("name a listener it has, or none to attach to all")
            .run(edit),
        Refusal::Kind { takes } => finding(format!("its listeners take no {}", route.kind))
            .blame(parent.clone(), "spec.listeners[].allowedRoutes.kinds")
            .because(if takes.is_empty() { "they take no kind of route".to_owned() } else { format!("they take {}", list(takes)) })
            .fix("attach it to a listener of its protocol, or allow its kind there")
            .run(kubectl(&parent.namespace, format!("edit {} {}", parent.kind.to_lowercase(), parent.name))),
        Refusal::Namespace { from } => finding(format!("its listeners take no routes of namespace {}", route.namespace))
            .blame(route.clone(), field)
            .because(format!("allowedRoutes.namespaces.from is {}", list(from)))
            .because(format!("labels of {}: {}", route.namespace, labels(case, &route.namespace)))
            .fix(format!("let the listener take routes of namespace {} (from: All, or a Selector that matches it)", route.namespace))
            .run(kubectl(&parent.namespace, format!("edit {} {}", parent.kind.to_lowercase(), parent.name))),
        Refusal::Hostname { listeners } => finding("no host name of it is one of its listeners".to_owned())
            .blame(route.clone(), "spec.hostnames")
            .because(format!("listeners are {}; a wildcard takes names below it, not itself", list(listeners)))
            .fix("use a host name that a listener takes, or add a listener for it")
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
            format!("{} of its requests are answered with 500", capital(share))
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
            format!("{} leads to {to}, {why}", route.name),
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
        BackendTrouble::Kind => finding(format!("and a {} is no backend", to.kind), ".kind")
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
            "ReferenceGrant {} of {} does not speak of both sides",
            list(near),
            to.namespace
        )),
    };
    let text = quote(&grant.to_string());
    finding
        .fix(format!(
            "let namespace {} permit it, if that is meant",
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
            "{} leads to a {} of {group}, which no implementation is known to serve",
            route.name, to.kind
        ),
    )
    .suspected()
    .blame(route.clone(), format!("{field}.kind"))
    .because("a kind that is not supported is answered with 500 (reason InvalidKind)")
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
    .because(format!("they are answered with 503: {}", deeper.summary))
    .because_all(deeper.evidence.iter().cloned())
    .fix(format!(
        "weight 0 takes them off it; then {}",
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
            "nothing at {} takes {asked}: it is answered with 404",
            door.name
        ),
    )
    .blame(door.clone(), "spec")
    .because(if near.is_empty() {
        "it has no rule for that host".to_owned()
    } else {
        format!("it has {}", list(near))
    })
    .fix("ask for a host, path, method and headers that a rule takes, or add the rule")
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
        "it names no backend and redirects nowhere"
    };
    Finding::new(
        Code::ING_17,
        Stage::Gateway,
        format!("rule {rule} of {} has nowhere to send to", route.name),
    )
    .blame(route.clone(), format!("spec.rules[{rule}].backendRefs"))
    .because(format!("{why}: requests are answered with 500"))
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
            "rule {rule} of {} redirects {url} to itself, without end",
            route.name
        ),
    )
    .blame(route.clone(), format!("spec.rules[{rule}]"));
    let finding = match shadowed {
        Some(other) => finding.because(format!(
            "{other} would serve it, and is never asked: it matches no more exactly and comes later"
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
            "the proxies of {} are down: nobody answers for any of its hosts",
            door.name
        ),
        ..deeper
    }
    .because(why)
}

/// ING-10, where no Service stands in front of them.
fn no_proxy_ready(door: &ObjectRef, pods: &[ObjectRef]) -> Finding {
    let summary = format!(
        "no proxy of {} is ready: nobody answers for any of its hosts",
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
            "{} is to be spoken to by TLS, and cannot be: {why}",
            service.name
        ),
    )
    .blame(policy.clone(), "spec.validation.caCertificateRefs")
    .because(
        "without a valid authority requests are answered with 5xx (reason NoValidCACertificate)",
    )
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
        format!("no Ingress and no route takes {host}"),
    )
    .notice()
    .suspected()
    .blame(ObjectRef::cluster_wide("Name", host), "");
    match near {
        [] => finding
            .fix("name a host that a rule takes, or ask from where its name can be looked up"),
        near => finding.fix(format!("did you mean {}?", near.join(" or "))),
    }
}
