//! One direction for all pairs: subjects that the same policies select share a row.

use std::collections::HashMap;

use super::pieces::{Names, Piece, coverage, pieces};
use super::ports::{Interval, PortSet};
use super::row::{Row, Signature, rows};
use super::universe::{Needs, Universe};
use super::walk::{Outcome, Walk};
use crate::policy::ends::End;
use crate::policy::model::Direction;
use crate::policy::policies::Policies;

/// All rows of one direction.
#[derive(Debug, Clone)]
pub(super) struct Side {
    /// The row of each class as a subject.
    pub row_of: Vec<u32>,
    /// For each row, the port set towards each class, as an id.
    pub rows: Vec<Vec<u32>>,
}

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
    let mut computed: Vec<Vec<u32>> = Vec::new();
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
) -> Vec<u32> {
    let count = universe.len();
    if row.iter().flatten().all(Vec::is_empty) {
        return vec![interned.id(PortSet::all()); count];
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

/// The port set of each peer, from the outcomes of the pieces.
fn sets(
    pieces: &[Piece],
    outcome_of: &[usize],
    outcomes: &[Outcome],
    count: usize,
    interned: &mut Interned,
) -> Vec<u32> {
    let mut set = |verdict: &dyn Fn(usize) -> u64| {
        let intervals = pieces
            .iter()
            .zip(outcome_of)
            .filter_map(|(piece, outcome)| {
                let verdict = verdict(*outcome);
                (verdict & 0b01 != 0).then_some(Interval {
                    protocol: piece.protocol,
                    ports: piece.ports,
                    is_certain: verdict == 0b01,
                })
            });
        interned.id(PortSet::new(intervals))
    };
    match codes(outcomes, count) {
        Some(codes) => {
            // There are few codes, and neighbours often share one.
            let mut known: Vec<(u64, u32)> = Vec::new();
            let mut last = 0;
            let ids = codes.into_iter().map(|code| {
                let is_it = |(known, _): &(u64, u32)| *known == code;
                if !known.get(last).is_some_and(is_it) {
                    last = known.iter().position(is_it).unwrap_or_else(|| {
                        known.push((code, set(&|outcome| code >> (2 * outcome) & 0b11)));
                        known.len() - 1
                    });
                }
                known[last].1
            });
            ids.collect()
        }
        None => (0..count)
            .map(|peer| {
                set(&|outcome| {
                    let Outcome {
                        may_allow,
                        may_deny,
                    } = &outcomes[outcome];
                    u64::from(may_allow.has(peer)) | u64::from(may_deny.has(peer)) << 1
                })
            })
            .collect(),
    }
}

/// For each peer two bits of each outcome: may be allowed, may be denied. None if there are too many
/// outcomes for one number.
fn codes(outcomes: &[Outcome], count: usize) -> Option<Vec<u64>> {
    if outcomes.len() > 32 {
        return None;
    }
    let mut codes = vec![0; count];
    for (
        at,
        Outcome {
            may_allow,
            may_deny,
        },
    ) in outcomes.iter().enumerate()
    {
        for (bits, shift) in [(may_allow, 2 * at), (may_deny, 2 * at + 1)] {
            for (chunk, word) in codes.chunks_mut(64).zip(bits.words()) {
                match *word {
                    0 => {}
                    u64::MAX => chunk.iter_mut().for_each(|code| *code |= 1 << shift),
                    word => {
                        for (bit, code) in chunk.iter_mut().enumerate() {
                            *code |= (word >> bit & 1) << shift;
                        }
                    }
                }
            }
        }
    }
    Some(codes)
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
