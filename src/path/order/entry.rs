//! Stage `entry`: where a packet from outside comes in, by node port, load balancer or external IP.

use std::net::{IpAddr, SocketAddr};

use k8s_openapi::api::core::v1::{Node, Service, ServicePort};

use crate::cluster::access::{EndpointExt, NodeExt, ServiceExt, ServiceKind, ServicePortExt};
use crate::cluster::{ClusterView, Named, Pod, Resource};
use crate::net::{Family, Protocol, parse_address, parse_prefix};
use crate::path::context::{EntryPoint, Leg, Walker};
use crate::path::stages::endpoints::slices;
use crate::path::stages::service::{self, Chosen, PortRequest};
use crate::path::{Backend, Boundary, Break, Hop, Mode, Outcome, Path, Stage, Status};
use crate::target::PortSpec;

/// The range node ports come from unless the API server is told otherwise.
const NODE_PORTS: std::ops::RangeInclusive<u16> = 30_000..=32_767;
/// How many nodes are walked into beside those that stand for all.
const OTHERS: usize = 8;

/// From outside to a Service.
#[allow(clippy::too_many_lines, reason = "one table of the ways in")]
pub(in crate::path) fn to_service<'v>(
    walker: &Walker<'_, 'v>,
    mut leg: Leg<'_, 'v>,
    service: &'v Service,
    address: Option<IpAddr>,
    asked: PortRequest<'_>,
    paths: &mut Vec<Path<'v>>,
) {
    leg.mode = Mode::OutsideToService;
    let chosen = service::step(walker.view, service, asked, &mut leg.trail);
    let addresses = service.ingress_addresses();
    let external = service
        .spec
        .as_ref()
        .and_then(|spec| spec.external_ips.clone())
        .unwrap_or_default();
    let node_port = chosen
        .and_then(|chosen| chosen.port.node_port)
        .and_then(|port| u16::try_from(port).ok())
        .filter(|port| *port > 0);
    let is_balancer = service.service_kind() == ServiceKind::LoadBalancer;
    let hop = |status, text: String| {
        Hop::new(Stage::Entry, status, text)
            .at(service.reference())
            .within(Boundary::NodeNetwork)
    };
    let vip = address.filter(|addr| !service.cluster_ips().contains(addr));
    let is_shut = is_balancer
        && vip.is_none_or(|vip| service.balancer_vips().contains(&vip))
        && all_excluded(walker.view);
    if vip.is_some()
        || !external.is_empty() && node_port.is_none()
        || is_balancer && !addresses.is_empty()
    {
        let shown = vip.map_or_else(
            || {
                if addresses.is_empty() {
                    external.join(", ")
                } else {
                    addresses.join(", ")
                }
            },
            |vip| vip.to_string(),
        );
        if let Some(client) = refused_client(
            service,
            leg.sites[0]
                .ip(Family::V4)
                .or_else(|| leg.sites[0].ip(Family::V6)),
        ) {
            let text = format!("{shown}: {client} is in no range of loadBalancerSourceRanges");
            leg.trail.stop(
                hop(Status::Fail, text),
                Break::SourceRange { service, client },
            );
        } else if is_shut {
            let text = format!("{shown}: every node is excluded from load balancers");
            leg.trail.doubt(
                hop(Status::Unknown, text),
                Break::NobodyAnnounces { service },
            );
        } else {
            leg.trail
                .push(hop(Status::Pass, format!("by address {shown}")));
        }
    } else if is_balancer {
        let text = "no load-balancer address was assigned".to_owned();
        leg.trail
            .stop(hop(Status::Fail, text), Break::NoBalancerAddress(service));
    } else if let Some(port) = node_port {
        leg.trail.push(hop(
            Status::Pass,
            format!("by port {port} of {}", nodes_text(walker.view)),
        ));
    } else {
        let text = "a cluster IP is not reachable from outside the cluster".to_owned();
        leg.trail
            .stop(hop(Status::Fail, text), Break::NoEntry(service.reference()));
    }
    let Some(chosen) = chosen else {
        return paths.push(leg.end(None));
    };
    let entries = entry_nodes(walker.view, service);
    if entries.is_empty() {
        return walker.through_service(&leg, service, address, chosen, paths);
    }
    // An address of its own keeps the Service's port; at a node it is the node port.
    let own = vip.or_else(|| {
        let mut listed = addresses.iter().chain(&external);
        listed.find_map(|text| parse_address(text))
    });
    let enter = |node: &'v Node, paths: &mut Vec<Path<'v>>| {
        let mut leg = leg.clone();
        leg.entry = Some(EntryPoint::at(node, service));
        match (own, node_port) {
            (None, Some(number)) => {
                let address = node_address(node, service);
                let chosen = Chosen { number, ..chosen };
                walker.through_service(&leg, service, address, chosen, paths);
            }
            _ => walker.through_service(&leg, service, own, chosen, paths),
        }
    };
    for node in &entries {
        enter(node, paths);
    }
    // All others are like one of those, unless what was gathered there says otherwise.
    let was_read = |node: &&Node| walker.nodes.node(node.name()).is_some();
    let others = walker.view.nodes.iter().filter(was_read);
    let others = others.filter(|node| entries.iter().all(|known| known.name() != node.name()));
    let is_left_out =
        |node: &&Node| service.is_external_local() && !has_endpoint(walker.view, service, node);
    for node in others.filter(|node| !is_left_out(node)).take(OTHERS) {
        let mut own = Vec::new();
        enter(node, &mut own);
        if own.iter().any(|path| path.outcome() != Outcome::Works) {
            paths.extend(own);
        }
    }
}

