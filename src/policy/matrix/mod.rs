//! Who may talk to whom: every pair at once, with port intervals.
//!
//! ```text
//!  ends ─► classes no policy tells apart ─► for each direction: rows of subjects that the same
//!          policies select; a row parts the classes by port set ─► pair = egress of one ∩ ingress of
//!          the other
//! ```
//!
//! The work grows with classes and rows, not with pods. Ends stand for workloads: placement (a
//! node's own pods) and a pod's calls to itself do not show.

mod bits;
mod changes;
mod classes;
pub mod diff;
mod doubts;
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

use super::ends::End;
use super::model::Direction;
use super::policies::Policies;
use side::{Interned, LANES, Side};
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
    ingress: Side,
    sets: Vec<PortSet>,
    /// What each port set of egress lets through together with each of ingress.
    both: Vec<u32>,
    /// How many port sets ingress has.
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
        let (mut out, mut into) = (Interned::default(), Interned::default());
        let egress = side::side(policies, Direction::Egress, &mut universe, &mut out);
        let ingress = side::side(policies, Direction::Ingress, &mut universe, &mut into);
        drop(universe);
        let (sets, both) = intersections(&out.sets, &into.sets);
        Self {
            classes,
            class_of,
            egress,
            ingress,
            sets,
            both,
            width: into.sets.len(),
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
        let out = self.egress.row(source).of(destination);
        let into = self.ingress.row(destination).of(source);
        self.both[out as usize * self.width + into as usize]
    }

    /// Visits every class as a source, in order, with the ids of the port sets towards every class.
    pub fn each_row(&self, mut visit: impl FnMut(usize, &[u32])) {
        let count = self.classes.len();
        let mut ids = vec![0; count];
        // For each row of ingress, what it admits of some sources: those in one word of its sets.
        let mut admitted = vec![[0; LANES]; self.ingress.rows.len()];
        for first in (0..count).step_by(LANES) {
            for (row, admitted) in self.ingress.rows.iter().zip(&mut admitted) {
                row.write_lanes(first, admitted);
            }
            for source in first..count.min(first + LANES) {
                self.egress.row(source).write(&mut ids);
                for (id, row) in ids.iter_mut().zip(&self.ingress.row_of) {
                    let into = admitted[*row as usize][source - first];
                    *id = self.both[*id as usize * self.width + into as usize];
                }
                visit(source, &ids);
            }
        }
    }

    /// How many different rows the policies make: of egress, of ingress.
    #[must_use]
    pub const fn distinct_rows(&self) -> (usize, usize) {
        (self.egress.rows.len(), self.ingress.rows.len())
    }
}

/// The intersection of every set of egress with every one of ingress, as ids.
fn intersections(out: &[PortSet], into: &[PortSet]) -> (Vec<PortSet>, Vec<u32>) {
    let mut shared = Interned::default();
    let mut both = Vec::with_capacity(out.len() * into.len());
    for one in out {
        both.extend(into.iter().map(|other| shared.id(one.intersection(other))));
    }
    (shared.sets, both)
}
