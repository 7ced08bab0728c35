//! The report of a suite: one line a check, or JUnit for what shows the results of CI.

mod format;
mod junit;
mod text;

use std::io::{self, Write};

use serde::Serialize;

pub use format::CheckFormat;

use crate::causes::Code;
use crate::cluster::Unread;
use crate::diagnose::Verdict;
use crate::report::{PathReport, json};
use crate::suite::{Check, Outcome, Tally};
use crate::terminal::Terminal;

/// What became of every check.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SuiteReport {
    pub api_version: &'static str,
    pub kind: &'static str,
    pub name: String,
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
    format: CheckFormat,
    terminal: Terminal,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        CheckFormat::Text => text::print(report, terminal, out),
        CheckFormat::Junit => junit::print(report, out),
        CheckFormat::Json => json::print(report, out),
        CheckFormat::Yaml => json::print_yaml(report, out),
    }
}

// === impl CheckReport ===

impl CheckReport {
    /// What became of a check, with its path or the reason why it could not be walked.
    #[must_use]
    pub fn new(check: &Check, answer: Result<PathReport, String>) -> Self {
        let (outcome, why) = match &answer {
            Ok(report) => crate::suite::judge(check, report),
            Err(why) => (Outcome::NotAsked, why.clone()),
        };
        Self {
            name: check.name.clone(),
            source: check.source.clone(),
            destination: check.destination.clone(),
            expected: check.verdict,
            expected_code: check.code,
            outcome,
            why,
            path: answer.ok(),
        }
    }
}
