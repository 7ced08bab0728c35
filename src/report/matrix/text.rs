//! For people: a grid with one mark for each pair, or a list where that would be too large.

use std::io::{self, Write};

use super::MatrixReport;
use super::grid::{Cell, Grid};
use super::listing::{ListedFlow, listing};
use super::names::LONGEST;
use super::reasons::Reasons;
use crate::policy::matrix::Tally;
use crate::report::text::Style;
use crate::terminal::Terminal;
use crate::text::count;

/// The most lines of a grid, where the width of the terminal sets no limit.
const MOST: usize = 40;

/// The most lines of a list.
const LISTED: usize = 60;

pub(super) fn print(
    report: &MatrixReport<'_>,
    terminal: Terminal,
    out: &mut dyn Write,
) -> io::Result<()> {
    let style = Style::new(terminal);
    heading(report, style, out)?;
    let room = terminal.width.map_or(MOST, |width| {
        usize::from(width).saturating_sub(LONGEST + 6) / 3
    });
    let (total, is_whole) = if let Some(grid) = Grid::within(report, room.min(MOST)) {
        picture(&grid, style, out)?;
        (grid.total, !grid.is_summary)
    } else {
        let (entries, total) = listing(report);
        list(report, &entries, style, out)?;
        (total, false)
    };
    totals(report, total, out)?;
    reasons(report, style, out)?;
    if !is_whole {
        let hint = match report.namespace {
            None => "-n NAMESPACE shows the workloads of one; -o json or csv have every pair",
            Some(_) => "-o json or csv have every pair",
        };
        writeln!(out, "  {}", style.faint(hint))?;
    }
    report.gaps.print(style, out)
}

fn heading(report: &MatrixReport<'_>, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let units = report.matrix.units.iter();
    let (of, is_meant): (String, &dyn Fn(&str) -> bool) = match &report.namespace {
        Some(wanted) => (format!("namespace {wanted}"), &move |name| name == wanted),
        None => ("all namespaces".to_owned(), &|_| true),
    };
    let workloads = units.filter(|unit| !unit.is_outside() && is_meant(&unit.object.namespace));
    let workloads = count(workloads.count(), "workload");
    let title = match report.port {
        Some((protocol, port)) => format!("who may talk to whom at {protocol} {port}"),
        None => "who may talk to whom".to_owned(),
    };
    let note = format!("{of} · {workloads}");
    writeln!(out, "{}   {}\n", style.strong(&title), style.faint(&note))
}

fn picture(grid: &Grid, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let names: Vec<String> = grid
        .names
        .iter()
        .map(|name| cut(&style.plain(name)))
        .collect();
    let width = names.iter().map(|name| name.chars().count()).max();
    let width = width.unwrap_or_default().max(12);
    let corner = style.plain("from ↓  to →");
    let numbers = (1..=names.len()).map(|at| format!("{at:>3}"));
    let numbers = style.faint(&numbers.collect::<Vec<_>>().concat());
    writeln!(out, " {:>2}  {corner:<width$} {numbers}", "")?;
    for (at, (name, row)) in names.iter().zip(&grid.cells).enumerate() {
        let mut line = format!(" {:>2}  {name:<width$} ", at + 1);
        let shown = row.iter().rposition(|cell| *cell != Cell::Blank);
        for cell in &row[..shown.map_or(0, |last| last + 1)] {
            line += "  ";
            line += &style.cell(*cell);
        }
        writeln!(out, "{line}")?;
    }
    writeln!(out)?;
    legend(grid, style, out)?;
    writeln!(out)
}

/// Why something is not known, with one pair for each reason.
fn reasons(report: &MatrixReport<'_>, style: Style, out: &mut dyn Write) -> io::Result<()> {
    const SHOWN: usize = 5;
    let lines = report.matrix.classed(report.namespace.as_deref());
    let reasons = Reasons::of(report, &lines);
    for reason in reasons.found.iter().take(SHOWN) {
        let pair = style.plain(&reason.pair(report, &lines));
        let mark = style.cell(Cell::Unknown);
        writeln!(out, "  {mark} {pair}: {}", style.plain(&reason.why))?;
    }
    let more = match reasons.found.len().saturating_sub(SHOWN) {
        0 if reasons.is_cut => "there may be more reasons".to_owned(),
        0 => return Ok(()),
        more => count(more, "more reason"),
    };
    let hint = format!("{more}: kubectl netpath policy SRC DST says why; so does -o json");
    writeln!(out, "  {}", style.faint(&hint))
}

fn cut(name: &str) -> String {
    if name.chars().count() <= LONGEST {
        return name.to_owned();
    }
    let kept: String = name.chars().take(LONGEST - 2).collect();
    format!("{kept}..")
}