/// To a port of a node: a Service's node port, a pod's host port, or a process of the node.
pub(in crate::path) fn to_node<'v>(
    walker: &Walker<'_, 'v>,
    mut leg: Leg<'_, 'v>,
    node: &'v Node,
    address: Option<IpAddr>,
    paths: &mut Vec<Path<'v>>,
) {
    let protocol = walker.flow.protocol.unwrap_or_default();
    let Some(PortSpec::Number(port)) = walker.flow.destination.port else {
        return;
    };
    let asked = address.or_else(|| node.addresses().into_iter().next());
    let hop = |status, text: String| {
        Hop::new(Stage::Entry, status, text)
            .at(node.reference())
            .within(Boundary::NodeNetwork)
    };
    if let Some((service, service_port)) = node_port_owner(walker.view, port, protocol) {
        leg.mode = Mode::OutsideToService;
        let text = format!(
            "port {port} of {} is node port of {}",
            node.name(),
            service.reference()
        );
        leg.trail.push(hop(Status::Pass, text));
        leg.entry = Some(EntryPoint::at(node, service));
        let chosen = Chosen {
            port: service_port,
            protocol,
            number: port,
        };
        return walker.through_service(&leg, service, asked, chosen, paths);
    }
    leg.mode = Mode::PodToPod;
    let host_pod = host_port_pod(walker.view, node, port, protocol);
    let backend = match host_pod {
        Some((pod, own)) => {
            leg.trail.push(hop(
                Status::Pass,
                format!(
                    "port {port} of {} is host port of {}",
                    node.name(),
                    pod.reference()
                ),
            ));
            leg.entry = Some(EntryPoint::of_node(node));
            leg.asked = asked.map(|address| SocketAddr::new(address, port));
            Backend {
                port: own,
                ..Backend::of_pod(pod, asked.map_or(Family::V4, Family::of), own)
            }
        }
        None if NODE_PORTS.contains(&port) => {
            let text = format!("no Service has node port {port}/{protocol}");
            leg.trail.stop(
                hop(Status::Fail, text),
                Break::NoSuchNodePort { node, port },
            );
            return paths.push(leg.end(None));
        }
        None => {
            leg.entry = Some(EntryPoint::of_node(node));
            leg.trail.push(hop(
                Status::Pass,
                format!("port {port} of {}: a process of the node", node.name()),
            ));
            Backend {
                address: asked,
                port,
                pod: None,
                node: Some(node.name()),
                is_hypothetical: false,
                cluster: None,
            }
        }
    };
    let family = asked.map_or(Family::V4, Family::of);
    walker.to_backend(leg, None, family, protocol, vec![backend], paths);
}

/// A pod address asked from outside: only some networks route those.
pub(in crate::path) fn straight_from_outside<'v>(leg: &mut Leg<'_, 'v>, backend: &Backend<'v>) {
    let Some(pod) = backend.pod.filter(|pod| !pod.is_host_network()) else {
        return;
    };
    let text = "a pod's address is reachable from outside only where the network routes it";
    let hop = Hop::new(Stage::Entry, Status::Unknown, text)
        .at(pod.reference())
        .within(Boundary::Outside);
    leg.trail.doubt(hop, Break::NoEntry(pod.reference()));
}

