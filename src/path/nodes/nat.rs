//! Stage `nat`: what the rules of the first node make of the Service's address.

use std::net::SocketAddr;

use super::super::trail::Trail;
use super::super::{Break, Fault, Hop, NodeFault, ProxyFault, Stage, Status};
use super::cross::{self, Left, Passage};
use super::trip::{Trip, node_hop};
use crate::nat::eval::{Answer, Outcome, Question, Tracer};
use crate::nat::proxy::{
    Difference, DifferenceKind, Entry, EntryKind, Expected, Footprint, Mode, NodePortAddresses,
    SliceIndex, compare, differences, entries_of, expect, idle_targets, without_routes,
};
use crate::net::Packet;
use crate::node::NodeSite;
use crate::text::list;

/// Adds the hop, and gives back how the packet leaves the first node; none when that is not known.
pub(super) fn step<'v>(trip: &Trip<'_, 'v>, trail: &mut Trail<'v>) -> Option<Left> {
    let node = trip.first_site()?;
    let question = trip.question(node)?;
    let answer = cross::walk(node, &question);
    let Some(asked) = trip.asked else {
        return direct(trip, node, &answer, trail);
    };
    let verdict = judge(trip, node, &question, &answer, asked);
    let before = trip.packet();
    let after = before.to(trip.endpoint.ip(), trip.endpoint.port());
    match verdict {
        Verdict::NotClaimed => {}
        Verdict::Right(text) => {
            let left = outcome_for(trip, &answer).map_or(after, |one| one.packet);
            let rules = outcome_for(trip, &answer)
                .map(rules_text)
                .unwrap_or_default();
            let hop = node_hop(Stage::Nat, &node.name, text)
                .translating(Some(before), Some(left))
                .held(format!("Node/{} rules", node.name), rules);
            trail.push(hop);
        }
        Verdict::Unknown(why) => {
            let hop = node_hop(Stage::Nat, &node.name, format!("{}: {why}", node.name))
                .held(format!("Node/{}", node.name), why);
            trail.push(Hop {
                status: Status::Unknown,
                ..hop
            });
            return None;
        }
        Verdict::Wrong {
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
            let fault = Trip::at_node(&node.name, stage, fault);
            raise(trail, Hop { stage, ..hop }, fault, is_all);
            if is_all {
                return None;
            }
        }
    }
    let own = |one: &Outcome| leads_to(trip, one);
    left(trip, node, cross::passage(&answer, own), trail)
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
        let (fault, text) = foreign(one, &node.name)?;
        let hop = node_hop(Stage::Nat, &node.name, text.clone())
            .held(format!("Node/{} rules", node.name), text);
        let fault = Trip::at_node(&node.name, Stage::Nat, fault);
        raise(trail, hop, fault, true);
        return None;
    }
    left(trip, node, cross::passage(answer, |_| true), trail)
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
        Passage::Stopped(fault) => {
            if !super::is_denied(trail) {
                let text = blocked_text(&node.name, &fault);
                let hop = node_hop(stage, &node.name, text.clone())
                    .held(format!("Node/{} rules", node.name), text);
                trail.stop(
                    hop,
                    Break::Node(Box::new(Trip::at_node(&node.name, stage, fault))),
                );
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

/// What the rules do with the Service's address.
enum Verdict {
    /// As they ought to, in words.
    Right(String),
    Wrong {
        fault: Fault,
        text: String,
        /// Whether every packet to this backend is lost by it.
        is_all: bool,
    },
    Unknown(String),
    NotClaimed,
}

fn judge(
    trip: &Trip<'_, '_>,
    node: &NodeSite,
    question: &Question,
    answer: &Answer,
    asked: SocketAddr,
) -> Verdict {
    let (Some(service), Some(rules)) = (trip.service, node.state.rules.as_ref()) else {
        return Verdict::NotClaimed;
    };
    if !node.state.has_rules_of(node.setup.mode, trip.family) {
        return Verdict::NotClaimed;
    }
    let view = trip.walker.view;
    let slices = SliceIndex::new(view.endpoint_slices.iter());
    let entries = entries_of(service, &slices, &node.setup);
    let is_asked = |entry: &&Entry<'_>| {
        SocketAddr::new(entry.address, entry.number) == asked && entry.protocol == trip.protocol
    };
    let Some(entry) = entries.iter().find(is_asked) else {
        return unlisted(node, &entries, asked);
    };
    let origin = trip.origin(question);
    let expected = expect(entry, &origin, &node.setup);
    let found = differences(entry, &origin, &expected, answer);
    let found = weighty(trip, found);
    let Some(worst) = worst(&found, trip.endpoint) else {
        return idle(node, entry, trip.endpoint)
            .unwrap_or_else(|| Verdict::Right(served_text(asked, &expected, answer)));
    };
    if worst.kind == DifferenceKind::Undecided {
        let why = answer.doubts.first().map(|doubt| doubt.text.clone());
        return Verdict::Unknown(
            why.unwrap_or_else(|| "the rules could not be decided".to_owned()),
        );
    }
    // What kube-proxy's own rules would do if they were alone.
    let host = without_routes(&node.state.host, &node.setup);
    let alone = Tracer::within(rules, &host, Some(Footprint::scope())).walk(question);
    let own = weighty(trip, differences(entry, &origin, &expected, &alone));
    if own.is_empty() {
        return disturbed(node, answer, worst);
    }
    let worst = self::worst(&own, trip.endpoint).unwrap_or(worst);
    if node.footprint.filled(trip.family).next().is_none() && rules.virtual_servers.is_none() {
        return empty(trip, node);
    }
    let mode_layer = node
        .footprint
        .layers
        .iter()
        .find(|layer| layer.mode == node.setup.mode && layer.family.sees(trip.family));
    if let Some(layer) = mode_layer
        && worst.kind == DifferenceKind::ServiceMissing
        && (layer.entries == 0 || !layer.missing_jumps.is_empty())
    {
        let mut missing: Vec<String> = layer
            .missing_jumps
            .iter()
            .map(|jump| format!("{} {} -> {}", jump.table, jump.hook.upper(), jump.target))
            .collect();
        if layer.entries == 0 {
            missing.push("every rule that leads from an address to its Service".to_owned());
        }
        let text = format!("{}: nothing leads to the rules of Services", node.name);
        return wrong(ProxyFault::Unreferenced { missing }, text, true);
    }
    let is_older_state = is_older_state(&own, &alone);
    let all = compare(
        view.services.iter(),
        &slices,
        rules,
        &node.state.host,
        &node.setup,
    );
    let others = all
        .differences
        .iter()
        .filter(|one| one.service.is_some() && one.service != worst.service)
        .count();
    let is_all = stops(worst, trip.endpoint);
    let text = format!("{}: {}", node.name, difference_text(worst));
    let fault = ProxyFault::Drift {
        difference: Box::new(worst.clone()),
        is_older_state,
        others,
    };
    wrong(fault, text, is_all)
}

/// A translation that stands behind the right one of an endpoint: nothing reaches it, and kube-proxy
/// did not write it.
fn idle(node: &NodeSite, entry: &Entry<'_>, endpoint: SocketAddr) -> Option<Verdict> {
    if node.setup.mode != Mode::Iptables {
        return None;
    }
    let rules = node.state.rules.as_ref()?;
    let found = idle_targets(entry, rules, &[]);
    let difference = found
        .into_iter()
        .find(|one| one.endpoint == Some(endpoint))?;
    let text = format!("{}: {}", node.name, difference_text(&difference));
    let fault = ProxyFault::Drift {
        difference: Box::new(difference),
        is_older_state: false,
        others: 0,
    };
    Some(wrong(fault, text, false))
}

/// The differences that can matter: shares may be uneven, and whoever leaves the cluster has to be
/// masqueraded by somebody.
fn weighty(trip: &Trip<'_, '_>, found: Vec<Difference>) -> Vec<Difference> {
    let leaves = trip.destination_pod().is_none();
    let matters = |one: &Difference| match one.kind {
        DifferenceKind::Uneven => false,
        DifferenceKind::MasqueradeUnexpected => !leaves,
        _ => true,
    };
    found.into_iter().filter(matters).collect()
}

const fn wrong(fault: ProxyFault, text: String, is_all: bool) -> Verdict {
    Verdict::Wrong {
        fault: Fault::Proxy(fault),
        text,
        is_all,
    }
}

/// The difference that matters most to a backend.
fn worst(found: &[Difference], endpoint: SocketAddr) -> Option<&Difference> {
    let own = found.iter().find(|one| stops(one, endpoint));
    own.or_else(|| {
        found.iter().find(|one| {
            matches!(
                one.kind,
                DifferenceKind::EndpointStale
                    | DifferenceKind::MasqueradeUnexpected
                    | DifferenceKind::Undecided
            )
        })
    })
}

/// Whether a difference keeps every packet from a backend.
fn stops(one: &Difference, endpoint: SocketAddr) -> bool {
    match one.kind {
        DifferenceKind::ServiceMissing
        | DifferenceKind::Refused
        | DifferenceKind::MasqueradeMissing => true,
        DifferenceKind::EndpointMissing | DifferenceKind::WrongTarget => {
            one.endpoint == Some(endpoint)
        }
        _ => false,
    }
}

/// kube-proxy writes shares that fit the number of endpoints, and leads every packet to one of them.
fn is_older_state(own: &[Difference], answer: &Answer) -> bool {
    let is_edited = own
        .iter()
        .any(|one| one.kind == DifferenceKind::WrongTarget);
    let shares = answer.outcomes.iter().filter_map(|one| one.probability);
    let (least, most) = shares.fold((f64::MAX, 0.0_f64), |(least, most), share| {
        (least.min(share), most.max(share))
    });
    let is_mixed = answer.outcomes.iter().any(|one| one.translated)
        && answer.outcomes.iter().any(|one| !one.translated);
    !is_edited && !is_mixed && most <= least * 1.01
}

/// kube-proxy's rules are right, and something else comes before them.
fn disturbed(node: &NodeSite, answer: &Answer, worst: &Difference) -> Verdict {
    let certain = answer.outcomes.iter().filter(|one| one.depends.is_empty());
    let untracked = certain.clone().find_map(|one| {
        let mut trail = one.trail.iter();
        trail.find(|step| {
            ["NOTRACK", "--notrack", "notrack"]
                .iter()
                .any(|word| step.text.contains(word))
        })
    });
    if let Some(rule) = untracked {
        let text = format!("{}: not tracked, so never translated: {rule}", node.name);
        let fault = ProxyFault::Untracked { rule: rule.clone() };
        return wrong(fault, text, true);
    }
    let share = |one: &&Outcome| one.probability.is_none_or(|share| share > 0.999);
    for one in certain {
        let is_all = share(&one);
        let is_known = worst
            .expected
            .iter()
            .any(|known| *known == SocketAddr::new(one.packet.dst, one.packet.dport).to_string());
        if one.translated
            && !is_known
            && let Some((fault, text)) = foreign(one, &node.name)
        {
            return Verdict::Wrong {
                fault,
                text,
                is_all,
            };
        }
        if !one.translated
            && !one.passes()
            && let Passage::Stopped(fault) =
                cross::passage(answer, |other| std::ptr::eq(other, one))
        {
            let text = blocked_text(&node.name, &fault);
            return Verdict::Wrong {
                fault,
                text,
                is_all,
            };
        }
    }
    if worst.kind == DifferenceKind::MasqueradeUnexpected {
        let rule = answer.outcomes.iter().find(|one| one.masqueraded);
        if let Some(rule) = rule.and_then(Outcome::decided_by) {
            let text = format!("{}: the client's address is hidden by {rule}", node.name);
            let fault = ProxyFault::Masqueraded { rule: rule.clone() };
            return wrong(fault, text, false);
        }
    }
    match answer.doubts.first() {
        Some(doubt) => Verdict::Unknown(doubt.text.clone()),
        None => Verdict::Unknown("other rules than kube-proxy's change its way".to_owned()),
    }
}

fn foreign(one: &Outcome, node: &str) -> Option<(Fault, String)> {
    let rule = one.trail.iter().rfind(|step| step.translates())?.clone();
    let to = SocketAddr::new(one.packet.dst, one.packet.dport).to_string();
    let text = format!("{node}: {rule} sends it to {to}");
    Some((Fault::Proxy(ProxyFault::Foreign { rule, to }), text))
}

/// No Service has rules. Whoever serves them out of sight may be at work.
fn empty(trip: &Trip<'_, '_>, node: &NodeSite) -> Verdict {
    if let Some(other) = node.out_of_sight() {
        return Verdict::Unknown(format!(
            "{} serves Services on {}: {}",
            other.dataplane.name(),
            node.name,
            other.dataplane.conclusion()
        ));
    }
    let view = trip.walker.view;
    let has_proxy = node
        .state
        .proxy_mode
        .as_deref()
        .is_some_and(|mode| !mode.is_empty())
        || view.daemon_sets.get("kube-system", "kube-proxy").is_some()
        || view.config_maps.get("kube-system", "kube-proxy").is_some();
    if !has_proxy {
        return Verdict::Unknown(format!(
            "{} has no rules of kube-proxy, and who serves Services there is not known",
            node.name
        ));
    }
    let text = format!("{}: there are no rules for any Service", node.name);
    let is_laid_out = !node.footprint.layers.is_empty();
    let fault = if is_laid_out {
        ProxyFault::Unreferenced {
            missing: vec!["all rules: the chains are empty".to_owned()],
        }
    } else {
        ProxyFault::Absent
    };
    wrong(fault, text, true)
}

/// An address that the Service does not answer on here.
fn unlisted(node: &NodeSite, entries: &[Entry<'_>], asked: SocketAddr) -> Verdict {
    let ports: Vec<_> = entries
        .iter()
        .filter(|entry| entry.kind == EntryKind::NodePort && entry.number == asked.port())
        .map(|entry| entry.address)
        .collect();
    let is_own = node.setup.local.contains(&asked.ip());
    if ports.is_empty() || !is_own || node.setup.node_port_addresses == NodePortAddresses::All {
        return Verdict::NotClaimed;
    }
    let shown: Vec<String> = ports.iter().map(ToString::to_string).collect();
    let text = format!(
        "{}: node ports answer on {} only, not on {}",
        node.name,
        list(&shown),
        asked.ip()
    );
    let fault = ProxyFault::NodePortElsewhere {
        asked: asked.ip(),
        answers: ports,
    };
    wrong(fault, text, true)
}

fn leads_to(trip: &Trip<'_, '_>, one: &Outcome) -> bool {
    is_endpoint(one.packet, trip.endpoint)
}

fn is_endpoint(packet: Packet, endpoint: SocketAddr) -> bool {
    SocketAddr::new(packet.dst, packet.dport) == endpoint
}

fn outcome_for<'a>(trip: &Trip<'_, '_>, answer: &'a Answer) -> Option<&'a Outcome> {
    answer.outcomes.iter().find(|one| leads_to(trip, one))
}

