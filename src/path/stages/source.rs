//! Stage `source`: can a packet be sent from here at all?

use k8s_openapi::api::core::v1::Node;

use crate::cluster::access::NodeExt;
use crate::cluster::{ClusterView, Named};
use crate::path::trail::Trail;
use crate::path::{Boundary, Break, Hop, Stage, Status};
use crate::resolve::Site;

/// Adds the hop of a source.
pub(in crate::path) fn step<'v>(view: &'v ClusterView, site: Site<'v>, trail: &mut Trail<'v>) {
    match site {
        Site::Pod(pod) if pod.is_unread() => {
            let text = format!("{} exists; more of it was not read", pod.name());
            trail.push(Hop::new(Stage::Source, Status::Unknown, text).at(pod.reference()));
        }
        Site::Pod(pod) => {
            let is_up = !pod.is_finished() && !pod.ips().is_empty();
            // Manifests give no pod an address; a recording or a cluster does.
            if is_up || view.is_planned() {
                trail.push(pod_hop(view, site));
            } else {
                let hop = pod_hop(view, site).fact(
                    format!("{} status", pod.reference()),
                    format!("phase {}, no address in use", phase(site)),
                );
                trail.stop(hop, Break::SourceWithoutNetwork(pod));
            }
            if let Some(node) = down_node(view, site) {
                trail.doubt(
                    down_hop(Stage::Source, node),
                    Break::NodeDown {
                        node,
                        stage: Stage::Source,
                    },
                );
            }
        }
        Site::Node(node) => {
            let addresses: Vec<String> = node.addresses().iter().map(ToString::to_string).collect();
            let text = format!("node {}, {}", node.name(), addresses.join(", "));
            let hop = Hop::new(Stage::Source, Status::Pass, text)
                .at(node.reference())
                .within(Boundary::NodeNetwork);
            trail.push(hop);
        }
        Site::Address(addr) => {
            let text = format!("{addr}, which belongs to no pod or node");
            trail.push(Hop::new(Stage::Source, Status::Pass, text).within(Boundary::Outside));
        }
        Site::Outside(addr) => {
            let text = addr.map_or_else(
                || "a client outside the cluster".to_owned(),
                |addr| format!("a client outside the cluster, {addr}"),
            );
            trail.push(Hop::new(Stage::Source, Status::Pass, text).within(Boundary::Outside));
        }
    }
}

fn pod_hop(view: &ClusterView, site: Site<'_>) -> Hop {
    let Site::Pod(pod) = site else {
        return Hop::new(Stage::Source, Status::Pass, String::new());
    };
    let ips: Vec<String> = pod.ips().iter().map(ToString::to_string).collect();
    let mut parts = vec![match pod.node_name() {
        Some(node) => format!("{} on {node}", pod.name()),
        None if view.is_planned() => format!("{} (from manifests)", pod.name()),
        None => format!("{}, not scheduled", pod.name()),
    }];
    if !ips.is_empty() {
        parts.push(ips.join(", "));
    }
    if pod.is_host_network() {
        parts.push("in the node's network".to_owned());
    }
    if !view.is_planned() {
        parts.push(phase(site));
    }
    Hop::new(Stage::Source, Status::Pass, parts.join(", "))
        .at(pod.reference())
        .within(if pod.is_host_network() {
            Boundary::NodeNetwork
        } else {
            Boundary::PodNetwork
        })
}

fn phase(site: Site<'_>) -> String {
    let Site::Pod(pod) = site else {
        return String::new();
    };
    match (pod.phase(), pod.waiting()) {
        ("Running", _) if pod.is_ready() => "Ready".to_owned(),
        ("Running", Some(waiting)) => format!("Running, {}", waiting.reason),
        ("Running", None) => "Running, not Ready".to_owned(),
        (phase, Some(waiting)) if !waiting.reason.is_empty() => {
            format!("{phase}, {}", waiting.reason)
        }
        (phase, _) => phase.to_owned(),
    }
}

/// The pod's node, if it stopped reporting: the node lifecycle controller then sets its condition
/// Ready to Unknown.
fn down_node<'v>(view: &'v ClusterView, site: Site<'v>) -> Option<&'v Node> {
    let node = view.nodes.get("", site.node_name()?)?;
    (node.condition("Ready")?.status == "Unknown").then_some(node)
}

/// The hop of a node that does not report. Its kubelet may be dead and its network alive, so the API
/// cannot tell whether traffic passes.
pub(in crate::path) fn down_hop(stage: Stage, node: &Node) -> Hop {
    let condition = node.condition("Ready");
    let message = condition.and_then(|condition| condition.message.as_deref());
    let text = message.unwrap_or("its Ready condition is Unknown");
    Hop::new(
        stage,
        Status::Unknown,
        format!("node {} does not report", node.name()),
    )
    .at(node.reference())
    .fact(
        format!("{} status.conditions[Ready]", node.reference()),
        text,
    )
}
