//! A matrix small enough to be looked at.

use std::collections::HashMap;

use super::{MatrixReport, names};
use crate::policy::PortSet;
use crate::policy::matrix::{Census, Line, Openness, Tally};

/// Rows are sources, columns are destinations, in the same order.
#[derive(Debug)]
pub(super) struct Grid {
    pub names: Vec<String>,
    pub cells: Vec<Vec<Cell>>,
    /// The port sets that cells refer to.
    pub ports: Vec<String>,
    /// Over all pairs it shows.
    pub total: Tally,
    /// Whether its lines are namespaces.
    pub is_summary: bool,
}

/// What may pass from one line to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell {
    All,
    Nothing,
    Unknown,
    /// Some ports, by position.
    Ports(usize),
    /// Between namespaces: the percentage of the pairs where something may pass; never 0 or 100.
    Share(u8),
    /// Between two lines that were not asked for.
    Blank,
}

// === impl Grid ===

impl Grid {
    /// One with at most so many lines: workloads one by one, those that no policy tells apart
    /// together, or whole namespaces. None if not even these are few enough.
    pub(super) fn within(report: &MatrixReport, most: usize) -> Option<Self> {
        let namespace = report.namespace.as_deref();
        for lines in [UnitLines::Single, UnitLines::Classed] {
            let lines = match lines {
                UnitLines::Single => report.matrix.lines(namespace),
                UnitLines::Classed => report.matrix.classed(namespace),
            };
            if lines.len() <= most {
                return Some(Self::of_lines(report, &lines));
            }
        }
        if namespace.is_some() {
            return None;
        }
        let census = report.matrix.census(report.port);
        (census.namespaces.len() <= most).then(|| Self::of_namespaces(&census))
    }

    fn of_lines(report: &MatrixReport, lines: &[Line]) -> Self {
        let matrix = &report.matrix.matrix;
        let mut legend = Legend::default();
        let mut total = Tally::default();
        let mut cells = Vec::with_capacity(lines.len());
        for source in lines {
            let cell = |destination: &Line| {
                if !source.is_focus && !destination.is_focus {
                    return Cell::Blank;
                }
                let set = matrix.between(source.class, destination.class);
                let openness = set.openness(report.port);
                let pairs = source.members.len() * destination.members.len();
                total.add(openness, pairs as u64);
                match openness {
                    Openness::All => Cell::All,
                    Openness::None => Cell::Nothing,
                    Openness::Unknown if report.port.is_some() || is_one_doubt(set) => {
                        Cell::Unknown
                    }
                    Openness::Some | Openness::Unknown => Cell::Ports(legend.position(set)),
                }
            };
            cells.push(lines.iter().map(cell).collect());
        }
        Self {
            names: lines.iter().map(|line| names::line(report, line)).collect(),
            cells,
            ports: legend.texts,
            total,
            is_summary: false,
        }
    }

    fn of_namespaces(census: &Census) -> Self {
        let mut total = Tally::default();
        let rows = census.tallies.iter().map(|row| {
            let cells = row.iter().map(|tally| {
                total += *tally;
                cell(*tally)
            });
            cells.collect()
        });
        let cells = rows.collect();
        let names = census.namespaces.iter().map(|(name, _)| namespace(name));
        Self {
            names: names.collect(),
            cells,
            ports: Vec::new(),
            total,
            is_summary: true,
        }
    }
}

enum UnitLines {
    Single,
    Classed,
}

/// The name of a namespace; what is outside has none.
pub(super) fn namespace(name: &str) -> String {
    if name.is_empty() { "outside" } else { name }.to_owned()
}

fn cell(tally: Tally) -> Cell {
    let (pairs, open) = (tally.pairs(), tally.open());
    match open {
        0 if tally.unknown > 0 => Cell::Unknown,
        0 => Cell::Nothing,
        open if open == pairs => Cell::All,
        open => Cell::Share(u8::try_from((open * 100 / pairs).clamp(1, 99)).unwrap_or(99)),
    }
}

/// Whether every port is in doubt, so that there is nothing to list.
fn is_one_doubt(set: &PortSet) -> bool {
    set.intervals().len() == 3
        && set
            .intervals()
            .iter()
            .all(|interval| interval.ports == crate::net::PortRange::ANY)
}

/// The port sets that occur, in the order in which they are met.
#[derive(Debug, Default)]
struct Legend<'s> {
    texts: Vec<String>,
    known: HashMap<&'s PortSet, usize>,
}

// === impl Legend ===

impl<'s> Legend<'s> {
    fn position(&mut self, set: &'s PortSet) -> usize {
        *self.known.entry(set).or_insert_with(|| {
            self.texts.push(set.to_string());
            self.texts.len() - 1
        })
    }
}
