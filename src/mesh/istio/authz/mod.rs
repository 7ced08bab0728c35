//! AuthorizationPolicy: CUSTOM, then DENY, then ALLOW.
//!
//! Where only connections are seen (TCP ports of sidecars, ztunnel), rules on requests are left out
//! (istio `pilot/pkg/security/authz/builder`, `pilot/pkg/serviceregistry/ambient/authorization.go`).

mod attribute;
mod rule;

use std::net::IpAddr;

use serde_json::Value;

use super::super::connection::Identity;
use super::super::http::Known;
use super::super::object::{Object, items};
use crate::policy::{Doubt, Truth};
pub(super) use rule::Action;
use rule::Rule;

/// Who sees the connection, and how much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// A sidecar or a waypoint that speaks HTTP on the port.
    Http,
    /// The same on a port of another protocol.
    Tcp,
    Ztunnel,
}

/// What policies are asked about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub caller: Option<&'a Identity>,
    pub caller_address: Option<IpAddr>,
    pub server_address: Option<IpAddr>,
    pub port: u16,
    pub request: Known<'a>,
    /// The trust domain of the mesh and its aliases.
    pub trust_domains: &'a [String],
}

/// What they say.
#[derive(Debug, Clone)]
pub(super) enum Decision<'v> {
    Allowed,
    Denied(Box<Denial<'v>>),
    Open(Vec<Doubt>),
}

/// Why they deny.
#[derive(Debug, Clone)]
pub(super) struct Denial<'v> {
    /// The policy that denies, or that comes nearest to allowing.
    pub policy: Object<'v>,
    /// The rule that matched, for DENY.
    pub rule: Option<usize>,
    /// What the nearest rules asked for.
    pub misses: Vec<String>,
    /// Whether a rule would allow it if requests were seen here.
    pub lacks_requests: bool,
    /// How many ALLOW policies were asked.
    pub asked: usize,
}

/// Whether a policy is in force at all: a dry run is not, and `targetRefs` are for waypoints.
pub(super) fn is_in_force(policy: &Object<'_>) -> bool {
    let dry = policy.annotation("istio.io/dry-run");
    !dry.is_some_and(|value| ["true", "1", "t", "T", "TRUE", "True"].contains(&value))
}

/// The references of a policy to what it is for.
pub(super) fn target_refs<'v>(policy: &Object<'v>) -> Vec<&'v Value> {
    let one = policy.at("/spec/targetRef");
    let many = policy.items("/spec/targetRefs").iter();
    many.chain((!one.is_null()).then_some(one)).collect()
}

/// Asks policies that all apply to the workload.
pub(super) fn decide<'v>(policies: &[Object<'v>], call: &Call<'_>, at: At) -> Decision<'v> {
    let of = |action: Action| {
        policies
            .iter()
            .filter(move |one| Action::of(one) == Some(action))
    };
    let mut doubts = Vec::new();
    for policy in policies
        .iter()
        .filter(|policy| Action::of(policy).is_none())
    {
        doubts.push(policy.not_understood("spec.action", "an action this program does not know"));
    }
    if at != At::Ztunnel {
        for policy in of(Action::Custom) {
            if !matches(policy, Action::Custom, call, at).is_no() {
                let provider = policy.text("/spec/provider/name");
                doubts.push(Doubt::Authorizer {
                    policy: policy.reference().to_string(),
                    provider: provider.to_owned(),
                });
            }
        }
    }
    for policy in of(Action::Deny) {
        let rules = rules(policy);
        for (index, rule) in rules.iter().enumerate() {
            match rule.truth(Action::Deny, call, at) {
                Truth::Yes => {
                    return Decision::Denied(Box::new(Denial {
                        policy: *policy,
                        rule: Some(index),
                        misses: Vec::new(),
                        lacks_requests: false,
                        asked: 0,
                    }));
                }
                Truth::Maybe(doubt) => doubts.push(doubt),
                Truth::No => {}
            }
        }
    }
    let allowing: Vec<Object<'v>> = of(Action::Allow).copied().collect();
    match allowed(&allowing, call, at) {
        Truth::No => Decision::Denied(Box::new(nearest(&allowing, call, at))),
        Truth::Maybe(doubt) => {
            doubts.push(doubt);
            Decision::Open(doubts)
        }
        Truth::Yes if doubts.is_empty() => Decision::Allowed,
        Truth::Yes => Decision::Open(doubts),
    }
}

/// Whether some ALLOW policy matches, or there is none to match.
fn allowed(policies: &[Object<'_>], call: &Call<'_>, at: At) -> Truth {
    if policies.is_empty() {
        return Truth::Yes;
    }
    Truth::any(
        policies
            .iter()
            .map(|policy| matches(policy, Action::Allow, call, at)),
    )
}

fn matches(policy: &Object<'_>, action: Action, call: &Call<'_>, at: At) -> Truth {
    Truth::any(
        rules(policy)
            .iter()
            .map(|rule| rule.truth(action, call, at)),
    )
}

fn rules<'v>(policy: &Object<'v>) -> Vec<Rule<'v>> {
    let rules = items(policy.at("/spec/rules")).iter().enumerate();
    rules
        .map(|(index, value)| Rule::read(*policy, index, value))
        .collect()
}

/// The ALLOW policy whose rules miss by the least.
fn nearest<'v>(policies: &[Object<'v>], call: &Call<'_>, at: At) -> Denial<'v> {
    let mut misses: Vec<(usize, usize, String)> = Vec::new();
    for (position, policy) in policies.iter().enumerate() {
        for rule in rules(policy) {
            let missed = rule.misses(call, at);
            let text = missed.join(", and ");
            misses.push((missed.len(), position, text));
        }
        if policy.items("/spec/rules").is_empty() {
            let text = format!("{} has no rules, which allows nothing", policy.reference());
            misses.push((usize::MAX, position, text));
        }
    }
    misses.sort();
    let lacks_requests = at != At::Http && !allowed(policies, call, At::Http).is_no();
    Denial {
        policy: misses
            .first()
            .map_or(policies[0], |(_, position, _)| policies[*position]),
        rule: None,
        misses: misses.into_iter().take(3).map(|(.., text)| text).collect(),
        lacks_requests,
        asked: policies.len(),
    }
}
