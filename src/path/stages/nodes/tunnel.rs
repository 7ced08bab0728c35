//! Through a tunnel: whether both ends know each other, and whether the packet fits.

use super::cross::{self, Passage};
use super::wire::{Carried, Peer, held};
use crate::facts::{Link, NeighbourState, NextHop, Overlay};
use crate::nat::eval::Question;
use crate::net::{Packet, Protocol};
use crate::path::{Fault, TunnelFault, WayFault};
use crate::world::NodeSite;

/// Follows a packet into a tunnel.
pub(super) fn carry(
    from: &NodeSite,
    (link, overlay): (&Link, &Overlay),
    out: &NextHop,
    packet: Packet,
    peer: &Peer<'_>,
    mut carried: Carried,
) -> Carried {
    let id = overlay.id.map_or_else(String::new, |id| format!(" {id}"));
    carried.text = format!(
        "through {} ({}{id}), MTU {}",
        link.name, overlay.kind, link.mtu
    );
    if overlay.is_external {
        carried.doubt = Some(format!(
            "{} is steered by a program of its own: where it sends a packet is not in the tables of {}",
            link.name, from.name
        ));
        return carried;
    }
    if matches!(overlay.kind.as_str(), "vxlan" | "geneve") {
        match entry(from, link, overlay, out, packet, peer) {
            Ok(text) => carried.evidence.push(held(&from.name, "fdb", text)),
            Err(fault) => return carried.failing(&from.name, Fault::Tunnel(fault)),
        }
    }
    let Some(there) = peer.site else {
        return carried;
    };
    let mut tunnels = there.state.host.links.iter().flatten().filter_map(|other| {
        let own = other.overlay()?;
        (own.kind == overlay.kind).then_some((other, own))
    });
    let same_name = tunnels.clone().find(|(other, _)| other.name == link.name);
    let Some((other, own)) = same_name.or_else(|| tunnels.next()) else {
        if there.state.host.links.is_none() {
            return carried;
        }
        let fault = TunnelFault::NoPeer {
            device: link.name.clone(),
        };
        return carried.failing(peer.name, Fault::Tunnel(fault));
    };
    if !other.is_up {
        let fault = WayFault::LinkDown {
            device: other.name.clone(),
            is_tunnel: true,
        };
        return carried.failing(peer.name, Fault::Way(fault));
    }
    if own.id != overlay.id || own.port != overlay.port {
        let fault = TunnelFault::Differs {
            device: link.name.clone(),
            here: shown(overlay),
            there: shown(own),
        };
        return carried.failing(peer.name, Fault::Tunnel(fault));
    }
    if let Some(noted) = mac_of(from, out, packet, link)
        && let Some(real) = other.mac.clone().filter(|real| *real != noted)
    {
        let fault = TunnelFault::OtherAddress {
            device: other.name.clone(),
            noted,
            real,
        };
        return carried.failing(&from.name, Fault::Tunnel(fault));
    }
    if let Some((at, fault)) = outer_blocked(from, (link, overlay), there, own) {
        return carried.failing(&at, Fault::Tunnel(fault));
    }
    carried.arrives_by = Some(other.name.clone());
    too_large(from, (link, overlay), there, own, carried)
}

/// The outer packet is one of the node's own, from address to address: rules of either node may stop it.
/// Its source port follows from the flow inside (RFC 7348, 5), so that no rule may look at it.
fn outer_blocked(
    from: &NodeSite,
    (link, overlay): (&Link, &Overlay),
    there: &NodeSite,
    own: &Overlay,
) -> Option<(String, TunnelFault)> {
    let packet = Packet::new(overlay.local?, own.local?, own.port?, Protocol::Udp);
    let carrier = own.carrier.clone().or_else(|| {
        let link = there.state.host.link_with(own.local?)?;
        Some(link.name.clone())
    })?;
    stopped(
        [
            (from, Question::made_here(packet)),
            (there, Question::incoming(packet, carrier)),
        ],
        &link.name,
        packet,
    )
}

/// An outer packet of a tunnel that a rule of either node stops.
pub(super) fn blocked(
    from: &NodeSite,
    there: &NodeSite,
    device: &str,
    packet: Packet,
) -> Option<(String, TunnelFault)> {
    let carrier = there.state.host.link_with(packet.dst)?.name.clone();
    stopped(
        [
            (from, Question::made_here(packet)),
            (there, Question::incoming(packet, carrier)),
        ],
        device,
        packet,
    )
}

