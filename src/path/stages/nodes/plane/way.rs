//! Stages `route` and `return` through Cilium's tunnel: its programs hand pods' packets to the tunnel
//! themselves, so that neither the nodes' routes nor their rules see them. The outer packets are the nodes'
//! own, and do meet their rules.

use std::net::IpAddr;

use super::super::route::{Account, peer_of};
use super::super::trip::Trip;
use super::super::tunnel;
use super::super::wire::held;
use super::ends;
use crate::cluster::access::NodeExt;
use crate::cluster::{Named, ObjectRef};
use crate::dataplane::cilium::Agent;
use crate::facts::{Link, Overlay};
use crate::net::{Family, Packet, Protocol};
use crate::path::{Fault, PlaneFault, WayFault};
use crate::world::NodeSite;

/// Cilium's tunnel on a node, where it has one.
pub fn tunnel_of(node: &NodeSite) -> Option<(&Link, &Overlay)> {
    let links = node.state.host.links.iter().flatten();
    let mut own = links.filter(|link| link.name == "cilium_vxlan" || link.name == "cilium_geneve");
    let link = own.next().filter(|_| node.has_cilium())?;
    Some((link, link.overlay()?))
}

/// From the source's node to the backend's interface.
pub fn follow(trip: &Trip<'_, '_>, node: &NodeSite, account: &mut Account) {
    if let Some(pod) = trip.source_pod() {
        account.hangs(trip, node, pod);
        account.doubts(ends::astray(node, pod), &node.name);
    }
    // To the address of a node itself packets travel as they are.
    if account.fault.is_none() && !trip.is_same_node() && trip.destination_pod().is_some() {
        cross(trip, node, account);
    }
    if let (Some(there), Some(pod), None) =
        (trip.last_site(), trip.destination_pod(), &account.fault)
    {
        account.hangs(trip, there, pod);
        account.doubts(ends::astray(there, pod), &there.name);
    }
    if account.fault.is_none() {
        account.fault = ends::dropped(trip);
        account.text.extend(
            account
                .fault
                .as_ref()
                .map(|(at, fault)| format!("{}: {}", at.name, words(fault))),
        );
    }
    let grown = node
        .tables
        .cilium
        .as_ref()
        .map(Agent::grown)
        .unwrap_or_default();
    for (reason, packets) in grown {
        let text = format!("{packets} packets dropped while the path was tried: {reason}");
        account
            .evidence
            .push(held(&node.name, "Cilium metrics", text));
    }
}

fn cross(trip: &Trip<'_, '_>, node: &NodeSite, account: &mut Account) {
    let (Some((link, overlay)), Some(last)) = (tunnel_of(node), trip.last) else {
        return;
    };
    if !link.is_up {
        let fault = WayFault::LinkDown {
            device: link.name.clone(),
            is_tunnel: true,
        };
        return account.fails(&node.name, Fault::Way(fault));
    }
    let peer = peer_of(
        trip,
        last,
        node,
        trip.client,
        trip.destination_pod().is_some(),
    );
    let (towards, fault) = target(trip, node, &peer.addresses);
    let via = towards.map_or_else(String::new, |to| format!(" to {to}"));
    let text = format!(
        "{} → {last} through {} ({}){via}",
        node.name, link.name, overlay.kind
    );
    account
        .evidence
        .push(held(&node.name, "Cilium ipcache", text.clone()));
    account.text.push(text);
    if let Some(fault) = fault {
        account.text.push(fault.words());
        return account.fails(&node.name, Fault::Plane(fault));
    }
    let (Some(there), Some(to)) = (
        peer.site,
        towards.or_else(|| peer.addresses.first().copied()),
    ) else {
        return;
    };
    let Some(outer) = outer_packet(trip, node, overlay, to) else {
        return;
    };
    if let Some((at, fault)) = tunnel::blocked(node, there, &link.name, outer) {
        account.text.push(format!("{at}: {}", fault.words()));
        account.fails(&at, Fault::Tunnel(fault));
    }
}

/// Where the tunnel leads, as the address book of the node has it, and what is wrong with that.
fn target(
    trip: &Trip<'_, '_>,
    node: &NodeSite,
    peer: &[IpAddr],
) -> (Option<IpAddr>, Option<PlaneFault>) {
    let agent = node.tables.cilium.as_ref();
    let book = agent.and_then(|agent| agent.addresses.as_ref());
    let (Some(book), Some(_)) = (book, trip.destination_pod()) else {
        return (None, None);
    };
    let to = trip.endpoint.ip();
    let leads_to = book.owner(to).and_then(|(_, owner)| owner.tunnel);
    let is_right = leads_to.is_some_and(|own| peer.is_empty() || peer.contains(&own));
    let fault = (!is_right).then(|| PlaneFault::Tunnel {
        to,
        leads_to,
        peer: peer.to_vec(),
    });
    (leads_to, fault)
}

/// The outer packet: from node to node. Its source port follows from the flow inside, so that no rule may
/// look at it.
fn outer_packet(
    trip: &Trip<'_, '_>,
    node: &NodeSite,
    overlay: &Overlay,
    to: IpAddr,
) -> Option<Packet> {
    let port = overlay
        .port
        .unwrap_or(if overlay.kind == "geneve" { 6081 } else { 8472 });
    let object = trip.walker.view.nodes.get("", &node.name);
    let own = object.map(NodeExt::addresses).unwrap_or_default();
    let from = own
        .into_iter()
        .find(|ip| Family::of(*ip) == Family::of(to))?;
    Some(Packet::new(from, to, port, Protocol::Udp))
}

/// The answers, from the backend's node through its own tunnel.
pub fn answers(
    trip: &Trip<'_, '_>,
    there: &NodeSite,
) -> Option<(String, Option<(ObjectRef, Fault)>)> {
    let (link, overlay) = tunnel_of(there)?;
    let node = trip.first_site()?;
    let object = trip.walker.view.nodes.get("", &node.name)?;
    let to = object.addresses().into_iter().next()?;
    let outer = outer_packet(trip, there, overlay, to)?;
    let way = format!("{} → {}", there.name, object.name());
    let is_tunneled = trip.source_pod().is_some() && trip.destination_pod().is_some();
    if !is_tunneled {
        return Some((way, None));
    }
    let text = format!("{way} through {}", link.name);
    let fault = tunnel::blocked(there, node, &link.name, outer);
    Some((
        text,
        fault.map(|(at, fault)| (ObjectRef::cluster_wide("Node", at), Fault::Tunnel(fault))),
    ))
}

fn words(fault: &Fault) -> String {
    match fault {
        Fault::Plane(fault) => fault.words(),
        _ => String::new(),
    }
}
