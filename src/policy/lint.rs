//! What in a policy never comes to bear, though somebody wrote it down.
//!
//! ```text
//!  policies that select an end of a flow ─► peers, named ports, policyTypes ─► Lint
//!  policies beside it in its namespaces  ─► select nothing at all          ─► Lint
//! ```
//!
//! Only what was read whole is judged: a peer matches nobody if no pod and no workload's template
//! fits, wherever it looks.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::ends::{End, Ends};
use super::formula::{Context, Domain, Families, Formula};
use super::model::{Direction, Peers, Policy, PolicyRef, Port, PortNumber, Ports, Rule, Section};
use super::named::workload_namespaces;
use super::policies::Policies;
use crate::cluster::access::ServiceExt;
use crate::cluster::{ClusterView, Named, Operator, Requirement, Resource};
use crate::net::{Protocol, parse_prefix};

/// A part of a policy without effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lint {
    pub policy: PolicyRef,
    /// `spec.ingress[0].from[1]`
    pub field: String,
    pub idle: Idle,
}

/// Why it has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Idle {
    /// The policy selects no pod.
    SelectsNothing,
    /// No namespace carries a label that a peer asks for.
    NoSuchNamespace(Requirement),
    /// A peer fits no pod.
    NoSuchPod,
    /// A peer is a block of Service addresses, which policies never see.
    ServiceRange(IpNet),
    /// No pod that the rule can be about has a port of that name.
    NoSuchPort(String, Option<Protocol>),
    /// Rules for a direction that `policyTypes` leaves out.
    LeftOut(Direction),
    /// `egress: []` without `policyTypes` closes nothing.
    NotClosed,
    /// A direction that `policyTypes` names has no rule, while the other has: all of it is denied.
    AllClosed(Direction),
}

/// Looks at every policy that selects one of some ends, and at those beside it that select nothing.
/// Each is told once.
#[must_use]
pub fn lint<'l>(
    policies: &Policies,
    ends: &[&End],
    linter: impl FnOnce() -> &'l Linter<'l>,
) -> Vec<Lint> {
    let tiers = policies.stacks.iter().flat_map(|stack| &stack.tiers);
    let mut concerning: BTreeMap<&PolicyRef, (&Policy, bool)> = BTreeMap::new();
    for end in ends {
        for policy in tiers
            .clone()
            .flat_map(|tier| tier.concerning(end.namespace()))
        {
            let context = alone(policies.families);
            let selects = policy.subject.truth(end, context).is_yes();
            concerning.entry(&policy.id).or_insert((policy, false)).1 |= selects;
        }
    }
    let mut found = Vec::new();
    if concerning.is_empty() {
        return found;
    }
    let linter = linter();
    for (policy, selects) in concerning.into_values() {
        if selects {
            linter.policy(policy, &mut found);
        } else if policy.namespace.is_some() && linter.selects_nothing(policy) {
            found.push(idle(policy, "spec.podSelector", Idle::SelectsNothing));
        }
    }
    found
}

fn idle(policy: &Policy, field: impl Into<String>, idle: Idle) -> Lint {
    Lint {
        policy: policy.id.clone(),
        field: field.into(),
        idle,
    }
}

/// What a condition on an end may refer to without another one.
const fn alone(families: Families) -> Context<'static> {
    Context {
        families,
        other: None,
    }
}

/// What a view's policies are checked against, gathered once for all of them.
#[derive(Debug)]
pub struct Linter<'v> {
    view: &'v ClusterView,
    families: Families,
    /// Every pod, and every workload as its template makes pods.
    pods: Vec<End>,
    /// Whether these are all there are.
    has_all_pods: bool,
    has_all_namespaces: bool,
    /// The labels of every namespace that has an object, or a pod.
    namespaces: Vec<BTreeMap<String, String>>,
}

// === impl Linter ===

impl<'v> Linter<'v> {
    /// Gathers every pod and namespace of a view.
    #[must_use]
    pub fn new(view: &'v ClusterView, policies: &Policies, ends: &Ends<'v>) -> Self {
        let pods = view.pods.iter().filter(|pod| !pod.is_finished());
        let mut all: Vec<End> = pods.map(|pod| ends.pod(pod)).collect();
        for namespace in workload_namespaces(view) {
            all.extend(ends.templates(namespace));
        }
        let named = view.namespaces.iter().map(Named::name);
        let named: BTreeSet<&str> = named.chain(all.iter().filter_map(End::namespace)).collect();
        let namespaces = named.into_iter().map(|name| view.namespace_labels(name));
        Self {
            view,
            families: policies.families,
            namespaces: namespaces.collect(),
            pods: all,
            has_all_pods: view.holds_all(Resource::Pods, ""),
            has_all_namespaces: view.holds_all(Resource::Namespaces, ""),
        }
    }

