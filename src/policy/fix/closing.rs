//! What would close a flow that passes.

use serde_json::{Value, json};

use super::network_policy::selector;
use super::{EditPoint, Fix, words};
use crate::policy::eval::{PolicyVerdict, Question, Reason, Side};
use crate::policy::model::{Action, Direction, Policy, Section};
use crate::policy::policies::Policies;

/// The smallest change that would deny a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closing {
    /// The rules that admit it go; all of these are needed.
    Rules(Vec<Fix>),
    /// No policy isolates this end: one that does.
    Policy {
        summary: String,
        /// The object to create.
        object: Value,
    },
}

/// What closes a flow that is allowed; none where nothing of this kind would.
pub(in crate::policy) fn closing(
    policies: &Policies,
    direction: Direction,
    question: &Question<'_>,
) -> Option<Closing> {
    let judged = policies.judge_direction(direction, question);
    let side = Side::of(policies, direction, question);
    match (judged.verdict, judged.reason) {
        (PolicyVerdict::Allow, Reason::Admitted) => {
            let (rest, fixes) = without_admitting(policies, side);
            let is_closed =
                rest.judge_direction(direction, question).verdict == PolicyVerdict::Deny;
            is_closed.then_some(Closing::Rules(fixes))
        }
        (PolicyVerdict::Allow, Reason::Unselected | Reason::Undecided) => isolating(side),
        _ => None,
    }
}

/// The same policies without the rules that admit a flow.
fn without_admitting(policies: &Policies, side: Side<'_>) -> (Policies, Vec<Fix>) {
    let mut rest = policies.clone();
    let mut fixes = Vec::new();
    let mut admits = |policy: &mut Policy| {
        let selects = policy.subject.truth(side.subject, side.of_subject());
        let fix = fix(policy, side).filter(|_| !selects.is_no());
        if let (Some(fix), Some(section)) = (fix, section_mut(policy, side.direction)) {
            section
                .rules
                .retain(|rule| rule.action != Action::Allow || side.rule_matches(rule).is_no());
            fixes.push(fix);
        }
    };
    for tier in rest.stacks.iter_mut().flat_map(|stack| &mut stack.tiers) {
        tier.change(&mut admits);
    }
    (rest, fixes)
}

const fn section_mut(policy: &mut Policy, direction: Direction) -> Option<&mut Section> {
    match direction {
        Direction::Egress => policy.egress.as_mut(),
        Direction::Ingress => policy.ingress.as_mut(),
    }
}

/// The patch that takes the admitting rules of a policy away, the last one first.
fn fix(policy: &Policy, side: Side<'_>) -> Option<Fix> {
    let section = policy.section(side.direction)?;
    let admitting = section
        .rules
        .iter()
        .filter(|rule| rule.action == Action::Allow && !side.rule_matches(rule).is_no());
    let mut admitting: Vec<_> = admitting.collect();
    admitting.dedup_by_key(|rule| rule.index);
    let fields: Vec<String> = admitting
        .iter()
        .map(|rule| policy.rule_ref(side.direction, section, rule).field())
        .collect();
    let steps = admitting.iter().rev();
    let steps: Vec<Value> = steps
        .map(|rule| EditPoint::of(policy, section, side.direction, Some(rule)).remove())
        .collect();
    (!steps.is_empty()).then(|| Fix {
        policy: policy.id.clone(),
        summary: format!("take {} away", crate::text::list(&fields)),
        patch: Value::Array(steps),
    })
}

/// A NetworkPolicy that isolates a pod.
fn isolating(side: Side<'_>) -> Option<Closing> {
    let namespace = words::selectable(side.subject)?;
    let (kind, direction) = match side.direction {
        Direction::Egress => ("Egress", "egress"),
        Direction::Ingress => ("Ingress", "ingress"),
    };
    let labels = words::telling_labels(side.subject);
    let name = labels.values().next().copied().unwrap_or("all-pods");
    let object = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": format!("{name}-{direction}"), "namespace": namespace},
        "spec": {"podSelector": selector(side.subject), "policyTypes": [kind]},
    });
    Some(Closing::Policy {
        summary: format!(
            "isolate {} for {direction}: denies everything that no other rule allows",
            words::end(side.subject)
        ),
        object,
    })
}
