//! Stages `egress-policy` and `ingress-policy`: do policies let the packet out, and in?
//!
//! Judged on the packet as the enforcing node sees it: after DNAT, so at the pod's own port, and
//! for ingress with the source address after any SNAT.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::Node;

use crate::cluster::Named;
use crate::cluster::access::NodeExt;
use crate::cluster::multicluster::is_cluster_mesh;
use crate::net::Protocol;
use crate::path::Denied;
use crate::path::context::EntryPoint;
use crate::path::context::{Leg, Walker};
use crate::path::stages::mesh::Wire;
use crate::path::{Backend, Break, Hop, Stage, Status};
use crate::policy::{
    Direction, DirectionJudgement, End, Ends, PolicyVerdict, Question, Reason, Unpoliced,
};
use crate::resolve::Site;
use crate::route::{Decision, Query};
use crate::text::list;

/// Adds both hops of a backend, and those of a waypoint on the way that has something against it.
pub(in crate::path) fn step<'v>(
    walker: &Walker<'_, 'v>,
    leg: &mut Leg<'_, 'v>,
    backend: &Backend<'v>,
    protocol: Protocol,
    wire: &Wire,
) {
    let Some(destination) = end_of_backend(walker, backend) else {
        return;
    };
    let source = end_of_site(walker, leg.sites[0]);
    // Behind a node port under policy Cluster the destination sees the node, not the client.
    let seen_source = match &leg.entry {
        Some(EntryPoint {
            node,
            hides_source: true,
            ..
        }) => match tunnel_address(walker, node, backend) {
            Some(own) => End {
                addresses: vec![own],
                ..walker.ends.node(node)
            },
            None => walker.ends.node(node),
        },
        _ => source.clone(),
    };
    let asked = (protocol, wire.tunnel.unwrap_or(backend.port));
    let ports = (asked, backend.port);
    let waypoint = wire.waypoint.as_ref().and_then(|waypoint| {
        let mut pods = waypoint.pods.iter();
        pods.find_map(|pod| walker.view.pods.get(&pod.namespace, &pod.name))
    });
    let Some(waypoint) = waypoint.map(|pod| walker.ends.pod(pod)) else {
        let sides = [
            (Stage::EgressPolicy, source, destination.clone()),
            (Stage::IngressPolicy, seen_source, destination),
        ];
        return between(walker, leg, sides, ports, true);
    };
    let first = [
        (Stage::EgressPolicy, source.clone(), waypoint.clone()),
        (Stage::IngressPolicy, source, waypoint.clone()),
    ];
    between(walker, leg, first, ports, false);
    let second = [
        (Stage::EgressPolicy, waypoint.clone(), destination.clone()),
        (Stage::IngressPolicy, waypoint, destination),
    ];
    between(walker, leg, second, ports, true);
}

/// Adds the egress hop toward a backend in another cluster. Cilium's policies know the labels of pods there.
pub(in crate::path) fn toward_cluster<'v>(
    walker: &Walker<'_, 'v>,
    leg: &mut Leg<'_, 'v>,
    backend: &Backend<'v>,
    protocol: Protocol,
) {
    let Some(destination) = end_of_backend(walker, backend) else {
        return;
    };
    let source = end_of_site(walker, leg.sites[0]);
    let asked = (protocol, backend.port);
    let judgement = judge(walker, Stage::EgressPolicy, &source, &destination, asked);
    let hop = hop(Stage::EgressPolicy, &judgement);
    if judgement.verdict != PolicyVerdict::Deny {
        return leg.trail.push(hop);
    }
    if is_cluster_mesh(walker.view) {
        let summary = "policies may admit it by the labels of the pod there".to_owned();
        let status = Status::Unknown;
        return leg.trail.push(Hop {
            status,
            summary,
            ..hop
        });
    }
    let denied = Denied {
        stage: Stage::EgressPolicy,
        source,
        destination,
        protocol,
        port: backend.port,
        judgement,
        is_half_open: false,
        hidden_client: None,
        without_tunnel: None,
    };
    leg.trail.stop(hop, Break::Policy(Box::new(denied)));
}

