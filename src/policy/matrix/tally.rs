//! How many pairs are open, by namespace: what a matrix of a thousand workloads comes down to.

use std::collections::BTreeMap;
use std::ops::AddAssign;

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
#[derive(Debug, Clone, Copy)]
struct Weight {
    class: usize,
    /// Its position.
    namespace: usize,
    units: u64,
}

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

// === impl UnitMatrix ===

impl UnitMatrix {
    /// Counts the pairs of units between every two namespaces, for one port or for all of them. A
    /// unit whose pods are told apart counts once for each kind of its pods.
    #[must_use]
    pub fn census(&self, port: Option<(Protocol, u16)>) -> Census {
        let (namespaces, weights) = self.weights();
        let sets = self.matrix.sets().iter();
        let kinds: Vec<usize> = sets.map(|set| set.openness(port) as usize).collect();
        let mut tallies = vec![vec![Tally::default(); namespaces.len()]; namespaces.len()];
        let mut row = vec![[0; 4]; namespaces.len()];
        let mut sources = weights.chunk_by(|one, other| one.class == other.class);
        self.matrix.each_row(|source, ids| {
            // Every class has a unit, and the weights are in the order of the classes.
            let sources = sources.next().unwrap_or_default();
            debug_assert!(sources.iter().all(|from| from.class == source));
            row.fill([0; 4]);
            // One step for each pair of classes: no branch, no allocation.
            for to in &weights {
                row[to.namespace][kinds[ids[to.class] as usize]] += to.units;
            }
            for from in sources {
                for (sum, [all, some, none, unknown]) in
                    tallies[from.namespace].iter_mut().zip(&row)
                {
                    sum.all += all * from.units;
                    sum.some += some * from.units;
                    sum.none += none * from.units;
                    sum.unknown += unknown * from.units;
                }
            }
        });
        Census {
            namespaces,
            tallies,
        }
    }

    /// The namespaces with the number of their units, and the weights by class.
    fn weights(&self) -> (Vec<(String, usize)>, Vec<Weight>) {
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
        let mut weights: BTreeMap<(usize, usize), u64> = BTreeMap::new();
        for unit in &self.units {
            let at = positions[&(unit.is_outside(), unit.object.namespace.as_str())];
            for part in &unit.parts {
                *weights.entry((part.class, at)).or_default() += 1;
            }
        }
        let weights = weights
            .into_iter()
            .map(|((class, namespace), units)| Weight {
                class,
                namespace,
                units,
            });
        (namespaces, weights.collect())
    }
}
