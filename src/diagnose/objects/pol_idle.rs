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
            finding.summary = format!("{} (and {more} more of its kind)", finding.summary);
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
            "align its podSelector with the labels of the pods, or delete it",
        ),
        Idle::NoSuchNamespace(requirement) => (
            Code::POL_07,
            format!(
                "a peer of {policy} asks for namespaces with {requirement}, and none has that label"
            ),
            "select namespaces by kubernetes.io/metadata.name, or label them",
        ),
        Idle::NoSuchPod => (
            Code::POL_08,
            format!("a peer of {policy} fits no pod and no workload"),
            "align the selector with the labels of the pods that are meant",
        ),
        Idle::ServiceRange(net) => (
            Code::POL_09,
            format!(
                "a peer of {policy} is {net}, which holds addresses of Services: policies see those of pods"
            ),
            "select the pods behind the Service instead",
        ),
        Idle::NoSuchPort(name, protocol) => {
            let protocol = protocol.map_or_else(String::new, |protocol| format!("{protocol} "));
            (
                Code::POL_10,
                format!(
                    "{policy} names the port {name:?}, and no pod it is about has a {protocol}port of that name"
                ),
                "name the port in the pods, or use its number",
            )
        }
        Idle::LeftOut(direction) => (
            Code::POL_19,
            format!(
                "{policy} has {direction} rules that count for nothing: policyTypes leaves {} out",
                type_name(*direction)
            ),
            "add the direction to policyTypes, or delete the rules",
        ),
        Idle::NotClosed => (
            Code::POL_19,
            format!(
                "{policy} has an empty egress list and no policyTypes, which closes nothing: egress stays open"
            ),
            "write policyTypes: [Egress] to close it, or leave the list out",
        ),
        Idle::AllClosed(direction) => (
            Code::POL_19,
            format!(
                "{policy} names {} in policyTypes and has no {direction} rule: all {direction} of its pods is closed",
                type_name(*direction)
            ),
            "leave the direction out of policyTypes unless that is meant",
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
