//! The words of every finding over all scenarios, in one file to be read: `tests/golden/findings.txt`.
//!
//! A change of words is one diff there: `UPDATE=1 cargo test --test integration findings`. The file is
//! also the list of the causes that some scenario raises.

use std::collections::BTreeSet;
use std::fmt::{Debug, Write};

use netpath::causes::{Code, causes};
use netpath::diagnose::{Blame, Finding, Fix};
use netpath::report::ReportFinding;

use crate::support::{golden, project};

/// The findings of a scenario, as text.
#[derive(Clone)]
pub struct Said {
    pub scenario: String,
    pub findings: Vec<String>,
}

/// Causes that the diagnosis recognizes and that no scenario raises. Each is a scenario to be written.
const WITHOUT_SCENARIO: [&str; 11] = [
    "SRC-08", "KPX-05", "KPX-14", "KPX-15", "KPX-21", "POL-24", "RTE-26", "RTE-31", "RTE-35",
    "RTE-36", "EGR-04",
];

#[test]
fn the_words_of_every_finding_are_known() {
    let mut text = String::new();
    let Some(all) = said() else { return };
    for said in all {
        writeln!(text, "{}", said.scenario).expect("a string");
        if said.findings.is_empty() {
            text.push_str("  (nothing)\n");
        }
        text.extend(said.findings);
        text.push('\n');
    }
    golden("tests/golden/findings.txt", &text);
}

#[test]
fn every_recognized_cause_is_raised_by_a_scenario() {
    let Some(all) = said() else { return };
    let said: Vec<String> = all.into_iter().flat_map(|said| said.findings).collect();
    let mut raised: BTreeSet<&str> = said
        .iter()
        .filter_map(|text| text.split_whitespace().next())
        .collect();
    let planted = planted_in_the_lab();
    raised.extend(planted.iter().map(String::as_str));
    let recognized = causes().filter(|cause| cause.is_recognized());
    let missing: Vec<&str> = recognized
        .map(|cause| cause.code.as_str())
        .filter(|code| !raised.contains(code))
        .collect();
    assert_eq!(missing, WITHOUT_SCENARIO, "without a scenario");
}

/// What every scenario of every folder is told; None where the recordings beside the project are missing.
fn said() -> Option<Vec<Said>> {
    let mut all = crate::scenarios::said();
    all.extend(crate::nodes::said()?);
    all.extend(crate::probe::said());
    Some(all)
}

/// The codes that the scenarios of the lab expect (`codes: [DST-04]`): they run with real packets, so
/// what they say is not part of the file.
fn planted_in_the_lab() -> BTreeSet<String> {
    let folder = project().join("crates/lab/scenarios");
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).expect("the scenarios of the lab") {
        let file = entry.expect("an entry").path().join("inject.yaml");
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let codes = text.lines().filter_map(|line| line.strip_prefix("codes: "));
        let words =
            codes.flat_map(|codes| codes.split(|character: char| "[], ".contains(character)));
        found.extend(
            words
                .filter(|word| Code::parse(word).is_some())
                .map(str::to_owned),
        );
    }
    found
}

/// A finding of a report.
pub fn of_report(finding: &ReportFinding) -> String {
    text(
        &finding.code,
        (&finding.severity, &finding.confidence),
        finding.object.as_ref(),
        &finding.summary,
        &finding.evidence,
        &finding.fix,
    )
}

/// A finding of the diagnosis.
pub fn of_diagnosis(finding: &Finding) -> String {
    text(
        finding.code.as_str(),
        (&finding.severity, &finding.confidence),
        finding.blame.as_ref(),
        &finding.summary,
        &finding.evidence,
        &finding.fix,
    )
}

fn text(
    code: &str,
    (severity, confidence): (&dyn Debug, &dyn Debug),
    blame: Option<&Blame>,
    summary: &str,
    evidence: &[String],
    fix: &Fix,
) -> String {
    let degree = format!("{severity:?} {confidence:?}").to_lowercase();
    let mut lines = vec![format!("  {code} {degree}: {summary}")];
    lines.extend(blame.map(|blame| {
        format!(
            "    blame   {} {}",
            blame.object,
            blame.field.as_deref().unwrap_or_default()
        )
        .trim_end()
        .to_owned()
    }));
    lines.extend(evidence.iter().map(|fact| format!("    because {fact}")));
    if !fix.summary.is_empty() {
        lines.push(format!("    fix     {}", fix.summary));
    }
    lines.extend(
        fix.commands
            .iter()
            .map(|command| format!("          $ {command}")),
    );
    lines.join("\n") + "\n"
}