/// The address under which an entry node masquerades what it sends to another node's pod, where that is not one of
/// the node's own: MASQUERADE takes the address of the interface it leaves by, and a tunnel has one of its own.
fn tunnel_address(walker: &Walker<'_, '_>, entry: &Node, backend: &Backend<'_>) -> Option<IpAddr> {
    let to = backend.address?;
    let host = &walker.nodes.node(entry.name())?.state.host;
    host.routing.as_ref()?;
    let query = Query {
        src: None,
        dst: to,
        iif: None,
        mark: 0,
        protocol: None,
    };
    let Decision::Forward(hops) = host.route(query) else {
        return None;
    };
    let link = host.link(&hops.first()?.device)?;
    link.overlay()?;
    let mut own = link.addresses.iter().map(|own| own.ip);
    own.find(|ip| ip.is_ipv4() == to.is_ipv4() && !entry.addresses().contains(ip))
}

/// The hops of both sides of one connection; of one that is shown only where it is denied or doubtful,
/// admissions are left out.
fn between<'v>(
    walker: &Walker<'_, 'v>,
    leg: &mut Leg<'_, 'v>,
    sides: [(Stage, End, End); 2],
    (asked, own_port): ((Protocol, u16), u16),
    shows_all: bool,
) {
    let judged = sides.map(|(stage, source, destination)| {
        let judgement = judge(walker, stage, &source, &destination, asked);
        (stage, source, destination, judgement)
    });
    let is_half_open = judged
        .iter()
        .any(|(.., judgement)| judgement.reason == Reason::Admitted);
    for (stage, source, destination, judgement) in judged {
        let hop = hop(stage, &judgement);
        let hidden_client = hidden_client(walker, leg, stage, &destination, asked);
        let as_itself = || judge(walker, stage, &source, &destination, (asked.0, own_port));
        let is_tunnel = asked.1 != own_port;
        if judgement.verdict == PolicyVerdict::Deny {
            let without_tunnel = is_tunnel && as_itself().verdict == PolicyVerdict::Allow;
            let denied = Denied {
                stage,
                without_tunnel: without_tunnel.then_some(own_port),
                source,
                destination,
                protocol: asked.0,
                port: asked.1,
                judgement,
                is_half_open,
                hidden_client,
            };
            leg.trail.stop(hop, Break::Policy(Box::new(denied)));
        } else if shows_all || judgement.verdict == PolicyVerdict::Unknown {
            leg.trail.push(hop);
        }
    }
}

/// The client outside, if its own address would be let in where that of the node is not.
fn hidden_client(
    walker: &Walker<'_, '_>,
    leg: &Leg<'_, '_>,
    stage: Stage,
    destination: &End,
    asked: (Protocol, u16),
) -> Option<IpAddr> {
    let Site::Outside(Some(client)) = leg.sites[0] else {
        return None;
    };
    let is_hidden = leg.entry.as_ref().is_some_and(|entry| entry.hides_source);
    let end = walker.ends.address(client);
    let own = || judge(walker, stage, &end, destination, asked).verdict;
    (is_hidden && stage == Stage::IngressPolicy && own() == PolicyVerdict::Allow).then_some(client)
}

/// The first side that denies a packet from a site to an end, or why neither can be told to admit it.
pub(in crate::path) fn denial(
    walker: &Walker<'_, '_>,
    site: Site<'_>,
    destination: &End,
    (protocol, port): (Protocol, u16),
) -> Result<Option<Denied>, String> {
    let source = end_of_site(walker, site);
    let mut doubt = None;
    for stage in [Stage::EgressPolicy, Stage::IngressPolicy] {
        let judgement = judge(walker, stage, &source, destination, (protocol, port));
        match judgement.verdict {
            PolicyVerdict::Allow => {}
            PolicyVerdict::Unknown => doubt = Some(doubts(&judgement)),
            PolicyVerdict::Deny => {
                return Ok(Some(Denied {
                    stage,
                    source,
                    destination: destination.clone(),
                    protocol,
                    port,
                    judgement,
                    is_half_open: false,
                    hidden_client: None,
                    without_tunnel: None,
                }));
            }
        }
    }
    doubt.map_or(Ok(None), Err)
}

