//! The tap: a line for every point, in the order of the path, and the break where it is.

use std::io::{self, Write};

use super::style::Style;
use crate::path::Status;
use crate::report::PathReport;
use crate::report::tap::{ReportPoint, ReportTap, role};
use crate::tap::Direction;

/// Prints the points of a tapped probe.
pub(super) fn print(report: &PathReport, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let Some(tap) = &report.tap else {
        return Ok(());
    };
    writeln!(out)?;
    writeln!(out, "{}", style.strong(&heading(tap)))?;
    let widths = Widths::of(tap);
    let mut way = Direction::Forward;
    for point in &tap.points {
        if point.seen && point.way != way {
            way = point.way;
            writeln!(out, "  {}", style.faint("answer"))?;
        }
        if point.seen {
            writeln!(out, "  {}", style.plain(&widths.line(point)))?;
        } else {
            let mark = style.colored_mark(Status::Fail);
            writeln!(out, "  {mark} {}", style.plain(&unmet(point, tap)))?;
        }
    }
    for node in &tap.blind {
        let text = format!("tap on {} does not count: {}", node.node, node.why);
        for line in style.note(&text) {
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

/// `tap: TCP to 10.244.2.9:9090 from pod shop/client-1 (source port 20001, seq 7), lost in 3 of 3 attempts`
fn heading(tap: &ReportTap) -> String {
    let key = tap.key.map_or_else(String::new, |key| {
        let port = key
            .src_port
            .map_or_else(String::new, |port| format!("source port {port}, "));
        format!(" ({port}seq {})", key.isn)
    });
    format!(
        "tap: {} to {} from {}{key}, {} in {} of {} attempts",
        tap.protocol, tap.to, tap.source, tap.outcome, tap.agreeing, tap.attempts
    )
}

/// `node2: not seen at the Pod veth, going out`
fn unmet(point: &ReportPoint, tap: &ReportTap) -> String {
    let what = match point.way {
        Direction::Forward => "packet",
        Direction::Return => "answer",
    };
    let rejected = if tap.outcome == "rejected" {
        ", rejected"
    } else {
        ""
    };
    format!(
        "{what} not seen at the {} of {} ({}){rejected}",
        role(point.role),
        point.node,
        point.direction
    )
}

/// How wide the columns are.
struct Widths {
    node: usize,
    interface: usize,
}

// === impl Widths ===

impl Widths {
    fn of(tap: &ReportTap) -> Self {
        let longest = |text: &dyn Fn(&ReportPoint) -> usize| {
            let seen = tap.points.iter().filter(|point| point.seen);
            seen.map(text).max().unwrap_or_default()
        };
        Self {
            node: longest(&|point| point.node.chars().count()),
            interface: longest(&|point| interface(point).chars().count()),
        }
    }

    fn line(&self, point: &ReportPoint) -> String {
        let carried = point.outer.as_ref().map_or_else(String::new, |outer| {
            format!("  {} {} → {}", outer.kind, outer.source, outer.destination)
        });
        let by = point.rewritten_by.as_ref();
        let by = by.map_or_else(String::new, |rule| format!(" by {rule}"));
        let rewritten = point.rewritten;
        let rewritten = rewritten.map_or_else(String::new, |how| format!("  {how}{by}"));
        let time = point
            .micros
            .map_or_else(String::new, |micros| format!("  +{micros} µs"));
        format!(
            "{:node$}  {:interface$}  {:3}  {}{carried}{rewritten}{time}",
            point.node,
            interface(point),
            point.direction,
            point.tuple.as_deref().unwrap_or_default(),
            node = self.node,
            interface = self.interface,
        )
    }
}

/// `cni0 (bridge)`
fn interface(point: &ReportPoint) -> String {
    let name = point.interface.as_deref().unwrap_or_default();
    format!("{name} ({})", role(point.role))
}
