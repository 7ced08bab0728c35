//! The words of every finding over all scenarios, in one file to be read: `tests/golden/findings.txt`.
//!
//! A change of words is one diff there: `UPDATE=1 cargo test --test scenarios findings`. The file is
//! also the list of the causes that some scenario raises.

use std::collections::BTreeSet;
use std::fmt::{Debug, Write};
use std::sync::OnceLock;

use libtest_mimic::Trial;
use netpath::causes::causes;
use netpath::diagnose::{Blame, Fix};
use netpath::report::ReportFinding;

use crate::expectation::Expectation;
use crate::harness::check;
use crate::scenario::KINDS;
use crate::support::{golden, project};
use crate::{entries, scenario};

/// The findings of a scenario, as text.
#[derive(Clone)]
pub struct Said {
    pub scenario: String,
    pub findings: Vec<String>,
}

pub fn trials() -> Vec<Trial> {
    vec![
        check(
            "findings/the-words-of-every-finding-are-known",
            the_words_of_every_finding_are_known,
        ),
        check(
            "findings/every-recognized-cause-is-raised-by-a-scenario",
            every_recognized_cause_is_raised_by_a_scenario,
        ),
    ]
}

fn the_words_of_every_finding_are_known() {
    let mut text = String::new();
    for said in said() {
        writeln!(text, "{}", said.scenario).expect("a string");
        if said.findings.is_empty() {
            text.push_str("  (nothing)\n");
        }
        text.extend(said.findings.iter().map(String::as_str));
        text.push('\n');
    }
    golden("tests/golden/findings.txt", &text);
}

fn every_recognized_cause_is_raised_by_a_scenario() {
    let said = said().iter().flat_map(|said| &said.findings);
    let mut raised: BTreeSet<&str> = said
        .filter_map(|text| text.split_whitespace().next())
        .collect();
    let planted = planted_in_the_lab();
    raised.extend(planted.iter().map(String::as_str));
    let recognized = causes().filter(|cause| cause.is_recognized());
    let missing: Vec<&str> = recognized
        .map(|cause| cause.code.as_str())
        .filter(|code| !raised.contains(code))
        .collect();
    assert!(missing.is_empty(), "without a scenario: {missing:?}");
}

/// What every scenario of every folder is told.
fn said() -> &'static [Said] {
    static ALL: OnceLock<Vec<Said>> = OnceLock::new();
    ALL.get_or_init(|| {
        let kinds = KINDS.iter();
        kinds.flat_map(|kind| scenario::said(kind)).collect()
    })
}

/// The codes that the scenarios of the lab expect: they run with real packets, so what they say is not part of
/// the file.
fn planted_in_the_lab() -> BTreeSet<String> {
    let folders = entries(&project().join("crates/lab/scenarios")).into_iter();
    let asking = folders.filter(|folder| folder.join("expect.json").exists());
    asking
        .flat_map(|folder| Expectation::read(&folder).codes)
        .collect()
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
