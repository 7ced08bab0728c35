//! What a scenario is expected to answer (`expect.json`).

use std::collections::BTreeSet;
use std::path::Path;

use clap::Parser;
use netpath::cli::Cli;
use netpath::cluster::ClusterView;
use netpath::commands::{examine, question};
use netpath::diagnose::Severity;
use netpath::observe::Observations;
use netpath::report::{PathReport, ReportFinding};
use netpath::target::Request;
use netpath::world::World;
use serde::Deserialize;

/// The question and its answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Expectation {
    /// As typed behind `kubectl netpath`.
    pub args: Vec<String>,
    pub namespace: String,
    /// `any` where one path may work and another not.
    pub verdict: String,
    /// Any of them may be the deciding finding; empty means healthy.
    #[serde(default)]
    pub codes: Vec<String>,
    /// Further findings that are right, too.
    #[serde(default)]
    pub also: Vec<String>,
    /// Whom to blame, as `Kind/namespace/name`.
    #[serde(default)]
    pub object: Option<String>,
    /// Whether no snapshot can prove it.
    #[serde(default)]
    pub live: bool,
    /// What the API only hints at: told as a notice or as suspected, never as found.
    #[serde(default)]
    pub hints: Vec<String>,
    /// Every address that answers in the end, where that is the point.
    #[serde(default)]
    pub backends: Option<BTreeSet<String>>,
}

// === impl Expectation ===

impl Expectation {
    /// Reads `expect.json` of a folder.
    pub fn read(folder: &Path) -> Self {
        let path = folder.join("expect.json");
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let read = serde_json::from_str(&text);
        let read: Self = read.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        // Some recordings name what has no namespace `Node/None/node1`.
        let object = read
            .object
            .as_ref()
            .map(|object| object.replace("/None/", "/"));
        Self { object, ..read }
    }

    /// What the program makes of the arguments.
    pub fn request(&self) -> Request {
        let words = std::iter::once("kubectl-netpath").chain(self.args.iter().map(String::as_str));
        let cli = Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"));
        question(&cli.trace, &self.namespace).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Asks the question of a view.
    pub fn ask(&self, view: &ClusterView) -> Result<PathReport, String> {
        examine(&World::of(view), &self.request(), &Observations::default())
            .map_err(|error| error.to_string())
    }

    /// What is wrong with an answer; nothing, if it is right.
    pub fn complaints(&self, report: &PathReport) -> Vec<String> {
        let mut wrong = Vec::new();
        let verdict = format!("{:?}", report.verdict);
        let found = faults(report);
        let is_right = |finding: &ReportFinding| {
            self.codes.contains(&finding.code) || self.also.contains(&finding.code)
        };
        // What policies deny on paper and nobody enforces is denied as far as a snapshot can tell.
        let is_paper = self.live && self.also.iter().any(|code| code == "POL-15");
        if is_paper && found.iter().all(|finding| finding.code.starts_with("POL-")) {
            return wrong;
        }
        for finding in found.iter().filter(|finding| !is_right(finding)) {
            wrong.push(format!("blames something else: {}", told(finding)));
        }
        let backends = report.paths.iter().flat_map(|path| &path.backends);
        let backends: BTreeSet<String> = backends.map(|backend| backend.address.clone()).collect();
        if self.backends.as_ref().is_some_and(|own| *own != backends) {
            wrong.push(format!("leads to {backends:?}"));
        }
        for hint in &self.hints {
            let is_told = report.findings.iter().any(|finding| finding.code == *hint);
            if !is_told {
                wrong.push(format!("does not hint at {hint}"));
            }
        }
        let is_open = ["Undetermined", "Reachable"].contains(&verdict.as_str());
        // What no snapshot can show looks healthy in one: a prediction, then.
        if found.is_empty() && is_open && self.live {
            return wrong;
        }
        if self.verdict != "any" && self.verdict != verdict {
            wrong.push(format!("verdict {verdict}, not {}", self.verdict));
        }
        match found.first() {
            Some(first) if !self.codes.contains(&first.code) => {
                wrong.push(format!("the deciding cause is {}", told(first)));
            }
            Some(first) => {
                let blamed = first.object.as_ref().map(|blame| blame.object.to_string());
                if self.object.is_some() && self.object != blamed {
                    wrong.push(format!("blames {}", blamed.unwrap_or_default()));
                }
            }
            None if !self.codes.is_empty() => wrong.push("names no cause".to_owned()),
            None => {}
        }
        wrong
    }
}

/// The findings that say something is wrong: all but notices.
pub fn faults(report: &PathReport) -> Vec<&ReportFinding> {
    report
        .findings
        .iter()
        .filter(|finding| finding.severity != Severity::Notice)
        .collect()
}

/// Codes and blamed objects of the faults, in order.
pub fn codes(report: &PathReport) -> Vec<String> {
    let name = |finding: &&ReportFinding| {
        let object = finding
            .object
            .as_ref()
            .map(|blame| blame.object.to_string());
        format!("{} {}", finding.code, object.unwrap_or_default())
    };
    faults(report).iter().map(name).collect()
}

/// One line on a finding.
pub fn told(finding: &ReportFinding) -> String {
    format!(
        "{} {:?}/{:?} {}",
        finding.code, finding.severity, finding.confidence, finding.summary
    )
}
