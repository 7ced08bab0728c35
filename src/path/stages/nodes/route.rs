//! Stage `route`: from the source's node to the backend's interface.

use std::net::IpAddr;

use super::cross::{self, Left, Passage};
use super::nat::blocked_text;
use super::plane;
use super::trip::{Trip, node_hop, with};
use super::wire::{self, Carried, Peer, held};
use super::{forwarding, is_denied};
use crate::cluster::access::NodeExt;
use crate::cluster::{Named, ObjectRef, Pod};
use crate::nat::eval::Question;
use crate::net::Packet;
use crate::path::trail::Trail;
use crate::path::{
    Break, Evidence, Fault, Hop, KernelFault, PlaneFault, Stage, Status, TunnelFault, WayFault,
};
use crate::world::NodeSite;

/// What stands in the way, and what was seen before it.
pub(super) struct Account {
    pub(super) text: Vec<String>,
    pub(super) evidence: Vec<Evidence>,
    pub(super) fault: Option<(ObjectRef, Fault)>,
    doubt: Option<String>,
    /// What leaves open whether the packet passes.
    open: Option<(ObjectRef, Fault)>,
}

/// Adds the hop; `false` when the packet does not get to the backend's interface.
pub(super) fn step<'v>(trip: &Trip<'_, 'v>, sent: Option<&Left>, trail: &mut Trail<'v>) -> bool {
    let mut account = Account {
        text: Vec::new(),
        evidence: Vec::new(),
        fault: None,
        doubt: None,
        open: None,
    };
    follow(trip, sent, &mut account);
    if account.fault.is_none() && account.doubt.is_none() {
        account.doubt = unread(trip);
    }
    if account.evidence.is_empty() && account.fault.is_none() && account.doubt.is_none() {
        return true;
    }
    let name = trip.first.or(trip.last).unwrap_or_default();
    if account.text.is_empty() {
        let told = account.evidence.iter().map(|one| one.text.clone());
        account.text.extend(told);
    }
    let hop = node_hop(Stage::Route, name, account.text.join(", "));
    let hop = with(hop, account.evidence);
    let is_seen = |kind: &Fault| {
        matches!(
            kind,
            Fault::Way(WayFault::Detached { .. } | WayFault::LinkDown { .. })
                | Fault::Tunnel(TunnelFault::PortBlocked { .. })
                | Fault::Plane(_)
        )
    };
    if let Some((at, kind)) = &account.fault
        && !is_seen(kind)
        && let Some(why) = trip.bypass(&at.name)
    {
        account.fault = None;
        account.doubt = Some(why);
    }
    match (account.fault, account.doubt) {
        (Some((at, kind)), _) => {
            let is_told = matches!(
                kind,
                Fault::Blocked { .. } | Fault::Plane(PlaneFault::Dropped { .. })
            );
            if is_denied(trail) && is_told {
                trail.push(hop);
                return false;
            }
            let is_partial = kind.is_partial();
            let fault = trip.fault(at, Stage::Route, kind);
            super::nat::raise(trail, hop, fault, !is_partial);
            is_partial
        }
        (None, _) if account.open.is_some() => {
            if let Some((at, kind)) = account.open {
                let fault = trip.fault(at, Stage::Route, kind);
                trail.doubt(hop, Break::Node(Box::new(fault)));
            }
            true
        }
        (None, Some(why)) => {
            trail.push(Hop {
                status: Status::Unknown,
                summary: why,
                ..hop
            });
            true
        }
        (None, None) => {
            trail.push(hop);
            true
        }
    }
}

/// What was gathered of the way and could not be read: it may hold what stops the packet.
fn unread(trip: &Trip<'_, '_>) -> Option<String> {
    let mut sites = [trip.first_site(), trip.last_site()].into_iter().flatten();
    sites.find_map(|site| {
        let bad = site.state.unread_way()?;
        Some(format!("{} of {}: {}", bad.file, site.name, bad.why))
    })
}

