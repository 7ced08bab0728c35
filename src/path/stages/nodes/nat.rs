//! Stage `nat`: what the rules of the first node make of the Service's address.

use std::net::SocketAddr;

use super::cross::{self, Left, Passage};
use super::distribution::Distribution;
use super::intercept::{self, Taken};
use super::judge::{NodeVerdict, foreign, judge};
use super::plane;
use super::trip::{Trip, node_hop};
use crate::cluster::{Named, Pod};
use crate::nat::eval::{Answer, Outcome, Question, TrailStep};
use crate::nat::proxy::Mode;
use crate::net::{Family, Packet};
use crate::path::trail::Trail;
use crate::path::{Break, Fault, Hop, NodeFault, ProxyFault, Stage, Status};
use crate::world::NodeSite;

/// Adds the hop, and gives back how the packet leaves the first node; none when that is not known.
pub(super) fn step<'v>(trip: &Trip<'_, 'v>, trail: &mut Trail<'v>) -> Option<Left> {
    let node = trip.first_site()?;
    if plane::is_served(trip, node) {
        let packet = plane::service(trip, node, trail)?;
        return translated(trip, node, packet, trail);
    }
    let question = trip.question(node)?;
    if trip.asked.is_none() {
        return direct(trip, node, &cross::walk(node, &question), trail);
    }
    let all = Distribution::of(trip, node, &question);
    let verdict = match judge(trip, node, &all) {
        NodeVerdict::Wrong { .. } if trip.bypass(&node.name).is_some() => {
            NodeVerdict::Unknown(trip.bypass(&node.name).unwrap_or_default())
        }
        NodeVerdict::Wrong {
            fault: Fault::Blocked { .. },
            ..
        } if depends_on_client(trip, node, &question) => NodeVerdict::Unknown(
            "the rules allow only some clients: set the client as external/ADDR".to_owned(),
        ),
        verdict => verdict,
    };
    let before = trip.packet();
    let after = before.to(trip.endpoint.ip(), trip.endpoint.port());
    match verdict {
        NodeVerdict::NotClaimed => {}
        NodeVerdict::Kept(text) => {
            let hop = node_hop(Stage::Nat, &node.name, text.clone()).held(
                format!("Node/{} rules, addresses, sockets", node.name),
                text,
            );
            trail.push(hop);
            return None;
        }
        NodeVerdict::Right(text) => {
            let own = all.to(trip.endpoint).next();
            let left = own.map_or(after, |one| one.packet);
            let rules = own.map(rules_text).unwrap_or_default();
            let hop = node_hop(Stage::Nat, &node.name, text)
                .translating(Some(before), Some(left))
                .held(format!("Node/{} rules", node.name), rules);
            trail.push(hop);
        }
        NodeVerdict::Ambiguous { fault, why } => {
            let hop = node_hop(Stage::Nat, &node.name, format!("{}: {why}", node.name))
                .held(format!("Node/{} rules", node.name), why);
            let fault = trip.at_node(&node.name, Stage::Nat, fault);
            trail.doubt(hop, Break::Node(Box::new(fault)));
            return None;
        }
        NodeVerdict::Unknown(why) => {
            let hop = node_hop(Stage::Nat, &node.name, format!("{}: {why}", node.name))
                .held(format!("Node/{}", node.name), why);
            trail.push(Hop {
                status: Status::Unknown,
                ..hop
            });
            return None;
        }
        NodeVerdict::Wrong {
            fault,
            text,
            is_all,
        } => {
            let hop = node_hop(Stage::Nat, &node.name, text.clone())
                .held(format!("Node/{} rules", node.name), text);
            let stage = if trip.is_entering && matches!(fault, Fault::Blocked { .. }) {
                Stage::Entry
            } else {
                Stage::Nat
            };
            let fault = trip.at_node(&node.name, stage, fault);
            raise(trail, Hop { stage, ..hop }, fault, is_all);
            if is_all {
                return None;
            }
        }
    }
    let passage = cross::passage(&all.answer, all.to(trip.endpoint));
    if let (None, Some(own)) = (trip.service, all.to(trip.endpoint).next())
        && own.passes()
        && own.translated
    {
        let text = format!("{}: {} ⇒ {}", node.name, before.dst, trip.endpoint);
        let hop = node_hop(Stage::Nat, &node.name, text)
            .translating(Some(before), Some(own.packet))
            .held(format!("Node/{} rules", node.name), rules_text(own));
        trail.push(hop);
    }
    if let (Passage::Nothing, None, Some(pod)) = (&passage, trip.service, trip.destination_pod()) {
        host_port(trip, node, &all.answer, pod, trail);
        return None;
    }
    left(trip, node, passage, trail)
}

