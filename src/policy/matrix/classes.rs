//! Ends that no policy tells apart, found without asking any policy about any end.
//!
//! ```text
//!  formulas ─► which labels, values, ports, blocks are asked for, and in which namespaces
//!  ends     ─► what each has of that  ─► equal answers, one class
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use ipnet::IpNet;

use crate::cluster::{Operator, Requirement};
use crate::net::Protocol;
use crate::policy::alike::for_each_formula;
use crate::policy::ends::{End, NAMESPACE_NAME};
use crate::policy::formula::{Context, Domain, Families, Formula};
use crate::policy::model::{Peers, Policy, PortNumber, Ports, Tier};
use crate::policy::policies::Policies;

/// Ends that no policy tells apart.
#[derive(Debug, Clone)]
pub struct Class {
    /// One of them.
    pub end: End,
    /// All of them, as positions in the list that was given.
    pub members: Vec<usize>,
}

/// What of a label is asked for.
#[derive(Debug, Default)]
struct LabelUse {
    presence: bool,
    /// Parts of values: then every value counts.
    whole: bool,
    values: HashSet<String>,
}

/// What policies ask of ends.
#[derive(Debug, Default)]
struct Question {
    /// Pod labels, by namespace; under none for all of them.
    pods: HashMap<Option<usize>, HashMap<String, LabelUse>>,
    namespaces: HashMap<String, LabelUse>,
    accounts: HashMap<String, LabelUse>,
    /// Whether nodes are asked for, or told apart.
    nodes: bool,
    port_names: BTreeSet<String>,
    blocks: BTreeSet<IpNet>,
    /// Namespaces whose name matters.
    named: HashSet<String>,
}

/// What an end answers.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Answers<'e> {
    /// Pod, node, outside.
    kind: (bool, bool, bool),
    namespace: Option<&'e str>,
    labels: Vec<(Domain, &'e str, Option<&'e str>)>,
    ports: Vec<(&'e str, Protocol, u16)>,
    node: Option<&'e str>,
    families: (bool, bool),
    /// Which blocks hold which of the addresses, as positions.
    blocks: Vec<(usize, usize)>,
    has_addresses: bool,
    doubt: bool,
}

/// Puts ends together that no policy tells apart.
pub(super) fn classes(policies: &Policies, ends: &[End]) -> Vec<Class> {
    let question = Question::of(policies, ends);
    let inside = question.inside(ends);
    let ids = namespace_ids(ends);
    let mut classes: Vec<Class> = Vec::new();
    let mut seen: HashMap<Answers<'_>, usize> = HashMap::new();
    for (position, (end, inside)) in ends.iter().zip(inside).enumerate() {
        let answers = question.answers(end, &ids, inside);
        let class = *seen.entry(answers).or_insert(classes.len());
        match classes.get_mut(class) {
            Some(class) => class.members.push(position),
            None => classes.push(Class {
                end: end.clone(),
                members: vec![position],
            }),
        }
    }
    classes
}

fn namespace_ids(ends: &[End]) -> BTreeMap<&str, usize> {
    let names: BTreeSet<&str> = ends.iter().filter_map(End::namespace).collect();
    names
        .into_iter()
        .enumerate()
        .map(|(id, name)| (name, id))
        .collect()
}

/// The namespaces of a list of ends that a formula can hold in; none for all of them.
type Scope = Option<Vec<usize>>;

/// Finds where label conditions matter.
struct Collector<'a> {
    question: Question,
    /// One pod of each namespace.
    samples: Vec<&'a End>,
    ids: BTreeMap<&'a str, usize>,
    done: HashSet<(Scope, Domain, Requirement)>,
    scopes: HashMap<Vec<Formula>, Vec<usize>>,
}

// === impl Question ===

impl Question {
    fn of(policies: &Policies, ends: &[End]) -> Self {
        let ids = namespace_ids(ends);
        let mut samples: BTreeMap<usize, &End> = BTreeMap::new();
        for end in ends {
            let pod = end.pod.as_ref().filter(|pod| !pod.host_network);
            if let Some(id) = pod.and_then(|pod| ids.get(pod.namespace.name.as_str())) {
                samples.entry(*id).or_insert(end);
            }
        }
        let mut collector = Collector {
            question: Self::default(),
            samples: samples.into_values().collect(),
            ids,
            done: HashSet::new(),
            scopes: HashMap::new(),
        };
        let tiers = policies.stacks.iter().flat_map(|stack| &stack.tiers);
        for policy in tiers.flat_map(Tier::policies) {
            collector.policy(policy);
        }
        collector.question
    }

