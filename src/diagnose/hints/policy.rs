//! Hints about policies: what decides above the packet, and whether anybody decides at all.

use serde_json::Value;

use super::hint;
use crate::causes::Code;
use crate::cluster::{Named, ObjectRef, Resource};
use crate::diagnose::objects::ends;
use crate::diagnose::{Case, Finding};
use crate::path::{Break, Stage};
use crate::text::list;

/// DaemonSets whose agents enforce NetworkPolicy.
const ENFORCERS: [&str; 11] = [
    "calico-node",
    "canal",
    "cilium",
    "antrea-agent",
    "kube-router",
    "weave-net",
    "kindnet",
    "kube-network-policies",
    "ovnkube-node",
    "aws-node",
    "azure-npm",
];

pub(super) fn findings(case: &Case<'_, '_>) -> Vec<Finding> {
    [above_the_packet(case), nobody_enforces(case)]
        .into_iter()
        .flatten()
        .collect()
}

/// POL-18: Cilium policies that look into requests or names, for a pod at either end.
fn above_the_packet(case: &Case<'_, '_>) -> Option<Finding> {
    let resources = [
        Resource::CiliumNetworkPolicies,
        Resource::CiliumClusterwideNetworkPolicies,
    ];
    let namespaces: Vec<&str> = ends::pods(case)
        .iter()
        .map(|(pod, _)| pod.namespace())
        .collect();
    resources.into_iter().find_map(|resource| {
        let policy = case.view.custom(resource).find(|policy| {
            let namespace = text(policy, "namespace");
            (namespace.is_empty() || namespaces.contains(&namespace)) && looks_deeper(policy)
        })?;
        let (namespace, name) = (text(policy, "namespace"), text(policy, "name"));
        Some(
            hint(
                Code::POL_18,
                Stage::IngressPolicy,
                format!("{name} also filters by request or by DNS name"),
            )
            .blame(ObjectRef::new(resource.kind(), namespace, name), "spec")
            .because("it has http, kafka, dns or toFQDNs rules: a connection may succeed and a request may still be denied")
            .fix("compare the request with the rules"),
        )
    })
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or_default()
}

/// Whether any key below is a rule above the transport.
fn looks_deeper(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(key, value)| {
            let is_rules = key == "rules"
                && ["http", "kafka", "dns", "l7"]
                    .iter()
                    .any(|kind| value.get(kind).is_some());
            key == "toFQDNs" || is_rules || looks_deeper(value)
        }),
        Value::Array(items) => items.iter().any(looks_deeper),
        _ => false,
    }
}

/// POL-15: a policy denies on paper, and the network is flannel's, which enforces none.
fn nobody_enforces(case: &Case<'_, '_>) -> Option<Finding> {
    let is_denied = case
        .paths()
        .flat_map(|path| &path.breaks)
        .any(|seen| matches!(seen, Break::Policy(_)));
    let mut sets = case.view.workloads_of(Resource::DaemonSets);
    let flannel = sets.find(|set| set.name().contains("flannel"))?;
    let enforcer = case
        .view
        .workloads_of(Resource::DaemonSets)
        .find(|set| ENFORCERS.iter().any(|known| set.name().contains(known)));
    let is_whole = case.view.holds_all(Resource::DaemonSets, "");
    (is_denied && is_whole && enforcer.is_none()).then(|| {
        let pods: Vec<String> = ends::backends(case)
            .map(|pod| pod.reference().to_string())
            .collect();
        hint(
            Code::POL_15,
            Stage::IngressPolicy,
            "no agent seems to enforce network policies here: the denied traffic may pass",
        )
        .blame(
            ObjectRef::new("DaemonSet", flannel.namespace(), flannel.name()),
            "",
        )
        .because(format!(
            "flannel does not enforce NetworkPolicies and there is no other agent; {} may be reachable",
            list(&pods)
        ))
        .fix("install a policy engine (for example Canal or kube-network-policies)")
    })
}
