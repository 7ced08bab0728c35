//! Why a rule does not match, as data: the nearest miss says what to change.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::ends::{End, Labelled};
use super::eval::{Missed, Side};
use super::fix::{self, Fix};
use super::formula::{Domain, Formula, Part};
use super::model::{Action, Peers, Port, PortNumber, Ports, RuleRef};
use super::policies::Policies;
use super::truth::Doubt;
use crate::cluster::{Operator, Requirement};
use crate::net::{Family, Protocol};

/// Why one rule of a policy that selects the end does not match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleMiss {
    /// The rule, or the section where it has none.
    pub rule: RuleRef,
    /// What the rule would have done.
    pub action: Action,
    pub cause: Cause,
    /// How much keeps it from matching; misses are sorted by this.
    pub distance: usize,
    /// The smallest change of this policy that lets the rule, or one beside it, admit the flow.
    pub fix: Option<Fix>,
}

/// What kind of miss it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// There is no rule at all: `ingress: []`, or none written.
    NoRules {
        /// Whether the list is written down, though empty.
        is_written: bool,
        /// Whether `policyTypes` names the direction.
        is_named: bool,
    },
    Mismatch {
        /// Why each entry of the peers misses, in the order of the list; empty if the peers match.
        peers: Vec<PeerMiss>,
        /// Why the ports miss; none if they match.
        port: Option<PortMiss>,
    },
}

/// Why one peer does not match the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerMiss {
    /// Its position in the list.
    pub peer: usize,
    /// Everything that keeps it from matching.
    pub leaves: Vec<LeafMiss>,
    /// Whether half of a peer with both selectors would match.
    pub split: Option<Split>,
}

/// `namespaceSelector` and `podSelector` of one peer must both match; as two peers one is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    /// The `namespaceSelector` as a peer of its own would match.
    pub namespaces_alone: bool,
    /// The `podSelector` as a peer of its own (in the policy's namespace) would match.
    pub pods_alone: bool,
}

/// One condition that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeafMiss {
    /// Selectors see only pods, and the other end is a node or outside.
    NotAPod {
        is_node: bool,
    },
    /// Selectors do not see a pod in its node's network namespace; its labels are judged all the
    /// same in the other leaves.
    HostNetwork,
    /// A pod of another namespace.
    Namespace {
        wanted: String,
        has: String,
    },
    Label(LabelMiss),
    /// The address lies outside the block.
    Outside {
        net: IpNet,
        addresses: Vec<IpAddr>,
        /// Whether the block is of the other address family.
        is_other_family: bool,
    },
    /// The address lies in an exception.
    Excepted {
        hole: IpNet,
        addresses: Vec<IpAddr>,
    },
    /// Not a node, not outside the cluster, not on the same node; or nobody is meant.
    Kind(Formula),
    /// A label whose value lacks a part.
    Part(Domain, Part),
    /// A condition that must not hold, and does.
    Negated(Formula),
    /// What cannot be settled.
    Unclear(Doubt),
}

/// A label that is missing or has another value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelMiss {
    pub domain: Domain,
    pub requirement: Requirement,
    /// The value it has instead; none where the key is absent.
    pub has: Option<String>,
    /// The label of the other end that comes nearest: the wanted value under another key, or the
    /// wanted key in another spelling.
    pub nearest: Option<(String, String)>,
    /// For namespace labels: how many namespaces meet the requirement.
    pub carriers: Option<usize>,
}

/// Why no entry of a rule's ports matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortMiss {
    pub protocol: Protocol,
    pub port: u16,
    /// The rule's entries, each with its reason.
    pub entries: Vec<(Port, PortMissKind)>,
}

/// Why one entry of the ports does not match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortMissKind {
    /// The number fits; the protocol does not. `TCP` may be only the default.
    ProtocolOnly,
    /// Another number, or another protocol as well.
    Number,
    /// The destination declares no port of that name and protocol.
    UnknownName,
    /// The destination calls another number by that name.
    OtherNumber(u16),
    Unclear(Doubt),
}

