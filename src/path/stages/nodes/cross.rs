//! A packet through one node's rules.

use crate::facts::NextHop;
use crate::nat::eval::{Answer, Fate, Outcome, Question, Tracer, TrailStep};
use crate::nat::model::Ruleset;
use crate::net::Packet;
use crate::path::Fault;
use crate::world::NodeSite;

/// How a packet leaves a node.
#[derive(Debug, Clone)]
pub(super) struct Left {
    /// After all translations.
    pub packet: Packet,
    /// None when it is for the node itself, or no route is known.
    pub out: Option<NextHop>,
    pub is_masqueraded: bool,
    /// The rule that masqueraded it.
    pub masqueraded_by: Option<TrailStep>,
    pub is_delivered: bool,
}

/// What becomes of those outcomes that matter.
pub(super) enum Passage {
    Free(Left),
    Stopped(Fault),
    /// The node does not know a way: the routing table refuses it.
    NoWay(Packet),
    Unknown(String),
    /// No outcome matters.
    Nothing,
}

/// Walks a packet through all rules of a node; without rules, through its routes alone.
pub(super) fn walk(node: &NodeSite, question: &Question) -> Answer {
    let no_rules = Ruleset::default();
    let rules = node.state.rules.as_ref().unwrap_or(&no_rules);
    let tracer = Tracer::new(rules, &node.state.host).trusting_userspace();
    // Where no interface has a program, nobody but rules marks packets that come in.
    let has_no_program = node.state.attached.as_ref().is_some_and(Vec::is_empty);
    if has_no_program && question.in_interface.is_some() {
        return tracer.walk(question);
    }
    tracer.doubting_marks().walk(question)
}

/// Sums up those outcomes of an answer that matter: anything that may stop the packet and does not depend on an open question
/// counts before what passes.
pub(super) fn passage<'a>(
    answer: &'a Answer,
    own: impl IntoIterator<Item = &'a Outcome>,
) -> Passage {
    let own: Vec<&Outcome> = own.into_iter().collect();
    let Some(first) = own.first() else {
        return Passage::Nothing;
    };
    let all_pass = own.iter().all(|one| one.passes());
    let none_pass = own.iter().all(|one| is_stopped(one));
    if !all_pass && !none_pass {
        let doubts = own.iter().flat_map(|one| &one.depends);
        let mut texts = doubts.filter_map(|(index, _)| answer.doubts.get(*index));
        let unknown = own.iter().find_map(|one| match &one.fate {
            Fate::Unknown(why) => Some(why.clone()),
            _ => None,
        });
        let why = texts.next().map(|doubt| doubt.text.clone()).or(unknown);
        // By chance: some packets pass. A connection's first packet is sent again, so that is loss.
        if let Some(why) = why {
            return Passage::Unknown(why);
        }
        let stopped = own.iter().find(|one| is_stopped(one)).unwrap_or(first);
        return stop(stopped, true);
    }
    if none_pass {
        return stop(first, false);
    }
    Passage::Free(Left {
        packet: first.packet,
        out: match &first.fate {
            Fate::Forward(hop) => hop.clone(),
            _ => None,
        },
        is_masqueraded: first.masqueraded,
        masqueraded_by: first.trail.iter().rfind(|step| step.masquerades()).cloned(),
        is_delivered: first.fate == Fate::Deliver,
    })
}

const fn is_stopped(outcome: &Outcome) -> bool {
    matches!(outcome.fate, Fate::Drop | Fate::Reject(_))
}

fn stop(outcome: &Outcome, is_share: bool) -> Passage {
    let Some(rule) = outcome.decided_by() else {
        return Passage::Unknown("what stops it is not in the rules".to_owned());
    };
    if rule.table.is_empty() {
        return Passage::NoWay(outcome.packet);
    }
    Passage::Stopped(Fault::Blocked {
        rule: rule.clone(),
        answer: match &outcome.fate {
            Fate::Reject(with) => Some(with.to_string()),
            _ => None,
        },
        packet: outcome.packet,
        is_share,
    })
}
