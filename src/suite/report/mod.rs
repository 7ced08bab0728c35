//! The report of a suite: one line a check, or JUnit for what shows the results of CI.

mod format;
mod github;
mod junit;
mod manifests;
mod sarif;
mod text;

use std::io::{self, Write};

use serde::Serialize;

pub use format::CheckFormat;
pub use manifests::Manifests;

use crate::causes::Code;
use crate::cluster::Unread;
use crate::diagnose::Verdict;
use crate::report::{PathReport, Tool, json};
use crate::suite::{Check, Outcome, Tally};
use crate::terminal::Terminal;

/// What became of every check.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SuiteReport {
    pub api_version: &'static str,
    pub kind: &'static str,
    /// The program that says so.
    pub tool: Tool,
    /// When it was said (RFC 3339).
    pub at: String,
    /// How long asking took, in milliseconds.
    pub elapsed_ms: u64,
    pub name: String,
    /// The suite's own file.
    pub file: String,
    pub tally: Tally,
    pub checks: Vec<CheckReport>,
    /// What could not be read, over all checks.
    pub unread: Vec<Unread>,
}

/// What became of one check.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckReport {
    pub name: String,
    pub source: String,
    pub destination: String,
    /// Where the check begins in the suite, from 1.
    pub line: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// How often it was asked.
    pub attempts: u32,
    /// What it took to ask, in microseconds: the slowest of its lookups and connects.
    pub elapsed_us: u64,
    pub expected: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_code: Option<Code>,
    pub outcome: Outcome,
    /// Why it did not pass.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// The path, where it could be walked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathReport>,
}

/// Prints a report in a form.
///
/// # Errors
/// When `out` does.
pub fn print(
    report: &SuiteReport,
    manifests: &Manifests,
    format: CheckFormat,
    terminal: Terminal,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        CheckFormat::Text => text::print(report, terminal, out),
        CheckFormat::Junit => junit::print(report, out),
        CheckFormat::Sarif => sarif::print(report, manifests, out),
        CheckFormat::Github => github::print(report, out),
        CheckFormat::Json => json::print(report, out),
        CheckFormat::Yaml => json::print_yaml(report, out),
    }
}

// === impl CheckReport ===

impl CheckReport {
    /// What became of a check, with its path or the reason why it could not be walked.
    #[must_use]
    pub fn new(check: &Check, answer: Result<PathReport, String>) -> Self {
        let slowest = answer.iter().flat_map(|report| &report.measurements);
        let slowest = slowest.filter_map(|measured| measured.slowest_us).max();
        let (outcome, why) = match &answer {
            Ok(report) => crate::suite::judge(check, report),
            Err(why) => (Outcome::NotAsked, why.clone()),
        };
        Self {
            name: check.name.clone(),
            source: check.source.clone(),
            destination: check.destination.clone(),
            line: check.line,
            tags: check.tags.clone(),
            attempts: 1,
            elapsed_us: slowest.unwrap_or_default(),
            expected: check.verdict,
            expected_code: check.code,
            outcome,
            why,
            path: answer.ok(),
        }
    }

    /// Why it did not pass, and what would repair it, in one line.
    #[must_use]
    pub fn message(&self) -> String {
        let finding = self.path.as_ref().and_then(|path| path.findings.first());
        let fix = finding.map(|finding| finding.fix.summary.as_str());
        match fix.filter(|fix| !fix.is_empty()) {
            Some(fix) => format!("{}; fix: {fix}", self.why),
            None => self.why.clone(),
        }
    }
}