/// Why the rules that were asked do not match, nearest first.
pub(super) fn misses(policies: &Policies, missed: &[Missed<'_>], side: Side<'_>) -> Vec<RuleMiss> {
    let explained = missed
        .iter()
        .map(|missed| miss(&policies.namespaces, *missed, side));
    let mut explained: Vec<RuleMiss> = explained.collect();
    explained.sort_by_key(|miss| miss.distance);
    explained
}

fn miss(namespaces: &[Arc<Labelled>], missed: Missed<'_>, side: Side<'_>) -> RuleMiss {
    let Missed {
        policy,
        section,
        rule,
    } = missed;
    let Some(rule) = rule else {
        let cause = Cause::NoRules {
            is_written: section.is_written,
            is_named: section.is_named,
        };
        return RuleMiss {
            rule: policy.section_ref(side.direction, section),
            action: Action::Allow,
            distance: cause.distance(),
            fix: fix::admitting(missed, &cause, side),
            cause,
        };
    };
    let peers = match &rule.peers {
        Peers::OneOf(peers) if side.peers_match(&rule.peers).is_no() => {
            let peers = peers.iter().enumerate();
            let own = policy.namespace.as_deref();
            peers
                .map(|(position, peer)| peer_miss(namespaces, position, peer, own, side))
                .collect()
        }
        _ => Vec::new(),
    };
    let port = match &rule.ports {
        Ports::OneOf(ports) if side.ports_match(&rule.ports).is_no() => {
            Some(port_miss(ports, side))
        }
        _ => None,
    };
    let cause = Cause::Mismatch { peers, port };
    RuleMiss {
        rule: policy.rule_ref(side.direction, section, rule),
        action: rule.action,
        distance: cause.distance(),
        fix: fix::admitting(missed, &cause, side),
        cause,
    }
}

fn peer_miss(
    namespaces: &[Arc<Labelled>],
    position: usize,
    peer: &Formula,
    own_namespace: Option<&str>,
    side: Side<'_>,
) -> PeerMiss {
    let mut leaves = Vec::new();
    let mut end = side.peer.clone();
    if let Some(pod) = &mut end.pod
        && pod.host_network
        && asks_for_pods(peer)
    {
        leaves.push(LeafMiss::HostNetwork);
        pod.host_network = false;
    }
    gather(peer, &end, namespaces, side, &mut leaves);
    let split = split(peer, &end, own_namespace, side);
    PeerMiss {
        peer: position,
        leaves,
        split,
    }
}

fn asks_for_pods(formula: &Formula) -> bool {
    match formula {
        Formula::Pod => true,
        Formula::All(parts) | Formula::Any(parts) => parts.iter().any(asks_for_pods),
        _ => false,
    }
}

/// The conditions of a formula that do not hold; of alternatives, those of the nearest.
fn gather(
    formula: &Formula,
    end: &End,
    namespaces: &[Arc<Labelled>],
    side: Side<'_>,
    leaves: &mut Vec<LeafMiss>,
) {
    if formula.truth(end, side.of_peer()).is_yes() {
        return;
    }
    match formula {
        Formula::Pod => leaves.push(LeafMiss::NotAPod {
            is_node: end.node.is_some(),
        }),
        Formula::Node | Formula::Outside | Formula::SameNode => {
            leaves.push(LeafMiss::Kind(formula.clone()));
        }
        Formula::Part(domain, part) => leaves.push(LeafMiss::Part(*domain, part.clone())),
        Formula::Namespace(_)
        | Formula::Label(Domain::Pod | Domain::Namespace | Domain::ServiceAccount, _)
            if end.pod.is_none() => {}
        Formula::Namespace(wanted) => leaves.push(LeafMiss::Namespace {
            wanted: wanted.clone(),
            has: end.namespace().unwrap_or_default().to_owned(),
        }),
        Formula::Label(domain, requirement) => {
            leaves.push(LeafMiss::Label(label_miss(
                *domain,
                requirement,
                end,
                namespaces,
            )));
        }
        Formula::Within(net) => leaves.push(LeafMiss::Outside {
            net: *net,
            addresses: end.addresses.clone(),
            is_other_family: !side
                .families
                .iter()
                .any(|family| family == Family::of(net.addr())),
        }),
        Formula::All(parts) => {
            for part in parts {
                gather(part, end, namespaces, side, leaves);
            }
        }
        Formula::Any(parts) if parts.is_empty() => leaves.push(LeafMiss::Kind(formula.clone())),
        Formula::Any(parts) => {
            let branches = parts.iter().map(|part| {
                let mut branch = Vec::new();
                gather(part, end, namespaces, side, &mut branch);
                branch
            });
            leaves.extend(
                branches
                    .min_by_key(|branch| distance(branch))
                    .unwrap_or_default(),
            );
        }
        Formula::Not(part) => leaves.push(match &**part {
            Formula::Within(hole) => LeafMiss::Excepted {
                hole: *hole,
                addresses: end.addresses.clone(),
            },
            other => LeafMiss::Negated(other.clone()),
        }),
        Formula::Unclear(doubt) => leaves.push(LeafMiss::Unclear(doubt.clone())),
    }
}

fn distance(leaves: &[LeafMiss]) -> usize {
    leaves.iter().map(LeafMiss::distance).sum()
}

fn label_miss(
    domain: Domain,
    requirement: &Requirement,
    end: &End,
    namespaces: &[Arc<Labelled>],
) -> LabelMiss {
    let labels = match (domain, &end.pod) {
        (Domain::Pod, Some(pod)) => Some(&pod.labels),
        (Domain::Namespace, Some(pod)) => Some(&pod.namespace.labels),
        (Domain::ServiceAccount, Some(pod)) => Some(&pod.service_account.labels),
        (Domain::Node, _) => end.node.as_ref().map(|node| &node.labels),
        (_, None) => None,
    };
    let key = &requirement.key;
    let wants = matches!(requirement.operator, Operator::In | Operator::Exists);
    let nearest = labels.filter(|_| wants).and_then(|labels| {
        let same_value = labels
            .iter()
            .find(|(_, value)| requirement.values.contains(value));
        let keys = || labels.keys().map(String::as_str);
        let near_key = || {
            let near = crate::text::nearest(key, keys())
                .into_iter()
                .find(|near| near != key)?;
            labels.get_key_value(near)
        };
        let (key, value) = same_value.or_else(near_key)?;
        Some((key.clone(), value.clone()))
    });
    let carriers = (domain == Domain::Namespace).then(|| {
        let carriers = namespaces
            .iter()
            .filter(|namespace| requirement.holds(&namespace.labels));
        carriers.count()
    });
    LabelMiss {
        domain,
        requirement: requirement.clone(),
        has: labels.and_then(|labels| labels.get(key)).cloned(),
        nearest,
        carriers,
    }
}

/// Whether one selector of a peer that has both would match alone.
fn split(peer: &Formula, end: &End, own: Option<&str>, side: Side<'_>) -> Option<Split> {
    let (Formula::All(parts), Some(pod)) = (peer, &end.pod) else {
        return None;
    };
    let half = |wanted: Domain| {
        let mut terms = parts
            .iter()
            .filter(|part| matches!(part, Formula::Label(domain, _) if *domain == wanted))
            .peekable();
        terms.peek()?;
        Some(terms.all(|term| term.truth(end, side.of_peer()).is_yes()))
    };
    let (namespaces, pods) = (half(Domain::Namespace)?, half(Domain::Pod)?);
    let in_own = own == Some(pod.namespace.name.as_str());
    let split = Split {
        namespaces_alone: namespaces,
        pods_alone: pods && in_own,
    };
    (split.namespaces_alone || split.pods_alone).then_some(split)
}

fn port_miss(ports: &[Port], side: Side<'_>) -> PortMiss {
    let question = side.question;
    let kind = |port: &Port| match &port.number {
        PortNumber::Unclear(doubt) => PortMissKind::Unclear(doubt.clone()),
        PortNumber::Any => PortMissKind::ProtocolOnly,
        PortNumber::Range(range) if range.contains(question.port) => PortMissKind::ProtocolOnly,
        PortNumber::Range(_) => PortMissKind::Number,
        PortNumber::Named(name) => {
            let protocol = port.protocol.unwrap_or(question.protocol);
            match question.destination.named_port(name, protocol) {
                None => PortMissKind::UnknownName,
                Some(number) if number == question.port => PortMissKind::ProtocolOnly,
                Some(number) => PortMissKind::OtherNumber(number),
            }
        }
    };
    PortMiss {
        protocol: question.protocol,
        port: question.port,
        entries: ports
            .iter()
            .map(|port| (port.clone(), kind(port)))
            .collect(),
    }
}

// === impl Cause ===

impl Cause {
    /// Whether the peers match, and only the port keeps the rule from admitting the flow.
    #[must_use]
    pub const fn is_port_only(&self) -> bool {
        matches!(self, Self::Mismatch { peers, port: Some(_) } if peers.is_empty())
    }

    /// Whether the ports match, and only the peer keeps the rule from admitting the flow.
    #[must_use]
    pub const fn is_peer_only(&self) -> bool {
        matches!(self, Self::Mismatch { port: None, .. })
    }

    fn distance(&self) -> usize {
        match self {
            Self::NoRules { .. } => 100,
            Self::Mismatch { peers, port } => {
                let peer = peers
                    .iter()
                    .map(PeerMiss::distance)
                    .min()
                    .unwrap_or_default();
                peer + port.as_ref().map_or(0, PortMiss::distance)
            }
        }
    }
}

// === impl PeerMiss ===

impl PeerMiss {
    pub(super) fn distance(&self) -> usize {
        distance(&self.leaves)
    }

    /// Whether the other end's labels fit, and only its being in its node's network namespace keeps
    /// it from being selected.
    #[must_use]
    pub fn is_host_network_only(&self) -> bool {
        matches!(self.leaves.as_slice(), [LeafMiss::HostNetwork])
    }
}

// === impl LeafMiss ===

impl LeafMiss {
    /// Small for what looks like a slip, large for what looks meant.
    const fn distance(&self) -> usize {
        match self {
            Self::HostNetwork | Self::Unclear(_) => 1,
            Self::Label(LabelMiss {
                nearest: Some(_), ..
            }) => 2,
            Self::Label(LabelMiss { has: None, .. }) | Self::Excepted { .. } => 3,
            Self::Label(_) | Self::Part(..) | Self::Namespace { .. } => 4,
            Self::Negated(_) | Self::Outside { .. } => 5,
            Self::NotAPod { .. } | Self::Kind(_) => 6,
        }
    }
}

// === impl PortMiss ===

impl PortMiss {
    /// The entry that comes nearest.
    #[must_use]
    pub fn nearest(&self) -> Option<&(Port, PortMissKind)> {
        self.entries.iter().min_by_key(|(_, kind)| kind.distance())
    }

    fn distance(&self) -> usize {
        self.nearest().map_or(0, |(_, kind)| kind.distance())
    }
}

// === impl PortMissKind ===

impl PortMissKind {
    const fn distance(&self) -> usize {
        match self {
            Self::ProtocolOnly | Self::Unclear(_) => 1,
            Self::OtherNumber(_) | Self::UnknownName => 2,
            Self::Number => 3,
        }
    }
}
