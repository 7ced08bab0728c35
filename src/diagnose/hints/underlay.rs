//! Hints about the network below: overlays, address ranges, the cloud's routes.

use std::collections::BTreeSet;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::Node;

use super::hint;
use crate::causes::Code;
use crate::cluster::access::{EndpointExt, NodeExt};
use crate::cluster::{Named, Pod};
use crate::diagnose::kubectl::kubectl;
use crate::diagnose::objects::ends;
use crate::diagnose::{Case, Finding};
use crate::net::parse_prefix;
use crate::path::{Stage, slices};
use crate::resolve::Place;
use crate::text::list;

const PUBLIC_IP: &str = "flannel.alpha.coreos.com/public-ip";
const BACKEND: &str = "flannel.alpha.coreos.com/backend-type";
const BACKEND_DATA: &str = "flannel.alpha.coreos.com/backend-data";

pub(super) fn findings(case: &Case<'_, '_>) -> Vec<Finding> {
    let nodes: Vec<&Node> = ends::nodes(case)
        .into_iter()
        .map(|(node, _)| node)
        .collect();
    let mut found = Vec::new();
    // Within one node nothing of the network below is used.
    if let [first, rest @ ..] = nodes.as_slice()
        && !rest.is_empty()
    {
        found.extend(same_tunnel_end(&nodes));
        found.extend(rest.iter().find_map(|other| unlike_tunnels(first, other)));
        found.extend(nodes.iter().find_map(|node| without_route(node)));
    }
    found.extend(node_in_pod_range(case));
    found.extend(target_in_range(case));
    found.extend(
        ends::pods(case)
            .into_iter()
            .find_map(|(pod, stage)| outside_its_range(case, pod, stage)),
    );
    found.extend(api_server_elsewhere(case));
    found
}

fn annotation<'n>(node: &'n Node, name: &str) -> Option<&'n str> {
    let annotations = node.metadata.annotations.as_ref()?;
    annotations.get(name).map(String::as_str)
}

/// RTE-09: flannel took the same address on two nodes (the first NIC of every Vagrant box, say).
fn same_tunnel_end(nodes: &[&Node]) -> Option<Finding> {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let (node, address) = nodes.iter().find_map(|node| {
        let address = annotation(node, PUBLIC_IP)?;
        (!seen.insert(address)).then_some((node, address))
    })?;
    Some(
        hint(
            Code::RTE_09,
            Stage::Route,
            format!("several nodes have the same overlay address {address}"),
        )
        .blame(
            node.reference(),
            format!("metadata.annotations[{PUBLIC_IP}]"),
        )
        .because(
            "packets between these nodes cannot be delivered: the overlay uses the wrong interface",
        )
        .fix("tell flannel which interface to use (--iface)"),
    )
}

/// RTE-10: two nodes whose overlays do not understand each other.
fn unlike_tunnels(node: &Node, other: &Node) -> Option<Finding> {
    let backends = (annotation(node, BACKEND)?, annotation(other, BACKEND)?);
    let vni = |node| {
        let data: serde_json::Value = serde_json::from_str(annotation(node, BACKEND_DATA)?).ok()?;
        data.get("VNI")?.as_u64()
    };
    let (what, own, theirs) = if backends.0 == backends.1 {
        let numbers = (vni(node)?, vni(other)?);
        ("VNI", numbers.0.to_string(), numbers.1.to_string())
    } else {
        ("backend", backends.0.to_owned(), backends.1.to_owned())
    };
    (own != theirs).then(|| {
        hint(
            Code::RTE_10,
            Stage::Route,
            format!(
                "{} and {} use different overlay {what}s: {own} and {theirs}",
                node.name(),
                other.name()
            ),
        )
        .blame(
            other.reference(),
            format!("metadata.annotations[{BACKEND_DATA}]"),
        )
        .because("after a partial upgrade nodes cannot decode each other's packets")
        .fix("use the same configuration on every node and restart the CNI agent")
    })
}

/// RTE-18: the cloud's route controller made no route to the node's pods.
fn without_route(node: &Node) -> Option<Finding> {
    let condition = node.condition("NetworkUnavailable")?;
    let message = condition.message.as_deref().unwrap_or("NetworkUnavailable");
    (condition.status == "True").then(|| {
        hint(
            Code::RTE_18,
            Stage::Route,
            format!(
                "the cloud network may not route the pods of {}",
                node.name()
            ),
        )
        .blame(node.reference(), "status.conditions[NetworkUnavailable]")
        .because(format!("Node {}: {message}", node.name()))
        .fix(
            "check the route controller of cloud-controller-manager and the route table of the cloud",
        )
        .run(kubectl("", format!("describe node {}", node.name())))
    })
}

