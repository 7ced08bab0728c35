//! What the rules of a node make of a Service's address, against what kube-proxy ought to have written.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::net::SocketAddr;

use k8s_openapi::api::core::v1::Service;

use super::super::endpoints::slices;
use super::cross::{self, Passage};
use super::distribution::Distribution;
use super::intercept::{self, Kept, Taken};
use super::nat::blocked_text;
use super::trip::Trip;
use crate::cluster::access::ServiceExt;
use crate::nat::eval::{Answer, DoubtKind, Fate, Outcome, Question, Tracer, TrailStep};
use crate::nat::proxy::{
    Difference, DifferenceKind, EntryKind, Expected, Footprint, Mode, NodePortAddresses,
    ProxyEntry, SliceIndex, differences, entries_of, expect, idle_targets, without_routes,
};
use crate::path::{Fault, ProxyFault};
use crate::text::list;
use crate::world::NodeSite;

/// What the rules do with the Service's address.
#[derive(Clone)]
pub(super) enum NodeVerdict {
    /// As they ought to, in words.
    Right(String),
    Wrong {
        fault: Fault,
        text: String,
        /// Whether every packet to this backend is lost by it.
        is_all: bool,
    },
    /// It hangs on what no dump shows.
    Ambiguous {
        fault: Fault,
        why: String,
    },
    Unknown(String),
    NotClaimed,
    /// The packet ends on the node, where somebody answers it.
    Kept(String),
}

/// What the rules of a node make of an address of a Service, for all its backends.
pub(super) enum Claim {
    /// Nothing can be said.
    None,
    /// The same for every backend.
    Same(Box<NodeVerdict>),
    Listed(Box<Listed>),
}

/// An address that kube-proxy writes rules for.
pub(super) struct Listed {
    /// Those of all rules, and of kube-proxy's own as if they were alone.
    found: Vec<Difference>,
    own: Option<Own>,
    idle: Vec<Difference>,
    /// What is said if nothing differs.
    served: String,
}

struct Own {
    found: Vec<Difference>,
    is_older_state: bool,
    /// How many addresses of other Services differ.
    others: OnceCell<usize>,
}

// === impl Claim ===

impl Claim {
    /// Compares an answer with what ought to have been written.
    pub(super) fn of(
        trip: &Trip<'_, '_>,
        node: &NodeSite,
        question: &Question,
        answer: &Answer,
        asked: SocketAddr,
    ) -> Self {
        let (Some(service), Some(rules)) = (trip.service, node.state.rules.as_ref()) else {
            return Self::None;
        };
        if let Some(why) = node.unread(trip.family) {
            return Self::Same(Box::new(NodeVerdict::Unknown(why)));
        }
        if !node.state.has_rules_of(node.setup.mode, trip.family) {
            return Self::None;
        }
        let slices = SliceIndex::new(slices(trip.walker.view, service));
        let entries = entries_of(service, &slices, &node.setup);
        let is_asked = |entry: &&ProxyEntry<'_>| {
            SocketAddr::new(entry.address, entry.number) == asked && entry.protocol == trip.protocol
        };
        let Some(entry) = entries.iter().find(is_asked) else {
            return Self::Same(Box::new(unlisted(node, service, &entries, asked)));
        };
        let origin = trip.origin(question);
        let expected = expect(entry, &origin, &node.setup);
        let found = differences(entry, &origin, &expected, answer);
        // What kube-proxy's own rules would do if they were alone.
        let own = (!found.is_empty()).then(|| {
            let host = without_routes(&node.state.host, &node.setup);
            let alone = Tracer::within(rules, &host, Some(Footprint::scope())).walk(question);
            let found = differences(entry, &origin, &expected, &alone);
            Own {
                is_older_state: is_older_state(&found, &alone),
                others: OnceCell::new(),
                found,
            }
        });
        let is_iptables = node.setup.mode == Mode::Iptables;
        Self::Listed(Box::new(Listed {
            found,
            own,
            idle: if is_iptables {
                idle_targets(entry, rules, &[])
            } else {
                Vec::new()
            },
            served: served_text(asked, &expected, answer),
        }))
    }
}

