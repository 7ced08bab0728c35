//! The smallest change of a policy that would turn a verdict, as a JSON patch (RFC 6902).
//!
//! ```text
//!  a rule misses        ─► its peers or ports gain one, or a rule comes beside it   ┐
//!  a rule denies        ─► a rule that allows comes before it, or it goes           ├─► Fix
//!  rules admit          ─► they go                                                  ┘
//! ```

mod closing;
mod network_policy;
mod own_language;
mod words;

use serde_json::{Value, json};

use super::eval::{Missed, Side};
use super::explain::Cause;
use super::model::{Action, Direction, Policy, PolicyRef, Rule, Section};
use crate::cluster::Resource;

pub use closing::Closing;
pub(super) use closing::closing;

/// A change of one policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    pub policy: PolicyRef,
    /// `admit pods with app=client on TCP 9090`
    pub summary: String,
    /// A JSON patch.
    pub patch: Value,
}

/// What lets a rule that misses, or one beside it, admit the flow; none where the other end has no
/// property that a rule could name.
pub(super) fn admitting(missed: Missed<'_>, cause: &Cause, side: Side<'_>) -> Option<Fix> {
    let Missed {
        policy,
        section,
        rule,
    } = missed;
    if rule.is_some_and(|rule| rule.action != Action::Allow) {
        return None;
    }
    let place = EditPoint::of(policy, section, side.direction, rule);
    let (patch, what) = if policy.id.resource == Resource::NetworkPolicies {
        network_policy::admitting(&place, rule, cause, side)?
    } else {
        let rules = own_language::rules(&place, side)?;
        let steps = rules.iter().map(|rule| place.insert(rule)).collect();
        (steps, words::flow(side))
    };
    Some(Fix {
        policy: policy.id.clone(),
        summary: format!("allow {what}"),
        patch: Value::Array(patch),
    })
}

/// What lets a flow past a rule that denies it.
pub(super) fn excepting(
    policy: &Policy,
    section: &Section,
    rule: &Rule,
    side: Side<'_>,
) -> Option<Fix> {
    let place = EditPoint::of(policy, section, side.direction, Some(rule));
    let is_cilium = matches!(
        policy.id.resource,
        Resource::CiliumNetworkPolicies | Resource::CiliumClusterwideNetworkPolicies
    );
    // A deny rule of Cilium's cannot be preceded; it can only go.
    let (steps, summary) = if is_cilium {
        let summary = format!(
            "take {} away",
            policy.rule_ref(side.direction, section, rule).field()
        );
        (vec![place.remove()], summary)
    } else {
        let rules = own_language::rules(&place, side)?;
        (
            rules.iter().map(|rule| place.insert(rule)).collect(),
            format!("allow {} before that rule", words::flow(side)),
        )
    };
    Some(Fix {
        policy: policy.id.clone(),
        summary,
        patch: json!(steps),
    })
}

/// Where in an object a change belongs.
struct EditPoint<'a> {
    policy: &'a Policy,
    direction: Direction,
    /// The list of rules, as a JSON pointer.
    list: String,
    is_written: bool,
    /// The rule in question, if there is one.
    index: Option<usize>,
}

// === impl EditPoint ===

impl<'a> EditPoint<'a> {
    fn of(
        policy: &'a Policy,
        section: &Section,
        direction: Direction,
        rule: Option<&Rule>,
    ) -> Self {
        let pointer = section.list.replace(['.', '['], "/").replace(']', "");
        Self {
            policy,
            direction,
            list: format!("/{pointer}"),
            is_written: section.is_written,
            index: rule.map(|rule| rule.index),
        }
    }

    /// `from` or `to`.
    const fn peer_list(&self) -> &'static str {
        match self.direction {
            Direction::Egress => "to",
            Direction::Ingress => "from",
        }
    }

    /// The namespace whose pods a policy means where it names none.
    fn own_namespace(&self) -> &'a str {
        self.policy.namespace.as_deref().unwrap_or_default()
    }

    /// A further entry of one list of the rule.
    fn extend(&self, field: &str, value: &Value) -> Option<Value> {
        let index = self.index?;
        Some(add(&format!("{}/{index}/{field}/-", self.list), value))
    }

    /// A rule before the one in question, or the last, or the first at all.
    fn insert(&self, rule: &Value) -> Value {
        match (self.index, self.is_written) {
            (Some(index), _) => add(&format!("{}/{index}", self.list), rule),
            (None, true) => add(&format!("{}/-", self.list), rule),
            (None, false) => add(&self.list, &json!([rule])),
        }
    }

    fn remove(&self) -> Value {
        let index = self.index.unwrap_or_default();
        json!({"op": "remove", "path": format!("{}/{index}", self.list)})
    }
}

fn add(path: &str, value: &Value) -> Value {
    json!({"op": "add", "path": path, "value": value})
}
