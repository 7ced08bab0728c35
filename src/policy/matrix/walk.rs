//! The walk over the tiers (`eval`) with sets of peers instead of one.
//!
//! `may_allow` and `may_deny` gather the peers for which that outcome is possible; what remains
//! open goes on to the next rule, policy, tier.

use std::collections::HashMap;
use std::rc::Rc;

use super::bits::{Bits, Tri};
use super::pieces::{Names, Piece};
use super::row::{Row, Selecting};
use super::universe::Universe;
use crate::policy::eval::PolicyVerdict;
use crate::policy::model::{Action, Rule};
use crate::policy::truth::Truth;

/// What may happen to each peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub may_allow: Bits,
    pub may_deny: Bits,
}

/// Walks one row.
pub(super) struct Walk<'w, 'c, 'p> {
    names: Names<'w>,
    universe: &'w mut Universe<'c>,
    /// The peers of the row's rules, once they were asked for.
    peers: HashMap<*const Rule, Rc<Tri>>,
    row: &'w Row<'p>,
}

/// Where in the ports a walk is, and what it has found.
struct At<'a> {
    piece: Piece,
    coverage: std::slice::Iter<'a, Option<bool>>,
    outcome: &'a mut Outcome,
}

// === impl Outcome ===

impl Outcome {
    /// Parts of a set of peers that share a verdict; only those that have any.
    pub(super) fn split(&self, peers: &Bits) -> impl Iterator<Item = (PolicyVerdict, Bits)> {
        let allowed = peers.and(&self.may_allow);
        let (open, certain) = (allowed.and(&self.may_deny), allowed.without(&self.may_deny));
        let parts = [
            (PolicyVerdict::Allow, certain),
            (PolicyVerdict::Unknown, open),
            (PolicyVerdict::Deny, peers.without(&self.may_allow)),
        ];
        parts.into_iter().filter(|(_, peers)| !peers.is_empty())
    }
}

// === impl Walk ===

impl<'w, 'c, 'p> Walk<'w, 'c, 'p> {
    pub(super) fn new(row: &'w Row<'p>, names: Names<'w>, universe: &'w mut Universe<'c>) -> Self {
        Self {
            names,
            universe,
            peers: HashMap::new(),
            row,
        }
    }

    /// What may happen at a piece that the rules cover as `coverage` says, in their order.
    pub(super) fn outcome(&mut self, piece: Piece, coverage: &[Option<bool>]) -> Outcome {
        let count = self.universe.len();
        let mut outcome = Outcome {
            may_allow: Bits::none(count),
            may_deny: Bits::none(count),
        };
        let mut at = At {
            piece,
            coverage: coverage.iter(),
            outcome: &mut outcome,
        };
        let row = self.row;
        for stack in row {
            let mut open = Bits::all(count);
            for tier in stack.iter().filter(|tier| !tier.is_empty()) {
                open = self.tier(tier, open, &mut at);
            }
            at.outcome.may_allow.add(&open);
        }
        outcome
    }

    /// Asks one tier about some peers; gives those the next tier may be asked about.
    fn tier(&mut self, tier: &[Selecting<'_>], mut open: Bits, at: &mut At<'_>) -> Bits {
        let count = self.universe.len();
        let mut leaving: Option<Bits> = None;
        let (mut isolates, mut may_isolate) = (false, false);
        for group in tier.chunk_by(|one, other| one.policy.rank == other.policy.rank) {
            let mut undecided = open.clone();
            for selecting in group {
                match (&selecting.section.isolates, selecting.is_certain) {
                    (Truth::No, _) => {}
                    (Truth::Yes, true) => isolates = true,
                    _ => may_isolate = true,
                }
                let mut left = open.clone();
                for (rule, is_for_it) in &selecting.rules {
                    let Some(matches) = self.matching(rule, at) else {
                        continue;
                    };
                    let outcome = match rule.action {
                        Action::Allow => &mut at.outcome.may_allow,
                        Action::Deny => &mut at.outcome.may_deny,
                        Action::Pass => leaving.get_or_insert_with(|| Bits::none(count)),
                    };
                    matches.hit(selecting.is_certain && *is_for_it, &mut left, outcome);
                }
                // Whoever one policy of the group decides about is not asked about any further.
                undecided.keep(&left);
            }
            open = undecided;
        }
        if isolates || may_isolate {
            at.outcome.may_deny.add(&open);
        }
        if isolates {
            open = Bits::none(count);
        }
        if let Some(leaving) = leaving {
            open.add(&leaving);
        }
        open
    }

    /// The peers that a rule matches at the piece; none where it does not cover it.
    fn matching(&mut self, rule: &Rule, at: &mut At<'_>) -> Option<Rc<Tri>> {
        // The coverage was taken in the same order.
        let covers = at.coverage.next().copied().flatten();
        if covers == Some(false) {
            return None;
        }
        let key = std::ptr::from_ref(rule);
        if !self.peers.contains_key(&key) {
            let found = self.universe.peers(rule, self.names.subject);
            self.peers.insert(key, found);
        }
        let of_rule = Rc::clone(&self.peers[&key]);
        Some(match covers {
            None => {
                let mut covered = self.names.covered(rule, at.piece, self.universe);
                covered.and(&of_rule);
                Rc::new(covered)
            }
            Some(_) => of_rule,
        })
    }
}