    /// For each end which blocks hold which of its addresses, as positions.
    fn inside(&self, ends: &[End]) -> Vec<Vec<(usize, usize)>> {
        let of_end = |(position, end): (usize, &End)| {
            let addresses = end.addresses.clone().into_iter().enumerate();
            addresses.map(move |(at, addr)| (addr, position, at))
        };
        let mut addresses: Vec<_> = ends.iter().enumerate().flat_map(of_end).collect();
        addresses.sort_unstable();
        let mut inside = vec![Vec::new(); ends.len()];
        for (block, net) in self.blocks.iter().enumerate() {
            let first = addresses.partition_point(|(addr, ..)| *addr < net.network());
            let held = addresses[first..].iter();
            for (_, end, at) in held.take_while(|(addr, ..)| *addr <= net.broadcast()) {
                inside[*end].push((block, *at));
            }
        }
        inside
    }

    fn answers<'e>(
        &self,
        end: &'e End,
        ids: &BTreeMap<&str, usize>,
        inside: Vec<(usize, usize)>,
    ) -> Answers<'e> {
        let mut labels = Vec::new();
        let mut ports = Vec::new();
        let mut namespace = None;
        let pod = end.pod.as_ref().filter(|pod| !pod.host_network);
        if let Some(pod) = pod {
            let name = pod.namespace.name.as_str();
            let here = [None, ids.get(name).copied()];
            let asked: Vec<_> = here
                .iter()
                .filter_map(|scope| self.pods.get(scope))
                .collect();
            reduce(&asked, Domain::Pod, &pod.labels, &mut labels);
            reduce(
                &[&self.namespaces],
                Domain::Namespace,
                &pod.namespace.labels,
                &mut labels,
            );
            let account = &pod.service_account.labels;
            reduce(
                &[&self.accounts],
                Domain::ServiceAccount,
                account,
                &mut labels,
            );
            namespace = self.named.contains(name).then_some(name);
        }
        if let Some(pod) = &end.pod {
            let named = pod
                .ports
                .iter()
                .filter(|port| self.port_names.contains(&port.name));
            let mut seen = HashSet::new();
            ports.extend(
                named
                    .filter(|port| seen.insert((&port.name, port.protocol)))
                    .map(|port| (port.name.as_str(), port.protocol, port.number)),
            );
            ports.sort_unstable();
        }
        let families = end.families();
        let node = end.node.as_ref().filter(|_| self.nodes);
        let namespace_doubt = pod.is_some_and(|pod| pod.namespace.doubt.is_some());
        Answers {
            kind: (pod.is_some(), end.is_node_like(), end.is_outside().is_yes()),
            namespace,
            labels,
            ports,
            node: node.map(|node| node.name.as_str()),
            families: (families.v4, families.v6),
            blocks: inside,
            has_addresses: !end.addresses.is_empty(),
            doubt: end.doubt.is_some() || namespace_doubt,
        }
    }
}

/// What labels answer to what is asked.
fn reduce<'e>(
    asked: &[&HashMap<String, LabelUse>],
    domain: Domain,
    labels: &'e BTreeMap<String, String>,
    answers: &mut Vec<(Domain, &'e str, Option<&'e str>)>,
) {
    for (key, value) in labels {
        let mut about = asked.iter().filter_map(|asked| asked.get(key)).peekable();
        if about.peek().is_none() {
            continue;
        }
        let (mut presence, mut counts) = (false, false);
        for asked in about {
            presence |= asked.presence;
            counts |= asked.whole || asked.values.contains(value);
        }
        if counts || presence {
            answers.push((domain, key, counts.then_some(value)));
        }
    }
}

// === impl Collector ===