fn follow(trip: &Trip<'_, '_>, sent: Option<&Left>, account: &mut Account) {
    let first = trip.first_site();
    if let Some(node) = first.filter(|node| plane::tunnel_of(node).is_some()) {
        return plane::follow(trip, node, account);
    }
    if let (Some(node), Some(pod)) = (first, trip.source_pod()) {
        account.hangs(trip, node, pod);
    }
    if let (Some(node), None) = (first, &account.fault)
        && let Some(question) = trip.question(node)
        && let Some(interface) = &question.in_interface
    {
        account.admits(node, question.packet.src, interface);
        account.enters(trip);
        if !sent.is_some_and(|left| left.is_delivered) && !is_bridged(trip, node) {
            account.forwards(trip, node, interface);
        }
    }
    if account.fault.is_some() {
        return;
    }
    let arrived = match (first, sent) {
        (Some(node), Some(left)) => match leaves(trip, node, left, account) {
            Some(arrived) => arrived,
            None => return,
        },
        _ => None,
    };
    if let Some(node) = trip.last_site() {
        let packet = sent.map_or_else(
            || {
                Packet::new(
                    trip.client,
                    trip.endpoint.ip(),
                    trip.endpoint.port(),
                    trip.protocol,
                )
            },
            |left| left.packet,
        );
        if !trip.is_same_node() && (first.is_none() || sent.is_some()) {
            arrives(trip, node, packet, arrived, account);
        }
        if let (Some(pod), None) = (trip.destination_pod(), &account.fault) {
            account.hangs(trip, node, pod);
        }
    }
}

/// Out of the first node. The inner option is the interface it arrives by; none when it does not.
#[allow(clippy::option_option)]
fn leaves(
    trip: &Trip<'_, '_>,
    node: &NodeSite,
    left: &Left,
    account: &mut Account,
) -> Option<Option<String>> {
    let Some(out) = &left.out else {
        if left.is_delivered || node.state.host.routing.is_none() {
            return Some(None);
        }
        let fault = wire::no_way(node, left.packet, None);
        account
            .text
            .push(format!("{} has no way to {}", node.name, left.packet.dst));
        account.fails(&node.name, Fault::Way(fault));
        return None;
    };
    if trip.is_same_node() {
        let text = format!("{}: {} on {}", node.name, left.packet.dst, out.device);
        account
            .evidence
            .push(held(&node.name, "routes", text.clone()));
        account.text.push(text);
        return Some(None);
    }
    let (Some(last), true) = (trip.last, trip.first != trip.last) else {
        // Somewhere that is no node of the cluster.
        let via = out
            .gateway
            .map_or_else(String::new, |gateway| format!(" via {gateway}"));
        let text = format!("{}{via} on {}", node.name, out.device);
        account
            .evidence
            .push(held(&node.name, "routes", text.clone()));
        account.text.push(text);
        if let Some(other) = masquerades_elsewhere(trip, node, left) {
            let to = left.packet.dst;
            account
                .text
                .push(format!("{} leaves as {}", trip.client, left.packet.src));
            account.fails(
                &node.name,
                Fault::Way(WayFault::NotMasqueraded { to, other }),
            );
        }
        return Some(None);
    };
    let peer = peer_of(
        trip,
        last,
        node,
        left.packet.src,
        trip.destination_pod().is_some(),
    );
    let carried = wire::carry(node, out, left.packet, &peer);
    let way = format!("{} → {last} {}", node.name, carried.text);
    account.text.push(way);
    account.takes(carried)
}

