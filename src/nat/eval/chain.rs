//! Chains: rule after rule, branch after branch.

use super::lookup::Mapped;
use super::outcome::DoubtKind;
use super::state::{State, Walker, join};
use super::trail::{Event, Trail};
use crate::nat::model::{
    Action, Backend, ChainId, Data, Hook, MarkOf, Rule, RuleVerdict, Step, Table,
};

/// How a branch leaves a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ChainExit {
    /// Back to the caller, or to the policy.
    Return,
    Accept,
    Drop,
    Reject(Box<str>),
    /// A program in userspace decides.
    Queue(Box<str>),
    /// Nobody knows what happens now.
    Unknown(String),
}

/// Where a rule stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'a> {
    pub table: &'a Table,
    /// Its position in the rule set.
    pub table_id: u32,
    pub chain: ChainId,
    pub hook: Hook,
}

/// Branches by where they stand.
#[derive(Default)]
pub(super) struct Branches {
    /// At the next step of the same rule.
    pub still: Vec<State>,
    /// At the next rule.
    pub next: Vec<State>,
    /// Out of the chain.
    pub done: Vec<(State, ChainExit)>,
}

/// An answer to one test.
pub(super) enum Holds {
    Yes,
    No,
    Unknown(String),
}

/// Deeper than the kernel allows (16 in nftables).
const DEPTH: u32 = 32;
/// Branches that one chain may hold at a time.
const BRANCHES: usize = 512;

// === impl Walker ===