impl Collector<'_> {
    fn policy(&mut self, policy: &Policy) {
        let everywhere: Scope = None;
        let scope = match &policy.namespace {
            Some(name) => {
                self.question.named.insert(name.clone());
                Some(self.ids.get(name.as_str()).copied().into_iter().collect())
            }
            None => None,
        };
        self.formula(&policy.subject, &scope);
        for section in [&policy.egress, &policy.ingress].into_iter().flatten() {
            for rule in &section.rules {
                self.formula(&rule.subject, &scope);
                if let Peers::OneOf(peers) = &rule.peers {
                    for peer in peers {
                        self.formula(peer, &everywhere);
                    }
                }
                if let Ports::OneOf(ports) = &rule.ports {
                    let names = ports.iter().filter_map(|port| match &port.number {
                        PortNumber::Named(name) => Some(name.clone()),
                        _ => None,
                    });
                    self.question.port_names.extend(names);
                }
            }
        }
        let question = &mut self.question;
        for_each_formula(policy, &mut |formula| match formula {
            Formula::Within(net) => {
                question.blocks.insert(*net);
            }
            Formula::SameNode
            | Formula::Label(Domain::Node, _)
            | Formula::Part(Domain::Node, _) => {
                question.nodes = true;
            }
            _ => {}
        });
    }

    fn formula(&mut self, formula: &Formula, scope: &Scope) {
        match formula {
            Formula::All(parts) => {
                let scope = self.narrowed(parts, scope);
                for part in parts {
                    self.formula(part, &scope);
                }
            }
            Formula::Any(parts) => {
                for part in parts {
                    self.formula(part, scope);
                }
            }
            Formula::Not(part) => self.formula(part, scope),
            Formula::Namespace(name) => {
                self.question.named.insert(name.clone());
            }
            Formula::Label(domain, requirement) => {
                self.label(*domain, requirement, scope);
            }
            Formula::Part(domain, part) => {
                for table in self.tables(*domain, scope) {
                    table.entry(part.key.clone()).or_default().whole = true;
                }
            }
            Formula::Pod
            | Formula::Node
            | Formula::Outside
            | Formula::SameNode
            | Formula::Within(_)
            | Formula::Unclear(_) => {}
        }
    }

    /// The namespaces in which a conjunction can hold.
    fn narrowed(&mut self, parts: &[Formula], scope: &Scope) -> Scope {
        let about_namespaces = |part: &&Formula| {
            matches!(
                part,
                Formula::Namespace(_) | Formula::Label(Domain::Namespace, _)
            )
        };
        let terms: Vec<Formula> = parts.iter().filter(about_namespaces).cloned().collect();
        if terms.is_empty() {
            return scope.clone();
        }
        let samples = &self.samples;
        let holding = self.scopes.entry(terms.clone()).or_insert_with(|| {
            let context = Context {
                families: Families::V4,
                other: None,
            };
            let all = Formula::All(terms);
            let holds = |end: &&&End| !all.truth(end, context).is_no();
            let names = samples
                .iter()
                .filter(holds)
                .filter_map(|end| end.namespace());
            names
                .filter_map(|name| self.ids.get(name).copied())
                .collect()
        });
        Some(match scope {
            None => holding.clone(),
            Some(scope) => scope
                .iter()
                .filter(|id| holding.contains(id))
                .copied()
                .collect(),
        })
    }

    fn label(&mut self, domain: Domain, requirement: &Requirement, scope: &Scope) {
        if !self
            .done
            .insert((scope.clone(), domain, requirement.clone()))
        {
            return;
        }
        if domain == Domain::Namespace && requirement.key == NAMESPACE_NAME {
            self.question
                .named
                .extend(requirement.values.iter().cloned());
            return;
        }
        let asks_presence = matches!(
            requirement.operator,
            Operator::Exists | Operator::DoesNotExist
        );
        for table in self.tables(domain, scope) {
            let asked = table.entry(requirement.key.clone()).or_default();
            asked.presence |= asks_presence;
            asked.values.extend(requirement.values.iter().cloned());
        }
    }

    fn tables(&mut self, domain: Domain, scope: &Scope) -> Vec<&mut HashMap<String, LabelUse>> {
        let question = &mut self.question;
        match (domain, scope) {
            (Domain::Node, _) => Vec::new(),
            (Domain::Namespace, _) => vec![&mut question.namespaces],
            (Domain::ServiceAccount, _) => vec![&mut question.accounts],
            (Domain::Pod, None) => vec![question.pods.entry(None).or_default()],
            (Domain::Pod, Some(scope)) => {
                for id in scope {
                    question.pods.entry(Some(*id)).or_default();
                }
                let wanted = |key: &Option<usize>| key.is_some_and(|id| scope.contains(&id));
                let tables = question.pods.iter_mut();
                tables
                    .filter(|(key, _)| wanted(key))
                    .map(|(_, table)| table)
                    .collect()
            }
        }
    }
}