fn judge(
    walker: &Walker<'_, '_>,
    stage: Stage,
    source: &End,
    destination: &End,
    (protocol, port): (Protocol, u16),
) -> DirectionJudgement {
    let direction = match stage {
        Stage::EgressPolicy => Direction::Egress,
        _ => Direction::Ingress,
    };
    let question = Question {
        source,
        destination,
        protocol,
        port,
        family: None,
    };
    walker.policies.judge_direction(direction, &question)
}

/// An end of the walk as policies see it.
fn end_of_site(walker: &Walker<'_, '_>, site: Site<'_>) -> End {
    match site {
        Site::Pod(pod) => walker.ends.pod(pod),
        Site::Node(node) => walker.ends.node(node),
        Site::Address(addr) | Site::Outside(Some(addr)) => walker.ends.address(addr),
        Site::Outside(None) => Ends::outside(),
    }
}

fn end_of_backend(walker: &Walker<'_, '_>, backend: &Backend<'_>) -> Option<End> {
    match (backend.pod, backend.address) {
        (Some(pod), None) => Some(walker.ends.pod(pod)),
        (Some(pod), Some(addr)) => Some(walker.ends.pod(pod).seen_as(addr)),
        (None, Some(addr)) => Some(walker.ends.address(addr)),
        (None, None) => None,
    }
}

fn hop(stage: Stage, judged: &DirectionJudgement) -> Hop {
    let direction = judged.direction;
    let selecting = || {
        let names: Vec<String> = judged.selecting.iter().map(ToString::to_string).collect();
        list(&names)
    };
    let deciding = || {
        let names: Vec<String> = judged.decided_by.iter().map(ToString::to_string).collect();
        list(&names)
    };
    let (status, text) = match (judged.verdict, judged.reason) {
        (PolicyVerdict::Unknown, _) => (Status::Unknown, doubts(judged)),
        (PolicyVerdict::Deny, Reason::Refused) => {
            (Status::Fail, format!("denied by {}", deciding()))
        }
        (PolicyVerdict::Deny, _) => {
            let text = format!("isolated by {}, and no rule allows it", selecting());
            (Status::Fail, text)
        }
        (PolicyVerdict::Allow, Reason::Admitted) => {
            (Status::Pass, format!("allowed by {}", deciding()))
        }
        (PolicyVerdict::Allow, Reason::Unpoliced(why)) => (Status::Pass, unpoliced(why).to_owned()),
        (PolicyVerdict::Allow, Reason::NodeLocal) => (
            Status::Pass,
            "a node may always reach its own pods".to_owned(),
        ),
        (PolicyVerdict::Allow, Reason::Loopback) => {
            (Status::Pass, "never leaves the pod".to_owned())
        }
        (PolicyVerdict::Allow, _) => (
            Status::Pass,
            format!("no policy selects it for {direction}"),
        ),
    };
    let hop = Hop::new(stage, status, text);
    let at = judged.decided_by.first().map(|rule| rule.policy.object());
    let hop = match at {
        Some(object) => hop.at(object),
        None => hop,
    };
    judged.decided_by.iter().fold(hop, |hop, rule| {
        hop.fact(
            rule.policy.to_string(),
            format!("decides by {}", rule.field()),
        )
    })
}

const fn unpoliced(why: Unpoliced) -> &'static str {
    match why {
        Unpoliced::HostNetwork => "in the node's network, where policies do not apply",
        Unpoliced::Node => "a node, which no policy selects",
        Unpoliced::Outside => "outside the cluster, which no policy selects",
    }
}

fn doubts(judged: &DirectionJudgement) -> String {
    let doubts: Vec<String> = judged.doubts.iter().map(ToString::to_string).collect();
    match doubts.as_slice() {
        [] => "cannot be told".to_owned(),
        some => list(some),
    }
}
