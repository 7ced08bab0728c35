//! A rule that is not kube-proxy's takes a packet: what becomes of it where it is sent.
//!
//! Metadata agents (kube2iam, kiam, gke-metadata-server), DNS caches and transparent proxies take
//! packets on purpose. Only what ends nowhere is broken.

use std::net::{IpAddr, SocketAddr};

use super::trip::Trip;
use crate::cluster::{Named, Resource};
use crate::nat::dataplane::Dataplane;
use crate::nat::eval::{Answer, Fate, Outcome};
use crate::resolve::{Place, owner_of};
use crate::world::NodeSite;

/// What becomes of a packet that was taken.
pub(super) enum Taken {
    /// Whoever is there answers in the place of what was asked.
    Served(String),
    /// Somebody takes it, and no rule shows what comes of it.
    Open(String),
    /// It ends nowhere, or at something that was not asked.
    Lost,
}

/// Follows a packet that was translated to somewhere else.
pub(super) fn taken(trip: &Trip<'_, '_>, node: &NodeSite, one: &Outcome) -> Taken {
    let to = SocketAddr::new(one.packet.dst, one.packet.dport);
    let is_meant = is_metadata(trip.packet().dst);
    let by = |who: String| {
        if is_meant {
            Taken::Served(format!("{who} answers for {}", trip.packet().dst))
        } else {
            Taken::Open(format!(
                "{who} takes it: what it does with it is in no rule"
            ))
        }
    };
    match &one.fate {
        Fate::Deliver => match node.listens(to, trip.protocol) {
            Some(true) => by(format!("a process of {} at {to}", node.name)),
            Some(false) => Taken::Lost,
            None => Taken::Open(format!(
                "whether a process of {} listens on {to} was not looked at",
                node.name
            )),
        },
        Fate::Forward(_) => elsewhere(trip, to, by),
        _ => Taken::Lost,
    }
}

/// A packet that leaves for an address that was not asked.
fn elsewhere(trip: &Trip<'_, '_>, to: SocketAddr, by: impl Fn(String) -> Taken) -> Taken {
    let view = trip.walker.view;
    match owner_of(view, to.ip()) {
        Place::Pods(pods) => {
            let mut running = pods.iter().filter(|pod| !pod.is_finished());
            running
                .next()
                .map_or(Taken::Lost, |pod| by(pod.reference().to_string()))
        }
        Place::Node { node, .. } => {
            let listens = trip.nodes().node(node.name());
            match listens.and_then(|site| site.listens(to, trip.protocol)) {
                Some(false) => Taken::Lost,
                _ => by(format!("node {} at {to}", node.name())),
            }
        }
        Place::Service { .. } => Taken::Lost,
        _ if is_of_pods(trip, to.ip()) => Taken::Lost,
        _ => by(to.to_string()),
    }
}

/// Whether an address lies in a range of pods, all of which are known: then nobody has it.
fn is_of_pods(trip: &Trip<'_, '_>, ip: IpAddr) -> bool {
    use crate::cluster::access::NodeExt;
    let view = trip.walker.view;
    let mut nodes = view.nodes.iter();
    view.holds_all(Resource::Pods, "")
        && nodes.any(|node| node.pod_cidrs().iter().any(|range| range.contains(&ip)))
}

/// Whether an address is that of a cloud's metadata service, which agents on nodes stand in for.
fn is_metadata(ip: IpAddr) -> bool {
    match ip {
        // Alibaba Cloud; Azure's wire server.
        IpAddr::V4(v4) => {
            v4.is_link_local() || [[100, 100, 100, 200], [168, 63, 129, 16]].contains(&v4.octets())
        }
        // AWS, Google Cloud.
        IpAddr::V6(v6) => {
            v6.is_unicast_link_local()
                || matches!(v6.segments()[..2], [0xfd00, 0xec2] | [0xfd20, 0xce])
        }
    }
}

/// What becomes of a packet for a Service's address that its node keeps for itself.
pub(super) enum Kept {
    Served(String),
    Open(String),
    /// NodeLocal DNSCache has taken the address and does not answer.
    NoCache,
}

/// A packet that ends on the node, at the address that was asked: put there on purpose, as NodeLocal
/// DNSCache does with the DNS Service's own address, or left there by somebody who is gone.
pub(super) fn kept(trip: &Trip<'_, '_>, node: &NodeSite, answer: &Answer) -> Option<Kept> {
    let asked = trip.asked?;
    let ends_here =
        |one: &Outcome| one.fate == Fate::Deliver && !one.translated && one.depends.is_empty();
    if answer.outcomes.is_empty() || !answer.outcomes.iter().all(ends_here) {
        return None;
    }
    let mut dataplanes = node.dataplanes.iter();
    let is_cache =
        asked.port() == 53 && dataplanes.any(|one| one.dataplane == Dataplane::NodeLocalDns);
    let who = if is_cache {
        Dataplane::NodeLocalDns.name()
    } else {
        "a process of the node"
    };
    match node.listens(asked, trip.protocol) {
        Some(true) => Some(Kept::Served(format!(
            "{asked} ends on {}, at {who}",
            node.name
        ))),
        Some(false) if is_cache => Some(Kept::NoCache),
        Some(false) => None,
        None if is_cache => Some(Kept::Served(format!(
            "{asked} ends on {}, at {who}",
            node.name
        ))),
        None => Some(Kept::Open(format!(
            "{asked} is an address of {}: whether a process there listens was not looked at",
            node.name
        ))),
    }
}
