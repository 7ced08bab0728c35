//! A matrix too large for a picture: one line for each workload or namespace, with its share of
//! open pairs.

use super::MatrixReport;
use super::grid::namespace;
use super::names;
use crate::policy::matrix::Tally;

/// A workload, what is alike together, or a namespace.
#[derive(Debug)]
pub(super) struct ListedFlow {
    pub name: String,
    /// How many workloads it stands for.
    pub units: usize,
    /// As the source of pairs.
    pub sends: Tally,
    /// As their destination.
    pub gets: Tally,
}

/// The entries, and all pairs together.
pub(super) fn listing(report: &MatrixReport<'_>) -> (Vec<ListedFlow>, Tally) {
    let entries = if report.namespace.is_some() {
        of_lines(report)
    } else {
        of_namespaces(report)
    };
    let mut total = Tally::default();
    for entry in &entries {
        total += entry.sends;
    }
    (entries, total)
}

fn of_lines(report: &MatrixReport<'_>) -> Vec<ListedFlow> {
    let lines = report.matrix.classed(report.namespace.as_deref());
    let mut entries: Vec<ListedFlow> = lines
        .iter()
        .map(|line| ListedFlow {
            name: names::line(report, line),
            units: line.members.len(),
            sends: Tally::default(),
            gets: Tally::default(),
        })
        .collect();
    for (from, source) in lines.iter().enumerate() {
        for (to, destination) in lines.iter().enumerate() {
            if !source.is_focus && !destination.is_focus {
                continue;
            }
            let set = report
                .matrix
                .matrix
                .between(source.class, destination.class);
            let pairs = source.members.len() * destination.members.len();
            let openness = set.openness(report.port);
            entries[from].sends.add(openness, pairs as u64);
            entries[to].gets.add(openness, pairs as u64);
        }
    }
    entries
}

fn of_namespaces(report: &MatrixReport<'_>) -> Vec<ListedFlow> {
    let census = report.matrix.census(report.port);
    let sum = |tallies: &mut dyn Iterator<Item = Tally>| {
        let mut sum = Tally::default();
        tallies.for_each(|tally| sum += tally);
        sum
    };
    let entries = census.namespaces.iter().enumerate();
    entries
        .map(|(at, (name, units))| ListedFlow {
            name: namespace(name),
            units: *units,
            sends: sum(&mut census.tallies[at].iter().copied()),
            gets: sum(&mut census.tallies.iter().map(|row| row[at])),
        })
        .collect()
}
