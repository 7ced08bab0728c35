//! Between the two pods: where the answer changes is where it breaks.
//!
//! ```text
//!  source pod ─ source's node ─ … ─ backend's node ─ backend ─ inside the backend
//!      ✘             ?                   ?             ✔    the first that answers bounds the place
//! ```

use std::net::IpAddr;

use super::backend::blamed;
use super::{egress, lost, measured};
use crate::causes::Code;
use crate::cluster::access::{NodeExt, ServiceExt};
use crate::cluster::{ClusterView, Named, ObjectRef, Resource};
use crate::confirm::BackendSymptom;
use crate::diagnose::{Case, Finding};
use crate::net::parse_prefix;
use crate::path::Stage;
use crate::text::list;
use netpath_protocol::Failure;

/// "No route to host" at once is a firewall; later it is a neighbour that does not answer.
const AT_ONCE_US: u64 = 500_000;

/// The cause, from how it failed and who else reaches the backend.
pub(super) fn cause(
    case: &Case<'_, '_>,
    symptom: &BackendSymptom<'_>,
    failure: &Failure,
    elapsed: u64,
) -> Finding {
    let source = symptom.source.name();
    let is_own_limit = matches!(failure, Failure::NoLocalPort | Failure::NoDescriptor);
    if symptom.backend.pod.is_none() && !is_own_limit && !may_be_pod(case, symptom) {
        return egress::cause(case, symptom);
    }
    match failure {
        Failure::HostUnreachable if elapsed < AT_ONCE_US => rejected(case, symptom)
            .because("\"no route to host\" at once is an ICMP message of a firewall (host- or admin-prohibited), or an unreachable route"),
        Failure::Denied => rejected(case, symptom)
            .because("\"permission denied\" is what an administratively prohibited IPv6 packet looks like, or a filter inside the source pod"),
        Failure::HostUnreachable => dead_neighbour(case, symptom),
        Failure::NetUnreachable => no_route(case, symptom),
        Failure::NoLocalPort | Failure::NoDescriptor => {
            measured(Finding::new(Code::SRC_11, Stage::Source, format!("{source}: {}", failure.words())))
                .blame(symptom.source.reference(), "")
                .fix("reuse connections, widen net.ipv4.ip_local_port_range, raise the limit of open files")
        }
        _ => lost::cause(case, symptom),
    }
}

/// Whether the address may be that of a pod that we have no right to see.
fn may_be_pod(case: &Case<'_, '_>, symptom: &BackendSymptom<'_>) -> bool {
    let selects = symptom
        .service
        .filter(|service| service.selector().is_some());
    let namespace = selects.map(Named::namespace);
    namespace.is_some_and(|name| case.view.unread(Resource::Pods, name).is_some())
}

/// RTE-21: somebody on the way says no.
pub(super) fn rejected(case: &Case<'_, '_>, symptom: &BackendSymptom<'_>) -> Finding {
    let address = symptom.address;
    let by = symptom.attempts.refusal;
    let node = by.and_then(|icmp| node_at(case.view, icmp.from));
    let object = node.map_or_else(
        || node_of(symptom),
        |name| ObjectRef::cluster_wide("Node", name),
    );
    let finding = measured(Finding::new(
        Code::RTE_21,
        Stage::Route,
        format!(
            "a firewall on {} rejects packets to {address}",
            place(&object)
        ),
    ))
    .blame(object, "")
    .fix("find the REJECT rule on that node (firewalld, ufw, nft); --deep reads them");
    match by {
        Some(icmp) => finding.because(format!("{} answers \"{}\"", icmp.from, icmp.words())),
        // Nobody says who it was.
        None => finding.suspected(),
    }
}

fn place(object: &ObjectRef) -> String {
    format!("{} {}", object.kind.to_lowercase(), object.name)
}

