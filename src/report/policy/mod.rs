//! The report of `kubectl netpath policy`: what each side's policies say, and what would change it.

mod build;
mod change;
mod text;

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

use super::{Gaps, ReportFinding, json};
use crate::cluster::ObjectRef;
use crate::net::Protocol;
use crate::policy::{Direction, PolicyVerdict, RuleRef};
use crate::report::Format;
use crate::terminal::Terminal;

pub use build::build;

/// Everything a policy question was answered with (fields are only ever added).
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyReport {
    pub api_version: &'static str,
    pub kind: &'static str,
    /// Over all flows: allow or deny if they agree.
    pub verdict: PolicyVerdict,
    pub source: ObjectRef,
    pub destination: ObjectRef,
    /// The distinct flows: sources and destinations that no policy tells apart share one.
    pub flows: Vec<FlowReport>,
    /// What in the policies of both ends never comes to bear.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<ReportFinding>,
    #[serde(flatten)]
    pub gaps: Gaps,
}

/// One flow.
#[derive(Debug, Clone, Serialize)]
pub struct FlowReport {
    pub sources: Vec<String>,
    pub destinations: Vec<String>,
    pub protocol: Protocol,
    pub port: u16,
    pub verdict: PolicyVerdict,
    pub egress: SideReport,
    pub ingress: SideReport,
}

/// What one side says.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SideReport {
    #[serde(skip)]
    pub direction: Direction,
    pub verdict: PolicyVerdict,
    pub why: String,
    /// The same without the nearest miss.
    #[serde(skip)]
    pub summary: String,
    pub decided_by: Vec<RuleRef>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub passed_by: Vec<RuleRef>,
    /// Every policy that selects this side's end.
    pub selecting: Vec<ObjectRef>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<String>,
    /// Why the other rules do not match, nearest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub misses: Vec<MissReport>,
    /// What would turn the verdict.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

/// A rule that does not match.
#[derive(Debug, Clone, Serialize)]
pub struct MissReport {
    #[serde(flatten)]
    pub rule: RuleRef,
    #[serde(skip)]
    pub name: String,
    pub why: String,
}

/// A change that would turn a verdict.
#[derive(Debug, Clone, Serialize)]
pub struct Change {
    /// The verdict then.
    pub to: PolicyVerdict,
    pub summary: String,
    pub object: ObjectRef,
    pub command: String,
    /// A JSON patch, or the object to create.
    pub patch: Value,
    /// The same as lines of YAML.
    pub yaml: String,
}

/// Prints a report in a form.
///
/// # Errors
/// When `out` does.
pub fn print(
    report: &PolicyReport,
    format: Format,
    terminal: Terminal,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        Format::Text => text::print(report, terminal, false, out),
        Format::Wide => text::print(report, terminal, true, out),
        Format::Json => json::print(report, out),
        Format::Yaml => json::print_yaml(report, out),
    }
}
