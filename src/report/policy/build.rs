//! From judgements to the report.

use super::change::{closing, opening};
use super::{FlowReport, MissReport, PolicyReport, SideReport};
use crate::diagnose::notices;
use crate::policy::{
    DirectionJudgement, Doubt, End, Group, PolicyQuestion, PolicyRef, PolicyVerdict, Question, lint,
};
use crate::report::Gaps;
use crate::report::build::report_finding;
use crate::resolve::Flow;
use crate::world::World;

/// Judges every flow that was asked for.
#[must_use]
pub fn build(world: &World<'_>, flow: &Flow<'_>, asked: &PolicyQuestion) -> PolicyReport {
    let policies = world.policies();
    let mut flows = Vec::new();
    for (destination, protocol, port) in &asked.destinations {
        for source in &asked.sources {
            let question = Question {
                source: &source.end,
                destination: &destination.end,
                protocol: *protocol,
                port: *port,
                family: None,
            };
            flows.push(one(world, source, destination, &question));
        }
    }
    let sources = asked.sources.iter().map(|group| &group.end);
    let destinations = asked.destinations.iter().map(|(group, ..)| &group.end);
    let ends: Vec<&End> = sources.chain(destinations).collect();
    let idle = notices(&lint(policies, &ends, || world.linter()));
    PolicyReport {
        api_version: "netpath/v1",
        kind: "PolicyReport",
        verdict: over_all(&flows),
        source: flow.source.object.clone(),
        destination: flow.destination.object.clone(),
        notices: idle.iter().map(report_finding).collect(),
        gaps: Gaps::of(world.view, policies, |unread| matters(unread, &flows)),
        flows,
    }
}

/// The verdict all flows share.
fn over_all(flows: &[FlowReport]) -> PolicyVerdict {
    let mut verdicts = flows.iter().map(|flow| flow.verdict);
    let first = verdicts.next().unwrap_or(PolicyVerdict::Unknown);
    if verdicts.all(|verdict| verdict == first) {
        first
    } else {
        PolicyVerdict::Unknown
    }
}

/// Whether some doubt rests on it.
fn matters(unread: &crate::cluster::Unread, flows: &[FlowReport]) -> bool {
    let sides = flows.iter().flat_map(|flow| [&flow.egress, &flow.ingress]);
    let mut doubts = sides.flat_map(|side| &side.doubts);
    doubts.any(|doubt| doubt.contains(&unread.what))
}

fn one(
    world: &World<'_>,
    source: &Group,
    destination: &Group,
    question: &Question<'_>,
) -> FlowReport {
    let judgement = world.policies().judge(question);
    FlowReport {
        sources: source.members.clone(),
        destinations: destination.members.clone(),
        protocol: question.protocol,
        port: question.port,
        verdict: judgement.verdict(),
        egress: side(world, source, &judgement.egress, question),
        ingress: side(world, destination, &judgement.ingress, question),
    }
}

fn side(
    world: &World<'_>,
    subject: &Group,
    judged: &DirectionJudgement,
    question: &Question<'_>,
) -> SideReport {
    let misses = judged.misses.iter().map(|miss| MissReport {
        rule: miss.rule.clone(),
        name: miss.rule.to_string(),
        why: miss.words(),
    });
    let changes = match judged.verdict {
        PolicyVerdict::Deny => {
            let fix = judged.opening();
            fix.map(|fix| opening(world.view, fix))
                .into_iter()
                .collect()
        }
        PolicyVerdict::Allow => {
            let change = world.policies().closing(judged.direction, question);
            change
                .map(|change| closing(world.view, change))
                .unwrap_or_default()
        }
        PolicyVerdict::Unknown => Vec::new(),
    };
    SideReport {
        direction: judged.direction,
        verdict: judged.verdict,
        why: judged.why(&subject.end),
        summary: judged.summary(&subject.end),
        decided_by: judged.decided_by.clone(),
        passed_by: judged.passed_by.clone(),
        selecting: judged.selecting.iter().map(PolicyRef::object).collect(),
        doubts: judged.doubts.iter().map(Doubt::to_string).collect(),
        misses: misses.collect(),
        changes,
    }
}
