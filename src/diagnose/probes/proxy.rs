//! The Service's address fails although the backends answer: the proxy on the source's node.

use super::measured;
use crate::causes::Code;
use crate::cluster::access::ServiceExt;
use crate::cluster::{Named, ObjectRef};
use crate::confirm::Symptom;
use crate::dataplane::{Replaces, installed};
use crate::diagnose::{Case, Finding, Fix};
use crate::observe::Attempts;
use crate::path::Stage;

/// The cause, from how other Services do on the same node.
pub(super) fn cause(case: &Case<'_, '_>, symptom: &Symptom<'_>) -> Finding {
    let Symptom::Proxy {
        source,
        service,
        address,
        attempts,
        others_answer,
        is_own_backend,
        only_local,
    } = symptom
    else {
        return Finding::new(Code::KPX_02, Stage::Nat, String::new());
    };
    let node = source.node_name().unwrap_or("its node");
    let name = service.map_or_else(|| address.to_string(), |service| service.name().to_owned());
    let at_node = |code, summary: String| {
        Finding::new(code, Stage::Nat, summary).blame(ObjectRef::cluster_wide("Node", node), "")
    };
    let finding = if *is_own_backend {
        Finding::new(Code::KPX_16, Stage::Nat, format!("{} does not reach itself through {name}", source.name()))
            .blame(source.reference(), "")
            .fix("enable hairpin mode on the bridge port (hairpinMode of the CNI), or do not call the Service from its own pod")
    } else if *only_local && !attempts.all_open() {
        at_node(Code::KPX_17, format!("{name} fails when its endpoint is on {node}, the node of the client"))
            .suspected()
            .fix("load br_netfilter and set net.bridge.bridge-nf-call-iptables=1; --deep reads the setting")
    } else if !attempts.none_open() {
        at_node(
            Code::KPX_09,
            format!("one of the endpoints in the rules of node/{node} for {name} is wrong"),
        )
        .degraded()
        .suspected()
        .fix("restart kube-proxy on that node; --deep compares its rules with the EndpointSlices")
    } else if *others_answer == Some(false) {
        at_node(
            Code::KPX_01,
            format!("no Service address works from node/{node}: kube-proxy does not work there"),
        )
        .fix("check kube-proxy on that node")
        .run(format!(
            "kubectl -n kube-system get pods -o wide --field-selector spec.nodeName={node}"
        ))
    } else {
        at_node(
            Code::KPX_02,
            format!("the rules of node/{node} for {name} are out of date"),
        )
        .suspected()
        .fix("restart kube-proxy on that node; --deep compares its rules with the EndpointSlices")
    };
    let finding = by_dataplane(case, finding, (node, attempts));
    let confidence = finding.confidence;
    let finding = measured(finding);
    let finding = if confidence == crate::diagnose::Confidence::Suspected {
        finding.suspected()
    } else {
        finding
    };
    let object = service.map(ServiceExt::reference);
    finding
        .because(format!(
            "{} → {address}: {}",
            source.name(),
            attempts.words()
        ))
        .because(match object {
            Some(object) => {
                format!("every endpoint of {object} responds to the same pod by its own address")
            }
            None => "the backends respond to the same pod by their own addresses".to_owned(),
        })
        .because(match others_answer {
            Some(true) => "other Services respond to it".to_owned(),
            Some(false) => "other Services do not respond to it either".to_owned(),
            None => "no other Service was probed".to_owned(),
        })
}

/// Where kube-proxy is replaced, it is not what has to be repaired; and "permission denied" has a meaning: with
/// socket load balancing `connect` itself fails (EPERM) where the table has no backend for the address.
fn by_dataplane(
    case: &Case<'_, '_>,
    finding: Finding,
    (node, attempts): (&str, &Attempts),
) -> Finding {
    let mut all = installed(case.view).into_iter();
    let is_of_proxy = finding.code.as_str().starts_with("KPX-0");
    let Some(own) = all.find(|one| is_of_proxy && one.replaces == Replaces::KubeProxy) else {
        return finding;
    };
    let name = own.dataplane.name();
    let finding = Finding {
        fix: Fix::default(),
        ..finding
    };
    let finding = finding
        .because(format!(
            "{name} serves Services here: {}",
            own.evidence.join(", ")
        ))
        .fix(format!(
            "check the agent of {name} on {node}; --deep compares its table with the EndpointSlices"
        ));
    if attempts.words().contains("permission denied") {
        return finding.because(format!(
            "\"permission denied\" at once: the table of {name} has no backend for the address"
        ));
    }
    finding
}
