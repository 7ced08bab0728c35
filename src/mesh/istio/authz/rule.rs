//! One rule: `from` and `to` and `when` must hold; alternatives within one of them are an or.

use serde_json::Value;

use super::super::super::object::{Object, items, texts};
use super::attribute::Attribute;
use super::{At, Call};
use crate::policy::{Doubt, Truth};

/// What a policy does with what its rules match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Action {
    Custom,
    Deny,
    Allow,
    Audit,
}

/// A rule, read.
#[derive(Debug, Clone)]
pub(super) struct Rule<'v> {
    path: String,
    from: Vec<Vec<Condition<'v>>>,
    to: Vec<Vec<Condition<'v>>>,
    when: Vec<Condition<'v>>,
    doubts: Vec<Doubt>,
}

#[derive(Debug, Clone)]
struct Condition<'v> {
    attribute: Attribute<'v>,
    field: String,
    values: Vec<&'v str>,
    is_not: bool,
}

// === impl Action ===

impl Action {
    /// That of a policy; none if it is not known.
    pub(in super::super) fn of(policy: &Object<'_>) -> Option<Self> {
        Some(match policy.text("/spec/action") {
            "" | "ALLOW" => Self::Allow,
            "DENY" => Self::Deny,
            "CUSTOM" => Self::Custom,
            "AUDIT" => Self::Audit,
            _ => return None,
        })
    }
}

// === impl Rule ===

impl<'v> Rule<'v> {
    /// Reads a rule; a field that is not known leaves it open.
    pub(super) fn read(policy: Object<'v>, index: usize, value: &'v Value) -> Self {
        let mut rule = Self {
            path: format!("spec.rules[{index}]"),
            from: Vec::new(),
            to: Vec::new(),
            when: Vec::new(),
            doubts: Vec::new(),
        };
        for (field, inner) in [("from", "source"), ("to", "operation")] {
            let list = items(&value[field]).iter();
            let read = list
                .map(|item| rule.conditions(policy, &item[inner], field))
                .collect();
            match field {
                "from" => rule.from = read,
                _ => rule.to = read,
            }
        }
        for condition in items(&value["when"]) {
            rule.read_when(policy, condition);
        }
        rule
    }

    fn conditions(&mut self, policy: Object<'v>, value: &'v Value, of: &str) -> Vec<Condition<'v>> {
        let mut conditions = Vec::new();
        for (field, list) in value.as_object().into_iter().flatten() {
            let values = texts(list);
            let Some((attribute, is_not)) = Attribute::of_field(field, policy.namespace()) else {
                let at = format!("{}.{of}.{field}", self.path);
                self.doubts.push(policy.not_understood(&at, "is not known"));
                continue;
            };
            if !values.is_empty() {
                conditions.push(Condition {
                    attribute,
                    field: field.clone(),
                    values,
                    is_not,
                });
            }
        }
        conditions
    }

    fn read_when(&mut self, policy: Object<'v>, value: &'v Value) {
        let key = value["key"].as_str().unwrap_or_default();
        let Some(attribute) = Attribute::of_key(key, policy.namespace()) else {
            let at = format!("{}.when {key}", self.path);
            return self.doubts.push(policy.not_understood(&at, "is not known"));
        };
        for (list, is_not) in [("values", false), ("notValues", true)] {
            let values = texts(&value[list]);
            if !values.is_empty() {
                self.when.push(Condition {
                    attribute,
                    field: key.to_owned(),
                    values,
                    is_not,
                });
            }
        }
    }

    /// Whether it matches a call, for somebody who sees so much of it. What only a request shows makes
    /// an ALLOW rule match nothing where requests are not seen; of a DENY rule the rest counts. At
    /// ztunnel an alternative of which nothing is left matches nothing.
    pub(super) fn truth(&self, action: super::Action, call: &Call<'_>, at: At) -> Truth {
        if action == Action::Allow && self.is_hidden(at) {
            return Truth::No;
        }
        let whole = Truth::all([
            self.alternatives(&self.from, call, at),
            self.alternatives(&self.to, call, at),
            Truth::all(self.when.iter().map(|condition| {
                if condition.attribute.is_hidden(at) {
                    (at != At::Ztunnel).into()
                } else {
                    condition.truth(call, at)
                }
            })),
        ]);
        match self.doubts.first() {
            Some(doubt) => whole.and(Truth::Maybe(doubt.clone())),
            None => whole,
        }
    }

    fn is_hidden(&self, at: At) -> bool {
        let all = self.from.iter().chain(&self.to).flatten().chain(&self.when);
        all.into_iter()
            .any(|condition| condition.attribute.is_hidden(at))
    }

    #[expect(clippy::unused_self, reason = "reads as what it is of")]
    fn alternatives(&self, list: &[Vec<Condition<'v>>], call: &Call<'_>, at: At) -> Truth {
        if list.is_empty() {
            return Truth::Yes;
        }
        Truth::any(list.iter().map(|conditions| {
            let seen = conditions.iter().filter(|one| !one.attribute.is_hidden(at));
            if at == At::Ztunnel && seen.clone().next().is_none() {
                return Truth::No;
            }
            Truth::all(seen.map(|condition| condition.truth(call, at)))
        }))
    }

    /// What it asks for that the call does not have.
    pub(super) fn misses(&self, call: &Call<'_>, at: At) -> Vec<String> {
        if self.is_hidden(at) {
            return vec![format!(
                "{} matches HTTP requests, which cannot be evaluated here",
                self.path
            )];
        }
        let mut misses = Vec::new();
        for (part, list) in [("from", &self.from), ("to", &self.to)] {
            if self.alternatives(list, call, at).is_no() {
                let failing = list
                    .iter()
                    .flatten()
                    .filter(|one| one.truth(call, at).is_no());
                let texts: Vec<String> = failing.map(|one| one.words(call)).collect();
                misses.push(format!("{}.{part} {}", self.path, texts.join(" or ")));
            }
        }
        for condition in self.when.iter().filter(|one| one.truth(call, at).is_no()) {
            misses.push(format!("{}.when {}", self.path, condition.words(call)));
        }
        misses
    }
}

// === impl Condition ===

impl Condition<'_> {
    fn truth(&self, call: &Call<'_>, at: At) -> Truth {
        let any = self.attribute.is_any(&self.values, call, at);
        if self.is_not { any.negate() } else { any }
    }

    fn words(&self, call: &Call<'_>) -> String {
        let (field, values) = (&self.field, self.values.join(", "));
        let call = self.attribute.words(call);
        if self.is_not {
            format!("excludes {field} {values}; this is {call}")
        } else {
            format!("requires {field} {values}; this is {call}")
        }
    }
}