/// RTE-17: a node's own address inside the range of pods.
fn node_in_pod_range(case: &Case<'_, '_>) -> Option<Finding> {
    let ranges: Vec<_> = case
        .view
        .nodes
        .iter()
        .flat_map(NodeExt::pod_cidrs)
        .collect();
    ends::nodes(case).into_iter().find_map(|(node, _)| {
        let (address, range) = node.addresses().into_iter().find_map(|addr| {
            let range = ranges.iter().find(|range| range.contains(&addr))?;
            Some((addr, range))
        })?;
        Some(overlap(
            format!(
                "node/{} has address {address} inside the pod range {range}",
                node.name()
            ),
            node.reference(),
            "status.addresses",
        ))
    })
}

/// RTE-17: an address outside that the cluster takes for one of its own.
fn target_in_range(case: &Case<'_, '_>) -> Option<Finding> {
    let Place::Address(addr) = case.flow.destination.place else {
        return None;
    };
    let service_ranges = case
        .view
        .service_cidrs
        .iter()
        .flat_map(|range| {
            range
                .spec
                .iter()
                .flat_map(|spec| spec.cidrs.iter().flatten())
        })
        .filter_map(|range| Some((parse_prefix(range).ok()?, "Services")));
    let pod_ranges = case
        .view
        .nodes
        .iter()
        .flat_map(NodeExt::pod_cidrs)
        .map(|range| (range, "pods"));
    let (range, whose) = service_ranges
        .chain(pod_ranges)
        .find(|(range, _)| range.contains(&addr))?;
    Some(overlap(
        format!(
            "{addr} is in {range}, the range of the cluster for {whose}, and belongs to none of them"
        ),
        case.flow.destination.object.clone(),
        "",
    ))
}

fn overlap(summary: String, object: crate::cluster::ObjectRef, field: &str) -> Finding {
    hint(Code::RTE_17, Stage::Route, summary)
        .blame(object, field)
        .because(
            "packets to such an address may be routed inside the cluster instead of to the host",
        )
        .fix("use cluster ranges that do not overlap with other networks")
}

/// RTE-33: a pod outside its node's range while others of the node are inside. Where all are
/// outside, the CNI assigns addresses by a plan of its own.
fn outside_its_range(case: &Case<'_, '_>, pod: &Pod, stage: Stage) -> Option<Finding> {
    let name = pod.node_name().filter(|_| !pod.is_host_network())?;
    let ranges = case.view.nodes.get("", name)?.pod_cidrs();
    let is_inside = |addr: &IpAddr| ranges.iter().any(|range| range.contains(addr));
    let address = *pod.ips().first()?;
    let mut neighbours = case.view.pods.iter().filter(|other| {
        other.node_name() == Some(name) && !other.is_host_network() && !other.is_finished()
    });
    let planned = neighbours.any(|other| other.ips().iter().any(is_inside));
    let of_family = ranges
        .iter()
        .any(|range| range.addr().is_ipv4() == address.is_ipv4());
    (of_family && planned && !is_inside(&address)).then(|| {
        let shown: Vec<String> = ranges.iter().map(ToString::to_string).collect();
        hint(
            Code::RTE_33,
            stage,
            format!("{} has {address}, outside the range of its node", pod.name()),
        )
        .blame(pod.reference(), "status.podIP")
        .because(format!(
            "node {name} has {}, and its other pods are inside the range: a second CNI configuration may have created this one",
            list(&shown)
        ))
        .fix("keep one configuration in /etc/cni/net.d of the node, and recreate the pod")
    })
}

/// EGR-01: the API server's endpoint is an address that no API server of the cluster shows. Managed
/// control planes show no such pod, so nothing is said of them.
fn api_server_elsewhere(case: &Case<'_, '_>) -> Option<Finding> {
    let service = ends::services(case)
        .into_iter()
        .find(|service| service.namespace() == "default" && service.name() == "kubernetes")?;
    let servers: Vec<String> = case
        .view
        .pods
        .in_namespace("kube-system")
        .filter(|pod| {
            pod.labels()
                .get("component")
                .is_some_and(|value| value == "kube-apiserver")
        })
        .flat_map(Pod::ips)
        .map(|addr| addr.to_string())
        .collect();
    let stray = slices(case.view, service)
        .flat_map(|slice| slice.endpoints.iter().flatten())
        .filter_map(EndpointExt::address)
        .find(|addr| !servers.is_empty() && !servers.contains(&addr.to_string()))?;
    Some(
        hint(
            Code::EGR_01,
            Stage::Endpoints,
            format!("the API server is advertised at {stray}, which is not an address of its pods"),
        )
        .blame(
            crate::cluster::ObjectRef::new("EndpointSlice", "default", "kubernetes"),
            "endpoints",
        )
        .because(format!("its pods have {}", list(&servers)))
        .fix("set --advertise-address of the API server to an address that pods can reach"),
    )
}
