//! Translation of each kind of policy into the neutral model, one file per dialect.
//!
//! What a dialect says that is not understood becomes [`Doubt::NotUnderstood`] at the place where
//! it matters, and one [`Problem`]; it is never left out.

pub(super) mod admin;
pub(super) mod calico;
pub(super) mod cilium;
pub(super) mod cluster;
mod cluster_wide;
mod fields;
pub(super) mod foreign;
pub(super) mod network_policy;

use std::borrow::Cow;
use std::fmt;

use ipnet::IpNet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use serde_json::Value;

use super::formula::{Domain, Formula};
use super::model::{Action, Peers, Policy, PolicyRef, PortNumber, Ports, Rule, Section};
use super::truth::{Doubt, Truth};
use crate::cluster::{ClusterView, Operator, Requirement, Resource, Scope, Selector};
use crate::net::{PortRange, parse_prefix};
use fields::BadField;

/// A part of a policy that cannot be read as it is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub policy: PolicyRef,
    /// `spec.ingress[0].from[1].ipBlock.cidr`
    pub field: String,
    pub why: String,
}

/// Reads one policy and keeps what is wrong with it.
pub(super) struct Reader<'a> {
    pub policy: PolicyRef,
    pub problems: &'a mut Vec<Problem>,
}

/// Stands for a policy that cannot be read: it may select any pod (of its namespace), and do any of
/// the actions to any traffic.
pub(super) fn unknowable(
    id: PolicyRef,
    namespace: Option<String>,
    rank: usize,
    actions: &[Action],
    isolates: &Truth,
    doubt: &Doubt,
) -> Policy {
    let section = |list| Section {
        isolates: isolates.clone(),
        rules: unknowable_rules(0, actions, doubt),
        list: Cow::Borrowed(list),
        is_written: true,
        is_named: true,
    };
    Policy {
        id,
        rank,
        namespace,
        subject: Formula::Pod,
        egress: Some(section("spec.egress")),
        ingress: Some(section("spec.ingress")),
    }
}

/// The same policy, of which it is open whether any of its rules comes to bear.
pub(super) fn in_doubt(mut policy: Policy, doubt: &Doubt) -> Policy {
    let sections = [&mut policy.egress, &mut policy.ingress];
    let rules = sections.into_iter().flatten();
    for rule in rules.flat_map(|section| &mut section.rules) {
        rule.subject = Formula::Unclear(doubt.clone());
    }
    policy
}

/// Stand for a rule that cannot be read.
fn unknowable_rules(index: usize, actions: &[Action], doubt: &Doubt) -> Vec<Rule> {
    let rule = |action: &Action| Rule {
        index,
        action: *action,
        subject: Formula::EVERYTHING,
        peers: Peers::OneOf(vec![Formula::Unclear(doubt.clone())]),
        ports: Ports::Any,
    };
    actions.iter().map(rule).collect()
}

/// Why policies of a resource could not be read, with the namespace it concerns, if it is just one.
pub(super) fn unread(
    view: &ClusterView,
    resource: Resource,
) -> impl Iterator<Item = (PolicyRef, Option<String>, Doubt)> {
    let unread = view
        .unread
        .iter()
        .filter(move |unread| unread.resource == Some(resource));
    unread.map(move |unread| {
        let namespace = (!unread.namespace.is_empty()).then(|| unread.namespace.clone());
        let doubt = Doubt::Unread {
            what: unread.what.clone(),
            why: unread.why.clone(),
            grant: unread.grant.clone(),
        };
        (
            PolicyRef::new(resource, &unread.namespace, "?"),
            namespace,
            doubt,
        )
    })
}

// === impl Reader ===

