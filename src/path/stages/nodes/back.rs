//! Stage `return`: the answers, through the same nodes the other way.
//!
//! Conntrack knows the connection: its answers are ESTABLISHED, and the translations of the first node
//! are undone there.

use super::cross::{self, Left, Passage};
use super::nat::blocked_text;
use super::plane;
use super::route::{is_bridged, peer_of};
use super::trip::{Trip, device_to, node_hop, with};
use super::wire::{self, held};
use super::{forwarding, is_denied};
use crate::nat::eval::{Question, Undo};
use crate::path::trail::Trail;
use crate::path::{
    Evidence, Fault, Hop, KernelFault, ProxyFault, Stage, Status, TunnelFault, WayFault,
};
use crate::route::{Decision, Query};
use crate::world::NodeSite;

/// What the answers meet.
#[derive(Default)]
struct Account {
    text: Vec<String>,
    evidence: Vec<Evidence>,
    /// The node that holds it.
    fault: Option<(String, Fault)>,
    doubt: Option<String>,
}

/// Adds the hop.
pub(super) fn step<'v>(trip: &Trip<'_, 'v>, sent: &Left, trail: &mut Trail<'v>) {
    let mut account = Account::default();
    follow(trip, sent, &mut account);
    if account.evidence.is_empty() && account.fault.is_none() {
        return;
    }
    let name = trip.last.or(trip.first).unwrap_or_default();
    let hop = with(
        node_hop(Stage::Return, name, account.text.join(", ")),
        account.evidence,
    );
    if let Some((at, fault)) = &account.fault
        && !matches!(fault, Fault::Tunnel(TunnelFault::PortBlocked { .. }))
        && let Some(why) = trip.bypass(at)
    {
        account.fault = None;
        account.doubt = Some(why);
    }
    match (account.fault, account.doubt) {
        (Some((_, Fault::Blocked { .. })), _) if is_denied(trail) => {}
        (Some((node, kind)), _) => {
            let stops = !kind.is_partial();
            super::nat::raise(trail, hop, trip.at_node(&node, Stage::Return, kind), stops);
        }
        (None, Some(why)) => trail.push(Hop {
            status: Status::Unknown,
            summary: why,
            ..hop
        }),
        (None, None) => trail.push(hop),
    }
}

fn follow(trip: &Trip<'_, '_>, sent: &Left, account: &mut Account) {
    if let Some(node) = trip.last_site().filter(|_| !trip.is_same_node())
        && let Some((text, fault)) = plane::answers(trip, node)
    {
        account.tells(node, text);
        account.fault = fault.map(|(at, fault)| (at.name, fault));
        return;
    }
    // Cilium's programs hand answers to the pod themselves: no rule of its node sees them.
    let is_handed_over = |node: &NodeSite| plane::tunnel_of(node).is_some();
    if trip.source_pod().is_some() && trip.first_site().is_some_and(is_handed_over) {
        return;
    }
    if let Some(fault) = on_one_bridge(trip, sent) {
        let node = trip.first.unwrap_or_default();
        account.text.push(match &fault {
            Fault::Kernel(KernelFault::BridgeBypass { bridge, .. }) => {
                format!("answers cross {bridge} without being translated back")
            }
            _ => "the pod's own packet does not come back".to_owned(),
        });
        account.fault = Some((node.to_owned(), fault));
        return;
    }
    let arrived = if trip.is_same_node() {
        None
    } else if let Some(node) = trip.last_site() {
        match leave(trip, node, sent, account) {
            Some(arrived) => arrived,
            None => return,
        }
    } else {
        None
    };
    if let Some(node) = trip.first_site()
        && !is_bridged(trip, node)
    {
        come_home(trip, node, sent, arrived, account);
    }
}