/// The way out of a packet that a table of the dataplane has translated. Cilium's programs hand it to their
/// tunnel before any rule or route is asked.
fn translated<'v>(
    trip: &Trip<'_, 'v>,
    node: &NodeSite,
    packet: Packet,
    trail: &mut Trail<'v>,
) -> Option<Left> {
    if plane::tunnel_of(node).is_some() {
        return Some(Left {
            packet,
            out: None,
            is_masqueraded: false,
            masqueraded_by: None,
            is_delivered: false,
        });
    }
    let question = Question {
        packet,
        ..trip.question(node)?
    };
    let answer = cross::walk(node, &question);
    left(trip, node, cross::passage(&answer, &answer.outcomes), trail)
}

/// Whether another client than the one that stands for all of them gets in: a neighbour of the node.
fn depends_on_client(trip: &Trip<'_, '_>, node: &NodeSite, question: &Question) -> bool {
    let neighbour = || {
        let link = node.state.host.link(question.in_interface.as_deref()?)?;
        let own = link
            .addresses
            .iter()
            .find(|own| own.is_global && Family::of(own.ip) == trip.family)?;
        let net = ipnet::IpNet::new(own.ip, own.prefix).ok()?;
        net.hosts().find(|ip| *ip != own.ip)
    };
    let Some(src) = trip.is_stand_in.then(neighbour).flatten() else {
        return false;
    };
    let packet = Packet {
        src,
        ..question.packet
    };
    let question = Question {
        packet,
        ..question.clone()
    };
    let answer = cross::walk(node, &question);
    answer
        .outcomes
        .iter()
        .any(|one| one.passes() && leads_to(trip, one))
}

/// A host port that no rule leads to its pod. Where somebody forwards it out of sight of the rules,
/// nothing is said.
fn host_port(
    trip: &Trip<'_, '_>,
    node: &NodeSite,
    answer: &Answer,
    pod: &Pod,
    trail: &mut Trail<'_>,
) {
    if let Some(fault) = elsewhere(trip, node, answer, pod) {
        let (text, fault) = fault;
        let hop = node_hop(Stage::Nat, &node.name, text.clone())
            .held(format!("Node/{} rules", node.name), text);
        let fault = trip.at_node(&node.name, Stage::Nat, Fault::Proxy(fault));
        return trail.stop(hop, Break::Node(Box::new(fault)));
    }
    if let Passage::Unknown(why) = cross::passage(answer, &answer.outcomes) {
        let hop = node_hop(Stage::Nat, &node.name, format!("{}: {why}", node.name));
        let status = Status::Unknown;
        return trail.push(Hop { status, ..hop });
    }
    let is_told = node.state.has_rules_of(Mode::Iptables, trip.family)
        && node.state.has_rules_of(Mode::Nftables, trip.family);
    let ends_here = answer
        .outcomes
        .iter()
        .all(|one| one.passes() && !one.translated);
    let Some(asked) = trip
        .asked
        .filter(|_| is_told && ends_here && node.out_of_sight().is_none())
    else {
        return;
    };
    let listens =
        node.state.listeners.iter().flatten().any(|one| {
            one.port == asked.port() && one.protocol == trip.protocol && !one.is_loopback()
        });
    if listens {
        return;
    }
    let text = format!("{}: no rule leads {asked} to {}", node.name, pod.name());
    let hop = node_hop(Stage::Nat, &node.name, text.clone())
        .held(format!("Node/{} rules", node.name), text);
    let fault = ProxyFault::NoHostPort {
        pod: pod.reference(),
        port: asked.port(),
    };
    let fault = trip.at_node(&node.name, Stage::Nat, Fault::Proxy(fault));
    trail.stop(hop, Break::Node(Box::new(fault)));
}

/// A host port that a rule leads to another address than its pod's: what is left of an earlier pod stands
/// in front, or somebody else wants the same port.
fn elsewhere(
    trip: &Trip<'_, '_>,
    node: &NodeSite,
    answer: &Answer,
    pod: &Pod,
) -> Option<(String, ProxyFault)> {
    let is_astray = |one: &Outcome| one.translated && one.depends.is_empty();
    let first = answer.outcomes.first().filter(|one| is_astray(one))?;
    if !answer.outcomes.iter().all(is_astray) {
        return None;
    }
    // The rule that decided: the one that chose the chain with the translation.
    let translating = first.trail.iter().rposition(TrailStep::translates)?;
    let choosing = first.trail[..translating].iter().rfind(|step| {
        let own = &first.trail[translating].chain;
        step.text.contains(&format!("-j {own}")) || step.text.contains(&format!("goto {own}"))
    });
    let rule = choosing.unwrap_or(&first.trail[translating]).clone();
    let to = SocketAddr::new(first.packet.dst, first.packet.dport);
    let port = trip.asked?.port();
    let is_somebody = !matches!(
        crate::resolve::owner_of(trip.walker.view, to.ip()),
        crate::resolve::Place::Address(_)
    );
    let text = format!(
        "{}: host port {port} forwards to {to}, not to {}",
        node.name,
        pod.name()
    );
    let fault = ProxyFault::HostPortElsewhere {
        pod: pod.reference(),
        port,
        to: to.to_string(),
        rule,
        is_somebody,
    };
    Some((text, fault))
}

