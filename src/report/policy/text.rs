//! For people: a line for each side, then what decides, what comes near, and what would change it.

use std::io::{self, Write};

use super::{Change, FlowReport, PolicyReport, SideReport};
use crate::path::Status;
use crate::policy::{Direction, PolicyVerdict};
use crate::report::text::{Style, short};
use crate::terminal::Terminal;
use crate::text::{count, list};

/// How many near misses are told when not all are asked for.
const NEAREST: usize = 3;

pub(super) fn print(
    report: &PolicyReport,
    terminal: Terminal,
    is_wide: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let style = Style::new(terminal);
    for (position, flow) in report.flows.iter().enumerate() {
        if position > 0 {
            writeln!(out)?;
        }
        heading(report, flow, style, out)?;
        writeln!(out)?;
        for side in [&flow.egress, &flow.ingress] {
            let status = match side.verdict {
                PolicyVerdict::Allow => Status::Pass,
                PolicyVerdict::Deny => Status::Fail,
                PolicyVerdict::Unknown => Status::Unknown,
            };
            let name = format!("{} {}", style.colored_mark(status), side.direction);
            labelled(&name, side.direction, &side.summary, style, out)?;
        }
        writeln!(out)?;
        writeln!(
            out,
            "{}",
            style.strong(match flow.verdict {
                PolicyVerdict::Allow => "Allowed",
                PolicyVerdict::Deny => "Denied",
                PolicyVerdict::Unknown => "Unknown",
            })
        )?;
        for side in [&flow.egress, &flow.ingress] {
            details(flow, side, is_wide, style, out)?;
        }
    }
    for notice in &report.notices {
        let field = notice.object.as_ref().and_then(|blame| blame.field.clone());
        let text = format!("{} {}", notice.summary, field.unwrap_or_default());
        for line in style.wrapped("notice", &format!("{} {text}", notice.code)) {
            writeln!(out, "{line}")?;
        }
    }
    report.gaps.print(style, out)
}

/// `pod/web → svc/api TCP 8080`, and how many flows it stands for.
fn heading(
    report: &PolicyReport,
    flow: &FlowReport,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let line = format!(
        "{} {} {} {} {}",
        short(&report.source),
        style.arrow(),
        short(&report.destination),
        flow.protocol,
        flow.port
    );
    let mut notes = Vec::new();
    for (names, what) in [
        (&flow.sources, "source"),
        (&flow.destinations, "destination"),
    ] {
        if names.len() > 1 {
            notes.push(format!(
                "{} alike: {} …",
                count(names.len(), what),
                names[0]
            ));
        } else if report.flows.len() > 1 {
            notes.extend(names.iter().cloned());
        }
    }
    if notes.is_empty() {
        return writeln!(out, "{}", style.strong(&line));
    }
    let notes = style.faint(&list(&notes));
    writeln!(out, "{}   {notes}", style.strong(&line))
}

/// A mark and a name in front of a paragraph.
fn labelled(
    name: &str,
    direction: Direction,
    text: &str,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    // The colour of the mark takes no room.
    let pad = " ".repeat("ingress".len() - direction.to_string().len());
    let lines = style.wrapped("", text);
    for (position, line) in lines.iter().enumerate() {
        let text = line.trim_start();
        if position == 0 {
            writeln!(out, " {name}{pad}  {text}")?;
        } else {
            writeln!(out, "            {text}")?;
        }
    }
    Ok(())
}

fn details(
    flow: &FlowReport,
    side: &SideReport,
    is_wide: bool,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    // A side that allows is not what a denied flow is about.
    let is_told = is_wide || side.verdict == flow.verdict;
    if !is_told {
        return Ok(());
    }
    let mut paragraph = |name: &str, text: &str| {
        style
            .wrapped(name, text)
            .into_iter()
            .try_for_each(|line| writeln!(out, "{line}"))
    };
    if !side.selecting.is_empty() {
        let names: Vec<String> = side.selecting.iter().map(ToString::to_string).collect();
        let shown = if is_wide {
            names.len()
        } else {
            names.len().min(6)
        };
        let more = names.len() - shown;
        let shown = names[..shown].join(", ");
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        paragraph("policies", &format!("{shown}{more} ({})", side.direction))?;
    }
    if side.verdict != PolicyVerdict::Allow || is_wide {
        let shown = if is_wide { side.misses.len() } else { NEAREST };
        for (position, miss) in side.misses.iter().take(shown).enumerate() {
            let name = if position == 0 { "misses" } else { "" };
            paragraph(name, &format!("{}: {}", miss.name, miss.why))?;
        }
        if side.misses.len() > shown {
            paragraph(
                "",
                &format!(
                    "{} more; see -o wide",
                    count(side.misses.len() - shown, "rule")
                ),
            )?;
        }
    }
    for change in &side.changes {
        self::change(change, is_wide, style, out)?;
    }
    Ok(())
}

fn change(change: &Change, is_wide: bool, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let name = match change.to {
        PolicyVerdict::Allow => "fix",
        _ => "to close",
    };
    for line in style.wrapped(name, &format!("{}: {}", change.object, change.summary)) {
        writeln!(out, "{line}")?;
    }
    // Commands are for copying: never wrapped.
    if change.patch.is_array() {
        writeln!(out, "           {}", style.plain(&change.command))?;
    }
    if change.to == PolicyVerdict::Allow || is_wide {
        for line in change.yaml.lines() {
            writeln!(out, "             {}", style.faint(line))?;
        }
    }
    Ok(())
}