/// From the backend out of its node. The inner option is the interface at the first node.
#[allow(clippy::option_option)]
fn leave(
    trip: &Trip<'_, '_>,
    node: &NodeSite,
    sent: &Left,
    account: &mut Account,
) -> Option<Option<String>> {
    let packet = trip.answer_to(sent.packet.src);
    let (mut question, is_pod) = match trip.destination_pod() {
        Some(pod) => {
            let interface = trip.interface_of(node, pod)?;
            (Question::incoming(packet, interface), true)
        }
        None => (Question::made_here(packet), false),
    };
    question.reply = Some(Undo::default());
    if trip.is_stand_in && !sent.is_masqueraded {
        return None;
    }
    let answer = cross::walk(node, &question);
    let left = account.passes(node, cross::passage(&answer, &answer.outcomes), &question)?;
    if let (Some(interface), true) = (&question.in_interface, is_pod)
        && let Some(kernel) = forwarding::refuses(node, trip.family, interface)
            .or_else(|| forwarding::reverse_path(node, packet.src, interface))
    {
        account
            .text
            .push(format!("{} does not pass answers on", node.name));
        account.fault = Some((node.name.clone(), Fault::Kernel(kernel)));
        return None;
    }
    let out = left.out?;
    let Some(first) = trip.first else {
        account.tells(
            node,
            format!("{} to {} on {}", node.name, packet.dst, out.device),
        );
        return None;
    };
    let is_for_pod = trip.source_pod().is_some() && !sent.is_masqueraded;
    let peer = peer_of(trip, first, node, trip.endpoint.ip(), is_for_pod);
    let carried = wire::carry(node, &out, packet, &peer);
    account
        .text
        .push(format!("{} → {first} {}", node.name, carried.text));
    account.text.extend(carried.words());
    account.evidence.extend(carried.evidence);
    account.doubt = account.doubt.take().or(carried.doubt);
    match carried.fault {
        // Said of the way there already, if it is so there; for answers too-large is the same link.
        Some((_, Fault::Way(WayFault::TooLarge { .. }))) | None => Some(carried.arrives_by),
        Some((at, fault)) => {
            account.fault = Some((at.name, fault));
            None
        }
    }
}

/// Back through the first node, where translations are undone.
fn come_home(
    trip: &Trip<'_, '_>,
    node: &NodeSite,
    sent: &Left,
    interface: Option<String>,
    account: &mut Account,
) {
    if trip.is_stand_in {
        return;
    }
    let is_certain = interface.is_some();
    let packet = trip.answer_to(sent.packet.src);
    let is_own_backend = trip.is_same_node() && trip.destination_pod().is_none();
    let interface = match (
        interface,
        trip.destination_pod().filter(|_| trip.is_same_node()),
    ) {
        (Some(interface), _) => Some(interface),
        (None, Some(pod)) => trip.interface_of(node, pod),
        (None, None) => super::trip::device_to(node, packet.src),
    };
    let mut question = match interface.filter(|_| !is_own_backend) {
        Some(interface) => Question::incoming(packet, interface),
        None => Question::made_here(packet),
    };
    question.reply = Some(Undo {
        source: trip.asked.map(|asked| (asked.ip(), asked.port())),
        destination: sent.is_masqueraded.then_some(trip.client),
    });
    if let Some(interface) = question.in_interface.as_deref().filter(|_| is_certain)
        && let Some(kernel) = forwarding::reverse_path(node, packet.src, interface)
    {
        account.text.push(format!("{} drops answers", node.name));
        account.fault = Some((node.name.clone(), Fault::Kernel(kernel)));
        return;
    }
    let answer = cross::walk(node, &question);
    let Some(left) = account.passes(node, cross::passage(&answer, &answer.outcomes), &question)
    else {
        return;
    };
    if let (Some(interface), false, Some(_)) =
        (&question.in_interface, left.is_delivered, trip.source_pod())
        && let Some(kernel) = forwarding::refuses(node, trip.family, interface)
    {
        account
            .text
            .push(format!("{} does not pass answers on", node.name));
        account.fault = Some((node.name.clone(), Fault::Kernel(kernel)));
        return;
    }
    let seen_as = trip.asked.unwrap_or(trip.endpoint);
    account.tells(node, format!("{} gets answers from {seen_as}", trip.client));
}

