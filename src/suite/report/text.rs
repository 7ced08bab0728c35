//! One line a check; below those that did not pass, whom to blame and what fixes it.

use std::io::{self, Write};

use comfy_table::{Cell, ContentArrangement, Table, presets};

use super::{CheckReport, SuiteReport};
use crate::path::Status;
use crate::report::Style;
use crate::suite::Outcome;
use crate::terminal::Terminal;

pub(super) fn print(
    report: &SuiteReport,
    terminal: Terminal,
    out: &mut dyn Write,
) -> io::Result<()> {
    let style = Style::new(terminal);
    writeln!(out, "{}\n", style.strong(&report.name))?;
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if let Some(width) = terminal.width {
        table.set_width(width);
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    for check in &report.checks {
        add(&mut table, check, style);
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    writeln!(out, "\n{}", tally(report))?;
    for unread in &report.unread {
        let line = format!(
            "not read: {} ({}); needs {}",
            unread.what, unread.why, unread.grant
        );
        writeln!(out, "  {}", style.faint(&line))?;
    }
    Ok(())
}

fn add(table: &mut Table, check: &CheckReport, style: Style) {
    let status = match check.outcome {
        Outcome::Passed => Status::Pass,
        Outcome::Failed => Status::Fail,
        Outcome::Undetermined => Status::Unknown,
        Outcome::Flaky | Outcome::NotAsked => Status::Warn,
    };
    let mark = Cell::new(style.mark(status));
    let mark = match style.color(status) {
        Some(color) => mark.fg(color),
        None => mark,
    };
    let found = if check.outcome == Outcome::Passed {
        let code = check.expected_code.iter().map(|code| format!(" {code}"));
        format!("{:?}{}", check.expected, code.collect::<String>())
    } else {
        style.plain(&check.why)
    };
    table.add_row(vec![
        mark,
        Cell::new(style.plain(&check.name)),
        Cell::new(found),
    ]);
    for line in details(check) {
        let below = vec![Cell::new(""), Cell::new(""), Cell::new(style.plain(&line))];
        table.add_row(below);
    }
}

/// What somebody who has to mend it wants to know: the summary, the blame and how to see more.
pub(super) fn details(check: &CheckReport) -> Vec<String> {
    let finding = check.path.as_ref().and_then(|path| path.findings.first());
    let Some(finding) = finding.filter(|_| check.outcome != Outcome::Passed) else {
        return Vec::new();
    };
    let blame = finding.object.iter().map(|blame| {
        let field = blame.field.as_deref().unwrap_or_default();
        format!("blame {} {field}", blame.object)
            .trim_end()
            .to_owned()
    });
    let fix = Some(&finding.fix.summary).filter(|fix| !fix.is_empty());
    let summary = std::iter::once(finding.summary.clone());
    let fix = fix.into_iter().map(|fix| format!("fix   {fix}"));
    summary.chain(blame).chain(fix).collect()
}

/// The commands of the fix, ready to be pasted: where a table leaves no room for them.
pub(super) fn commands(check: &CheckReport) -> Vec<String> {
    let finding = check.path.as_ref().and_then(|path| path.findings.first());
    finding
        .filter(|_| check.outcome != Outcome::Passed)
        .map_or_else(Vec::new, |finding| finding.fix.commands.clone())
}

/// `3 passed, 1 failed`
pub(super) fn tally(report: &SuiteReport) -> String {
    let tally = report.tally;
    let parts = [
        (tally.passed, "passed"),
        (tally.flaky, "flaky"),
        (tally.failed, "failed"),
        (tally.undetermined, "undetermined"),
        (tally.not_asked, "could not be asked"),
    ];
    let parts = parts.iter().filter(|(number, _)| *number > 0);
    let words: Vec<String> = parts
        .map(|(number, word)| format!("{number} {word}"))
        .collect();
    words.join(", ")
}