/// What the marks that occur mean.
fn legend(grid: &Grid, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let has = |wanted: Cell| {
        let mut cells = grid.cells.iter().flatten();
        cells.any(|cell| *cell == wanted || shade(*cell).is_some() && shade(*cell) == shade(wanted))
    };
    let meanings = [
        (Cell::All, "everything"),
        (Cell::Share(100), "something in every pair"),
        (Cell::Share(MANY), "in most pairs"),
        (Cell::Share(FEW), "in some pairs"),
        (Cell::Share(1), "in few pairs"),
        (Cell::Nothing, "nothing"),
        (Cell::Unknown, "not known"),
    ];
    let shown = meanings.into_iter().filter(|(cell, _)| has(*cell));
    let shown: Vec<String> = shown
        .map(|(cell, meaning)| format!("{} {meaning}", style.cell(cell)))
        .collect();
    writeln!(out, "  {}", shown.join("   "))?;
    for (position, ports) in grid.ports.iter().enumerate().take(LETTERS.len()) {
        writeln!(out, "  {} {ports}", style.cell(Cell::Ports(position)))?;
    }
    if grid.ports.len() > LETTERS.len() {
        let beyond = style.cell(Cell::Ports(LETTERS.len()));
        writeln!(out, "  {beyond} other ports; -o csv lists them")?;
    }
    Ok(())
}

fn list(
    report: &MatrixReport<'_>,
    entries: &[ListedFlow],
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let what = if report.namespace.is_some() {
        "workload"
    } else {
        "namespace"
    };
    let width = entries
        .iter()
        .map(|entry| entry.name.chars().count().min(LONGEST));
    let width = width.max().unwrap_or_default().max(what.len());
    let head = format!("  {what:<width$}  workloads  may send to  may get from");
    writeln!(out, "{}", style.faint(&head))?;
    for entry in entries.iter().take(LISTED) {
        writeln!(
            out,
            "  {:<width$}  {:>9}  {:>11}  {:>12}",
            cut(&style.plain(&entry.name)),
            entry.units,
            share(entry.sends),
            share(entry.gets),
        )?;
    }
    if entries.len() > LISTED {
        writeln!(out, "  … {} more", entries.len() - LISTED)?;
    }
    writeln!(out)
}

/// `62 %` of the pairs are open, at one port at least.
fn share(tally: Tally) -> String {
    match (tally.open(), tally.pairs()) {
        (_, 0) => String::new(),
        (0, _) => "nobody".to_owned(),
        (open, pairs) if open == pairs => "everybody".to_owned(),
        (open, pairs) => match open * 100 / pairs {
            0 => "< 1 %".to_owned(),
            percent => format!("{percent} %"),
        },
    }
}

fn totals(report: &MatrixReport<'_>, total: Tally, out: &mut dyn Write) -> io::Result<()> {
    let mut parts = vec![(total.all, "open")];
    if report.port.is_none() {
        parts.push((total.some, "open at some ports"));
    }
    parts.extend([(total.none, "closed"), (total.unknown, "not known")]);
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
    let pairs = count(usize::try_from(total.pairs()).unwrap_or(usize::MAX), "pair");
    writeln!(out, "  {pairs}: {}", parts.join(", "))
}

/// What stands for port sets, in order.
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// Where shares begin to be called some, and most.
const FEW: u8 = 25;
const MANY: u8 = 60;

/// The shade of a share, from light to dark.
const fn shade(cell: Cell) -> Option<usize> {
    match cell {
        Cell::Share(100..) => Some(3),
        Cell::Share(MANY..) => Some(2),
        Cell::Share(FEW..) => Some(1),
        Cell::Share(_) => Some(0),
        _ => None,
    }
}

// === impl Style ===

impl Style {
    /// The mark of a cell in its colour.
    fn cell(self, cell: Cell) -> String {
        use owo_colors::OwoColorize;
        let (all, nothing, shades) = if self.terminal.unicode {
            ("●", "·", ["░", "▒", "▓", "█"])
        } else {
            ("@", ".", ["-", "=", "#", "%"])
        };
        let mark = match cell {
            Cell::All => all.to_owned(),
            Cell::Nothing => nothing.to_owned(),
            Cell::Share(_) => shades[shade(cell).unwrap_or_default()].to_owned(),
            Cell::Unknown => "?".to_owned(),
            Cell::Blank => " ".to_owned(),
            Cell::Ports(position) => match LETTERS.get(position) {
                Some(letter) => char::from(*letter).to_string(),
                None => "+".to_owned(),
            },
        };
        if !self.terminal.color {
            return mark;
        }
        match cell {
            Cell::All => mark.green().to_string(),
            Cell::Nothing | Cell::Blank => mark.dimmed().to_string(),
            Cell::Unknown => mark.yellow().to_string(),
            Cell::Ports(_) | Cell::Share(_) => mark.cyan().to_string(),
        }
    }
}
