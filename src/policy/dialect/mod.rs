//! Translation of each kind of policy into the neutral model, one file per dialect.
//!
//! What a dialect says that is not understood becomes [`Doubt::NotUnderstood`] at the place where
//! it matters, and one [`Problem`]; it is never left out.

pub(super) mod network_policy;

use std::fmt;

use ipnet::IpNet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::formula::{Domain, Formula};
use super::model::{PolicyRef, PortNumber};
use super::truth::Doubt;
use crate::cluster::{Operator, Requirement, Selector};
use crate::net::{PortRange, parse_prefix};

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

// === impl Reader ===

impl Reader<'_> {
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
                format_args!("{cidr:?} is no CIDR"),
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