/// A packet to a pod itself: nobody may rewrite it.
fn direct<'v>(
    trip: &Trip<'_, 'v>,
    node: &NodeSite,
    answer: &Answer,
    trail: &mut Trail<'v>,
) -> Option<Left> {
    let astray = answer
        .outcomes
        .iter()
        .find(|one| one.translated && one.depends.is_empty() && !leads_to(trip, one));
    if let Some(one) = astray {
        match intercept::taken(trip, node, one) {
            Taken::Served(text) => {
                let hop = node_hop(Stage::Nat, &node.name, format!("{}: {text}", node.name)).held(
                    format!("Node/{} rules, sockets", node.name),
                    rules_text(one),
                );
                trail.push(hop);
                return None;
            }
            Taken::Open(why) => {
                let rule = rules_text(one);
                return left(
                    trip,
                    node,
                    Passage::Unknown(format!("{why} ({rule})")),
                    trail,
                );
            }
            Taken::Lost => {}
        }
        let (fault, text) = foreign(one, &node.name)?;
        let hop = node_hop(Stage::Nat, &node.name, text.clone())
            .held(format!("Node/{} rules", node.name), text);
        let fault = trip.at_node(&node.name, Stage::Nat, fault);
        raise(trail, hop, fault, true);
        return None;
    }
    left(trip, node, cross::passage(answer, &answer.outcomes), trail)
}

/// What the rules of the node do with the packet on its way out.
fn left<'v>(
    trip: &Trip<'_, 'v>,
    node: &NodeSite,
    passage: Passage,
    trail: &mut Trail<'v>,
) -> Option<Left> {
    let stage = if trip.is_entering && trip.asked.is_none() {
        Stage::Entry
    } else {
        Stage::Route
    };
    match passage {
        Passage::Free(left) => Some(left),
        Passage::Nothing => None,
        Passage::NoWay(packet) => Some(Left {
            packet,
            out: None,
            is_masqueraded: false,
            masqueraded_by: None,
            is_delivered: false,
        }),
        Passage::Unknown(why) => {
            let hop = node_hop(stage, &node.name, format!("{}: {why}", node.name));
            trail.push(Hop {
                status: Status::Unknown,
                ..hop.held(format!("Node/{} rules", node.name), why)
            });
            None
        }
        Passage::Stopped(_) if trip.bypass(&node.name).is_some() => {
            let why = trip.bypass(&node.name).unwrap_or_default();
            left(trip, node, Passage::Unknown(why), trail)
        }
        Passage::Stopped(fault) => {
            if !super::is_denied(trail) {
                let text = blocked_text(&node.name, &fault);
                let hop = node_hop(stage, &node.name, text.clone())
                    .held(format!("Node/{} rules", node.name), text);
                let stops = !fault.is_partial();
                raise(trail, hop, trip.at_node(&node.name, stage, fault), stops);
            }
            None
        }
    }
}

/// Adds a fault that stops the packet, or that only some packets meet.
pub(super) fn raise(trail: &mut Trail<'_>, hop: Hop, fault: NodeFault, stops: bool) {
    let seen = Break::Node(Box::new(fault));
    if stops {
        trail.stop(hop, seen);
    } else {
        trail.warn(hop, seen);
    }
}

/// `node2: rejected by filter: -A FORWARD …`
pub(super) fn blocked_text(node: &str, fault: &Fault) -> String {
    match fault {
        Fault::Blocked { rule, answer, .. } => {
            let verb = if answer.is_some() {
                "rejected"
            } else {
                "dropped"
            };
            format!("{node}: {verb} by {rule}")
        }
        _ => format!("{node}: stopped"),
    }
}

pub(super) fn leads_to(trip: &Trip<'_, '_>, one: &Outcome) -> bool {
    is_endpoint(one.packet, trip.endpoint)
}

fn is_endpoint(packet: Packet, endpoint: SocketAddr) -> bool {
    SocketAddr::new(packet.dst, packet.dport) == endpoint
}

fn rules_text(one: &Outcome) -> String {
    let translating = one.trail.iter().rfind(|step| step.translates());
    translating.map_or_else(
        || "passes unchanged".to_owned(),
        |step| match step.packets {
            Some(packets) => format!("{} [{packets} packets]", step.brief()),
            None => step.brief(),
        },
    )
}
