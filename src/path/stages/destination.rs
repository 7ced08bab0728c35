//! Stage `destination`: is there something that can answer?

use super::source::down_hop;
use crate::cluster::access::NodeExt;
use crate::cluster::{ClusterView, Named, Pod};
use crate::path::trail::Trail;
use crate::path::{Backend, Boundary, Break, Hop, Stage, Status};

/// Adds the hop of a backend. What a socket answers is not for the API to say.
pub(in crate::path) fn step<'v>(
    view: &'v ClusterView,
    backend: &Backend<'v>,
    trail: &mut Trail<'v>,
) {
    let Some(pod) = backend.pod else {
        let text = format!("{}, no pod of this cluster", backend.display());
        trail.push(Hop::new(Stage::Destination, Status::Pass, text).within(Boundary::Outside));
        return;
    };
    let place = pod
        .node_name()
        .map_or_else(String::new, |node| format!(" on {node}"));
    let text = format!("{}{place}, {}", pod.name(), backend.display());
    let hop = Hop::new(Stage::Destination, Status::Pass, text)
        .at(pod.reference())
        .within(if pod.is_host_network() {
            Boundary::NodeNetwork
        } else {
            Boundary::PodNetwork
        });
    if view.is_planned() {
        trail.push(hop);
    } else if pod.is_unread() {
        trail.push(Hop {
            status: Status::Unknown,
            summary: format!("{} exists; more of it was not read", pod.name()),
            ..hop
        });
    } else if backend.is_hypothetical {
        // Why it takes no traffic now is told where the endpoints are.
        trail.push(hop);
    } else if pod.ips().is_empty() || pod.is_finished() || nothing_runs(pod) {
        let hop = hop.fact(format!("{} status", pod.reference()), state(pod));
        trail.stop(
            Hop {
                summary: format!("{}: {}", pod.name(), state(pod)),
                ..hop
            },
            Break::DestinationDown(pod),
        );
    } else {
        trail.push(hop);
        let node = pod.node_name().and_then(|node| view.nodes.get("", node));
        let silent = node.filter(|node| {
            node.condition("Ready")
                .is_some_and(|ready| ready.status == "Unknown")
        });
        if let Some(node) = silent {
            let seen = Break::NodeDown {
                node,
                stage: Stage::Destination,
            };
            trail.doubt(down_hop(Stage::Destination, node), seen);
        }
    }
}

/// Whether no container of the pod runs: then nothing can listen.
fn nothing_runs(pod: &Pod) -> bool {
    let statuses = pod.container_statuses();
    !statuses.is_empty()
        && statuses.iter().all(|status| {
            let state = status.state.as_ref();
            state.is_some_and(|state| {
                state.running.is_none() && (state.waiting.is_some() || state.terminated.is_some())
            })
        })
}

fn state(pod: &Pod) -> String {
    match pod.waiting() {
        Some(waiting) => format!(
            "{}, container {} is waiting: {}",
            pod.phase(),
            waiting.container,
            waiting.reason
        ),
        None => format!("phase {}", pod.phase()),
    }
}