impl<'a> Reader<'a> {
    /// For one object of a custom resource.
    fn of(resource: Resource, object: &Value, problems: &'a mut Vec<Problem>) -> Self {
        let text = |pointer| {
            object
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let namespace = match resource.scope() {
            Scope::Cluster => "",
            Scope::Namespaced if text("/metadata/namespace").is_empty() => "default",
            Scope::Namespaced => text("/metadata/namespace"),
        };
        Self {
            policy: PolicyRef::new(resource, namespace, text("/metadata/name")),
            problems,
        }
    }

    /// Notes a field that cannot be read.
    fn bad(&mut self, bad: BadField) -> Doubt {
        self.doubt(bad.field, bad.why)
    }

    /// Notes a problem, and gives the doubt that stands in its place.
    pub(super) fn doubt(&mut self, field: impl fmt::Display, why: impl fmt::Display) -> Doubt {
        let (field, why) = (field.to_string(), why.to_string());
        self.problems.push(Problem {
            policy: self.policy.clone(),
            field: field.clone(),
            why: why.clone(),
        });
        Doubt::NotUnderstood {
            policy: self.policy.clone(),
            field,
            why,
        }
    }

    /// A label selector over pods, namespaces or nodes. Each term the API would refuse is a doubt by
    /// itself.
    pub(super) fn selector(
        &mut self,
        domain: Domain,
        selector: &LabelSelector,
        field: impl fmt::Display,
    ) -> Vec<Formula> {
        match Selector::from_label_selector(selector) {
            Ok(selector) => {
                let terms = selector.requirements.into_iter();
                terms.map(|term| self.term(domain, term, &field)).collect()
            }
            Err(bad) => vec![Formula::Unclear(self.doubt(field, bad))],
        }
    }

    fn term(&mut self, domain: Domain, term: Requirement, field: impl fmt::Display) -> Formula {
        let wants_values = matches!(term.operator, Operator::In | Operator::NotIn);
        let why = match (wants_values, term.values.is_empty()) {
            (true, true) => "needs at least one value",
            (false, false) => "takes no values",
            _ => return Formula::Label(domain, term),
        };
        let key = &term.key;
        Formula::Unclear(self.doubt(field, format_args!("the expression on {key:?} {why}")))
    }

    /// An address block with its exceptions.
    pub(super) fn block(&mut self, cidr: &str, except: &[String], field: &str) -> Formula {
        // The API wants a length even for a single address.
        let Some(net) = parse_prefix(cidr).ok().filter(|_| cidr.contains('/')) else {
            return Formula::Unclear(self.doubt(
                format_args!("{field}.cidr"),
                format_args!("{cidr:?} is not a CIDR"),
            ));
        };
        let mut parts = vec![Formula::Within(net)];
        for (position, text) in except.iter().enumerate() {
            let field = format!("{field}.except[{position}]");
            parts.push(match parse_prefix(text) {
                Ok(hole) => {
                    if !is_strictly_inside(hole, net) {
                        self.doubt(field, format_args!("{text} does not lie inside {cidr}"));
                    }
                    Formula::Not(Box::new(Formula::Within(hole)))
                }
                Err(bad) => Formula::Unclear(self.doubt(field, bad)),
            });
        }
        Formula::All(parts)
    }

    /// A CIDR, or a bare address.
    fn net(&mut self, text: &str, field: &str) -> Formula {
        match parse_prefix(text) {
            Ok(net) => Formula::Within(net),
            Err(bad) => Formula::Unclear(self.doubt(field, bad)),
        }
    }

    /// A range of ports with both ends.
    pub(super) fn range(&mut self, first: i64, last: i64, field: &str) -> PortNumber {
        match (u16::try_from(first), u16::try_from(last)) {
            (Ok(first @ 1..), Ok(last)) if first <= last => {
                PortNumber::Range(PortRange { first, last })
            }
            (Ok(1..), Ok(1..)) => PortNumber::Unclear(self.doubt(
                field,
                format_args!("the range ends at {last}, before it begins at {first}"),
            )),
            _ => PortNumber::Unclear(self.doubt(field, "a port lies between 1 and 65535")),
        }
    }
}

fn is_strictly_inside(inner: IpNet, outer: IpNet) -> bool {
    outer != inner && outer.contains(&inner)
}
