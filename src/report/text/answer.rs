//! The first line under the heading: the verdict with its sentence, and how it is known.

use std::io::{self, Write};

use super::style::Style;
use crate::diagnose::{Confidence, Severity, Verdict};
use crate::path::Basis;
use crate::report::PathReport;

/// Prints the answer.
pub(super) fn print(report: &PathReport, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let verdict = verdict(report);
    let lines = style.lines(&format!("{verdict}: {}", report.answer), 2);
    for (position, line) in lines.iter().enumerate() {
        match line
            .strip_prefix(verdict.as_str())
            .filter(|_| position == 0)
        {
            Some(rest) => {
                let colored = style.verdict(report.verdict, report.measured, &verdict);
                writeln!(out, "{colored}{rest}")?;
            }
            None => writeln!(out, "  {line}")?,
        }
    }
    writeln!(out, "  {}", style.faint(&how(report)))
}

/// `Reachable (measured)`; the others say themselves what they are.
fn verdict(report: &PathReport) -> String {
    match (report.verdict, report.measured) {
        (Verdict::Reachable, true) => "Reachable (measured)".to_owned(),
        (Verdict::Reachable, false) => "Reachable (predicted)".to_owned(),
        (other, _) => format!("{other:?}"),
    }
}

/// The code, how sure it is, and what it rests on.
fn how(report: &PathReport) -> String {
    let mut parts = Vec::new();
    let cause = report.findings.first();
    if let Some(cause) = cause.filter(|cause| cause.severity != Severity::Notice) {
        let confidence = match cause.confidence {
            Confidence::Measured => "measured",
            Confidence::Proved => "proved",
            Confidence::Suspected => "suspected",
        };
        parts.push(format!("{} {confidence}", cause.code));
    }
    let basis = report.basis.iter().map(|basis| match basis {
        Basis::Api => "API objects",
        Basis::Node => "node facts",
        Basis::Probe => "probes",
    });
    let basis: Vec<&str> = basis.collect();
    parts.push(format!("from {}", crate::text::list(&basis)));
    parts.join(" · ")
}
