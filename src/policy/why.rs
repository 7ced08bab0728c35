//! Why a side judges as it does, in one sentence.

use std::fmt;

use super::ends::End;
use super::eval::{DirectionJudgement, Reason, Unpoliced};
use super::model::RuleRef;
use crate::text::list;

// === impl DirectionJudgement ===

impl DirectionJudgement {
    /// Why the verdict is what it is, for the end whose policies were asked, with the nearest miss.
    #[must_use]
    pub fn why(&self, subject: &End) -> String {
        let summary = self.summary(subject);
        let nearest = self.misses.iter().find(|miss| miss.rule.rule.is_some());
        match (self.reason, nearest) {
            (Reason::Isolated, Some(miss)) => {
                format!("{summary}; nearest is {}: {}", miss.rule, miss.words())
            }
            _ => summary,
        }
    }

    /// The same in short.
    #[must_use]
    pub fn summary(&self, subject: &End) -> String {
        let direction = self.direction;
        let before = match self.passed_by.as_slice() {
            [] => String::new(),
            passed => format!("{} passes it on; ", rules(passed)),
        };
        let summary = match self.reason {
            Reason::Unselected => format!("no policy selects {subject} for {direction}"),
            Reason::Unpoliced(why) => why.to_string(),
            Reason::NodeLocal => "a node always reaches its own pods".to_owned(),
            Reason::Loopback => "loopback traffic never leaves the pod".to_owned(),
            Reason::Admitted => format!("{} allows it", rules(&self.decided_by)),
            Reason::Refused => format!("{} denies it", rules(&self.decided_by)),
            Reason::Isolated => self.isolated(subject),
            Reason::Undecided => {
                format!("no rule of the policies that select {subject} for {direction} decides")
            }
            Reason::Open => {
                let doubts: Vec<String> = self.doubts.iter().map(ToString::to_string).collect();
                doubts.join("; ")
            }
        };
        before + &summary
    }

    fn isolated(&self, subject: &End) -> String {
        let mut policies: Vec<String> = self
            .decided_by
            .iter()
            .map(|rule| rule.policy.to_string())
            .collect();
        policies.dedup();
        let verb = if policies.len() == 1 {
            "isolates"
        } else {
            "isolate"
        };
        let policies = list(&policies);
        let has_rules = self.misses.iter().any(|miss| miss.rule.rule.is_some());
        let but = if has_rules {
            "no rule allows it"
        } else {
            "there is no rule"
        };
        format!(
            "{policies} {verb} {subject} for {}, and {but}",
            self.direction
        )
    }
}

fn rules(rules: &[RuleRef]) -> String {
    const SHOWN: usize = 4;
    let mut names: Vec<String> = rules.iter().take(SHOWN).map(ToString::to_string).collect();
    if rules.len() > SHOWN {
        names.push(format!("{} more", rules.len() - SHOWN));
    }
    list(&names)
}

// === impl Unpoliced ===

impl fmt::Display for Unpoliced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HostNetwork => "it lives in its node's network, where policies do not apply",
            Self::Node => "policies do not apply to nodes",
            Self::Outside => "policies do not apply outside the cluster",
        })
    }
}
