//! The picture of the path: the hops all walks share, then one branch per group of backends.

use std::io::{self, Write};

use comfy_table::{Attribute, Cell, ContentArrangement, Table, presets};

use super::super::model::{PathReport, ReportHop, ReportPath, ReportSource};
use super::Detail;
use super::style::Style;
use crate::path::{Stage, Status};
use crate::text::count;

/// Prints every walk; walks from the same sources share their first hops.
pub(super) fn print(
    report: &PathReport,
    style: Style,
    detail: Detail,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut rest = report.paths.as_slice();
    let many_sources = report
        .paths
        .windows(2)
        .any(|pair| !start_alike(&pair[0], &pair[1]));
    while let Some(first) = rest.first() {
        let alike = rest
            .iter()
            .take_while(|path| start_alike(path, first))
            .count();
        let (group, others) = rest.split_at(alike);
        if many_sources {
            writeln!(out, "{}", style.faint(&from_text(first)))?;
        }
        print_group(group, style, detail, out)?;
        rest = others;
    }
    Ok(())
}

/// Whether two walks start at the same pods or nodes; each address family has its own walk.
fn start_alike(left: &ReportPath, right: &ReportPath) -> bool {
    let place = |source: &ReportSource| {
        let address = source.ip.clone().filter(|_| source.pod.is_none());
        (source.pod.clone(), source.node.clone(), address)
    };
    left.sources.len() == right.sources.len()
        && left
            .sources
            .iter()
            .zip(&right.sources)
            .all(|(left, right)| place(left) == place(right))
}

/// `from client-1, client-2 (2 sources)`
fn from_text(path: &ReportPath) -> String {
    let names: Vec<&str> = path
        .sources
        .iter()
        .filter_map(|source| {
            source
                .pod
                .as_deref()
                .or(source.node.as_deref())
                .or(source.ip.as_deref())
        })
        .map(|name| name.rsplit('/').next().unwrap_or(name))
        .collect();
    match names.len() {
        few @ 0..=4 => format!("from {} ({})", names.join(", "), count(few, "source")),
        many => format!(
            "from {} … ({})",
            names[..3].join(", "),
            count(many, "source")
        ),
    }
}

fn print_group(
    group: &[ReportPath],
    style: Style,
    detail: Detail,
    out: &mut dyn Write,
) -> io::Result<()> {
    let shared = shared_hops(group);
    let mut table = new_table(style);
    let is_reached = |hop: &ReportHop| hop.status != Status::NotReached;
    let is_one = group
        .iter()
        .all(|path| !path.hops[shared..].iter().any(is_reached));
    let (branches, trunk) = if is_one {
        (&[][..], group[0].hops.as_slice())
    } else {
        (group, &group[0].hops[..shared])
    };
    let trunk = Part {
        path: &group[0],
        hops: trunk,
        is_whole: branches.is_empty(),
        indent: "",
    };
    trunk.add_to(&mut table, style, detail);
    for path in branches {
        let same_family = group.iter().filter(|other| other.family == path.family);
        let all: usize = same_family.map(|path| path.backends.len().max(1)).sum();
        table.add_row(vec![
            Cell::new(""),
            faint(&branch_text(path, all), style),
            faint(&backends_text(path), style),
        ]);
        let branch = Part {
            path,
            hops: &path.hops[shared..],
            is_whole: true,
            indent: "  ",
        };
        branch.add_to(&mut table, style, detail);
    }
    writeln!(out, "{}", trimmed(&table))
}

/// Hops that are shown together: those that all walks share, or those of one branch.
struct Part<'a> {
    path: &'a ReportPath,
    hops: &'a [ReportHop],
    /// Whether they are the hops of this walk alone, up to its end.
    is_whole: bool,
    indent: &'static str,
}

// === impl Part ===

impl Part<'_> {
    /// How many backends a break concerns, where the branches do not say it.
    fn share(&self, hop: &ReportHop) -> String {
        let backends = self.path.backends.len();
        let is_for_all = self.is_whole && self.indent.is_empty() && hop.stage > Stage::Endpoints;
        if hop.status == Status::Fail && is_for_all && backends > 1 {
            format!(" (all {})", count(backends, "backend"))
        } else {
            String::new()
        }
    }

    fn add_to(&self, table: &mut Table, style: Style, detail: Detail) {
        let is_reached = |hop: &&ReportHop| hop.status != Status::NotReached;
        for hop in self.hops.iter().filter(is_reached) {
            add_hop(table, hop, style, detail, (self.indent, self.share(hop)));
            if hop.stage == Stage::Endpoints && self.is_whole {
                add_translation(table, self.path, hop, style);
            }
        }
        // What comes behind a break is one line, however much it is.
        let missed: Vec<&str> = self
            .hops
            .iter()
            .filter(|hop| !is_reached(hop))
            .map(|hop| hop.stage.name())
            .collect();
        if !missed.is_empty() {
            let mark = format!("{}{}", self.indent, style.mark(Status::NotReached));
            table.add_row(vec![
                faint(&mark, style),
                faint(&format!("{}not reached", self.indent), style),
                faint(&missed.join(", "), style),
            ]);
        }
    }
}