fn stopped(
    ways: [(&NodeSite, Question); 2],
    device: &str,
    packet: Packet,
) -> Option<(String, TunnelFault)> {
    ways.into_iter().find_map(|(node, question)| {
        node.state.rules.as_ref()?;
        let answer = cross::walk(node, &question);
        match cross::passage(&answer, &answer.outcomes) {
            Passage::Stopped(Fault::Blocked { rule, .. }) => {
                let fault = TunnelFault::PortBlocked {
                    device: device.to_owned(),
                    rule: Box::new(rule),
                    packet,
                };
                Some((node.name.clone(), fault))
            }
            _ => None,
        }
    })
}

/// The outer packet must fit the interfaces that carry it, on both nodes. The sending kernel tells its
/// pods when it does not; nobody tells them of the receiving one.
fn too_large(
    from: &NodeSite,
    (link, overlay): (&Link, &Overlay),
    there: &NodeSite,
    own: &Overlay,
    carried: Carried,
) -> Carried {
    let outer = |node: &NodeSite, overlay: &Overlay| {
        let host = &node.state.host;
        let named = overlay.carrier.as_deref().and_then(|name| host.link(name));
        let link = named.or_else(|| host.link_with(overlay.local?))?;
        Some((link.name.clone(), link.mtu))
    };
    let overhead = overlay.overhead(overlay.local.is_some_and(|ip| ip.is_ipv6()));
    let (Some((_, sending)), Some((device, takes))) = (outer(from, overlay), outer(there, own))
    else {
        return carried;
    };
    let sends = (link.mtu + overhead).min(sending);
    if sends <= takes {
        return carried;
    }
    let fault = WayFault::TooLarge {
        sends,
        takes,
        device,
    };
    carried.failing(&from.name, Fault::Way(fault))
}

/// The link address of the next hop in the tunnel, as the node has noted it.
fn mac_of(from: &NodeSite, out: &NextHop, packet: Packet, link: &Link) -> Option<String> {
    let next = out.gateway.unwrap_or(packet.dst);
    let mut all = from.state.neighbours.iter().flatten();
    let known = all.find(|one| one.ip == next && one.device == link.name)?;
    known
        .mac
        .clone()
        .filter(|_| known.state != NeighbourState::Failed)
}

/// Where the tunnel sends the frame. Without an entry of its own it goes where the all-zero address
/// or the device's default peer points, and nowhere without those.
fn entry(
    from: &NodeSite,
    link: &Link,
    overlay: &Overlay,
    out: &NextHop,
    packet: Packet,
    peer: &Peer<'_>,
) -> Result<String, TunnelFault> {
    let (Some(neighbours), Some(entries)) = (&from.state.neighbours, &from.state.forwarding) else {
        return Ok("not gathered".to_owned());
    };
    let of_device = || entries.iter().filter(|one| one.device == link.name);
    let floods = overlay.default_peer.is_some()
        || of_device().any(|one| one.mac == "00:00:00:00:00:00" && one.destination.is_some());
    let gateway = out.gateway.unwrap_or(packet.dst);
    let mac = mac_of(from, out, packet, link);
    let no_entry = |mac: Option<String>| TunnelFault::NoEntry {
        device: link.name.clone(),
        mac,
        gateway,
    };
    let Some(mac) = mac else {
        // It may ask all peers for the address where it can reach all of them.
        let is_noted = neighbours.iter().any(|one| one.device == link.name);
        return if floods || !is_noted {
            Ok("asks every peer".to_owned())
        } else {
            Err(no_entry(None))
        };
    };
    let found = of_device().find(|one| one.mac == mac && one.destination.is_some());
    let Some(found) = found else {
        return if floods {
            Ok(format!("{mac}: to every peer"))
        } else {
            Err(no_entry(Some(mac)))
        };
    };
    let Some(to) = found.destination else {
        return Ok(mac);
    };
    let own = peer
        .site
        .into_iter()
        .flat_map(|site| site.state.host.links.iter().flatten());
    let locals: Vec<_> = own.filter_map(|link| link.overlay()?.local).collect();
    let is_peer = peer.addresses.contains(&to) || locals.contains(&to);
    if is_peer || peer.addresses.is_empty() {
        Ok(format!("{mac} to {to}"))
    } else {
        let mut known = peer.addresses.clone();
        known.extend(locals);
        known.dedup();
        Err(TunnelFault::WrongPeer {
            device: link.name.clone(),
            to,
            peer: known,
        })
    }
}

fn shown(overlay: &Overlay) -> String {
    let part = |name: &str, value: Option<u64>| value.map(|value| format!(" {name} {value}"));
    format!(
        "{}{}{}",
        overlay.kind,
        part("id", overlay.id).unwrap_or_default(),
        part("port", overlay.port.map(u64::from)).unwrap_or_default()
    )
}