/// A node that masquerades what this one sends out under a pod's own address. Whether the network
/// outside knows pods' addresses is nowhere to be read; what the other nodes do tells.
fn masquerades_elsewhere(trip: &Trip<'_, '_>, node: &NodeSite, left: &Left) -> Option<String> {
    /// More of them would say the same.
    const ASKED: usize = 3;
    trip.source_pod()?;
    if left.is_masqueraded || trip.last.is_some() {
        return None;
    }
    let others = trip.walker.view.nodes.iter();
    let others = others.filter(|other| other.name() != node.name).take(ASKED);
    others.into_iter().find_map(|other| {
        let site = trip.nodes().node(other.name())?;
        let ranges = other.pod_cidrs();
        let range = ranges
            .iter()
            .find(|range| crate::net::Family::of(range.addr()) == trip.family)?;
        let src = range.hosts().last()?;
        let interface = super::trip::device_to(site, src)?;
        let packet = Packet { src, ..left.packet };
        let answer = cross::walk(site, &Question::incoming(packet, interface));
        match cross::passage(&answer, &answer.outcomes) {
            Passage::Free(there) if there.is_masqueraded => Some(site.name.clone()),
            _ => None,
        }
    })
}

/// Into the last node, through its rules, to the pod or the node itself.
fn arrives(
    trip: &Trip<'_, '_>,
    node: &NodeSite,
    packet: Packet,
    interface: Option<String>,
    account: &mut Account,
) {
    let is_certain = interface.is_some();
    let Some(interface) = interface.or_else(|| super::trip::device_to(node, packet.src)) else {
        return;
    };
    if is_certain {
        account.admits(node, packet.src, &interface);
    }
    if account.fault.is_some() {
        return;
    }
    let answer = cross::walk(node, &Question::incoming(packet, interface.clone()));
    let is_for_pod = trip.destination_pod().is_some();
    match cross::passage(&answer, &answer.outcomes) {
        Passage::Free(left) if left.is_delivered || !is_for_pod => {}
        Passage::Free(left) => {
            account.forwards(trip, node, &interface);
            let out = left.out.map_or_else(String::new, |out| out.device);
            let text = format!("{} on {out}", packet.dst);
            account.evidence.push(held(&node.name, "routes", text));
        }
        Passage::NoWay(packet) => {
            let fault = wire::no_way(node, packet, Some(&interface));
            account.fails(&node.name, Fault::Way(fault));
        }
        Passage::Stopped(fault) => {
            account.text.push(blocked_text(&node.name, &fault));
            account.fails(&node.name, fault);
        }
        Passage::Unknown(why) => account.doubt = Some(format!("{}: {why}", node.name)),
        Passage::Nothing => {}
    }
}

/// Two pods on one bridge talk without their node's help, unless an address is translated.
pub(super) fn is_bridged(trip: &Trip<'_, '_>, node: &NodeSite) -> bool {
    let (Some(source), Some(destination)) = (trip.source_pod(), trip.destination_pod()) else {
        return false;
    };
    if trip.asked.is_some() || !trip.is_same_node() {
        return false;
    }
    let bridge_of = |pod| trip.attachment(node, pod)?.bridge;
    match (bridge_of(source), bridge_of(destination)) {
        (Some(one), Some(other)) => one.name == other.name,
        _ => false,
    }
}

/// What is known of the node at the other end.
pub(super) fn peer_of<'t>(
    trip: &Trip<'t, '_>,
    name: &'t str,
    from: &NodeSite,
    back_to: IpAddr,
    is_for_pod: bool,
) -> Peer<'t> {
    let view = trip.walker.view;
    let addresses = |name: &str| {
        let node = view.nodes.get("", name);
        node.map(NodeExt::addresses).unwrap_or_default()
    };
    let others = view
        .nodes
        .iter()
        .map(Named::name)
        .filter(|other| *other != name && *other != from.name);
    Peer {
        name,
        addresses: addresses(name),
        site: trip.nodes().node(name),
        back_to,
        is_for_pod,
        others: others
            .map(|other| (other.to_owned(), addresses(other)))
            .collect(),
    }
}

// === impl Account ===

impl Account {
    /// Notes what leaves open whether the packet passes.
    pub(super) fn doubts(&mut self, fault: Option<PlaneFault>, node: &str) {
        let Some(fault) = fault.filter(|_| self.open.is_none()) else {
            return;
        };
        self.text.push(format!("{node}: {}", fault.words()));
        self.evidence
            .push(held(node, "Cilium endpoints", fault.words()));
        self.open = Some((ObjectRef::cluster_wide("Node", node), Fault::Plane(fault)));
    }

