//! ING-11: a Gateway does not accept a route.

use super::{describe, edit};
use crate::causes::Code;
use crate::cluster::ObjectRef;
use crate::diagnose::{Case, Finding};
use crate::gateway::Refusal;
use crate::path::Stage;
use crate::text::list;

/// ING-11.
pub(super) fn refused(
    case: &Case<'_, '_>,
    (route, index, parent): (&ObjectRef, usize, &ObjectRef),
    refusal: &Refusal,
    is_part: bool,
) -> Finding {
    let field = format!("spec.parentRefs[{index}]");
    let change = edit(route);
    let finding = |why: String| {
        let summary = format!("{parent} does not accept {}: {why}", route.name);
        let finding = Finding::new(Code::ING_11, Stage::Gateway, summary)
            .because(format!("reason {}", refusal.reason()));
        // Clients of another parent do not notice.
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
                [] => found.fix("reference an existing Gateway").run("kubectl get gateway -A"),
                near => found.fix(format!("did you mean {}?", near.join(" or "))).run(change),
            }
        }
        Refusal::NoClass { class } => finding(format!("no controller serves class {class}"))
            .blame(parent.clone(), "spec.gatewayClassName")
            .fix("use a class that exists")
            .run("kubectl get gatewayclass"),
        Refusal::SetNotAdmitted { gateway } => finding(format!("{gateway} does not allow its listeners"))
            .blame(gateway.clone(), "spec.allowedListeners")
            .fix("allow ListenerSets of that namespace")
            .run(edit(gateway)),
        Refusal::NoSection { asked, has } => finding(format!("it has no listener {asked}"))
            .blame(route.clone(), field)
            .because(format!("it has {}", list(has)))
            .fix("use the name of one of its listeners, or omit sectionName to attach to all")
            .run(change),
        Refusal::Kind { takes } => finding(format!("its listeners do not allow {}", route.kind))
            .blame(parent.clone(), "spec.listeners[].allowedRoutes.kinds")
            .because(if takes.is_empty() { "they allow no kind of route".to_owned() } else { format!("they allow {}", list(takes)) })
            .fix("attach it to a listener of its protocol, or allow its kind there")
            .run(edit(parent)),
        Refusal::Namespace { from } => finding(format!("its listeners do not allow routes from namespace {}", route.namespace))
            .blame(route.clone(), field)
            .because(format!("allowedRoutes.namespaces.from is {}", list(from)))
            .because(format!("labels of {}: {}", route.namespace, labels(case, &route.namespace)))
            .fix(format!("allow routes from namespace {} in the listener (from: All, or a Selector that matches it)", route.namespace))
            .run(edit(parent)),
        Refusal::Hostname { listeners } => finding("none of its host names matches a listener".to_owned())
            .blame(route.clone(), "spec.hostnames")
            .because(format!("listeners are {}; a wildcard matches subdomains, not the domain itself", list(listeners)))
            .fix("use a host name that a listener matches, or add a listener for it")
            .run(change),
        Refusal::Status { reason, message } => finding(reason.clone())
            .blame(route.clone(), field)
            .because(format!("its controller reports {reason}: {message}"))
            .fix("read the message of its controller")
            .run(describe(route)),
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
