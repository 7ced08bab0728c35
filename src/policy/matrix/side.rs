//! One direction for all pairs: subjects that the same policies select share a row.

use std::collections::HashMap;

use super::bits::Bits;
use super::pieces::{Names, Piece, coverage, pieces};
use super::ports::{Interval, PortSet};
use super::row::{Row, Signature, rows};
use super::universe::{Needs, Universe};
use super::walk::{Outcome, Walk};
use crate::policy::ends::End;
use crate::policy::eval::PolicyVerdict;
use crate::policy::model::Direction;
use crate::policy::policies::Policies;

/// All rows of one direction.
#[derive(Debug, Clone)]
pub(super) struct Side {
    /// The row of each class as a subject.
    pub row_of: Vec<u32>,
    pub rows: Vec<Partition>,
}

/// The classes by the port set towards them: disjoint, and together all of them. A row has few port
/// sets, so that this is an eighth of a list of ids, and found without looking at any class alone.
#[derive(Debug, Clone)]
pub(super) struct Partition {
    parts: Vec<(u32, Bits)>,
}

/// Classes in one word of a set.
pub(super) const LANES: usize = 64;

/// Port sets, each once, by id.
#[derive(Debug, Default)]
pub(super) struct Interned {
    pub sets: Vec<PortSet>,
    ids: HashMap<PortSet, u32>,
}

/// Computes a direction for every class.
pub(super) fn side(
    policies: &Policies,
    direction: Direction,
    universe: &mut Universe<'_>,
    interned: &mut Interned,
) -> Side {
    let needs = Needs::of_policies(policies);
    let mut computed: Vec<Partition> = Vec::new();
    let mut row_of = Vec::with_capacity(universe.len());
    let mut known: HashMap<Signature, u32> = HashMap::new();
    for (class, row) in rows(policies, direction, universe).iter().enumerate() {
        let end = &universe.classes[class].end;
        let signature = Signature::of(row, end, needs);
        let next = number(computed.len());
        let id = *known.entry(signature).or_insert(next);
        if id == next {
            computed.push(compute(row, direction, end, universe, interned));
        }
        row_of.push(id);
    }
    Side {
        row_of,
        rows: computed,
    }
}

/// Ids are small: there are fewer rows and sets than pairs that fit into memory.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The port set towards every class.
fn compute(
    row: &Row<'_>,
    direction: Direction,
    end: &End,
    universe: &mut Universe<'_>,
    interned: &mut Interned,
) -> Partition {
    let count = universe.len();
    if row.iter().flatten().all(Vec::is_empty) {
        return Partition {
            parts: vec![(interned.id(PortSet::all()), Bits::all(count))],
        };
    }
    let names = Names {
        direction,
        subject: end,
    };
    let pieces = pieces(row, names, universe);
    let mut walk = Walk::new(row, names, universe);
    let mut outcomes: Vec<Outcome> = Vec::new();
    let mut outcome_of = Vec::new();
    // Pieces that the same rules cover have the same outcome.
    let mut known: HashMap<Vec<Option<bool>>, usize> = HashMap::new();
    for piece in &pieces {
        let coverage = coverage(row, *piece, names);
        let is_by_peer = coverage.contains(&None);
        let same = known.get(&coverage).filter(|_| !is_by_peer);
        let outcome = same.copied().unwrap_or_else(|| {
            let outcome = walk.outcome(*piece, &coverage);
            let same = outcomes.iter().position(|before| *before == outcome);
            same.unwrap_or_else(|| {
                outcomes.push(outcome);
                outcomes.len() - 1
            })
        });
        known.insert(coverage, outcome);
        outcome_of.push(outcome);
    }
    sets(&pieces, &outcome_of, &outcomes, count, interned)
}

/// Peers with the same verdict at every piece share a port set.
fn sets(
    pieces: &[Piece],
    outcome_of: &[usize],
    outcomes: &[Outcome],
    count: usize,
    interned: &mut Interned,
) -> Partition {
    let mut parts: Vec<(Vec<PolicyVerdict>, Bits)> = vec![(Vec::new(), Bits::all(count))];
    for outcome in outcomes {
        parts = parts
            .iter()
            .flat_map(|(verdicts, peers)| {
                outcome.split(peers).map(|(verdict, peers)| {
                    let verdicts = verdicts.iter().copied().chain([verdict]);
                    (verdicts.collect(), peers)
                })
            })
            .collect();
    }
    let set = |verdicts: &[PolicyVerdict]| {
        let intervals = pieces.iter().zip(outcome_of);
        PortSet::new(intervals.filter_map(|(piece, outcome)| {
            let verdict = verdicts[*outcome];
            (verdict != PolicyVerdict::Deny).then_some(Interval {
                protocol: piece.protocol,
                ports: piece.ports,
                is_certain: verdict == PolicyVerdict::Allow,
            })
        }))
    };
    let parts = parts
        .into_iter()
        .map(|(verdicts, peers)| (interned.id(set(&verdicts)), peers));
    Partition {
        parts: parts.collect(),
    }
}

// === impl Side ===

impl Side {
    /// The row of a class as a subject.
    pub(super) fn row(&self, class: usize) -> &Partition {
        &self.rows[self.row_of[class] as usize]
    }
}

// === impl Partition ===

impl Partition {
    /// The port set towards a class.
    pub(super) fn of(&self, class: usize) -> u32 {
        let mut parts = self.parts.iter();
        // Every class is in one of them.
        parts
            .find(|(_, peers)| peers.has(class))
            .map_or(0, |(id, _)| *id)
    }

    /// Writes the port set towards every class.
    pub(super) fn write(&self, ids: &mut [u32]) {
        for (id, peers) in &self.parts {
            for (ids, word) in ids.chunks_mut(LANES).zip(peers.words()) {
                write_lanes(*id, *word, ids);
            }
        }
    }

    /// Writes the port set towards some classes in a row, from a multiple of 64 on.
    pub(super) fn write_lanes(&self, first: usize, ids: &mut [u32; LANES]) {
        for (id, peers) in &self.parts {
            write_lanes(*id, peers.words()[first / LANES], ids);
        }
    }
}

fn write_lanes(id: u32, word: u64, ids: &mut [u32]) {
    match word {
        0 => {}
        u64::MAX => ids.fill(id),
        mut word => {
            while word != 0 {
                ids[word.trailing_zeros() as usize] = id;
                word &= word - 1;
            }
        }
    }
}

// === impl Interned ===

impl Interned {
    pub(super) fn id(&mut self, set: PortSet) -> u32 {
        if let Some(id) = self.ids.get(&set) {
            return *id;
        }
        let id = number(self.sets.len());
        self.sets.push(set.clone());
        self.ids.insert(set, id);
        id
    }
}
