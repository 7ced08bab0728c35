//! Family RTE, as far as the API shows it: nodes, CNI, address ranges.

use k8s_openapi::api::core::v1::Node;

use crate::causes::Code;
use crate::cluster::access::NodeExt;
use crate::cluster::{Named, Pod};
use crate::diagnose::kubectl::kubectl;
use crate::diagnose::{Case, Finding};
use crate::path::Stage;

/// RTE-34: the node of an end stopped reporting. Its network may be alive all the same.
pub(in crate::diagnose) fn node_down(node: &Node, stage: Stage) -> Finding {
    let name = node.name();
    let ready = node.condition("Ready");
    let message = ready
        .and_then(|ready| ready.message.as_deref())
        .unwrap_or("Ready is Unknown");
    Finding::new(
        Code::RTE_34,
        stage,
        format!("node/{name} does not report; pods on it may be unreachable"),
    )
    .suspected()
    .blame(node.reference(), "status.conditions[Ready]")
    .because(format!("Node {name}: {message}"))
    .fix("check the node: power, network, kubelet")
    .run(kubectl("", format!("describe node {name}")))
}

/// RTE-03 or RTE-15, if that is what keeps a pod without a network.
pub(in crate::diagnose) fn no_network_for(
    case: &Case<'_, '_>,
    pod: &Pod,
    stage: Stage,
) -> Option<Finding> {
    let node_name = pod.node_name()?;
    if pod.is_finished() || pod.is_host_network() || !pod.ips().is_empty() {
        return None;
    }
    let sandbox = sandbox_event(case, pod);
    if let Some(message) = sandbox.as_deref().filter(|message| is_exhausted(message)) {
        return Some(exhausted(case, pod, node_name, message, stage));
    }
    let node = case.view.nodes.get("", node_name);
    let ready = node.and_then(|node| node.condition("Ready"));
    let unready = ready
        .filter(|ready| ready.status != "True")
        .and_then(|ready| ready.message.clone());
    let message = [unready, sandbox]
        .into_iter()
        .flatten()
        .find(|message| is_cni_missing(message))?;
    let finding = Finding::new(
        Code::RTE_03,
        stage,
        format!(
            "node/{node_name} has no working CNI, so {} has no network",
            pod.name()
        ),
    );
    Some(
        finding
            .blame(
                crate::cluster::ObjectRef::cluster_wide("Node", node_name),
                "status.conditions[Ready]",
            )
            .because(format!("Node {node_name}: {message}"))
            .fix("install or repair the CNI on that node (/etc/cni/net.d and the CNI agent)")
            .run(kubectl(
                "kube-system",
                format!("get pods -o wide --field-selector spec.nodeName={node_name}"),
            )),
    )
}

fn exhausted(
    case: &Case<'_, '_>,
    pod: &Pod,
    node_name: &str,
    message: &str,
    stage: Stage,
) -> Finding {
    let node = case.view.nodes.get("", node_name);
    let range = node.map(NodeExt::pod_cidrs).unwrap_or_default();
    let range: Vec<String> = range.iter().map(ToString::to_string).collect();
    let range = if range.is_empty() {
        String::new()
    } else {
        format!(" ({})", range.join(", "))
    };
    Finding::new(
        Code::RTE_15,
        stage,
        format!("node/{node_name} has no free pod address{range}, so {} gets none", pod.name()),
    )
    .blame(crate::cluster::ObjectRef::cluster_wide("Node", node_name), "spec.podCIDRs")
    .because(message.to_owned())
    .fix("move pods away, give the node a larger range, or clean up leaked reservations (/var/lib/cni/networks)")
    .run(kubectl("", format!("get pods -A -o wide --field-selector spec.nodeName={node_name}")))
}

/// The text of the event that a sandbox could not be made.
fn sandbox_event(case: &Case<'_, '_>, pod: &Pod) -> Option<String> {
    let events = case.view.events.in_namespace(pod.namespace());
    let mut matching = events.filter(|event| {
        event.reason.as_deref() == Some("FailedCreatePodSandBox")
            && event.involved_object.name.as_deref() == Some(pod.name())
    });
    let of_event = matching.next().and_then(|event| event.message.clone());
    // The kubelet says the same in the pod's own condition from 1.29 on.
    of_event.or_else(|| pod.condition("PodReadyToStartContainers")?.message.clone())
}

fn is_exhausted(message: &str) -> bool {
    message.contains("no IP addresses available")
        || message.contains("failed to allocate for range")
}

/// The kubelet's and the plugins' words for a node without a CNI configuration.
fn is_cni_missing(message: &str) -> bool {
    let message = message.to_lowercase();
    [
        "cni plugin not initialized",
        "cni config uninitialized",
        "failed to find plugin",
        "no networks found",
        "subnet.env",
    ]
    .iter()
    .any(|words| message.contains(words))
}