impl Walker<'_> {
    /// Walks a chain from its first rule; every branch comes back with how it ended.
    pub(super) fn chain(
        &mut self,
        at: At<'_>,
        start: State,
        depth: u32,
    ) -> Vec<(State, ChainExit)> {
        if depth > DEPTH {
            let why = "chains call each other too deeply".to_owned();
            return vec![(start, ChainExit::Unknown(why))];
        }
        let chain = at.table.chain(at.chain);
        let candidates = chain.candidates(at.table, &start.packet);
        let mut live = vec![start];
        let mut branches = Branches::default();
        for position in candidates {
            let Some(rule) = chain.rules.get(position as usize) else {
                continue;
            };
            if depth == 0 && !self.is_in_scope(at.table, rule) {
                continue;
            }
            for state in live {
                self.rule(at, (rule, position), state, depth, &mut branches);
            }
            live = std::mem::take(&mut branches.next);
            if live.len() > BRANCHES || branches.done.len() > BRANCHES * 64 {
                let unknown = || ChainExit::Unknown("the rules branch too often".to_owned());
                let cut = live.into_iter().map(|state| (state, unknown()));
                branches.done.extend(cut);
                return branches.done;
            }
            if live.is_empty() {
                break;
            }
        }
        let returned = live.into_iter().map(|state| (state, ChainExit::Return));
        branches.done.extend(returned);
        branches.done
    }

    /// Whether a rule of a base chain counts: all do, unless only a part of the rules is walked.
    fn is_in_scope(&self, table: &Table, rule: &Rule) -> bool {
        let Some(scope) = self.scope.filter(|_| table.backend != Backend::Nftables) else {
            return true;
        };
        table.steps(rule).iter().any(|step| match step {
            Step::Act(Action::Verdict(RuleVerdict::Jump(chain))) => {
                (scope.jump)(table.chain_name(*chain))
            }
            _ => false,
        })
    }

    /// One rule for one branch: where it does not apply, or applies and lets the packet go on, the
    /// branch comes to `next`.
    fn rule(
        &mut self,
        at: At<'_>,
        (rule, position): (&Rule, u32),
        state: State,
        depth: u32,
        branches: &mut Branches,
    ) {
        let steps = at.table.steps(rule);
        if self.budget == 0 {
            let why = "the rules branch too often".to_owned();
            branches.done.push((state, ChainExit::Unknown(why)));
            return;
        }
        self.budget -= 1;
        // Without an action it only counts or logs.
        if !steps.iter().any(|step| matches!(step, Step::Act(_))) {
            join(&mut branches.next, state);
            return;
        }
        let mut inside = vec![state];
        let mut has_acted = false;
        for step in steps {
            for mut state in inside {
                let Step::Act(action) = step else {
                    self.test(at, step, state, branches);
                    continue;
                };
                let before = (!has_acted).then(|| state.trail.clone());
                if !has_acted {
                    let event = Event::Rule(at.table_id, at.chain.0, position);
                    state.trail = state.trail.and(event);
                }
                self.act(at, action, state, before.as_ref(), depth, branches);
            }
            has_acted |= matches!(step, Step::Act(_));
            inside = std::mem::take(&mut branches.still);
            if inside.is_empty() {
                return;
            }
        }
        for state in inside {
            join(&mut branches.next, state);
        }
    }

    /// A test: what passes it stays in the rule, the rest goes on to the next one.
    fn test(&mut self, at: At<'_>, step: &Step, state: State, branches: &mut Branches) {
        let holds = match step {
            Step::Chance(share) => {
                if *share > 0.0 {
                    branches.still.push(state.part(*share));
                }
                if *share < 1.0 {
                    join(&mut branches.next, state.part(1.0 - *share));
                }
                return;
            }
            Step::Test(test) => self.compare(&state, test, at.table.backend),
            Step::Lookup(lookup) => self.look_up(at, &state, lookup),
            Step::Doubt(text) => Holds::Unknown(format!("`{text}` cannot be decided from rules")),
            Step::Act(_) => Holds::Yes,
        };
        match holds {
            Holds::Yes => branches.still.push(state),
            Holds::No => join(&mut branches.next, state),
            Holds::Unknown(why) => {
                let doubt = self.doubt(DoubtKind::Match, why);
                match state.assumed(doubt) {
                    Some(true) => branches.still.push(state),
                    Some(false) => join(&mut branches.next, state),
                    None => {
                        join(&mut branches.next, state.clone().assume(doubt, false));
                        branches.still.push(state.assume(doubt, true));
                    }
                }
            }
        }
    }

    /// An action. `before` is the trail without this rule, while it has done nothing else: a jump
    /// that comes back with nothing changed leaves no trace.
    fn act(
        &mut self,
        at: At<'_>,
        action: &Action,
        mut state: State,
        before: Option<&Trail>,
        depth: u32,
        branches: &mut Branches,
    ) {
        match action {
            Action::Verdict(verdict) => {
                self.verdict(at, *verdict, state, before, depth, branches);
            }
            Action::Reject(with) => branches
                .done
                .push((state, ChainExit::Reject((**with).into()))),
            Action::Queue(text) => branches
                .done
                .push((state, ChainExit::Queue((**text).into()))),
            Action::Nat(nat) => self.translate(at, nat, state, branches),
            Action::SetMark { of, mask, value } => {
                let mark = (state.mark_of(*of) & !mask) ^ value;
                let open = state.open_mark(*of) & !mask;
                state.set_mark(*of, mark, open);
                branches.still.push(state);
            }
            Action::CopyMark {
                to,
                to_mask,
                from_mask,
            } => {
                if state.is_tracked() {
                    let from = match to {
                        MarkOf::Packet => MarkOf::Connection,
                        MarkOf::Connection => MarkOf::Packet,
                    };
                    let copied = state.mark_of(from) & from_mask;
                    let open = state.open_mark(*to) & !to_mask | state.open_mark(from) & from_mask;
                    state.set_mark(*to, (state.mark_of(*to) & !to_mask) ^ copied, open);
                }
                branches.still.push(state);
            }
            Action::SetLabel(bit) => {
                state.labels |= 1u64.checked_shl(u32::from(*bit)).unwrap_or_default();
                branches.still.push(state);
            }
            Action::Notrack => {
                state.notrack = true;
                branches.still.push(state);
            }
            Action::Intercept(_) => {
                state.redirected = true;
                branches.done.push((state, ChainExit::Accept));
            }
            Action::VerdictMap(map) => {
                for (state, data) in self.map(at, &map.0, &map.1, state) {
                    match data {
                        Mapped::To(Data::Verdict(verdict)) => {
                            self.verdict(at, verdict, state, before, depth, branches);
                        }
                        Mapped::Missing => {
                            let mut state = state;
                            state.trail = before.cloned().unwrap_or(state.trail);
                            join(&mut branches.next, state);
                        }
                        Mapped::To(_) => {
                            let why = "a verdict map holds something else".to_owned();
                            branches.done.push((state, ChainExit::Unknown(why)));
                        }
                        Mapped::Unknown(why) => {
                            branches.done.push((state, ChainExit::Unknown(why)));
                        }
                    }
                }
            }
            Action::Opaque(text) => {
                let why = format!("`{text}` is not understood");
                let doubt = self.doubt(DoubtKind::Match, why.clone());
                // It may do nothing, or anything.
                branches.still.push(state.clone().assume(doubt, false));
                let end = ChainExit::Unknown(why);
                branches.done.push((state.assume(doubt, true), end));
            }
        }
    }

    fn verdict(
        &mut self,
        at: At<'_>,
        verdict: RuleVerdict,
        state: State,
        before: Option<&Trail>,
        depth: u32,
        branches: &mut Branches,
    ) {
        let (target, goto) = match verdict {
            RuleVerdict::Accept => return branches.done.push((state, ChainExit::Accept)),
            RuleVerdict::Drop => return branches.done.push((state, ChainExit::Drop)),
            RuleVerdict::Return => return branches.done.push((state, ChainExit::Return)),
            RuleVerdict::Continue => return join(&mut branches.next, state),
            RuleVerdict::Jump(chain) => (chain, false),
            RuleVerdict::Goto(chain) => (chain, true),
        };
        let there = At {
            chain: target,
            ..at
        };
        let unchanged = state.clone();
        for (mut state, end) in self.chain(there, state, depth + 1) {
            if end == ChainExit::Return && !goto {
                if let Some(before) = before
                    && unchanged.is_like(&state)
                    && unchanged.assumed == state.assumed
                {
                    state.trail = before.clone();
                }
                join(&mut branches.next, state);
            } else {
                branches.done.push((state, end));
            }
        }
    }
}
