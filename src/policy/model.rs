//! The neutral model: tiers of policies of rules, without any Kubernetes type.
//!
//! ```text
//!  Stack ─► Tier (in order) ─► Policy (by rank; equal rank = no order) ─► Section per direction ─► Rule (top down)
//!            admin               subject: whom it selects                  isolates?               peers, ports, action
//!            namespaces
//!            baseline
//! ```
//!
//! In a tier the first matching rule decides. A pod that an isolating section selects is denied what
//! no rule of the tier matched; otherwise the next tier is asked, and what no tier decides is
//! allowed (network-policy-api, KEP-2091; Calico's tiers work the same way).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

use super::formula::Formula;
use super::truth::{Doubt, Truth};
use crate::cluster::{ObjectRef, Resource};
use crate::net::{PortRange, Protocol};

/// Which way a rule looks: out of the pod it selects, or into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    Egress,
    Ingress,
}

/// What a rule does with the traffic it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Action {
    Allow,
    Deny,
    /// Leave this tier and go on with the next.
    Pass,
}

/// Names one policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyRef {
    pub resource: Resource,
    /// Empty for cluster-wide kinds.
    pub namespace: String,
    pub name: String,
}

/// Names one rule, or, without an index, the whole section of a direction.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleRef {
    pub policy: PolicyRef,
    pub direction: Direction,
    /// The position in the list that `field` names, from 0.
    pub rule: Option<usize>,
    /// The list of rules, as a path: `spec.ingress`.
    pub list: String,
}

/// Tiers in the order in which they are asked.
#[derive(Debug, Clone, Default)]
pub struct Stack {
    pub tiers: Vec<Tier>,
}

/// Policies that are asked together.
#[derive(Debug, Clone)]
pub struct Tier {
    pub name: String,
    /// Whether a pod's traffic to its own address is exempt.
    pub spares_self: bool,
    policies: Vec<Policy>,
    by_namespace: BTreeMap<String, Vec<usize>>,
    cluster_wide: Vec<usize>,
}

/// One policy.
#[derive(Debug, Clone)]
pub struct Policy {
    pub id: PolicyRef,
    /// Its place in the tier, lower first; the order within one rank is undefined.
    pub rank: usize,
    /// The only namespace whose pods it can select.
    pub namespace: Option<String>,
    /// Whom it selects there.
    pub subject: Formula,
    pub egress: Option<Section>,
    pub ingress: Option<Section>,
}

/// What a policy says for one direction.
#[derive(Debug, Clone)]
pub struct Section {
    /// Whether what no rule of the tier admits is denied.
    pub isolates: Truth,
    pub rules: Vec<Rule>,
    /// The list the rules stand in, as a path: `spec.ingress`.
    pub list: Cow<'static, str>,
    /// Whether that list is written down at all.
    pub is_written: bool,
    /// Whether the direction is named (`policyTypes`), or follows from a default.
    pub is_named: bool,
}

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its position in the list.
    pub index: usize,
    pub action: Action,
    /// What it asks further of the end it applies to.
    pub subject: Formula,
    pub peers: Peers,
    pub ports: Ports,
}

/// The other ends a rule is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Peers {
    /// Everybody, outside the cluster too.
    Any,
    /// Any of these, in the order of the list they stand in.
    OneOf(Vec<Formula>),
}

/// The ports a rule is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Ports {
    /// Every port of every protocol.
    Any,
    /// Any of these.
    OneOf(Vec<Port>),
}

/// One entry of a rule's ports.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Port {
    /// None for all of them.
    pub protocol: Option<Protocol>,
    /// Whether the protocol is written down, or follows from the default.
    pub protocol_written: bool,
    pub number: PortNumber,
}

/// The numbers an entry covers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PortNumber {
    Any,
    Range(PortRange),
    /// What the destination pod calls by this name.
    Named(String),
    Unclear(Doubt),
}

// === impl Direction ===

impl Direction {
    /// Both, in the order a packet meets them.
    pub const ALL: [Self; 2] = [Self::Egress, Self::Ingress];
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Egress => "egress",
            Self::Ingress => "ingress",
        })
    }
}

// === impl PolicyRef ===