    fn selects_nothing(&self, policy: &Policy) -> bool {
        let namespace = policy.namespace.as_deref();
        self.view
            .holds_all(Resource::Pods, namespace.unwrap_or_default())
            && !self.pods.iter().any(|pod| {
                pod.namespace() == namespace
                    && !policy.subject.truth(pod, alone(self.families)).is_no()
            })
    }

    fn policy(&self, policy: &Policy, found: &mut Vec<Lint>) {
        self.types(policy, found);
        for direction in Direction::ALL {
            let Some(section) = policy.section(direction) else {
                continue;
            };
            for rule in &section.rules {
                let place = policy.rule_ref(direction, section, rule).field();
                self.peers(policy, direction, rule, &place, found);
                self.ports(policy, direction, rule, &place, found);
            }
        }
    }

    /// What `policyTypes` makes of a NetworkPolicy that looks otherwise.
    fn types(&self, policy: &Policy, found: &mut Vec<Lint>) {
        let id = &policy.id;
        let written = self.view.network_policies.get(&id.namespace, &id.name);
        let is_plain = id.resource == Resource::NetworkPolicies;
        let Some(spec) = written.and_then(|policy| policy.spec.as_ref()) else {
            return;
        };
        if !is_plain {
            return;
        }
        let types = spec.policy_types.as_deref().unwrap_or_default();
        let rules = |direction| match direction {
            Direction::Egress => spec.egress.as_ref().map(Vec::len),
            Direction::Ingress => spec.ingress.as_ref().map(Vec::len),
        };
        for (direction, other) in [
            (Direction::Egress, Direction::Ingress),
            (Direction::Ingress, Direction::Egress),
        ] {
            let has_rules = |direction| rules(direction).is_some_and(|count| count > 0);
            let is_closed = policy.section(direction).is_some_and(closes_all);
            let found_idle = if has_rules(direction) && policy.section(direction).is_none() {
                Idle::LeftOut(direction)
            } else if is_closed && !types.is_empty() && has_rules(other) {
                Idle::AllClosed(direction)
            } else if direction == Direction::Egress
                && types.is_empty()
                && rules(direction) == Some(0)
            {
                Idle::NotClosed
            } else {
                continue;
            };
            let field = match found_idle {
                Idle::AllClosed(_) => "spec.policyTypes".to_owned(),
                _ => format!("spec.{direction}"),
            };
            found.push(idle(policy, field, found_idle));
        }
    }

    fn peers(
        &self,
        policy: &Policy,
        direction: Direction,
        rule: &Rule,
        place: &str,
        found: &mut Vec<Lint>,
    ) {
        let Peers::OneOf(peers) = &rule.peers else {
            return;
        };
        let list = match direction {
            Direction::Egress => "to",
            Direction::Ingress => "from",
        };
        let is_plain = policy.id.resource == Resource::NetworkPolicies;
        for (position, peer) in peers.iter().enumerate() {
            let field = if is_plain {
                format!("{place}.{list}[{position}]")
            } else {
                place.to_owned()
            };
            let why = self.idle_peer(policy, peer);
            found.extend(why.map(|why| idle(policy, field, why)));
        }
    }

    fn idle_peer(&self, policy: &Policy, peer: &Formula) -> Option<Idle> {
        if let Some(net) = only_block(peer) {
            return self
                .is_service_range(net)
                .then_some(Idle::ServiceRange(net));
        }
        if !is_about_pods(peer) {
            return None;
        }
        let missing = self.missing_namespace(peer);
        if let Some(requirement) = missing.filter(|_| self.has_all_namespaces) {
            return Some(Idle::NoSuchNamespace(requirement.clone()));
        }
        let is_local = policy.namespace.as_ref().is_some_and(|own| {
            asks_for(peer, &|part| *part == Formula::Namespace(own.clone()))
                && self.view.holds_all(Resource::Pods, own)
        });
        let is_idle = (is_local || self.has_all_pods)
            && self
                .pods
                .iter()
                .all(|pod| peer.truth(pod, alone(self.families)).is_no());
        is_idle.then_some(Idle::NoSuchPod)
    }

