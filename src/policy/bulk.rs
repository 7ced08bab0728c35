//! Many questions at once, as lines of JSON; one answer for each, in order.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ends::{End, Ends};
use super::eval::{DirectionJudgement, PolicyVerdict, Question};
use super::model::RuleRef;
use super::named::UnknownEnd;
use super::policies::Policies;
use crate::net::Protocol;

/// One line: `{"src": "ns/Kind/name", "dst": "ip/ADDR", "protocol": "TCP", "port": 80}`.
#[derive(Debug, Clone, Deserialize)]
pub struct Line {
    pub src: String,
    pub dst: String,
    #[serde(default)]
    pub protocol: Option<String>,
    pub port: u16,
}

/// What is said to one line.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    pub verdict: PolicyVerdict,
    pub egress: PolicyVerdict,
    pub ingress: PolicyVerdict,
    /// The rules that decide: those of every side that denies, or of both.
    pub decided_by: Vec<RuleRef>,
    pub why: String,
    /// Whether the question itself made no sense.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub error: bool,
}

/// Answers questions about one view.
#[derive(Debug)]
pub struct Bulk<'w, 'v> {
    policies: &'w Policies,
    ends: &'w Ends<'v>,
    known: HashMap<String, Known>,
}

type Known = Arc<Result<Vec<End>, UnknownEnd>>;

// === impl Bulk ===

impl<'w, 'v> Bulk<'w, 'v> {
    /// Answers from compiled policies and the ends of their view.
    #[must_use]
    pub fn new(policies: &'w Policies, ends: &'w Ends<'v>) -> Self {
        Self {
            policies,
            ends,
            known: HashMap::new(),
        }
    }

    /// Answers one line.
    pub fn answer(&mut self, line: &str) -> Answer {
        match serde_json::from_str(line) {
            Ok(question) => self.question(&question).unwrap_or_else(Answer::error),
            Err(error) => Answer::error(format!("no question: {error}")),
        }
    }

    fn question(&mut self, line: &Line) -> Result<Answer, String> {
        let protocol = Protocol::from_field(line.protocol.as_deref());
        let protocol = protocol.map_err(|error| error.to_string())?;
        let (sources, destinations) = (self.ends(&line.src), self.ends(&line.dst));
        let sources = sources.as_ref().as_ref().map_err(ToString::to_string)?;
        let destinations = destinations
            .as_ref()
            .as_ref()
            .map_err(ToString::to_string)?;
        let mut so_far: Option<Answer> = None;
        for source in sources {
            for destination in destinations {
                let answer = Answer::of(
                    self.policies,
                    &Question {
                        source,
                        destination,
                        protocol,
                        port: line.port,
                        family: None,
                    },
                );
                so_far = Some(match so_far {
                    Some(before) => before.or(answer),
                    None => answer,
                });
            }
        }
        so_far.ok_or_else(|| "an end without any pod".to_owned())
    }

    /// The ends a name stands for; of pods that policies cannot tell apart, one.
    fn ends(&mut self, name: &str) -> Known {
        if let Some(known) = self.known.get(name) {
            return Arc::clone(known);
        }
        let found = self
            .ends
            .named(name)
            .map(|ends| self.policies.distinct(ends));
        let found = Arc::new(found);
        self.known.insert(name.to_owned(), Arc::clone(&found));
        found
    }
}

// === impl Answer ===

impl Answer {
    fn of(policies: &Policies, question: &Question<'_>) -> Self {
        let judgement = policies.judge(question);
        let verdict = judgement.verdict();
        let sides = [
            (&judgement.egress, question.source),
            (&judgement.ingress, question.destination),
        ];
        // What allows on one side says nothing about a denial on the other.
        let telling = |side: &DirectionJudgement| side.verdict == verdict;
        let telling = sides.into_iter().filter(|(side, _)| telling(side));
        let why = telling
            .clone()
            .map(|(side, subject)| format!("{}: {}", side.direction, side.why(subject)));
        Self {
            verdict,
            egress: judgement.egress.verdict,
            ingress: judgement.ingress.verdict,
            why: why.collect::<Vec<_>>().join("; "),
            decided_by: telling
                .flat_map(|(side, _)| side.decided_by.clone())
                .collect(),
            error: false,
        }
    }

    /// What holds for both of two pairs of pods.
    fn or(self, other: Self) -> Self {
        let both = |one: PolicyVerdict, other: PolicyVerdict| {
            if one == other {
                one
            } else {
                PolicyVerdict::Unknown
            }
        };
        if self.verdict == other.verdict {
            let (egress, ingress) = (
                both(self.egress, other.egress),
                both(self.ingress, other.ingress),
            );
            return Self {
                egress,
                ingress,
                ..self
            };
        }
        let mut decided_by = self.decided_by;
        decided_by.extend(other.decided_by);
        Self {
            verdict: PolicyVerdict::Unknown,
            egress: both(self.egress, other.egress),
            ingress: both(self.ingress, other.ingress),
            decided_by,
            why: format!(
                "the pods differ: {} for some ({}), {} for others ({})",
                self.verdict, self.why, other.verdict, other.why
            ),
            error: false,
        }
    }

    const fn error(why: String) -> Self {
        Self {
            verdict: PolicyVerdict::Unknown,
            egress: PolicyVerdict::Unknown,
            ingress: PolicyVerdict::Unknown,
            decided_by: Vec::new(),
            why,
            error: true,
        }
    }
}