/// Judges a packet to an address of a Service, for one backend.
pub(super) fn judge(trip: &Trip<'_, '_>, node: &NodeSite, all: &Distribution) -> NodeVerdict {
    let listed = match &all.claim {
        Claim::None => return NodeVerdict::NotClaimed,
        Claim::Same(verdict) => return (**verdict).clone(),
        Claim::Listed(listed) => listed,
    };
    let answer = &all.answer;
    let Some(worst) = worst(&weighty(trip, &listed.found), trip.endpoint) else {
        return idle(node, &listed.idle, trip.endpoint)
            .unwrap_or_else(|| NodeVerdict::Right(listed.served.clone()));
    };
    let own = listed.own.as_ref();
    let found = own.map(|own| weighty(trip, &own.found)).unwrap_or_default();
    if worst.kind == DifferenceKind::Undecided {
        let contested = found.is_empty().then(|| contested(answer, worst));
        let modes = node.footprint.filled(trip.family).map(|layer| layer.mode);
        return contested
            .flatten()
            .unwrap_or_else(|| undecided(answer, modes.collect()));
    }
    let Some(own) = own.filter(|_| !found.is_empty()) else {
        return disturbed(trip, node, answer, worst);
    };
    let worst = self::worst(&found, trip.endpoint).unwrap_or(worst);
    let has_servers = || {
        let rules = node.state.rules.as_ref();
        rules.is_some_and(|rules| rules.virtual_servers.is_some())
    };
    if node.footprint.filled(trip.family).next().is_none() && !has_servers() {
        return empty(trip, node);
    }
    if let Some(verdict) = unreferenced(trip, node, worst) {
        return verdict;
    }
    let others = own.others.get_or_init(|| {
        let drift = &node.drift(trip.walker.view).differences;
        let is_other = |one: &&Difference| one.service.is_some() && one.service != worst.service;
        drift.iter().filter(is_other).count()
    });
    let text = format!("{}: {}", node.name, difference_text(worst));
    let fault = ProxyFault::Drift {
        difference: Box::new(worst.clone()),
        is_older_state: own.is_older_state,
        others: *others,
    };
    wrong(fault, text, stops(worst, trip.endpoint))
}

/// Nothing leads to the rules of Services, though they are laid out.
fn unreferenced(trip: &Trip<'_, '_>, node: &NodeSite, worst: &Difference) -> Option<NodeVerdict> {
    // nftables mode refuses the addresses of Services that lead nowhere.
    let is_lost = worst.kind == DifferenceKind::ServiceMissing
        || worst.kind == DifferenceKind::Refused && node.setup.mode == Mode::Nftables;
    let layer = node
        .footprint
        .layers
        .iter()
        .find(|layer| layer.mode == node.setup.mode && layer.family.sees(trip.family))?;
    if !is_lost || layer.entries > 0 && layer.missing_jumps.is_empty() {
        return None;
    }
    let mut missing: Vec<String> = layer
        .missing_jumps
        .iter()
        .map(|jump| format!("{} {} -> {}", jump.table, jump.hook.upper(), jump.target))
        .collect();
    if layer.entries == 0 {
        missing.push("every rule that leads from an address to its Service".to_owned());
    }
    let text = format!("{}: no rule jumps to the Service chains", node.name);
    Some(wrong(ProxyFault::Unreferenced { missing }, text, true))
}

/// A translation that stands behind the right one of an endpoint: nothing reaches it, and kube-proxy
/// did not write it.
fn idle(node: &NodeSite, all: &[Difference], endpoint: SocketAddr) -> Option<NodeVerdict> {
    let difference = all.iter().find(|one| one.endpoint == Some(endpoint))?;
    let text = format!("{}: {}", node.name, difference_text(difference));
    let fault = ProxyFault::Drift {
        difference: Box::new(difference.clone()),
        is_older_state: false,
        others: 0,
    };
    Some(wrong(fault, text, false))
}