/// "Network is unreachable": the source's own routing table, or that of a router that says so.
fn no_route(case: &Case<'_, '_>, symptom: &BackendSymptom<'_>) -> Finding {
    let ip = symptom.address.ip();
    let by = symptom.attempts.refusal.map(|icmp| icmp.from);
    match by.and_then(|from| node_at(case.view, from)) {
        Some(node) => measured(Finding::new(Code::RTE_05, Stage::Route, format!("node {node} has no route to {ip}")))
            .blame(ObjectRef::cluster_wide("Node", node), "")
            .because(format!("it answers \"network unreachable\" ({})", by.map_or_else(String::new, |from| from.to_string())))
            .fix("check the CNI agent of that node: it maintains the routes to the pods of other nodes"),
        None if symptom.by_other_family == Some(true) => measured(Finding::new(Code::SRC_08, Stage::Source, format!("{} has no way to {ip}, and the same pod answers over the other family", symptom.source.name())))
            .blame(symptom.source.reference(), "")
            .fix("give the pod a route of that family, or make the Service SingleStack: clients that try this address first wait or fail"),
        None => measured(Finding::new(Code::SRC_10, Stage::Source, format!("{} has no route to {ip}", symptom.source.name())))
            .blame(symptom.source.reference(), "")
            .because("\"network is unreachable\" at once, and no router said so: it is the pod's own routing table")
            .fix("recreate the pod; if that does not help, check the CNI plugin"),
    }
}

/// An address that nobody on its network answers for: the pod's interface is dead, where the pod's own node says so.
fn dead_neighbour(case: &Case<'_, '_>, symptom: &BackendSymptom<'_>) -> Finding {
    let ip = symptom.address.ip();
    let by = symptom.attempts.refusal.map(|icmp| icmp.from);
    let node = by.and_then(|from| node_at(case.view, from));
    let is_its_own = node.is_some() && node == symptom.backend.node;
    let finding = match node.filter(|_| !is_its_own) {
        // Its next hop is the other node, not the pod.
        Some(node) => measured(Finding::new(Code::RTE_37, Stage::Route, format!("node/{node} gets no answer from its next hop to {ip}")))
            .blame(ObjectRef::cluster_wide("Node", node), "")
            .fix("check that the other node is up and that the route of this one leads to it; --deep reads both"),
        None => measured(Finding::new(Code::RTE_22, Stage::Route, format!("nobody answers for {ip}: the network interface of the pod is down or detached")))
            .blame(blamed(symptom), "")
            .fix("delete the pod, so that it gets a new interface"),
    };
    let finding = finding.because(
        "\"no route to host\" after a second or more is a neighbor that does not answer (ARP, ND)",
    );
    let finding = match by {
        Some(from) => finding.because(format!("{from} says so")),
        None => finding,
    };
    if is_its_own || symptom.backend.node == symptom.source.node_name() {
        finding
    } else {
        finding.suspected()
    }
}

/// `the last that is heard on the way is node1 (10.244.1.1)`
pub(super) fn heard(view: &ClusterView, symptom: &BackendSymptom<'_>) -> Option<String> {
    if symptom.trace.is_empty() {
        return None;
    }
    let heard: Vec<String> = symptom
        .trace
        .iter()
        .filter_map(|hop| hop.address)
        .map(|ip| match node_at(view, ip) {
            Some(node) => format!("{ip} ({node})"),
            None => ip.to_string(),
        })
        .collect();
    Some(if heard.is_empty() {
        "no router on the path responds, not even the first".to_owned()
    } else {
        format!("on the path {} responds, and no hop after it", list(&heard))
    })
}

/// The node that has an address: its own, or that of its pods' bridge.
pub(super) fn node_at(view: &ClusterView, ip: IpAddr) -> Option<&str> {
    let own = view
        .nodes
        .iter()
        .find(|node| node.addresses().contains(&ip));
    let of_pods = || {
        view.nodes.iter().find(|node| {
            let spec = node.spec.as_ref();
            let ranges = spec.and_then(|spec| spec.pod_cidrs.as_ref());
            let mut ranges = ranges.into_iter().flatten();
            ranges.any(|range| parse_prefix(range).is_ok_and(|net| net.contains(&ip)))
        })
    };
    own.or_else(of_pods).map(Named::name)
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
