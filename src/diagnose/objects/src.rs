//! Family SRC: the client pod.

use super::{ext, rte};
use crate::causes::Code;
use crate::cluster::access::NodeExt;
use crate::cluster::{Named, ObjectRef, Pod, Resource};
use crate::diagnose::kubectl::kubectl;
use crate::diagnose::{Case, Finding};
use crate::path::Stage;

/// SRC-01, or what keeps its node from giving it a network.
pub(in crate::diagnose) fn without_network(case: &Case<'_, '_>, pod: &Pod) -> Finding {
    let deeper = rte::no_network_for(case, pod, Stage::Source)
        .or_else(|| ext::host_port_taken(pod, Stage::Source));
    if let Some(deeper) = deeper {
        return deeper;
    }
    let name = pod.name();
    let (state, field) = why_down(pod);
    Finding::new(
        Code::SRC_01,
        Stage::Source,
        format!("{name} cannot send traffic: {state}"),
    )
    .blame(pod.reference(), field)
    .because(format!(
        "Pod {}/{name} status.phase is {}",
        pod.namespace(),
        pod.phase()
    ))
    .fix("bring the pod up, or use another running pod as the source")
    .run(kubectl(pod.namespace(), format!("describe pod {name}")))
}

/// SRC-01 for a workload that has no pod to test from.
pub(in crate::diagnose) fn no_pod(case: &Case<'_, '_>, object: &ObjectRef) -> Finding {
    let zero = case
        .view
        .workload(Resource::Deployments, &object.namespace, &object.name)
        .is_some_and(|deployment| deployment.replicas == Some(0));
    let summary = if zero {
        format!("{} is scaled to 0: it has no pod to test from", object.name)
    } else {
        format!("{} has no pod to test from", object.name)
    };
    Finding::new(Code::SRC_01, Stage::Source, summary)
        .blame(object.clone(), if zero { "spec.replicas" } else { "" })
        .fix("scale it up, or use another source")
        .run(kubectl(
            &object.namespace,
            format!("describe {} {}", object.kind.to_lowercase(), object.name),
        ))
}

/// What keeps a pod down, and the field that says so.
pub(in crate::diagnose) fn why_down(pod: &Pod) -> (String, &'static str) {
    if pod.is_finished() {
        return (
            format!("it has terminated ({})", pod.phase()),
            "status.phase",
        );
    }
    if let Some(condition) = pod
        .condition("PodScheduled")
        .filter(|condition| condition.status == "False")
    {
        let message = condition
            .message
            .as_deref()
            .unwrap_or("it is not scheduled");
        return (
            format!("not scheduled: {message}"),
            "status.conditions[PodScheduled]",
        );
    }
    match pod.waiting() {
        Some(waiting) => {
            let mut message = if waiting.message.is_empty() {
                String::new()
            } else {
                format!(": {}", waiting.message)
            };
            if let Some(words) = last_words(pod) {
                message.push_str(&format!("; last message: {words}"));
            }
            (
                format!(
                    "container {} is waiting, {}{message}",
                    waiting.container, waiting.reason
                ),
                "status.containerStatuses",
            )
        }
        None => ("it has no address yet".to_owned(), "status.podIPs"),
    }
}

/// What a container that ended said last, where its termination message was kept.
fn last_words(pod: &Pod) -> Option<String> {
    pod.container_statuses().into_iter().find_map(|status| {
        let ended = status.last_state.as_ref()?.terminated.as_ref()?;
        let message = ended.message.as_deref()?.trim();
        let last = message.lines().next_back()?;
        (!last.is_empty()).then(|| last.to_owned())
    })
}

/// Whether a pod lies on a node that does not report.
pub(in crate::diagnose) fn is_on_silent_node(case: &Case<'_, '_>, pod: &Pod) -> bool {
    let node = pod
        .node_name()
        .and_then(|name| case.view.nodes.get("", name));
    node.and_then(|node| node.condition("Ready"))
        .is_some_and(|ready| ready.status != "True")
}
