//! From one node to the next: the way out, the neighbour or the tunnel, and how the packet arrives.

use std::net::IpAddr;

use super::tunnel;
use crate::cluster::ObjectRef;
use crate::facts::{Link, LinkKind, NeighbourState, NextHop};
use crate::net::Packet;
use crate::path::Basis;
use crate::path::{Evidence, Fault, WayFault};
use crate::route::{Decision, Query, Selected};
use crate::world::NodeSite;

/// The node at the other end.
pub(super) struct Peer<'a> {
    pub name: &'a str,
    pub addresses: Vec<IpAddr>,
    pub site: Option<&'a NodeSite>,
    /// Where answers go: an address behind the sending node.
    pub back_to: IpAddr,
    /// Whether the packet is for a pod and not for the node itself.
    pub is_for_pod: bool,
    /// All other nodes with their addresses.
    pub others: Vec<(String, Vec<IpAddr>)>,
}

/// What was found on the way.
#[derive(Default)]
pub(super) struct Carried {
    /// `via 172.30.0.12, MTU 1500`
    pub text: String,
    pub evidence: Vec<Evidence>,
    pub fault: Option<(ObjectRef, Fault)>,
    pub doubt: Option<String>,
    /// The interface by which it comes in at the peer, if that was gathered.
    pub arrives_by: Option<String>,
}

/// Follows a packet out of `from`.
pub(super) fn carry(from: &NodeSite, out: &NextHop, packet: Packet, peer: &Peer<'_>) -> Carried {
    let mut carried = Carried::default();
    let host = &from.state.host;
    let link = host.link(&out.device);
    let mtu = link.map_or_else(String::new, |link| format!(", MTU {}", link.mtu));
    let via = out.gateway.map_or_else(
        || format!("on {}", out.device),
        |gateway| format!("via {gateway} on {}", out.device),
    );
    carried.text = format!("{via}{mtu}");
    carried.evidence.push(held(
        &from.name,
        "routes",
        format!("{} {via}{mtu}", packet.dst),
    ));
    if let Some(link) = link.filter(|link| !link.is_up || !link.has_carrier) {
        let fault = WayFault::LinkDown {
            device: link.name.clone(),
            is_tunnel: link.overlay().is_some(),
        };
        return carried.failing(&from.name, Fault::Way(fault));
    }
    if let Some(link) = link
        && let Some(overlay) = link.overlay()
    {
        return tunnel::carry(from, (link, overlay), out, packet, peer, carried);
    }
    if let Some(fault) = leak(from, packet, peer) {
        return carried.failing(&from.name, Fault::Way(fault));
    }
    if let Some(gateway) = out.gateway {
        let owner = peer.others.iter().find(|(_, own)| own.contains(&gateway));
        if let Some((owner, _)) = owner.filter(|_| peer.is_for_pod) {
            let fault = WayFault::WrongNode {
                to: packet.dst,
                gateway,
                owner: owner.clone(),
            };
            return carried.failing(&from.name, Fault::Way(fault));
        }
    }
    let next = out.gateway.unwrap_or(packet.dst);
    if let Some(fault) = neighbour(from, next, &out.device, peer) {
        return carried.failing(&from.name, Fault::Way(fault));
    }
    arrive(from, link, out, peer, carried)
}

/// The packet comes in at the peer by the interface that has the next hop's address, else by the one
/// with an address of the peer.
fn arrive(
    from: &NodeSite,
    link: Option<&Link>,
    out: &NextHop,
    peer: &Peer<'_>,
    mut carried: Carried,
) -> Carried {
    let Some(there) = peer.site else {
        return carried;
    };
    let next = out
        .gateway
        .into_iter()
        .chain(peer.addresses.iter().copied());
    let incoming = next
        .into_iter()
        .find_map(|ip| there.state.host.link_with(ip));
    let Some(incoming) = incoming else {
        return carried;
    };
    carried.arrives_by = Some(incoming.name.clone());
    let is_direct = out.gateway.is_none_or(|gateway| incoming.has(gateway));
    if let Some(link) = link.filter(|link| is_direct && link.mtu > incoming.mtu)
        && fills(from, link.mtu)
    {
        let fault = WayFault::TooLarge {
            sends: link.mtu,
            takes: incoming.mtu,
            device: incoming.name.clone(),
        };
        return carried.failing(&from.name, Fault::Way(fault));
    }
    carried
}