/// The differences that can matter: shares may be uneven, whoever leaves the cluster has to be
/// masqueraded by somebody, and without masquerading answers still pass the node that undoes the
/// translation, unless they come from another one or go from a pod to itself.
fn weighty<'d>(trip: &Trip<'_, '_>, found: &'d [Difference]) -> Vec<&'d Difference> {
    let leaves = trip.destination_pod().is_none();
    let matters = |one: &&Difference| match one.kind {
        DifferenceKind::Uneven => false,
        DifferenceKind::MasqueradeUnexpected => !leaves,
        DifferenceKind::MasqueradeMissing => {
            trip.is_entering && !trip.is_same_node() || trip.client == trip.endpoint.ip()
        }
        _ => true,
    };
    found.iter().filter(matters).collect()
}

const fn wrong(fault: ProxyFault, text: String, is_all: bool) -> NodeVerdict {
    NodeVerdict::Wrong {
        fault: Fault::Proxy(fault),
        text,
        is_all,
    }
}

/// kube-proxy's rules are right, and another table of the same priority translates it, too: the one that
/// was registered last is asked first.
fn contested(answer: &Answer, worst: &Difference) -> Option<NodeVerdict> {
    let mut doubts = answer.doubts.iter();
    let order = doubts.find(|doubt| doubt.kind == DoubtKind::Order)?;
    let is_meant = |one: &Outcome| {
        let to = SocketAddr::new(one.packet.dst, one.packet.dport).to_string();
        worst.expected.contains(&to)
    };
    let mut outcomes = answer.outcomes.iter();
    let stray = outcomes.find(|one| one.translated && !is_meant(one))?;
    let (rule, to) = translation(stray)?;
    let why = format!("{rule} would send it to {to}; {}", order.text);
    Some(NodeVerdict::Ambiguous {
        fault: Fault::Proxy(ProxyFault::Contested {
            rule,
            to,
            why: order.text.clone(),
        }),
        why,
    })
}

/// Two rule sets that translate it both are a fault of their own, whichever is asked first.
fn undecided(answer: &Answer, modes: BTreeSet<Mode>) -> NodeVerdict {
    let order = answer
        .doubts
        .iter()
        .find(|doubt| doubt.kind == DoubtKind::Order);
    if let Some(order) = order {
        return NodeVerdict::Ambiguous {
            fault: Fault::Proxy(ProxyFault::Ambiguous {
                why: order.text.clone(),
                modes: modes.into_iter().collect(),
            }),
            why: order.text.clone(),
        };
    }
    let why = answer.doubts.first().map(|doubt| doubt.text.clone());
    NodeVerdict::Unknown(why.unwrap_or_else(|| "the rules could not be decided".to_owned()))
}

