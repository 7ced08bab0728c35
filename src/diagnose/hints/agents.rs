//! Hints from the agents on the nodes of the path: a DaemonSet's pod there that is not ready.

use k8s_openapi::api::core::v1::Node;

use super::hint;
use crate::causes::Code;
use crate::cluster::{Named, Pod};
use crate::diagnose::kubectl::kubectl;
use crate::diagnose::objects::ends;
use crate::diagnose::{Case, Finding};
use crate::dns::is_cache;
use crate::path::{Basis, Stage};

/// An agent that traffic of a node hangs on.
struct Agent {
    /// How its DaemonSets are named, as a part of the name.
    names: &'static [&'static str],
    code: Code,
    stage: Stage,
    /// What is then in doubt.
    doubt: &'static str,
}

const PROXY: Agent = Agent {
    names: &["kube-proxy"],
    code: Code::KPX_01,
    stage: Stage::Nat,
    doubt: "the Service rules there may be missing or stale",
};

const NETWORK: Agent = Agent {
    names: &[
        "flannel",
        "calico-node",
        "canal",
        "cilium",
        "antrea-agent",
        "kube-router",
        "weave-net",
        "kindnet",
        "ovnkube-node",
        "aws-node",
    ],
    code: Code::RTE_04,
    stage: Stage::Route,
    doubt: "routes to new pods and nodes may be missing there",
};

const CACHE: Agent = Agent {
    names: &["node-local-dns", "nodelocaldns"],
    code: Code::DNS_17,
    stage: Stage::Dns,
    doubt: "DNS lookups of its pods may fail",
};

pub(super) fn findings(case: &Case<'_, '_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (node, stage) in ends::nodes(case) {
        found.extend(down_on(case, node, &NETWORK));
        // Rules that were read say more than the pod that writes them.
        let are_rules_known = case.basis.contains(&Basis::Node);
        if stage == Stage::Source && !are_rules_known && !ends::services(case).is_empty() {
            found.extend(down_on(case, node, &PROXY));
        }
        if stage == Stage::Source && asks_a_cache(case) {
            found.extend(down_on(case, node, &CACHE));
        }
    }
    found
}

/// The agent's pod on a node, if it is there and not ready.
fn down_on(case: &Case<'_, '_>, node: &Node, agent: &Agent) -> Option<Finding> {
    let pod = case.view.pods.iter().find(|pod| {
        let is_agent = pod.controller().is_some_and(|owner| {
            owner.kind == "DaemonSet" && agent.names.iter().any(|name| owner.name.contains(name))
        });
        is_agent && pod.node_name() == Some(node.name()) && !pod.is_ready()
    })?;
    let peering = peering_trouble(case, pod);
    let code = if peering.is_some() {
        Code::RTE_29
    } else {
        agent.code
    };
    let state = pod.waiting().map_or_else(
        || "not ready".to_owned(),
        |waiting| format!("not ready, {}", waiting.reason),
    );
    let finding = hint(
        code,
        agent.stage,
        format!(
            "{} on {} is {state}: {}",
            pod.name(),
            node.name(),
            agent.doubt
        ),
    )
    .blame(pod.reference(), "status.conditions[Ready]");
    let finding = match peering {
        Some(message) => finding.because(message),
        None => finding.because(format!("{}: {state}", pod.reference())),
    };
    Some(finding.fix("find out why it does not start").run(kubectl(
        pod.namespace(),
        format!("logs {} --all-containers --tail=50", pod.name()),
    )))
}

/// What the agent's own readiness probe says of its BGP peers (Calico, kube-router).
fn peering_trouble(case: &Case<'_, '_>, pod: &Pod) -> Option<String> {
    let mut events = case.view.events.in_namespace(pod.namespace());
    let message = events
        .find(|event| event.involved_object.name.as_deref() == Some(pod.name()))?
        .message
        .clone()?;
    (message.contains("BIRD is not ready") || message.contains("BGP not established"))
        .then_some(message)
}

/// Whether the source's recorded resolver is a cache on its node.
fn asks_a_cache(case: &Case<'_, '_>) -> bool {
    ends::sources(case).any(|pod| {
        let facts = case.world.pod_facts(pod.namespace(), pod.name());
        let conf = facts.and_then(|facts| facts.resolv_conf.as_deref());
        conf.is_some_and(|text| {
            crate::dns::ResolvConf::parse(text)
                .nameservers
                .iter()
                .any(|server| is_cache(*server))
        })
    })
}
