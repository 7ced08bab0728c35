//! What became of a check.

use serde::Serialize;

use super::Check;
use super::expect::Compared;
use crate::exit::Exit;
use crate::report::PathReport;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    Passed,
    /// Passed when it was asked again.
    Flaky,
    Failed,
    /// What was read does not tell.
    Undetermined,
    /// An end does not exist, or makes no sense.
    NotAsked,
}

/// How many checks ended in which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    pub passed: usize,
    /// Passed when they were asked again.
    pub flaky: usize,
    pub failed: usize,
    pub undetermined: usize,
    pub not_asked: usize,
}

/// Compares what was found with what is expected: the outcome, and why it is not `Passed`.
///
/// An undetermined path proves no expectation but its own, and refutes none.
#[must_use]
pub fn judge(check: &Check, report: &PathReport) -> (Outcome, String) {
    use crate::diagnose::Verdict::Undetermined;
    let found = report.verdict;
    let deciding = report.findings.first();
    if found != check.verdict {
        let outcome = if found == Undetermined {
            Outcome::Undetermined
        } else {
            Outcome::Failed
        };
        let cause = deciding.map_or_else(String::new, |finding| {
            format!(": {} {}", finding.code, finding.title)
        });
        let unread = match report.unread.first() {
            Some(unread) if found == Undetermined => format!(
                "; not read: {} ({}), needs {}",
                unread.what, unread.why, unread.grant
            ),
            _ => String::new(),
        };
        let why = format!(
            "expected {:?}, found {found:?}{cause}{unread}",
            check.verdict
        );
        return (outcome, why);
    }
    reason(check, report).unwrap_or_else(|| match check.limits.compare(report) {
        Compared::Kept => (Outcome::Passed, String::new()),
        Compared::Exceeded(why) => (Outcome::Failed, why),
        Compared::NotMeasured => {
            let why = format!("{}: nothing was measured without a probe", check.limits);
            (Outcome::Undetermined, why)
        }
    })
}

/// What is wrong with the reason of a verdict that is as expected.
fn reason(check: &Check, report: &PathReport) -> Option<(Outcome, String)> {
    let found = report.verdict;
    let deciding = report.findings.first();
    if let Some(code) = check.code
        && deciding.is_none_or(|finding| finding.code != code.as_str())
    {
        let other = deciding.map_or("no cause", |finding| finding.code.as_str());
        let why = format!("{found:?} as expected, but because of {other}, not of {code}");
        return Some((Outcome::Failed, why));
    }
    let by = check.by.as_ref()?;
    let blame = deciding.and_then(|finding| finding.object.as_ref());
    if blame.is_some_and(|blame| by.is(&blame.object)) {
        return None;
    }
    let other = blame.map_or_else(|| "no object".to_owned(), |blame| blame.object.to_string());
    let why = format!("{found:?} as expected, but by {other}, not by {by}");
    Some((Outcome::Failed, why))
}

// === impl Tally ===

impl Tally {
    /// Counts outcomes.
    pub fn of(outcomes: impl Iterator<Item = Outcome>) -> Self {
        let mut tally = Self::default();
        for outcome in outcomes {
            *match outcome {
                Outcome::Passed => &mut tally.passed,
                Outcome::Flaky => &mut tally.flaky,
                Outcome::Failed => &mut tally.failed,
                Outcome::Undetermined => &mut tally.undetermined,
                Outcome::NotAsked => &mut tally.not_asked,
            } += 1;
        }
        tally
    }

    /// The worst there is: what is known to be wrong, before what could not be asked or told.
    #[must_use]
    pub const fn exit(self) -> Exit {
        match self {
            Self { failed: 1.., .. } => Exit::Broken,
            Self { not_asked: 1.., .. } => Exit::NotAsked,
            Self {
                undetermined: 1.., ..
            } => Exit::Undetermined,
            Self { .. } => Exit::Fine,
        }
    }
}