/// `10.96.6.170:8080 ⇒ 10.244.1.5, 10.244.1.6 and 10.244.2.5, 1 in 3 each, source kept`
fn served_text(asked: SocketAddr, expected: &Expected, answer: &Answer) -> String {
    let Expected::Forward(endpoints) = expected else {
        return format!("{asked}: as it ought to be");
    };
    let shown: Vec<String> = match endpoints.len() {
        0..=4 => endpoints.keys().map(ToString::to_string).collect(),
        many => vec![format!("{many} endpoints")],
    };
    let masqueraded = answer.outcomes.iter().filter(|one| one.masqueraded).count();
    let source = match masqueraded {
        0 => "source kept",
        some if some == answer.outcomes.len() => "source masqueraded",
        _ => "source masqueraded for some",
    };
    let share = match endpoints.len() {
        0 | 1 => String::new(),
        many => format!(", 1 in {many} each"),
    };
    format!("{asked} ⇒ {}{share}, {source}", list(&shown))
}

fn rules_text(one: &Outcome) -> String {
    let translating = one.trail.iter().rfind(|step| step.translates());
    translating.map_or_else(
        || "passes unchanged".to_owned(),
        |step| match step.packets {
            Some(packets) => format!("{step} [{packets} packets]"),
            None => step.to_string(),
        },
    )
}

fn difference_text(one: &Difference) -> String {
    let endpoint = one
        .endpoint
        .map_or_else(String::new, |endpoint| format!(" {endpoint}"));
    format!("{}{endpoint} at {}", one.kind.name(), one.entry)
}