impl PolicyRef {
    /// Names a policy.
    pub fn new(resource: Resource, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            resource,
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// As an object of the cluster.
    #[must_use]
    pub fn object(&self) -> ObjectRef {
        ObjectRef::new(self.resource.kind(), &self.namespace, &self.name)
    }
}

/// `NetworkPolicy shop/api-lockdown`.
impl fmt::Display for PolicyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.resource.kind())?;
        if self.namespace.is_empty() {
            write!(f, " {}", self.name)
        } else {
            write!(f, " {}/{}", self.namespace, self.name)
        }
    }
}

// === impl RuleRef ===

impl RuleRef {
    /// `spec.ingress[0]`, or the section where there is no rule.
    #[must_use]
    pub fn field(&self) -> String {
        match self.rule {
            Some(rule) => format!("{}[{rule}]", self.list),
            None => self.list.clone(),
        }
    }
}

/// `NetworkPolicy shop/api-lockdown spec.ingress[0]`.
impl fmt::Display for RuleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.policy, self.field())
    }
}

/// `{"kind": …, "namespace": …, "name": …, "rule": 0, "direction": …, "field": …}`.
impl Serialize for RuleRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields<'a> {
            #[serde(flatten)]
            object: ObjectRef,
            #[serde(skip_serializing_if = "Option::is_none")]
            rule: Option<usize>,
            direction: Direction,
            field: &'a str,
        }
        Fields {
            object: self.policy.object(),
            rule: self.rule,
            direction: self.direction,
            field: &self.field(),
        }
        .serialize(serializer)
    }
}

// === impl Tier ===

impl Tier {
    /// A tier of policies that carry their ranks.
    pub fn new(name: impl Into<String>, mut policies: Vec<Policy>) -> Self {
        policies.sort_by_key(|policy| policy.rank);
        let mut by_namespace: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut cluster_wide = Vec::new();
        for (position, policy) in policies.iter().enumerate() {
            match &policy.namespace {
                Some(namespace) => match by_namespace.get_mut(namespace) {
                    Some(positions) => positions.push(position),
                    None => drop(by_namespace.insert(namespace.clone(), vec![position])),
                },
                None => cluster_wide.push(position),
            }
        }
        Self {
            name: name.into(),
            spares_self: false,
            policies,
            by_namespace,
            cluster_wide,
        }
    }

    /// The same tier, which lets a pod call its own address.
    #[must_use]
    pub const fn sparing_self(mut self) -> Self {
        self.spares_self = true;
        self
    }

    /// Changes every policy; its rank and namespace stay.
    pub fn change(&mut self, mut change: impl FnMut(&mut Policy)) {
        self.policies.iter_mut().for_each(&mut change);
    }

    /// Every policy, by rank.
    #[must_use]
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// The policies that can select something in a namespace (none: something outside all of them),
    /// by rank.
    #[must_use]
    pub fn concerning(&self, namespace: Option<&str>) -> Vec<&Policy> {
        let local = namespace.and_then(|namespace| self.by_namespace.get(namespace));
        let mut positions = self.cluster_wide.clone();
        positions.extend(local.into_iter().flatten());
        positions.sort_unstable();
        positions
            .into_iter()
            .map(|position| &self.policies[position])
            .collect()
    }
}

// === impl Policy ===

impl Policy {
    /// What it says for a direction.
    #[must_use]
    pub const fn section(&self, direction: Direction) -> Option<&Section> {
        match direction {
            Direction::Egress => self.egress.as_ref(),
            Direction::Ingress => self.ingress.as_ref(),
        }
    }

    /// Names one of its rules.
    #[must_use]
    pub fn rule_ref(&self, direction: Direction, section: &Section, rule: &Rule) -> RuleRef {
        RuleRef {
            rule: Some(rule.index),
            ..self.section_ref(direction, section)
        }
    }

    /// Names one of its sections.
    #[must_use]
    pub fn section_ref(&self, direction: Direction, section: &Section) -> RuleRef {
        RuleRef {
            policy: self.id.clone(),
            direction,
            rule: None,
            list: section.list.clone().into_owned(),
        }
    }
}

// === impl Port ===

/// `TCP 8080`, `UDP`, `TCP http`.
impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.protocol {
            Some(protocol) => write!(f, "{protocol}")?,
            None => f.write_str("any protocol")?,
        }
        match &self.number {
            PortNumber::Any => Ok(()),
            PortNumber::Range(range) => write!(f, " {range}"),
            PortNumber::Named(name) => write!(f, " {name}"),
            PortNumber::Unclear(_) => f.write_str(" ?"),
        }
    }
}