/// The difference that matters most to a backend.
fn worst<'d>(found: &[&'d Difference], endpoint: SocketAddr) -> Option<&'d Difference> {
    let mut all = found.iter().copied();
    let own = all.clone().find(|one| stops(one, endpoint));
    own.or_else(|| {
        all.find(|one| {
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
fn disturbed(
    trip: &Trip<'_, '_>,
    node: &NodeSite,
    answer: &Answer,
    worst: &Difference,
) -> NodeVerdict {
    let certain = answer.outcomes.iter().filter(|one| one.depends.is_empty());
    let untracked = certain.clone().find_map(|one| {
        let mut trail = one.trail.iter();
        trail.find(|step| {
            ["NOTRACK", "--notrack", "notrack"]
                .iter()
                .any(|word| step.text.contains(word))
        })
    });
    match intercept::kept(trip, node, answer) {
        Some(Kept::Served(text)) => return NodeVerdict::Kept(text),
        Some(Kept::Open(why)) => return NodeVerdict::Unknown(why),
        Some(Kept::NoCache) => return no_cache(trip, node),
        None => {}
    }
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
            && one.fate == Fate::Deliver
            && let Taken::Open(why) | Taken::Served(why) = intercept::taken(trip, node, one)
        {
            return NodeVerdict::Unknown(why);
        }
        if one.translated
            && !is_known
            && let Some((fault, text)) = foreign(one, &node.name)
        {
            return NodeVerdict::Wrong {
                fault,
                text,
                is_all,
            };
        }
        if !one.translated
            && !one.passes()
            && let Passage::Stopped(fault) = cross::passage(answer, [one])
        {
            let text = blocked_text(&node.name, &fault);
            return NodeVerdict::Wrong {
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
        Some(doubt) => NodeVerdict::Unknown(doubt.text.clone()),
        None => NodeVerdict::Unknown("other rules than kube-proxy's change its way".to_owned()),
    }
}

/// The cache has taken the address of the DNS, and does not answer there.
fn no_cache(trip: &Trip<'_, '_>, node: &NodeSite) -> NodeVerdict {
    let address = trip.asked.unwrap_or(trip.endpoint).ip();
    NodeVerdict::Wrong {
        fault: Fault::NoNodeCache {
            address,
            lacks_address: false,
        },
        text: format!("{}: nothing listens on {address}", node.name),
        is_all: true,
    }
}

pub(super) fn foreign(one: &Outcome, node: &str) -> Option<(Fault, String)> {
    let (rule, to) = translation(one)?;
    let text = format!("{node}: {rule} sends it to {to}");
    Some((Fault::Proxy(ProxyFault::Foreign { rule, to }), text))
}

/// The rule that translates a packet, and to what.
fn translation(one: &Outcome) -> Option<(TrailStep, String)> {
    let rule = one.trail.iter().rfind(|step| step.translates())?.clone();
    let to = SocketAddr::new(one.packet.dst, one.packet.dport).to_string();
    Some((rule, to))
}

/// No Service has rules. Whoever serves them out of sight may be at work.
fn empty(trip: &Trip<'_, '_>, node: &NodeSite) -> NodeVerdict {
    if let Some(why) = node.unserved(trip.walker.view, trip.family) {
        return NodeVerdict::Unknown(why);
    }
    let text = format!("{}: there are no rules for any Service", node.name);
    let mut layers = node.footprint.layers.iter();
    let is_laid_out = layers.any(|layer| layer.family.sees(trip.family));
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
fn unlisted(
    node: &NodeSite,
    service: &Service,
    entries: &[ProxyEntry<'_>],
    asked: SocketAddr,
) -> NodeVerdict {
    let ports: Vec<_> = entries
        .iter()
        .filter(|entry| entry.kind == EntryKind::NodePort && entry.number == asked.port())
        .map(|entry| entry.address)
        .collect();
    let is_own = node.setup.local.contains(&asked.ip());
    let is_of_node_port = service
        .ports()
        .iter()
        .any(|port| port.node_port == Some(i32::from(asked.port())));
    if !is_of_node_port || !is_own || node.setup.node_port_addresses == NodePortAddresses::All {
        return NodeVerdict::NotClaimed;
    }
    let shown: Vec<String> = ports.iter().map(ToString::to_string).collect();
    let text = format!(
        "{}: node ports answer on {} only, not on {}",
        node.name,
        if shown.is_empty() {
            "no address".to_owned()
        } else {
            list(&shown)
        },
        asked.ip()
    );
    let fault = ProxyFault::NodePortElsewhere {
        asked: asked.ip(),
        answers: ports,
        addresses: node.setup.node_port_addresses.clone(),
    };
    wrong(fault, text, true)
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

fn difference_text(one: &Difference) -> String {
    let endpoint = one
        .endpoint
        .map_or_else(String::new, |endpoint| format!(" {endpoint}"));
    format!("{}{endpoint} at {}", one.kind.name(), one.entry)
}
