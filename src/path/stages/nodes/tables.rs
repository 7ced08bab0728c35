//! Tables of a node's kernel: full ones, and connections that outlived their endpoint.

use std::net::IpAddr;

use super::super::endpoints::slices;
use super::counters;
use super::cross::Left;
use super::trip::{Trip, node_hop};
use crate::net::{Family, Protocol};
use crate::path::trail::Trail;
use crate::path::{Break, Fault, Hop, KernelFault, ProxyFault, Stage, Status};
use crate::world::NodeSite;

/// Adds what makes connections fail now and then, beside hops that pass.
pub(super) fn step<'v>(trip: &Trip<'_, 'v>, sent: Option<&Left>, trail: &mut Trail<'v>) {
    let sites = [
        trip.first_site(),
        trip.last_site().filter(|_| !trip.is_same_node()),
    ];
    for node in sites.into_iter().flatten() {
        let found = [full(node, trip.family), forgets(trip, node)];
        for (fault, text) in found.into_iter().flatten() {
            limp(trip, node, Fault::Kernel(fault), &text, trail);
        }
    }
    let Some(node) = trip.first_site() else {
        return;
    };
    let counted = [
        counters::collides(trip, node, sent),
        counters::strays(trip, node),
    ];
    for (fault, text) in counted.into_iter().flatten() {
        limp(trip, node, Fault::Kernel(fault), &text, trail);
    }
    for fault in programs(trip, node, sent) {
        let fault = trip.at_node(&node.name, Stage::Nat, Fault::Kernel(fault));
        trail.breaks.push(Break::Node(Box::new(fault)));
    }
    // What the rules do with every new connection they did with those of our own probe, too: its entries are a
    // consequence of that, and no evidence.
    let is_led_astray = trail.hops.iter().any(|hop| {
        let is_here = hop.at.as_ref().is_some_and(|at| at.name == node.name);
        hop.stage == Stage::Nat && hop.status != Status::Pass && is_here
    });
    if let Some(fault) = stale(trip, node).filter(|_| !is_led_astray) {
        let text = "a conntrack entry points to an endpoint that no longer exists";
        limp(trip, node, Fault::Proxy(fault), text, trail);
    }
}

/// Marks the node's hop, or adds one.
fn limp<'v>(trip: &Trip<'_, 'v>, node: &NodeSite, fault: Fault, text: &str, trail: &mut Trail<'v>) {
    let held = |hop: Hop| hop.held(format!("Node/{}", node.name), text);
    let fault = trip.at_node(&node.name, Stage::Nat, fault);
    let seen = Break::Node(Box::new(fault));
    let own = trail.hops.iter().position(|hop| {
        hop.stage == Stage::Nat && hop.at.as_ref().is_some_and(|at| at.name == node.name)
    });
    match own.map(|own| trail.hops.remove(own)) {
        Some(hop) if hop.status == Status::Pass => trail.warn(held(hop), seen),
        Some(hop) => {
            trail.push(held(hop));
            trail.breaks.push(seen);
        }
        None => {
            let text = format!("{}: {text}", node.name);
            trail.warn(held(node_hop(Stage::Nat, &node.name, text)), seen);
        }
    }
}

/// Programs on the interfaces that the packet passes at its first node, where nobody who is known to use
/// such is there. What they do is nowhere to be read.
fn programs(trip: &Trip<'_, '_>, node: &NodeSite, sent: Option<&Left>) -> Vec<KernelFault> {
    if node
        .dataplanes
        .iter()
        .any(|one| one.dataplane.attaches_programs())
    {
        return Vec::new();
    }
    let comes_by = trip.question(node).and_then(|asked| asked.in_interface);
    let port = trip
        .source_pod()
        .and_then(|pod| Some(trip.attachment(node, pod)?.port.name.clone()));
    let leaves_by = sent.and_then(|left| Some(left.out.as_ref()?.device.clone()));
    let passed: Vec<String> = [comes_by, port, leaves_by].into_iter().flatten().collect();
    let all = node.state.attached.iter().flatten();
    all.filter(|one| passed.contains(&one.device))
        .map(|one| KernelFault::Program(one.clone()))
        .collect()
}

/// A full connection table drops what is new; a full neighbour table does not resolve it.
fn full(node: &NodeSite, family: Family) -> Option<(KernelFault, String)> {
    let sysctls = node.state.sysctls.as_ref()?;
    let number = |name: &str| sysctls.number(name);
    if let (Some(count), Some(max)) = (
        number("net.netfilter.nf_conntrack_count"),
        number("net.netfilter.nf_conntrack_max"),
    ) && max > 0
        && count >= max
    {
        let text = format!("the connection table is full: {count} of {max}");
        return Some((KernelFault::ConnectionsFull { count, max }, text));
    }
    let name = match family {
        Family::V4 => "net.ipv4.neigh.default.gc_thresh3",
        Family::V6 => "net.ipv6.neigh.default.gc_thresh3",
    };
    let max = number(name).filter(|max| *max > 0)?;
    let all = node.state.neighbours.iter().flatten();
    let count = all.filter(|one| Family::of(one.ip) == family).count();
    let is_full = i64::try_from(count).is_ok_and(|count| count >= max);
    is_full.then(|| {
        let text = format!("the neighbour table is full: {count} of {max}");
        (KernelFault::NeighboursFull { count, max }, text)
    })
}

/// A node that forgets a translated connection while both ends still hold it: what comes next is not
/// translated any more. Below this many seconds not even pools that clean up after themselves, which
/// mostly do so within minutes, are quick enough.
fn forgets(trip: &Trip<'_, '_>, node: &NodeSite) -> Option<(KernelFault, String)> {
    const SETTING: &str = "net.netfilter.nf_conntrack_tcp_timeout_established";
    const SHORT: i64 = 300;
    trip.asked.filter(|_| trip.protocol == Protocol::Tcp)?;
    let seconds = node.state.sysctls.as_ref()?.number(SETTING)?;
    (seconds < SHORT).then(|| {
        let setting = SETTING;
        let text = format!("connections that are silent for {seconds} s are forgotten");
        (KernelFault::ForgetsIdle { setting, seconds }, text)
    })
}

/// A UDP connection of this client to the Service that leads to none of its endpoints. kube-proxy
/// deletes such entries when endpoints change; one that is left keeps a client that uses one source
/// port from ever getting an answer.
fn stale(trip: &Trip<'_, '_>, node: &NodeSite) -> Option<ProxyFault> {
    let (asked, service) = (trip.asked?, trip.service?);
    if trip.protocol != Protocol::Udp || trip.is_stand_in {
        return None;
    }
    let known: Vec<IpAddr> = slices(trip.walker.view, service)
        .flat_map(|slice| slice.endpoints.iter().flatten())
        .flat_map(|endpoint| &endpoint.addresses)
        .filter_map(|address| address.parse().ok())
        .collect();
    if known.is_empty() {
        return None;
    }
    let mut all = node.state.connections.iter().flatten();
    let found = all.find(|one| {
        one.protocol == Protocol::Udp
            && one.original.src == trip.client
            && one.original.dst == asked.ip()
            && one.original.dport == asked.port()
            && !known.contains(&one.reply.src)
    })?;
    Some(ProxyFault::StaleConnection {
        entry: format!(
            "udp {}:{} > {}:{} leads to {}:{}{}",
            found.original.src,
            found.original.sport,
            found.original.dst,
            found.original.dport,
            found.reply.src,
            found.reply.sport,
            if found.is_unreplied {
                " [UNREPLIED]"
            } else {
                ""
            }
        ),
        endpoint: found.reply.src,
    })
}
