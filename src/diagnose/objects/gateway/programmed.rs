//! ING-13: a Gateway or one of its listeners serves nothing.

use serde_json::json;

use super::backend::permit;
use super::{describe, edit};
use crate::causes::Code;
use crate::cluster::ObjectRef;
use crate::diagnose::kubectl::merge_patch;
use crate::diagnose::{Case, Finding};
use crate::gateway::SlotTrouble;
use crate::gateway::listener::ReferenceTrouble;
use crate::gateway::programmed::GatewayTrouble;
use crate::path::Stage;
use crate::text::list;

/// ING-13.
pub(super) fn not_programmed(
    case: &Case<'_, '_>,
    gateway: &ObjectRef,
    trouble: &GatewayTrouble,
) -> Finding {
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
                "the cluster has no GatewayClass".to_owned()
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
                    .fix("use a class that its controller accepts")
                    .run(edit(gateway)),
            }
        }
        GatewayTrouble::Parameters(to, why) => {
            finding(&format!("its parametersRef {to} {}", why.words()))
                .blame(gateway.clone(), "spec.infrastructure.parametersRef")
                .fix("set parameters that exist and are of a supported kind")
                .run(edit(gateway))
        }
        GatewayTrouble::ClientCertificate(to, why) => {
            finding(&format!("its clientCertificateRef {to} {}", why.words()))
                .blame(gateway.clone(), "spec.tls.backend.clientCertificateRef")
                .fix("reference a Secret of type kubernetes.io/tls that it is permitted to use")
                .run(edit(gateway))
        }
        GatewayTrouble::Status {
            condition,
            reason,
            message,
        } => finding(reason)
            .blame(gateway.clone(), "status.conditions")
            .because(format!("{condition} is False, {reason}: {message}"))
            .fix("check its conditions and events, and the Service and Deployment created for it")
            .run(describe(gateway)),
    }
}

/// ING-13, of one listener.
pub(super) fn listener(
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
    let change = edit(owner);
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
            .run(change),
        SlotTrouble::Kinds { .. } => finding
            .fix("allow route kinds that its protocol supports")
            .run(change),
        SlotTrouble::UnsupportedProtocol(_) => {
            finding.fix("use HTTP, HTTPS, TLS, TCP or UDP").run(change)
        }
        SlotTrouble::NoCertificate | SlotTrouble::Reference { .. } => finding
            .fix("reference a Secret of type kubernetes.io/tls with a certificate and a key")
            .run(change),
        SlotTrouble::Status { .. } => finding
            .fix("read the message of its controller")
            .run(describe(owner)),
    }
}

/// ING-13, of a ListenerSet.
pub(super) fn set_not_admitted(set: &ObjectRef, gateway: &ObjectRef, exists: bool) -> Finding {
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
        .fix("reference an existing Gateway")
        .run(edit(set));
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