    pub(super) fn fails(&mut self, node: &str, fault: Fault) {
        self.fault = Some((ObjectRef::cluster_wide("Node", node), fault));
    }

    #[allow(clippy::option_option)]
    fn takes(&mut self, carried: Carried) -> Option<Option<String>> {
        self.text.extend(carried.words());
        self.evidence.extend(carried.evidence);
        self.doubt = self.doubt.take().or(carried.doubt);
        self.fault = carried.fault;
        let goes_on = self
            .fault
            .as_ref()
            .is_none_or(|(_, fault)| fault.is_partial());
        goes_on.then_some(carried.arrives_by)
    }

    /// Whether a pod's interface hangs on the node's network.
    pub(super) fn hangs(&mut self, trip: &Trip<'_, '_>, node: &NodeSite, pod: &Pod) {
        let Some(attachment) = trip.attachment(node, pod) else {
            return;
        };
        let Some(address) = pod.ip(trip.family) else {
            return;
        };
        let on = attachment.interface();
        let text = format!("{} hangs on {on} by {}", pod.name(), attachment.port.name);
        self.evidence.push(held(&node.name, "links", text));
        if let Some(how) = attachment.fault(&node.state, address) {
            self.text
                .push(format!("{} is cut off from {}", pod.name(), node.name));
            self.fails(
                &node.name,
                Fault::Way(WayFault::Detached {
                    pod: pod.reference(),
                    how,
                }),
            );
        } else if let Some(gateway) = lost_gateway(trip, node, pod) {
            self.text.push(format!("{} has lost {gateway}", node.name));
            let fault = WayFault::NoGateway {
                pod: pod.reference(),
                gateway,
            };
            self.fails(&node.name, Fault::Way(fault));
        }
    }

    fn admits(&mut self, node: &NodeSite, source: IpAddr, interface: &str) {
        if let Some(kernel) = forwarding::reverse_path(node, source, interface) {
            self.text
                .push(format!("{} drops what comes in by {interface}", node.name));
            self.fails(&node.name, Fault::Kernel(kernel));
        }
    }

    /// What comes from outside and would be answered by another interface: a node with several.
    const fn enters(&mut self, trip: &Trip<'_, '_>) {
        if let Some((_, Fault::Kernel(KernelFault::ReversePath { is_entering, .. }))) =
            &mut self.fault
        {
            *is_entering = trip.is_entering;
        }
    }

    fn forwards(&mut self, trip: &Trip<'_, '_>, node: &NodeSite, interface: &str) {
        if self.fault.is_some() {
            return;
        }
        if let Some(kernel) = forwarding::refuses(node, trip.family, interface) {
            self.text
                .push(format!("{} does not forward {}", node.name, trip.family));
            self.fails(&node.name, Fault::Kernel(kernel));
        }
    }
}

/// The gateway of a pod's default route, where no interface of the node has it any more. Routed
/// plugins use an address that nobody has (169.254.1.1, fe80::…) and answer for it.
fn lost_gateway(trip: &Trip<'_, '_>, node: &NodeSite, pod: &Pod) -> Option<IpAddr> {
    let bridge = trip.attachment(node, pod)?.bridge?;
    let routing = trip.nodes().pod(pod)?.host.routing.as_ref()?;
    let far = match trip.family {
        crate::net::Family::V4 => IpAddr::from([203, 0, 113, 77]),
        crate::net::Family::V6 => return None,
    };
    let crate::route::Decision::Forward(hops) = routing.decide(crate::route::Query {
        src: None,
        dst: far,
        iif: None,
        mark: 0,
        protocol: None,
    }) else {
        return None;
    };
    let gateway = hops.first()?.gateway?;
    let is_link_local = matches!(gateway, IpAddr::V4(ip) if ip.is_link_local());
    let is_missing = node.state.host.links.is_some()
        && node.state.host.link_with(gateway).is_none()
        && bridge.addresses.iter().all(|own| own.ip.is_ipv6());
    (is_missing && !is_link_local).then_some(gateway)
}
