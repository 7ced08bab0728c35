//! Notices of family POL: parts of the policies on the path that never come to bear.

use crate::causes::Code;
use crate::cluster::Pod;
use crate::diagnose::{Case, Finding};
use crate::path::Stage;
use crate::policy::{Direction, End, Idle, Lint, lint};

/// What the policies of the pods at both ends say in vain.
pub(in crate::diagnose) fn findings(case: &Case<'_, '_>, pods: &[(&Pod, Stage)]) -> Vec<Finding> {
    let view = case.view;
    if view.network_policies.is_empty() && view.custom.is_empty() {
        return Vec::new();
    }
    let ends = case.world.ends();
    let pods: Vec<End> = pods.iter().map(|(pod, _)| ends.pod(pod)).collect();
    let pods: Vec<&End> = pods.iter().collect();
    notices(&lint(case.world.policies(), &pods, || case.world.linter()))
}

/// One finding for each policy and cause: where it shows again is evidence.
pub(crate) fn notices(lints: &[Lint]) -> Vec<Finding> {
    let mut notices: Vec<(Finding, usize)> = Vec::new();
    for finding in lints.iter().map(notice) {
        let object = |finding: &Finding| finding.blame.as_ref().map(|blame| blame.object.clone());
        let same = notices
            .iter_mut()
            .find(|(other, _)| other.code == finding.code && object(other) == object(&finding));
        match same {
            None => notices.push((finding, 0)),
            Some((_, more)) if *more >= REPEATED => *more += 1,
            Some((first, more)) => {
                *more += 1;
                let field = finding.blame.and_then(|blame| blame.field);
                let fact = format!("{}: {}", field.unwrap_or_default(), finding.summary);
                first.evidence.push(fact);
            }
        }
    }
    let told = notices.into_iter().map(|(mut finding, more)| {
        if more > 0 {
            finding.summary = format!("{} (and {more} more like it)", finding.summary);
        }
        finding
    });
    told.collect()
}

/// How often a cause is told again for one policy.
const REPEATED: usize = 5;

fn notice(lint: &Lint) -> Finding {
    let policy = &lint.policy;
    let (code, summary, fix) = match &lint.idle {
        Idle::SelectsNothing => (
            Code::POL_23,
            format!("{policy} selects no pod of its namespace"),
            "match its podSelector to the labels of the pods, or delete the policy",
        ),
        Idle::NoSuchNamespace(requirement) => (
            Code::POL_07,
            format!(
                "a peer of {policy} selects namespaces with {requirement}, and no namespace has that label"
            ),
            "select namespaces by kubernetes.io/metadata.name, or label them",
        ),
        Idle::NoSuchPod => (
            Code::POL_08,
            format!("a peer of {policy} matches no Pod or workload"),
            "match the selector to the labels of the intended pods",
        ),
        Idle::ServiceRange(net) => (
            Code::POL_09,
            format!(
                "a peer of {policy} is {net}, which contains Service addresses: policies see pod addresses"
            ),
            "select the pods behind the Service instead",
        ),
        Idle::NoSuchPort(name, protocol) => {
            let protocol = protocol.map_or_else(String::new, |protocol| format!("{protocol} "));
            (
                Code::POL_10,
                format!(
                    "{policy} uses the port name {name:?}, and no pod that it applies to has a {protocol}port of that name"
                ),
                "name the port in the pods, or use the number",
            )
        }
        Idle::LeftOut(direction) => (
            Code::POL_19,
            format!(
                "{policy} has {direction} rules without effect: policyTypes does not include {}",
                type_name(*direction)
            ),
            "add the direction to policyTypes, or delete the rules",
        ),
        Idle::NotClosed => (
            Code::POL_19,
            format!(
                "{policy} has an empty egress list and no policyTypes, which has no effect: egress stays open"
            ),
            "set policyTypes: [Egress] to deny egress, or remove the list",
        ),
        Idle::AllClosed(direction) => (
            Code::POL_19,
            format!(
                "{policy} has {} in policyTypes and no {direction} rule: all {direction} of its pods is denied",
                type_name(*direction)
            ),
            "remove the direction from policyTypes, unless that is intended",
        ),
    };
    let is_egress = match &lint.idle {
        Idle::LeftOut(direction) | Idle::AllClosed(direction) => *direction == Direction::Egress,
        Idle::NotClosed => true,
        _ => lint.field.starts_with("spec.egress"),
    };
    let stage = if is_egress {
        Stage::EgressPolicy
    } else {
        Stage::IngressPolicy
    };
    Finding::new(code, stage, summary)
        .notice()
        .blame(policy.object(), lint.field.clone())
        .fix(fix)
}

const fn type_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Egress => "Egress",
        Direction::Ingress => "Ingress",
    }
}
