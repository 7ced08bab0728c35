//! Between the two pods: where the answer changes is where it breaks.
//!
//! ```text
//!  source pod ─ source's node ─ … ─ backend's node ─ backend ─ inside the backend
//!      ✘             ?                   ?             ✔    the first that answers bounds the place
//! ```

use std::net::IpAddr;

use k8s_openapi::api::core::v1::Service;

use super::backend::blamed;
use super::measured;
use crate::causes::Code;
use crate::cluster::access::{NodeExt, ServiceExt};
use crate::cluster::{ClusterView, Named, ObjectRef, Resource};
use crate::confirm::BackendSymptom;
use crate::diagnose::{Case, Finding};
use crate::net::parse_prefix;
use crate::observe::Attempts;
use crate::path::{Stage, Status};
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
        return outside(case, symptom);
    }
    match failure {
        Failure::HostUnreachable if elapsed < AT_ONCE_US => rejected(case, symptom)
            .because("\"no route to host\" at once is an ICMP message of a firewall (host- or admin-prohibited), or an unreachable route"),
        Failure::Denied => rejected(case, symptom)
            .because("\"permission denied\" is what an administratively prohibited IPv6 packet looks like, or a filter inside the source pod"),
        Failure::HostUnreachable => dead_neighbour(symptom),
        Failure::NetUnreachable => no_route(case, symptom),
        Failure::NoLocalPort | Failure::NoDescriptor => {
            measured(Finding::new(Code::SRC_11, Stage::Source, format!("{source}: {}", failure.words())))
                .blame(symptom.source.reference(), "")
                .fix("reuse connections, widen net.ipv4.ip_local_port_range, raise the limit of open files")
        }
        _ => vanished(case, symptom),
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

/// An end that is no pod of the cluster.
fn outside(case: &Case<'_, '_>, symptom: &BackendSymptom<'_>) -> Finding {
    let ip = symptom.address.ip();
    let is_link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    let is_api =
        |service: &Service| (service.namespace(), service.name()) == ("default", "kubernetes");
    let at = |code, summary: String| measured(Finding::new(code, Stage::Route, summary));
    let address = symptom.address;
    let finding = match symptom.service {
        Some(service) if is_api(service) => at(Code::EGR_01, format!("the API server does not respond to {} at {address}", symptom.source.name()))
            .blame(service.reference(), "")
            .fix("check the address and firewall of the API server, and whether pods can reach the network of the nodes"),
        Some(service) => at(Code::EGR_04, format!("{address}, an endpoint of {}, does not respond", service.name()))
            .blame(service.reference(), "")
            .fix("check that the host is up and accepts connections from the cluster; correct the EndpointSlice if it is the wrong host"),
        None if is_link_local => at(Code::EGR_05, format!("{address} is link-local and does not respond to pods"))
            .blame(blamed(symptom), "")
            .fix("cloud metadata is often blocked for pods on purpose: use workload identity, or allow it on the node"),
        None => at(Code::EGR_02, format!("{address} does not respond to {}", symptom.source.name()))
            .blame(blamed(symptom), "")
            .fix("test it from a node: if that works, pod traffic is not masqueraded or is filtered; otherwise the host or the path to it is down"),
    };
    let finding = match (symptom.attempts.refusal, &symptom.from_source_node) {
        (Some(icmp), _) => finding.because(format!("{} answers \"{}\"", icmp.from, icmp.words())),
        (None, Some(attempts)) if attempts.none_open() => {
            finding.because("the node of the source does not reach it either")
        }
        (None, Some(_)) => finding.because("the node of the source reaches it"),
        (None, None) => finding.suspected(),
    };
    match heard(case.view, symptom) {
        Some(heard) => finding.because(heard),
        None => finding,
    }
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
        None => finding,
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

/// An address that nobody on its network answers for: the pod's interface is dead.
fn dead_neighbour(symptom: &BackendSymptom<'_>) -> Finding {
    measured(Finding::new(
        Code::RTE_22,
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

/// What is known of who reaches the backend.
struct Reach<'a> {
    inside: Option<bool>,
    own_node: Option<bool>,
    source_node: Option<bool>,
    from: Option<&'a str>,
    to: Option<&'a str>,
}

/// Nothing comes back at all.
fn vanished(case: &Case<'_, '_>, symptom: &BackendSymptom<'_>) -> Finding {
    let opens = |attempts: &Option<Attempts>| attempts.as_ref().map(|own| !own.none_open());
    let inside = symptom.inside.as_ref();
    let reach = Reach {
        inside: inside.and_then(|inside| opens(&inside.by_address)),
        own_node: opens(&symptom.from_own_node),
        source_node: opens(&symptom.from_source_node),
        from: symptom.source.node_name(),
        to: symptom.backend.node,
    };
    // A pod's own node is never policed.
    let policed = unjudged(case, symptom).filter(|_| reach.own_node != Some(false));
    let mut finding = policed.unwrap_or_else(|| {
        let (code, object, summary) = bounded(symptom, &reach);
        measured(Finding::new(code, Stage::Route, summary)).blame(object, "")
    });
    finding = finding.suspected();
    for (known, yes, no) in [
        (
            reach.inside,
            "inside the destination pod the port is open",
            "from inside the destination pod it does not open either",
        ),
        (
            reach.own_node,
            "from its own node the port is open",
            "from its own node it does not open either",
        ),
        (
            reach.source_node,
            "from the source's node the port is open",
            "from the source's node it does not open either",
        ),
    ] {
        finding = match known {
            Some(true) => finding.because(yes),
            Some(false) => finding.because(no),
            None => finding,
        };
    }
    let others = symptom.others;
    for (count, which) in [
        (others.fine_on_its_node, "other pods on that node answer"),
        (others.fine_elsewhere, "pods on other nodes answer"),
    ] {
        if count > 0 {
            finding = finding.because(which);
        }
    }
    if let Some(heard) = heard(case.view, symptom) {
        finding = finding.because(heard);
    }
    if finding.stage == Stage::Route {
        let fix = "inspect both nodes with --deep: routes, forwarding, firewall, overlay port";
        finding = finding.fix(fix);
    }
    finding
}

/// Silence is what a policy makes, first of all: where policies could not be judged, nothing else is to be
/// suspected before that was done.
fn unjudged(case: &Case<'_, '_>, symptom: &BackendSymptom<'_>) -> Option<Finding> {
    let source = symptom.source.reference();
    let path = case.paths().find(|path| {
        let starts = path.sources.iter().any(|own| own.reference() == source);
        let address = Some(symptom.address.ip());
        starts && path.backends.iter().any(|own| own.address == address)
    })?;
    let unknown = |stage| {
        let mut hops = path.hops.iter();
        hops.find(|hop| hop.stage == stage && hop.status == Status::Unknown)
    };
    // A destination is isolated more often than a source is.
    let (code, object, hop) = match unknown(Stage::IngressPolicy) {
        Some(hop) => {
            let service = symptom.service.map(Service::reference);
            (
                Code::POL_02,
                service.unwrap_or_else(|| blamed(symptom)),
                hop,
            )
        }
        None => (Code::POL_03, source, unknown(Stage::EgressPolicy)?),
    };
    let address = symptom.address;
    let finding = Finding::new(code, hop.stage, format!("packets to {address} are lost, as with a denying policy; the policies could not be read"))
        .blame(object, "")
        .because(hop.summary.clone());
    Some(finding.fix("grant the permissions that are listed as missing, and retry"))
}

/// The place between the last that does not reach it and the first that does.
fn bounded(symptom: &BackendSymptom<'_>, reach: &Reach<'_>) -> (Code, ObjectRef, String) {
    let address = symptom.address;
    let node = |name: &str| ObjectRef::cluster_wide("Node", name);
    let crosses = reach.from != reach.to;
    match (reach.from, reach.to) {
        (_, Some(to)) if address.is_ipv6() && symptom.by_other_family == Some(true) => (
            Code::RTE_28,
            node(to),
            format!(
                "IPv6 packets to {address} are lost; the same pod on node {to} responds over IPv4"
            ),
        ),
        (_, Some(to)) if reach.own_node == Some(false) && reach.inside == Some(true) => (
            Code::RTE_22,
            blamed(symptom),
            format!(
                "packets from node {to} to its own pod at {address} are lost: the network interface of the pod"
            ),
        ),
        (Some(from), _) if reach.source_node == Some(true) => (
            Code::POL_16,
            node(from),
            format!(
                "node {from} reaches {address}, its pod does not: rules on the node distinguish them, and no policy in the API does"
            ),
        ),
        (Some(from), Some(to)) if crosses && symptom.others.fine_on_its_node > 0 => (
            Code::POL_16,
            node(to),
            format!(
                "packets from node {from} to {address} are lost, those to other pods on node {to} are not: rules there drop them, and no policy in the API does"
            ),
        ),
        (Some(from), Some(to)) if crosses => (
            Code::RTE_05,
            node(to),
            format!("packets from node {from} to pods on node {to} are lost"),
        ),
        (Some(from), Some(_)) => (
            Code::RTE_22,
            node(from),
            format!("packets to {address} are lost on node {from} itself"),
        ),
        (Some(from), None) => (
            Code::RTE_05,
            node(from),
            format!("packets from node {from} to {address} are lost"),
        ),
        _ => (
            Code::RTE_05,
            blamed(symptom),
            format!("packets to {address} are lost"),
        ),
    }
}

/// `the last that is heard on the way is node1 (10.244.1.1)`
fn heard(view: &ClusterView, symptom: &BackendSymptom<'_>) -> Option<String> {
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