/// Answers between two pods of one bridge go from port to port: iptables sees them, and so undoes the
/// translation, only where the bridge hands them over (br_netfilter). A pod that is its own backend
/// needs a port that sends back what came in by it.
fn on_one_bridge(trip: &Trip<'_, '_>, sent: &Left) -> Option<Fault> {
    trip.asked?;
    let node = trip.first_site().filter(|_| trip.is_same_node())?;
    let source = trip.source_pod()?;
    // A DNS pod is often not in a view of the path to another Service: its node and address are.
    let destination = trip.destination_pod();
    let bridge = trip.attachment(node, source)?.bridge?;
    let port = destination.and_then(|pod| trip.attachment(node, pod));
    // A pod that was not looked into hangs where its node sends what is for it.
    let other = match &port {
        Some(port) => port.bridge.map(|bridge| bridge.name.clone()),
        None if destination.is_some_and(|pod| trip.nodes().pod(pod).is_some()) => None,
        None => device_to(node, trip.endpoint.ip()),
    };
    if other.as_ref() != Some(&bridge.name) {
        return None;
    }
    if destination.is_some_and(|pod| source.reference() == pod.reference()) {
        let port = port?;
        let mut ports = node.state.bridge_ports.iter().flatten();
        let own = ports.find(|own| own.device == port.port.name)?;
        let is_promiscuous = own.hairpin != Some(false);
        return (!is_promiscuous).then(|| {
            Fault::Proxy(ProxyFault::NoHairpin {
                port: own.device.clone(),
            })
        });
    }
    if sent.is_masqueraded || !answers_directly(trip) {
        return None;
    }
    let (setting, index) = match trip.family {
        crate::net::Family::V4 => ("net.bridge.bridge-nf-call-iptables", 0),
        crate::net::Family::V6 => ("net.bridge.bridge-nf-call-ip6tables", 1),
    };
    if bridge.calls_filters[index] {
        return None;
    }
    let sysctls = node.state.sysctls.as_ref()?;
    let value = sysctls.number(setting);
    // Without br_netfilter the setting does not exist; a listing of a few settings proves nothing.
    let is_whole = sysctls.get("net.core.somaxconn").is_some();
    let is_off = value == Some(0) || value.is_none() && is_whole;
    is_off.then(|| {
        Fault::Kernel(KernelFault::BridgeBypass {
            setting: setting.to_owned(),
            value,
            bridge: bridge.name.clone(),
        })
    })
}

/// Whether the backend reaches the client without its node, as its own routes say; those of the client where they
/// are not known, since one plugin writes the routes of all pods on a bridge.
fn answers_directly(trip: &Trip<'_, '_>) -> bool {
    let own = |pod| trip.nodes().pod(pod)?.host.routing.as_ref();
    let there = trip.destination_pod().and_then(own);
    let known = there.map(|routing| (routing, trip.client));
    let here = || Some((trip.source_pod().and_then(own)?, trip.endpoint.ip()));
    let Some((routing, dst)) = known.or_else(here) else {
        return false;
    };
    let query = Query {
        src: None,
        dst,
        iif: None,
        mark: 0,
        protocol: None,
    };
    match routing.decide(query) {
        Decision::Forward(hops) => hops.iter().all(|hop| hop.gateway.is_none()),
        _ => false,
    }
}

// === impl Account ===

impl Account {
    fn tells(&mut self, node: &NodeSite, text: String) {
        self.evidence
            .push(held(&node.name, "rules, routes", text.clone()));
        self.text.push(text);
    }

    /// How an answer leaves a node, if it does.
    fn passes(&mut self, node: &NodeSite, passage: Passage, question: &Question) -> Option<Left> {
        match passage {
            Passage::Free(left) => return Some(left),
            Passage::Stopped(fault) => {
                self.text.push(blocked_text(&node.name, &fault));
                self.fault = Some((node.name.clone(), fault));
            }
            Passage::NoWay(packet) => {
                let fault = wire::no_way(node, packet, question.in_interface.as_deref());
                self.text
                    .push(format!("{} has no way back to {}", node.name, packet.dst));
                self.fault = Some((node.name.clone(), Fault::Way(fault)));
            }
            Passage::Unknown(why) => self.doubt = Some(format!("{}: {why}", node.name)),
            Passage::Nothing => {}
        }
        None
    }
}
