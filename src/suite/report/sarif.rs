//! SARIF 2.1.0 for code scanning: every check that did not pass, at the manifest of the object to blame where the
//! manifests were looked at, else at its place in the suite.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::{CheckReport, Manifests, SuiteReport};
use crate::report::json as printer;
use crate::suite::Outcome;

/// The rule of what has no cause of its own.
const UNEXPECTED: &str = "unexpected";

pub(super) fn print(
    report: &SuiteReport,
    manifests: &Manifests,
    out: &mut dyn Write,
) -> io::Result<()> {
    let failed: Vec<&CheckReport> = report
        .checks
        .iter()
        .filter(|check| check.outcome != Outcome::Passed)
        .collect();
    let rules: BTreeMap<&str, &str> = failed.iter().map(|check| rule(check)).collect();
    let rules = rules.into_iter().map(|(id, title)| {
        let help = format!("kubectl netpath explain {id}");
        json!({"id": id, "shortDescription": {"text": title}, "help": {"text": help}})
    });
    let results = failed
        .iter()
        .map(|check| result(check, &report.file, manifests));
    let driver = json!({
        "name": report.tool.name,
        "version": report.tool.version,
        "informationUri": env!("CARGO_PKG_REPOSITORY"),
        "rules": rules.collect::<Vec<Value>>(),
    });
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results.collect::<Vec<Value>>()}],
    });
    printer::print(&log, out)
}

fn rule(check: &CheckReport) -> (&str, &str) {
    let finding = check.path.as_ref().and_then(|path| path.findings.first());
    finding.map_or((UNEXPECTED, "not as expected"), |finding| {
        (finding.code.as_str(), finding.title.as_str())
    })
}

fn result(check: &CheckReport, suite: &str, manifests: &Manifests) -> Value {
    let level = match check.outcome {
        Outcome::Failed => "error",
        _ => "warning",
    };
    let finding = check.path.as_ref().and_then(|path| path.findings.first());
    let object = finding.and_then(|finding| finding.object.as_ref());
    let found = object.and_then(|blame| manifests.find(&blame.object));
    let (file, line) = found.map_or_else(
        || (suite.to_owned(), check.line),
        |(file, line)| (file.display().to_string(), line),
    );
    let text = format!("{}: {}", check.name, check.message());
    json!({
        "ruleId": rule(check).0,
        "level": level,
        "message": {"text": text},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": file},
            "region": {"startLine": line.max(1)},
        }}],
    })
}