/// A client inside the cluster that asks at the address of a load balancer: kube-proxy's rules for that
/// address ask for its source, too (chain `KUBE-FW-…`; kubernetes/kubernetes#85572).
pub(super) fn refused_inside(
    service: &Service,
    address: IpAddr,
    client: Option<IpAddr>,
) -> Option<IpAddr> {
    let is_balancer = service.balancer_vips().contains(&address);
    refused_client(service, client.filter(|_| is_balancer))
}

/// The client, if it is known and no range holds it. An absent list admits everybody.
pub(super) fn refused_client(service: &Service, client: Option<IpAddr>) -> Option<IpAddr> {
    let ranges = service
        .spec
        .as_ref()?
        .load_balancer_source_ranges
        .as_ref()?;
    let client = client?;
    let is_admitted = ranges
        .iter()
        .filter_map(|range| parse_prefix(range).ok())
        .any(|range| range.contains(&client));
    (!ranges.is_empty() && !is_admitted).then_some(client)
}

/// The label of nodes that controllers of load balancers leave out.
pub(crate) const EXCLUDED: &str = "node.kubernetes.io/exclude-from-external-load-balancers";

/// Whether there are nodes, and none that a load balancer may use.
fn all_excluded(view: &ClusterView) -> bool {
    let is_excluded = |node: &Node| {
        let labels = node.metadata.labels.as_ref();
        labels.is_some_and(|labels| labels.contains_key(EXCLUDED))
    };
    !view.nodes.is_empty()
        && view.holds_all(Resource::Nodes, "")
        && view.nodes.iter().all(is_excluded)
}

/// One node with an endpoint of the Service and one without: all others are like one of them.
fn entry_nodes<'v>(view: &'v ClusterView, service: &'v Service) -> Vec<&'v Node> {
    let has_endpoint = |node: &&Node| has_endpoint(view, service, node);
    let with = view.nodes.iter().find(has_endpoint);
    // Under policy Local the nodes without an endpoint stay silent by design: whoever balances
    // keeps off them (health check), and a client that names a node is walked to that node.
    let without = view
        .nodes
        .iter()
        .find(|node| !has_endpoint(node))
        .filter(|_| !service.is_external_local() || with.is_none());
    with.into_iter().chain(without).collect()
}

fn has_endpoint(view: &ClusterView, service: &Service, node: &Node) -> bool {
    let mut endpoints = slices(view, service).flat_map(|slice| slice.endpoints.iter().flatten());
    endpoints
        .any(|endpoint| endpoint.is_ready() && endpoint.node_name.as_deref() == Some(node.name()))
}

fn node_address(node: &Node, service: &Service) -> Option<IpAddr> {
    let families = service.families();
    node.addresses()
        .into_iter()
        .find(|addr| families.is_empty() || families.contains(&Family::of(*addr)))
}

/// The Service and port that own a node port.
fn node_port_owner(
    view: &ClusterView,
    port: u16,
    protocol: Protocol,
) -> Option<(&Service, &ServicePort)> {
    view.services.iter().find_map(|service| {
        let mut ports = service.ports().iter();
        let own =
            ports.find(|own| own.node_port == Some(port.into()) && own.protocol() == protocol)?;
        Some((service, own))
    })
}

fn host_port_pod<'v>(
    view: &'v ClusterView,
    node: &Node,
    port: u16,
    protocol: Protocol,
) -> Option<(&'v Pod, u16)> {
    let on_node = view
        .pods
        .iter()
        .filter(|pod| pod.node_name() == Some(node.name()) && !pod.is_finished());
    on_node.into_iter().find_map(|pod| {
        let own = pod.declared_ports().into_iter().find(|own| {
            own.host_port == Some(port.into())
                && Protocol::from_field(own.protocol.as_deref()) == Ok(protocol)
        })?;
        Some((pod, u16::try_from(own.container_port).ok()?))
    })
}

fn nodes_text(view: &ClusterView) -> String {
    let names: Vec<&str> = view.nodes.iter().map(Named::name).take(4).collect();
    match (names.len(), view.nodes.len()) {
        (0, _) => "any node".to_owned(),
        (shown, all) if all > shown => format!("any of {all} nodes"),
        _ => crate::text::list(&names),
    }
}
