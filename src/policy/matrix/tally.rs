//! How many pairs are open, by namespace: what a matrix of a thousand workloads comes down to.

use std::collections::BTreeMap;
use std::ops::{AddAssign, Mul};

use serde::Serialize;

use super::{Openness, UnitMatrix};
use crate::net::Protocol;

/// Pairs by what may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// Everything that was asked for.
    pub all: u64,
    /// Some ports.
    pub some: u64,
    pub none: u64,
    /// Nothing for sure, but perhaps something.
    pub unknown: u64,
}

/// The pairs of namespaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Census {
    /// Namespaces with the number of their units; the outside comes last, without a name.
    pub namespaces: Vec<(String, usize)>,
    /// From each of them (row) to each of them.
    pub tallies: Vec<Vec<Tally>>,
}

/// How many units of a namespace a class holds.
type Weights = Vec<Vec<(usize, u64)>>;

// === impl Tally ===

impl Tally {
    /// How many pairs there are.
    #[must_use]
    pub const fn pairs(&self) -> u64 {
        self.all + self.some + self.none + self.unknown
    }

    /// How many let something through for sure.
    #[must_use]
    pub const fn open(&self) -> u64 {
        self.all + self.some
    }

    /// Counts pairs that are open so far.
    pub const fn add(&mut self, openness: Openness, pairs: u64) {
        match openness {
            Openness::All => self.all += pairs,
            Openness::Some => self.some += pairs,
            Openness::None => self.none += pairs,
            Openness::Unknown => self.unknown += pairs,
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.all += other.all;
        self.some += other.some;
        self.none += other.none;
        self.unknown += other.unknown;
    }
}

impl Mul<u64> for Tally {
    type Output = Self;

    fn mul(self, count: u64) -> Self {
        Self {
            all: self.all * count,
            some: self.some * count,
            none: self.none * count,
            unknown: self.unknown * count,
        }
    }
}

// === impl UnitMatrix ===

impl UnitMatrix {
    /// Counts the pairs of units between every two namespaces, for one port or for all of them. A
    /// unit whose pods are told apart counts once for each kind of its pods.
    #[must_use]
    pub fn census(&self, port: Option<(Protocol, u16)>) -> Census {
        let (namespaces, weights) = self.weights();
        let sets = self.matrix.sets().iter();
        let kinds: Vec<Openness> = sets.map(|set| set.openness(port)).collect();
        let none = vec![Tally::default(); namespaces.len()];
        let mut tallies = vec![none.clone(); namespaces.len()];
        for (class, sources) in weights.iter().enumerate() {
            let mut row = none.clone();
            for (id, destinations) in self.matrix.row(class).zip(&weights) {
                for (namespace, count) in destinations {
                    row[*namespace].add(kinds[id as usize], *count);
                }
            }
            for (namespace, count) in sources {
                for (sum, tally) in tallies[*namespace].iter_mut().zip(&row) {
                    *sum += *tally * *count;
                }
            }
        }
        Census {
            namespaces,
            tallies,
        }
    }

    fn weights(&self) -> (Vec<(String, usize)>, Weights) {
        let mut positions: BTreeMap<(bool, &str), usize> = BTreeMap::new();
        for unit in &self.units {
            *positions
                .entry((unit.is_outside(), &unit.object.namespace))
                .or_default() += 1;
        }
        let namespaces = positions
            .iter()
            .map(|((_, name), count)| ((*name).to_owned(), *count));
        let namespaces = namespaces.collect();
        for (at, position) in positions.values_mut().enumerate() {
            *position = at;
        }
        let mut weights: Vec<BTreeMap<usize, u64>> =
            vec![BTreeMap::new(); self.matrix.classes().len()];
        for unit in &self.units {
            let at = positions[&(unit.is_outside(), unit.object.namespace.as_str())];
            for part in &unit.parts {
                *weights[part.class].entry(at).or_default() += 1;
            }
        }
        let weights = weights.into_iter();
        (
            namespaces,
            weights.map(|counts| counts.into_iter().collect()).collect(),
        )
    }
}
