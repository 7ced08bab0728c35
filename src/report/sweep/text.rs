//! A line for each cause: what it is, whom to blame, and the command that shows the path.

use std::io::{self, Write};

use super::{ReportOpen, ReportProblem, SweepReport};
use crate::cluster::ObjectRef;
use crate::diagnose::Severity;
use crate::path::Status;
use crate::report::Style;
use crate::terminal::Terminal;
use crate::text::count;

/// Reasons why something could not be judged that are shown.
const SHOWN: usize = 10;

pub(super) fn print(
    report: &SweepReport,
    terminal: Terminal,
    out: &mut dyn Write,
) -> io::Result<()> {
    let style = Style::new(terminal);
    writeln!(out, "{}", style.strong(&heading(report)))?;
    if !report.problems.is_empty() || !report.undetermined.is_empty() {
        writeln!(out)?;
    }
    let widest = report.problems.iter().map(|one| blame(one).chars().count());
    let width = widest.max().unwrap_or_default();
    for problem in &report.problems {
        line(problem, width, style, out)?;
    }
    for open in report.undetermined.iter().take(SHOWN) {
        undetermined(open, style, out)?;
    }
    let more = report.undetermined.len().saturating_sub(SHOWN);
    if more > 0 {
        let text = format!("{more} more reasons; see -o json");
        writeln!(out, "   {}", style.faint(&text))?;
    }
    for unread in &report.unread {
        let (what, why, grant) = (&unread.what, &unread.why, &unread.grant);
        let text = format!("not read: {what} ({why}); needs {grant}");
        writeln!(out, "   {}", style.faint(&text))?;
    }
    Ok(())
}

/// `2 broken, 1 degraded: 14 Services and 3 doors, 40 paths (predicted)`
fn heading(report: &SweepReport) -> String {
    let parts = [
        (report.count(Severity::Broken), "broken"),
        (report.count(Severity::Degraded), "degraded"),
        (report.undetermined.len(), "undetermined"),
    ];
    let parts = parts.into_iter().filter(|(number, _)| *number > 0);
    let words: Vec<String> = parts
        .map(|(number, word)| format!("{number} {word}"))
        .collect();
    let found = if words.is_empty() {
        "Nothing is broken".to_owned()
    } else {
        words.join(", ")
    };
    let place = report.namespace.as_ref().map_or_else(
        || "in all namespaces".to_owned(),
        |namespace| format!("in namespace {namespace}"),
    );
    let services = count(report.services, "Service");
    let doors = match report.doors {
        0 => String::new(),
        1 => " and 1 Ingress, Gateway, or route".to_owned(),
        doors => format!(" and {doors} Ingresses, Gateways, and routes"),
    };
    let paths = count(report.paths, "path");
    format!("{found}: {services}{doors} {place}, {paths} (predicted)")
}

fn line(
    problem: &ReportProblem,
    width: usize,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let finding = &problem.finding;
    let status = match finding.severity {
        Severity::Broken => Status::Fail,
        Severity::Degraded => Status::Warn,
        Severity::Notice => Status::NotReached,
    };
    let mark = style.colored_mark(status);
    let (code, blame) = (&finding.code, style.plain(&blame(problem)));
    let summary = style.plain(&finding.summary);
    let others = affected(&problem.affected);
    let command = style.whole(problem.command.as_str());
    writeln!(
        out,
        " {mark} {code:<7} {blame:<width$}  {summary}{others}  {}",
        style.faint(&command)
    )
}

fn undetermined(open: &ReportOpen, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let mark = style.colored_mark(Status::Unknown);
    let object = open.affected.first().map(named).unwrap_or_default();
    let (object, why) = (style.plain(&object), style.plain(&open.why));
    let others = affected(&open.affected);
    let command = style.whole(open.command.as_str());
    writeln!(
        out,
        " {mark} {object}: {why}{others}  {}",
        style.faint(&command)
    )
}

fn blame(problem: &ReportProblem) -> String {
    let blame = problem.finding.object.as_ref().map(|blame| &blame.object);
    blame
        .or_else(|| problem.affected.first())
        .map(named)
        .unwrap_or_default()
}

/// `shop/service/api`, as an end is typed.
fn named(object: &ObjectRef) -> String {
    let kind = object.kind.to_lowercase();
    match object.namespace.as_str() {
        "" => format!("{kind}/{}", object.name),
        namespace => format!("{namespace}/{kind}/{}", object.name),
    }
}

/// How many suffer from it, where it is not one.
fn affected(objects: &[ObjectRef]) -> String {
    match objects.len() {
        0 | 1 => String::new(),
        several => format!(" ({several} affected)"),
    }
}