    /// A label that every namespace would need for the peer to fit, and none has.
    fn missing_namespace<'f>(&self, peer: &'f Formula) -> Option<&'f Requirement> {
        let Formula::All(parts) = peer else {
            return None;
        };
        parts.iter().find_map(|part| {
            let Formula::Label(Domain::Namespace, requirement) = part else {
                return None;
            };
            let is_positive = matches!(requirement.operator, Operator::In | Operator::Exists);
            let mut namespaces = self.namespaces.iter();
            let is_carried = namespaces.any(|labels| requirement.holds(labels));
            (is_positive && !is_carried).then_some(requirement)
        })
    }

    /// Whether a block holds addresses of Services alone.
    fn is_service_range(&self, net: IpNet) -> bool {
        let ranges = self.view.service_cidrs.iter().flat_map(|range| {
            let cidrs = range.spec.iter().flat_map(|spec| &spec.cidrs);
            cidrs.flatten()
        });
        let mut ranges = ranges.filter_map(|range| parse_prefix(range).ok());
        let mut addresses = self.view.services.iter().flat_map(ServiceExt::cluster_ips);
        ranges.any(|range| range.contains(&net)) || addresses.any(|addr| net == IpNet::from(addr))
    }

    /// Names of ports that nobody the rule is about has: the pods of the policy for ingress, the
    /// peers for egress.
    fn ports(
        &self,
        policy: &Policy,
        direction: Direction,
        rule: &Rule,
        place: &str,
        found: &mut Vec<Lint>,
    ) {
        let Ports::OneOf(ports) = &rule.ports else {
            return;
        };
        let holds_all = match (direction, &policy.namespace) {
            (Direction::Ingress, Some(own)) => self.view.holds_all(Resource::Pods, own),
            _ => self.has_all_pods,
        };
        if !holds_all {
            return;
        }
        for (position, port) in ports.iter().enumerate() {
            let PortNumber::Named(name) = &port.number else {
                continue;
            };
            let mut destinations = self
                .pods
                .iter()
                .filter(|pod| self.is_destination(policy, direction, rule, pod));
            if destinations.clone().next().is_some()
                && !destinations.any(|pod| has_port(pod, name, port))
            {
                let field = if policy.id.resource == Resource::NetworkPolicies {
                    format!("{place}.ports[{position}]")
                } else {
                    place.to_owned()
                };
                let why = Idle::NoSuchPort(name.clone(), port.protocol);
                found.push(idle(policy, field, why));
            }
        }
    }

    fn is_destination(
        &self,
        policy: &Policy,
        direction: Direction,
        rule: &Rule,
        pod: &End,
    ) -> bool {
        match (direction, &rule.peers) {
            (Direction::Ingress, _) => {
                policy
                    .namespace
                    .as_deref()
                    .is_none_or(|own| pod.namespace() == Some(own))
                    && !policy.subject.truth(pod, alone(self.families)).is_no()
            }
            (Direction::Egress, Peers::Any) => true,
            (Direction::Egress, Peers::OneOf(peers)) => peers
                .iter()
                .any(|peer| !peer.truth(pod, alone(self.families)).is_no()),
        }
    }
}

const fn closes_all(section: &Section) -> bool {
    section.rules.is_empty() && section.isolates.is_yes()
}

fn has_port(pod: &End, name: &str, port: &Port) -> bool {
    let protocols = match port.protocol {
        Some(protocol) => vec![protocol],
        None => Protocol::ALL.to_vec(),
    };
    let mut protocols = protocols.into_iter();
    protocols.any(|protocol| pod.named_port(name, protocol).is_some())
}

/// The block of a peer that is nothing but one, with or without exceptions.
fn only_block(peer: &Formula) -> Option<IpNet> {
    match peer {
        Formula::Within(net) => Some(*net),
        Formula::All(parts) => match parts.split_first()? {
            (Formula::Within(net), holes) => {
                let is_hole = |part: &Formula| matches!(part, Formula::Not(_));
                holes.iter().all(is_hole).then_some(*net)
            }
            _ => None,
        },
        _ => None,
    }
}

/// Whether a formula is decided by what pods and their namespaces are, not by addresses or places.
fn is_about_pods(formula: &Formula) -> bool {
    asks_for(formula, &|part| *part == Formula::Pod)
        && !asks_for(formula, &|part| {
            matches!(
                part,
                Formula::Node
                    | Formula::Outside
                    | Formula::SameNode
                    | Formula::Within(_)
                    | Formula::Unclear(_)
                    | Formula::Label(Domain::Node, _)
            )
        })
}

fn asks_for(formula: &Formula, wanted: &impl Fn(&Formula) -> bool) -> bool {
    wanted(formula)
        || match formula {
            Formula::All(parts) | Formula::Any(parts) => {
                parts.iter().any(|part| asks_for(part, wanted))
            }
            Formula::Not(part) => asks_for(part, wanted),
            _ => false,
        }
}