/// Whether pods of a node send packets as large as the interface takes.
fn fills(node: &NodeSite, mtu: u32) -> bool {
    let links = node.state.host.links.iter().flatten();
    let mut ports = links.filter(|link| link.kind == LinkKind::Veth && link.master.is_some());
    ports.any(|port| port.mtu >= mtu)
}

/// A packet for a pod that leaves by the default route, while the peer has a route of its own for the
/// way back: the network in between does not route pod addresses, or the peer would not need one.
fn leak(from: &NodeSite, packet: Packet, peer: &Peer<'_>) -> Option<WayFault> {
    if !peer.is_for_pod {
        return None;
    }
    let (prefix, gateway) = chosen(from, packet.dst)?;
    let (back, _) = chosen(peer.site?, peer.back_to)?;
    (prefix.prefix_len() == 0 && back.prefix_len() > 0).then(|| WayFault::ByDefault {
        to: packet.dst,
        gateway,
        peer_route: back.to_string(),
    })
}

/// The prefix of the route that a node takes to an address.
fn chosen(node: &NodeSite, dst: IpAddr) -> Option<(ipnet::IpNet, Option<IpAddr>)> {
    let query = Query {
        src: None,
        dst,
        iif: None,
        mark: 0,
        protocol: None,
    };
    match node.state.host.routing.as_ref()?.select(query) {
        Ok(Some(Selected::Route(route))) => {
            let gateway = route.hops.first().and_then(|hop| hop.gateway);
            Some((route.destination, gateway))
        }
        _ => None,
    }
}

/// A next hop that was asked for its link address and did not answer, or whose address was noted by
/// hand and is another one.
fn neighbour(from: &NodeSite, ip: IpAddr, device: &str, peer: &Peer<'_>) -> Option<WayFault> {
    let mut all = from.state.neighbours.iter().flatten();
    let known = all.find(|one| one.ip == ip && one.device == device)?;
    match known.state {
        NeighbourState::Failed => Some(WayFault::DeadNeighbour {
            ip,
            device: device.to_owned(),
        }),
        NeighbourState::Permanent => {
            let real = peer.site?.state.host.link_with(ip)?.mac.clone()?;
            let noted = known.mac.clone()?;
            (real != noted).then_some(WayFault::WrongLinkAddress { ip, noted, real })
        }
        NeighbourState::Usable | NeighbourState::Incomplete => None,
    }
}

/// Why a node has no way for a packet.
pub(super) fn no_way(node: &NodeSite, packet: Packet, interface: Option<&str>) -> WayFault {
    let to = packet.dst;
    let Some(routing) = &node.state.host.routing else {
        return WayFault::NoRoute { to };
    };
    let query = Query {
        src: Some(packet.src),
        dst: to,
        iif: interface,
        mark: 0,
        protocol: Some(packet.protocol),
    };
    match routing.select(query) {
        Ok(Some(Selected::Rule(rule, kind))) => WayFault::DeadEnd {
            to,
            what: format!("policy rule {} ({kind:?})", rule.priority).to_lowercase(),
        },
        Ok(Some(Selected::Route(route))) => {
            // A table that only some packets are sent to, by a policy rule.
            let plain = Query {
                src: None,
                iif: None,
                ..query
            };
            let is_captured = !matches!(routing.decide(plain), Decision::Refuse(_));
            let how = if is_captured {
                ", chosen by a policy rule"
            } else {
                ""
            };
            WayFault::DeadEnd {
                to,
                what: format!(
                    "{} {}{how}",
                    format!("{:?}", route.kind).to_lowercase(),
                    route.destination
                ),
            }
        }
        _ => WayFault::NoRoute { to },
    }
}

pub(super) fn held(node: &str, what: &str, text: String) -> Evidence {
    Evidence {
        source: Basis::Node,
        reference: format!("Node/{node} {what}"),
        text,
    }
}

// === impl Carried ===

impl Carried {
    /// What is wrong, in a few words.
    pub(super) fn words(&self) -> Option<String> {
        let (at, fault) = self.fault.as_ref()?;
        let words = match fault {
            Fault::Way(way) => way.words(),
            Fault::Tunnel(tunnel) => tunnel.words(),
            _ => return None,
        };
        Some(format!("{}: {words}", at.name))
    }

    pub(super) fn failing(mut self, node: &str, fault: Fault) -> Self {
        self.fault = Some((ObjectRef::cluster_wide("Node", node), fault));
        self
    }
}
