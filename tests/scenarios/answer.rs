//! A report as far as expectations speak of it, made of its JSON: the same for what the library returns and for
//! what the program prints.

use std::collections::BTreeSet;

use netpath::report::PathReport;
use serde_json::Value;

/// What was answered.
pub struct Answer {
    pub verdict: String,
    /// In the order of the report.
    pub findings: Vec<Told>,
    /// Every address where a path ends.
    pub backends: BTreeSet<String>,
}

/// One finding.
pub struct Told {
    pub code: String,
    pub severity: String,
    pub confidence: String,
    /// `Kind/namespace/name`, or `Kind/name`.
    pub object: String,
    pub summary: String,
}

// === impl Answer ===

impl Answer {
    /// Of a report in the program's JSON.
    pub fn of(report: &Value) -> Self {
        let list = |value: &'_ Value| value.as_array().cloned().unwrap_or_default();
        let paths = list(&report["paths"]).into_iter();
        let backends = paths.flat_map(|path| list(&path["backends"]));
        Self {
            verdict: text(&report["verdict"]),
            findings: list(&report["findings"]).iter().map(Told::of).collect(),
            backends: backends.map(|backend| text(&backend["address"])).collect(),
        }
    }

    /// The findings that say something is wrong: all but notices.
    pub fn faults(&self) -> impl Iterator<Item = &Told> {
        self.findings.iter().filter(|one| one.severity != "notice")
    }
}

impl From<&PathReport> for Answer {
    fn from(report: &PathReport) -> Self {
        Self::of(&serde_json::to_value(report).expect("a report has a JSON form"))
    }
}

// === impl Told ===

impl Told {
    fn of(finding: &Value) -> Self {
        let object = &finding["object"];
        let words = ["kind", "namespace", "name"].map(|field| text(&object[field]));
        let words = words.into_iter().filter(|word| !word.is_empty());
        Self {
            code: text(&finding["code"]),
            severity: text(&finding["severity"]),
            confidence: text(&finding["confidence"]),
            object: words.collect::<Vec<_>>().join("/"),
            summary: text(&finding["summary"]),
        }
    }
}

impl std::fmt::Display for Told {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            code,
            severity,
            confidence,
            object,
            summary,
        } = self;
        write!(out, "{code} {severity}/{confidence} {object}: {summary}")
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
