//! Every cause: whom to blame, how we know, what fixes it.

use std::io::{self, Write};

use super::super::model::{PathReport, ReportFinding};
use super::Detail;
use super::style::Style;
use crate::diagnose::{Confidence, Severity};

/// Prints the findings, the deciding one first.
pub(super) fn print(
    report: &PathReport,
    style: Style,
    detail: Detail,
    out: &mut dyn Write,
) -> io::Result<()> {
    for (position, finding) in report.findings.iter().enumerate() {
        let label = match finding.severity {
            Severity::Notice => "notice",
            _ if position == 0 => "cause",
            Severity::Broken => "also",
            Severity::Degraded => "besides",
        };
        print_one(finding, label, style, detail, out)?;
    }
    Ok(())
}

fn print_one(
    finding: &ReportFinding,
    label: &str,
    style: Style,
    detail: Detail,
    out: &mut dyn Write,
) -> io::Result<()> {
    let confidence = match finding.confidence {
        Confidence::Measured => "measured",
        Confidence::Proved => "proved",
        Confidence::Suspected => "suspected",
    };
    let code = style.code(&finding.code, finding.severity);
    writeln!(
        out,
        "{label}   {code} {}   {}",
        style.plain(&finding.title),
        style.faint(confidence)
    )?;
    let line = |name: &str, text: &str, out: &mut dyn Write| {
        style
            .wrapped(name, text)
            .iter()
            .try_for_each(|line| writeln!(out, "{line}"))
    };
    line("", &finding.summary, out)?;
    if finding.severity == Severity::Notice && detail == Detail::Normal {
        return Ok(());
    }
    if let Some(blame) = &finding.object {
        let object = &blame.object;
        let name = if object.namespace.is_empty() {
            format!("{} {}", object.kind, object.name)
        } else {
            format!("{} {}/{}", object.kind, object.namespace, object.name)
        };
        let field = blame.field.as_deref().unwrap_or_default();
        line("blame", &format!("{name}   {field}"), out)?;
    }
    let shown = if detail == Detail::Wide {
        usize::MAX
    } else {
        4
    };
    for (position, fact) in finding.evidence.iter().take(shown).enumerate() {
        line(if position == 0 { "proof" } else { "" }, fact, out)?;
    }
    if let Some(keeper) = &finding.fix.managed_by {
        line("managed", keeper, out)?;
    }
    if !finding.fix.summary.is_empty() {
        line("fix", &finding.fix.summary, out)?;
    }
    // Commands are pasted: they stay on one line.
    for command in &finding.fix.commands {
        writeln!(out, "           {command}")?;
    }
    let more = format!("kubectl netpath explain {}", finding.code);
    if finding.severity != Severity::Notice {
        writeln!(out, "  {:<9}{}", "more", style.faint(&more))?;
    }
    Ok(())
}
