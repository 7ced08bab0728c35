//! Who may talk to whom: every pair at once, with port intervals.
//!
//! ```text
//!  ends ─► classes no policy tells apart ─► for each direction: rows of subjects that the same
//!          policies select × classes  ─► port sets  ─► pair = egress of one ∩ ingress of the other
//! ```
//!
//! The work grows with classes and rows, not with pods. Ends stand for workloads: placement (a
//! node's own pods) and a pod's calls to itself do not show.

mod bits;
mod changes;
mod classes;
pub mod diff;
mod lines;
mod outside;
mod pieces;
mod ports;
mod row;
mod side;
mod tally;
mod units;
mod universe;
mod walk;

use std::collections::HashMap;

use super::ends::End;
use super::model::Direction;
use super::policies::Policies;
use side::{Interned, Side};
use universe::Universe;

pub use classes::Class;
pub use lines::{Line, Member};
pub use outside::ELSEWHERE;
pub use ports::{Interval, Openness, PortSet};
pub use tally::{Census, Tally};
pub use units::{OUTSIDE, Part, Unit, UnitMatrix};

/// All pairs of a list of ends.
#[derive(Debug)]
pub struct Matrix {
    classes: Vec<Class>,
    /// The class of each end.
    class_of: Vec<u32>,
    egress: Side,
    /// For each class as a source, its port set towards each row of ingress.
    admitted: Vec<Vec<u32>>,
    /// The row of ingress of each class.
    ingress_row: Vec<u32>,
    sets: Vec<PortSet>,
    /// The intersection of every two of the first `width` port sets.
    both: Vec<u32>,
    width: usize,
}

// === impl Matrix ===

impl Matrix {
    /// Computes all pairs.
    #[must_use]
    pub fn new(policies: &Policies, ends: &[End]) -> Self {
        let classes = classes::classes(policies, ends);
        let mut class_of = vec![0; ends.len()];
        for (number, class) in classes.iter().enumerate() {
            for member in &class.members {
                class_of[*member] = u32::try_from(number).unwrap_or(u32::MAX);
            }
        }
        let mut universe = Universe::new(&classes, policies.families);
        let mut interned = Interned::default();
        let egress = side::side(policies, Direction::Egress, &mut universe, &mut interned);
        let ingress = side::side(policies, Direction::Ingress, &mut universe, &mut interned);
        drop(universe);
        let admitted = transposed(&ingress.rows, classes.len());
        let width = interned.sets.len();
        let (sets, both) = intersections(interned);
        Self {
            classes,
            class_of,
            egress,
            admitted,
            ingress_row: ingress.row_of,
            sets,
            both,
            width,
        }
    }

    /// Ends that no policy tells apart.
    #[must_use]
    pub fn classes(&self) -> &[Class] {
        &self.classes
    }

    /// The class of an end, by its position in the list.
    #[must_use]
    pub fn class_of(&self, end: usize) -> usize {
        self.class_of[end] as usize
    }

    /// Every port set that occurs, and some that do not; ids are positions here.
    #[must_use]
    pub fn sets(&self) -> &[PortSet] {
        &self.sets
    }

    /// What may go from one class to another.
    #[must_use]
    pub fn between(&self, source: usize, destination: usize) -> &PortSet {
        &self.sets[self.id_between(source, destination) as usize]
    }

    /// The same as an id: equal ids are equal sets.
    #[must_use]
    pub fn id_between(&self, source: usize, destination: usize) -> u32 {
        let out = self.egress.rows[self.egress.row_of[source] as usize][destination];
        let into = self.admitted[source][self.ingress_row[destination] as usize];
        self.both[out as usize * self.width + into as usize]
    }

    /// The ids of one class towards every class.
    pub fn row(&self, source: usize) -> impl Iterator<Item = u32> {
        let out = &self.egress.rows[self.egress.row_of[source] as usize];
        let into = &self.admitted[source];
        let width = self.width;
        out.iter()
            .zip(&self.ingress_row)
            .map(move |(out, row)| self.both[*out as usize * width + into[*row as usize] as usize])
    }

    /// How many different rows the policies make: of egress, of ingress.
    #[must_use]
    pub fn distinct_rows(&self) -> (usize, usize) {
        let ingress = self.admitted.first().map_or(0, Vec::len);
        (self.egress.rows.len(), ingress)
    }
}

/// Columns as rows, so that what one source is admitted to lies together.
fn transposed(rows: &[Vec<u32>], length: usize) -> Vec<Vec<u32>> {
    const BLOCK: usize = 64;
    let mut columns = vec![vec![0; rows.len()]; length];
    for (at, block) in rows.chunks(BLOCK).enumerate() {
        for first in (0..length).step_by(BLOCK) {
            for (row, values) in block.iter().enumerate() {
                let last = length.min(first + BLOCK);
                for (column, value) in values[first..last].iter().enumerate() {
                    columns[first + column][at * BLOCK + row] = *value;
                }
            }
        }
    }
    columns
}

/// The intersection of every two sets, as ids.
fn intersections(interned: Interned) -> (Vec<PortSet>, Vec<u32>) {
    let Interned { mut sets, .. } = interned;
    let count = sets.len();
    let mut ids: HashMap<PortSet, u32> = HashMap::new();
    for (id, set) in sets.iter().enumerate() {
        ids.insert(set.clone(), u32::try_from(id).unwrap_or(u32::MAX));
    }
    let mut both = Vec::with_capacity(count * count);
    for one in 0..count {
        for other in 0..count {
            let shared = sets[one].intersection(&sets[other]);
            let next = u32::try_from(sets.len()).unwrap_or(u32::MAX);
            let id = *ids.entry(shared).or_insert_with_key(|shared| {
                sets.push(shared.clone());
                next
            });
            both.push(id);
        }
    }
    (sets, both)
}
