//! A sweep as it is printed (contract: fields are only ever added).

use serde::Serialize;

use crate::cluster::{ObjectRef, Unread};
use crate::diagnose::Severity;
use crate::exit::Exit;
use crate::report::build::report_finding;
use crate::report::{ReportFinding, Tool};
use crate::shell::Command;
use crate::sweep::{Open, Problem, Sweep};

/// Everything a sweep found.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SweepReport {
    pub api_version: &'static str,
    pub kind: &'static str,
    /// The program that says so.
    pub tool: Tool,
    /// The only namespace that was asked; none for all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// How many Services, and how many Ingresses, Gateways and routes.
    pub services: usize,
    pub doors: usize,
    /// How many questions that took.
    pub paths: usize,
    /// What is broken, then what is degraded, then what somebody did on purpose (`notice`).
    pub problems: Vec<ReportProblem>,
    /// What could not be judged.
    pub undetermined: Vec<ReportOpen>,
    pub unread: Vec<Unread>,
}

/// One cause, with everything that suffers from it.
#[derive(Debug, Clone, Serialize)]
pub struct ReportProblem {
    #[serde(flatten)]
    pub finding: ReportFinding,
    /// Services and doors.
    pub affected: Vec<ObjectRef>,
    /// Shows the path.
    pub command: Command,
}

/// Equal reasons why something could not be judged.
#[derive(Debug, Clone, Serialize)]
pub struct ReportOpen {
    pub why: String,
    pub affected: Vec<ObjectRef>,
    /// Shows the path.
    pub command: Command,
}

// === impl SweepReport ===

impl SweepReport {
    /// Makes the report of a sweep; `flags` are those that every command needs to ask the same cluster again.
    #[must_use]
    pub fn new(
        sweep: &Sweep,
        namespace: Option<String>,
        unread: Vec<Unread>,
        flags: &[String],
    ) -> Self {
        Self {
            api_version: "netpath/v1",
            kind: "SweepReport",
            tool: Tool::OWN,
            namespace,
            services: sweep.services,
            doors: sweep.doors,
            paths: sweep.paths,
            problems: sweep
                .problems
                .iter()
                .map(|one| problem(one, flags))
                .collect(),
            undetermined: merged(&sweep.open, flags),
            unread,
        }
    }

    /// How many problems are of a severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        let problems = self.problems.iter();
        problems
            .filter(|one| one.finding.severity == severity)
            .count()
    }

    /// 1 where something is broken or degraded, else 3 where something could not be judged.
    #[must_use]
    pub fn exit(&self) -> Exit {
        let faults = self.count(Severity::Broken) + self.count(Severity::Degraded);
        match (faults, self.undetermined.is_empty()) {
            (1.., _) => Exit::Broken,
            (0, false) => Exit::Undetermined,
            (0, true) => Exit::Fine,
        }
    }
}

fn problem(problem: &Problem, flags: &[String]) -> ReportProblem {
    ReportProblem {
        finding: report_finding(&problem.finding),
        affected: problem.affected.clone(),
        command: problem.question.command().and(flags),
    }
}

fn merged(open: &[Open], flags: &[String]) -> Vec<ReportOpen> {
    let mut merged: Vec<ReportOpen> = Vec::new();
    for one in open {
        let object = &one.question.object;
        match merged.iter_mut().find(|other| other.why == one.why) {
            Some(other) if other.affected.last() == Some(object) => {}
            Some(other) => other.affected.push(object.clone()),
            None => merged.push(ReportOpen {
                why: one.why.clone(),
                affected: vec![object.clone()],
                command: one.question.command().and(flags),
            }),
        }
    }
    merged
}
