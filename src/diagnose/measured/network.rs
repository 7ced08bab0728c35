//! Between the two pods: where the answer changes is where it breaks.

use super::super::Finding;
use super::backend::blamed;
use super::measured;
use crate::cluster::access::PodExt;
use crate::cluster::{Named, ObjectRef};
use crate::confirm::BackendSymptom;
use crate::path::Stage;
use crate::probe::Attempts;
use crate::probe::protocol::Failure;

/// "No route to host" at once is a firewall; later it is a neighbour that does not answer.
const AT_ONCE_US: u64 = 500_000;

/// The cause, from how it failed and who else reaches the backend.
pub(super) fn cause(symptom: &BackendSymptom<'_>, failure: &Failure, elapsed: u64) -> Finding {
    let address = symptom.address;
    match failure {
        Failure::HostUnreachable if elapsed < AT_ONCE_US => {
            measured(Finding::new("RTE-21", Stage::Route, format!("a firewall rejects packets to {address}")))
                .blame(node_of(symptom), "")
                .because("\"no route to host\" at once is an ICMP answer of a firewall (host- or admin-prohibited), or an unreachable route")
                .fix("find the REJECT rule on the nodes of the path (firewalld, ufw, nft); --deep reads them")
        }
        Failure::HostUnreachable => dead_neighbour(symptom),
        Failure::NetUnreachable if symptom.others.open == 0 => {
            measured(Finding::new("SRC-10", Stage::Source, format!("{} has no route to {}", symptom.source.name(), address.ip())))
                .blame(symptom.source.reference(), "")
                .because("\"network is unreachable\" at once comes from the pod's own routing table, or its node's")
                .fix("make the pod again; if that does not help, look at the CNI plugin")
        }
        Failure::Denied => measured(Finding::new("RTE-21", Stage::Route, format!("packets to {address} are administratively prohibited")))
            .blame(node_of(symptom), "")
            .because("\"permission denied\" is what an IPv6 admin-prohibited answer looks like, or a filter inside the source pod")
            .fix("find the rule on the nodes of the path; --deep reads them"),
        Failure::NoLocalPort => measured(Finding::new("SRC-11", Stage::Source, format!("{} has no source port left", symptom.source.name())))
            .blame(symptom.source.reference(), "")
            .fix("reuse connections, widen net.ipv4.ip_local_port_range"),
        _ => vanished(symptom),
    }
}

/// An address that nobody on its network answers for: the pod's interface is dead.
fn dead_neighbour(symptom: &BackendSymptom<'_>) -> Finding {
    measured(Finding::new(
        "RTE-22",
        Stage::Route,
        format!(
            "nobody answers for {}: the pod's network interface is down or detached",
            symptom.address.ip()
        ),
    ))
    .blame(blamed(symptom), "")
    .because(
        "\"no route to host\" after a second or more is a neighbour that does not answer (ARP, ND)",
    )
    .fix("delete the pod, so that it gets a new interface")
}

/// Nothing comes back at all.
fn vanished(symptom: &BackendSymptom<'_>) -> Finding {
    let source_node = symptom.source.node_name();
    let own_node = symptom.backend.node;
    let crosses = source_node.is_some() && own_node.is_some() && source_node != own_node;
    let from_inside = symptom
        .inside
        .as_ref()
        .and_then(|inside| inside.by_address.as_ref())
        .is_some_and(Attempts::all_open);
    let own_node_reaches = symptom
        .from_own_node
        .as_ref()
        .is_some_and(Attempts::all_open);
    let source_node_reaches = symptom
        .from_source_node
        .as_ref()
        .is_some_and(Attempts::all_open);
    let (code, summary) = match (source_node, own_node) {
        (Some(from), Some(to)) if source_node_reaches => (
            "POL-16",
            format!(
                "node {from} reaches {} on {to}, the pod does not: something tells them apart",
                symptom.address
            ),
        ),
        (Some(from), Some(to)) if crosses => (
            "RTE-05",
            format!("packets from node {from} to pods on node {to} vanish"),
        ),
        (Some(from), _) => (
            "RTE-22",
            format!(
                "packets to {} vanish on node {from} itself",
                symptom.address
            ),
        ),
        _ => ("RTE-05", format!("packets to {} vanish", symptom.address)),
    };
    let mut finding = measured(Finding::new(code, Stage::Route, summary))
        .suspected()
        .blame(node_of(symptom), "");
    if from_inside {
        finding = finding
            .because("from inside the destination pod the port is open, and no policy denies it");
    }
    if own_node_reaches {
        finding = finding.because("from its own node the port is open");
    }
    if symptom.others.open_on_its_node > 0 {
        finding = finding.because("other pods on that node answer");
    } else if symptom.others.open > 0 {
        finding = finding.because("pods on other nodes answer");
    }
    finding.fix("look at both nodes with --deep: routes, forwarding, firewall, the overlay's port")
}

fn node_of(symptom: &BackendSymptom<'_>) -> ObjectRef {
    symptom
        .backend
        .node
        .or_else(|| symptom.source.node_name())
        .map_or_else(
            || blamed(symptom),
            |node| ObjectRef::cluster_wide("Node", node),
        )
}
