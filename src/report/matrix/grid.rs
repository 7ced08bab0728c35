//! A matrix small enough to be looked at.

use std::collections::{BTreeMap, HashMap};

use super::{MatrixReport, names};
use crate::net::PortRange;
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
    /// Of pairs that are not alike: the percentage of those where something may pass, but not
    /// everything in all of them; never 0.
    Share(u8),
    /// Between two lines that were not asked for.
    Blank,
}

/// A row and column, with the classes it stands for and the number of workloads in each.
struct Row {
    name: String,
    classes: Vec<(usize, u64)>,
    is_focus: bool,
}

// === impl Grid ===

impl Grid {
    /// One with at most so many lines: workloads one by one, or those that no policy tells apart
    /// together; what was not asked for as it looks from there, or by namespace; or whole namespaces
    /// alone. None if not even these are few enough.
    pub(super) fn within(report: &MatrixReport<'_>, most: usize) -> Option<Self> {
        let namespace = report.namespace.as_deref();
        let single = report.matrix.lines(namespace);
        if single.len() <= most {
            return Some(Self::of_rows(report, &rows(report, &single)));
        }
        if namespace.is_some() {
            let folded = folded(report, &single);
            if folded.len() <= most {
                return Some(Self::of_rows(report, &folded));
            }
        }
        let classed = report.matrix.classed(namespace);
        if classed.len() <= most {
            return Some(Self::of_rows(report, &rows(report, &classed)));
        }
        if namespace.is_some() {
            let folded = folded(report, &classed);
            return (folded.len() <= most).then(|| Self::of_rows(report, &folded));
        }
        let census = report.matrix.census(report.port);
        (census.namespaces.len() <= most).then(|| Self::of_namespaces(&census))
    }

    fn of_rows(report: &MatrixReport<'_>, rows: &[Row]) -> Self {
        let matrix = &report.matrix.matrix;
        let mut legend = Legend::default();
        let mut total = Tally::default();
        let mut cells = Vec::with_capacity(rows.len());
        for source in rows {
            let cell = |destination: &Row| {
                if !source.is_focus && !destination.is_focus {
                    return Cell::Blank;
                }
                let mut here = Tally::default();
                let mut ids: Vec<u32> = Vec::new();
                for (from, sources) in &source.classes {
                    for (to, destinations) in &destination.classes {
                        let id = matrix.id_between(*from, *to);
                        let set = &matrix.sets()[id as usize];
                        here.add(set.openness(report.port), sources * destinations);
                        if ids.last() != Some(&id) {
                            ids.push(id);
                        }
                    }
                }
                total += here;
                match (ids.as_slice(), report.port) {
                    ([id], None) => legend.cell(&matrix.sets()[*id as usize]),
                    _ => cell(here),
                }
            };
            cells.push(rows.iter().map(cell).collect());
        }
        Self {
            names: rows.iter().map(|row| row.name.clone()).collect(),
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

fn rows(report: &MatrixReport<'_>, lines: &[Line]) -> Vec<Row> {
    let rows = lines.iter().map(|line| Row {
        name: names::line(report, line),
        classes: vec![(line.class, line.members.len() as u64)],
        is_focus: line.is_focus,
    });
    rows.collect()
}

/// The lines in focus, and one for each other namespace.
fn folded(report: &MatrixReport<'_>, lines: &[Line]) -> Vec<Row> {
    let (own, others): (Vec<Line>, Vec<Line>) =
        lines.iter().cloned().partition(|line| line.is_focus);
    let mut namespaces: BTreeMap<(bool, &str), Vec<(usize, u64)>> = BTreeMap::new();
    for line in &others {
        for member in &line.members {
            let unit = &report.matrix.units[member.unit];
            let key = (unit.is_outside(), unit.object.namespace.as_str());
            let classes = namespaces.entry(key).or_default();
            match classes.last_mut() {
                Some((class, count)) if *class == line.class => *count += 1,
                _ => classes.push((line.class, 1)),
            }
        }
    }
    let others = namespaces.into_iter().map(|((_, name), classes)| Row {
        name: match name {
            "" => namespace(name),
            name => format!("{name}/*"),
        },
        classes,
        is_focus: false,
    });
    rows(report, &own).into_iter().chain(others).collect()
}

/// The name of a namespace; what is outside has none.
pub(super) fn namespace(name: &str) -> String {
    if name.is_empty() { "outside" } else { name }.to_owned()
}

/// What pairs that are not alike come down to.
fn cell(tally: Tally) -> Cell {
    let (pairs, open) = (tally.pairs(), tally.open());
    match open {
        _ if tally.all == pairs => Cell::All,
        0 if tally.unknown > 0 => Cell::Unknown,
        0 => Cell::Nothing,
        open if open == pairs => Cell::Share(100),
        open => Cell::Share(u8::try_from((open * 100 / pairs).clamp(1, 99)).unwrap_or(99)),
    }
}

/// Whether every port is in doubt, so that there is nothing to list.
fn is_one_doubt(set: &PortSet) -> bool {
    set.intervals().len() == 3
        && set
            .intervals()
            .iter()
            .all(|interval| interval.ports == PortRange::ANY)
}

/// The port sets that occur, in the order in which they are met.
#[derive(Debug, Default)]
struct Legend<'s> {
    texts: Vec<String>,
    known: HashMap<&'s PortSet, usize>,
}

// === impl Legend ===

impl<'s> Legend<'s> {
    fn cell(&mut self, set: &'s PortSet) -> Cell {
        match set.openness(None) {
            Openness::All => Cell::All,
            Openness::None => Cell::Nothing,
            Openness::Unknown if is_one_doubt(set) => Cell::Unknown,
            Openness::Some | Openness::Unknown => Cell::Ports(self.position(set)),
        }
    }

    fn position(&mut self, set: &'s PortSet) -> usize {
        *self.known.entry(set).or_insert_with(|| {
            self.texts.push(set.to_string());
            self.texts.len() - 1
        })
    }
}