/// How many hops all walks of a group have in common. A single walk shares all of its own.
fn shared_hops(group: &[ReportPath]) -> usize {
    let first = &group[0].hops;
    let is_shared = |index: usize, hop: &ReportHop| {
        group.iter().all(|path| {
            path.hops.get(index).is_some_and(|other| {
                let is_missed = hop.status == Status::NotReached;
                other.stage == hop.stage
                    && other.status == hop.status
                    && (is_missed || other.summary == hop.summary)
            })
        })
    };
    first
        .iter()
        .enumerate()
        .take_while(|(index, hop)| is_shared(*index, hop))
        .count()
}

fn new_table(style: Style) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if let Some(width) = style.terminal.width {
        table.set_width(width);
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table
}

fn add_hop(
    table: &mut Table,
    hop: &ReportHop,
    style: Style,
    detail: Detail,
    (indent, share): (&str, String),
) {
    let mark = Cell::new(format!("{indent}{}", style.mark(hop.status)));
    let mark = style
        .color(hop.status)
        .map_or_else(|| mark.clone(), |color| mark.clone().fg(color));
    let summary = style.plain(&format!("{}{share}", hop.summary));
    let stage = Cell::new(format!("{indent}{}", hop.stage.name()));
    let mut row = vec![mark, stage, Cell::new(summary)];
    if hop.status == Status::Fail && style.terminal.color {
        row = row
            .into_iter()
            .map(|cell| cell.add_attribute(Attribute::Bold))
            .collect();
    }
    table.add_row(row);
    // What was seen stands under what was predicted.
    if let Some(observed) = hop.observed.as_ref().filter(|seen| **seen != hop.summary) {
        let text = format!("seen: {observed}");
        table.add_row(vec![Cell::new(""), Cell::new(""), faint(&text, style)]);
    }
    if detail == Detail::Wide {
        if let Some(packet) = &hop.packet {
            let text = format!("{} {} {}", packet.before, style.turns_into(), packet.after);
            table.add_row(vec![Cell::new(""), Cell::new(""), faint(&text, style)]);
        }
        for fact in &hop.evidence {
            let text = style.plain(&format!("{}: {}", fact.reference, fact.text));
            table.add_row(vec![Cell::new(""), Cell::new(""), faint(&text, style)]);
        }
    }
}

/// `10.244.1.9:* > 10.96.6.170:8080 ⇒ 10.244.1.5:9090, 10.244.1.6:9090`
fn add_translation(table: &mut Table, path: &ReportPath, hop: &ReportHop, style: Style) {
    let Some(packet) = hop.packet.as_ref().filter(|_| hop.status == Status::Pass) else {
        return;
    };
    let targets = path
        .backends
        .iter()
        .take(4)
        .map(|backend| backend.address.clone());
    let mut targets: Vec<String> = targets.collect();
    if path.backends.len() > 4 {
        targets.push(style.plain("…"));
    }
    let text = format!(
        "{} {} {}",
        packet.before,
        style.turns_into(),
        targets.join(", ")
    );
    table.add_row(vec![Cell::new(""), Cell::new(""), faint(&text, style)]);
}

fn branch_text(path: &ReportPath, all: usize) -> String {
    let family = path.family.as_deref().unwrap_or_default();
    match path.backends.len() {
        0 => family.to_owned(),
        some => format!("{some} of {all} {family}"),
    }
}

fn backends_text(path: &ReportPath) -> String {
    let shown: Vec<String> = path
        .backends
        .iter()
        .take(3)
        .map(|backend| {
            let node = backend
                .node
                .as_ref()
                .map_or_else(String::new, |node| format!(" on {node}"));
            let cluster = backend
                .cluster
                .as_ref()
                .map_or_else(String::new, |cluster| format!(" in cluster {cluster}"));
            format!("{}{node}{cluster}", backend.address)
        })
        .collect();
    let more = if path.backends.len() > 3 { " …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

fn faint(text: &str, style: Style) -> Cell {
    let cell = Cell::new(style.plain(text));
    if style.terminal.color {
        cell.add_attribute(Attribute::Dim)
    } else {
        cell
    }
}

/// The table without the blanks that fill its last column.
fn trimmed(table: &Table) -> String {
    let text = table.to_string();
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n")
}
