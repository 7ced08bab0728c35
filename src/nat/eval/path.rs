//! The way through the hooks.

use std::rc::Rc;

use super::chain::{At, ChainExit};
use super::hooks::{Called, HookCall};
use super::outcome::{DoubtKind, Draft, Fate};
use super::state::{Out, State, Tracking, Translation, Walker};
use super::trail::Event;
use super::{ipvs, nat};
use crate::nat::model::{Hook, Policy};
use crate::route::{Decision, Query};

// === impl Walker ===

impl Walker<'_> {
    /// Follows the packet to all its ends.
    pub(super) fn run(&mut self) {
        let start = State::start(self.question, self.open_marks);
        if self.question.in_interface.is_some() {
            for state in self.hook(Hook::Prerouting, vec![start]) {
                self.arrived(state);
            }
            return;
        }
        for mut state in self.routed(start) {
            let (before, mark) = (state.packet, state.mark);
            let out = state.out.clone();
            // What a host says to itself goes out by lo, in the eyes of OUTPUT as well.
            if out == Out::None {
                state.out = Out::loopback();
            }
            for mut state in self.hook(Hook::Output, vec![state]) {
                // A new destination or mark makes the kernel ask for a route again.
                if state.packet == before && state.mark == mark && !state.redirected {
                    state.out = out.clone();
                    self.leaves(state);
                    continue;
                }
                for state in self.routed(state) {
                    self.leaves(state);
                }
            }
        }
    }

    /// Past PREROUTING: for this host, or through it.
    fn arrived(&mut self, state: State) {
        for state in self.routed(state) {
            if state.out == Out::None {
                for state in self.hook(Hook::Input, vec![state]) {
                    self.end(state, Fate::Deliver);
                }
                continue;
            }
            for state in self.hook(Hook::Forward, vec![state]) {
                self.goes_out(state);
            }
        }
    }

    /// Past OUTPUT.
    fn leaves(&mut self, mut state: State) {
        if state.out != Out::None {
            self.goes_out(state);
            return;
        }
        // Over loopback: out and in again, with the connection it already has.
        state.out = Out::loopback();
        for mut state in self.hook(Hook::Postrouting, vec![state]) {
            state.out = Out::None;
            state.in_interface = "lo".into();
            for state in self.hook(Hook::Prerouting, vec![state]) {
                for state in self.hook(Hook::Input, vec![state]) {
                    self.end(state, Fate::Deliver);
                }
            }
        }
    }

    pub(super) fn goes_out(&mut self, state: State) {
        for state in self.hook(Hook::Postrouting, vec![state]) {
            let fate = match &state.out {
                Out::Hop(hop) => Fate::Forward(Some((**hop).clone())),
                Out::None | Out::Somewhere => Fate::Forward(None),
            };
            self.end(state, fate);
        }
    }

    /// Asks for a route. Branches that lead nowhere end here.
    pub(super) fn routed(&mut self, mut state: State) -> Vec<State> {
        if state.redirected {
            state.out = Out::None;
            return vec![state];
        }
        let decision = self.host.route(Query {
            src: Some(state.packet.src),
            dst: state.packet.dst,
            iif: (!state.is_made_here()).then_some(&*state.in_interface),
            mark: state.mark,
            protocol: Some(state.packet.protocol),
        });
        match decision {
            Decision::Deliver => {
                state.out = Out::None;
                vec![state]
            }
            Decision::Forward(hops) if hops.is_empty() => {
                state.out = Out::Somewhere;
                vec![state]
            }
            Decision::Forward(hops) => {
                let share = 1.0 / f64::from(u32::try_from(hops.len()).unwrap_or(u32::MAX));
                let each = hops.into_iter().map(|hop| {
                    let mut part = state.part(share);
                    part.out = Out::Hop(Rc::new(hop));
                    part
                });
                each.collect()
            }
            Decision::Refuse(why) => {
                let note = format!("route: {why} to {}", state.packet.dst);
                state.trail = state.trail.and(Event::Note(note.into()));
                let fate = if why.is_answered() {
                    Fate::Reject(why.to_string().into())
                } else {
                    Fate::Drop
                };
                self.end(state, fate);
                Vec::new()
            }
            Decision::Unknown(why) => {
                let doubt = self.doubt(DoubtKind::Route, why);
                let mut here = state.clone().assume(doubt, true);
                here.out = Out::None;
                state.out = Out::Somewhere;
                vec![here, state.assume(doubt, false)]
            }
        }
    }

    /// Calls everything that hangs on a hook; what comes back may go on.
    pub(super) fn hook(&mut self, hook: Hook, mut states: Vec<State>) -> Vec<State> {
        for entry in self.order.at(hook) {
            let mut next = Vec::new();
            for state in states {
                match entry {
                    HookCall::Filter(called) => self.filter(hook, *called, state, &mut next),
                    HookCall::Conntrack => next.push(self.track(state)),
                    HookCall::Translate(groups) => self.translating(hook, groups, state, &mut next),
                    HookCall::VirtualServers => ipvs::serve(self, hook, state, &mut next),
                }
            }
            states = next;
        }
        states
    }

    fn track(&self, mut state: State) -> State {
        if state.tracking == Tracking::Unseen {
            state.tracking = match (state.notrack, self.question.reply) {
                (true, _) => Tracking::Untracked,
                (false, None) => Tracking::New,
                (false, Some(undo)) => {
                    let side = |undone| {
                        if undone {
                            Translation::Changed
                        } else {
                            Translation::Kept
                        }
                    };
                    state.destination_nat = side(undo.source.is_some());
                    state.source_nat = side(undo.destination.is_some());
                    Tracking::Reply
                }
            };
        }
        state
    }

    fn at(&self, hook: Hook, called: Called) -> At<'_> {
        At {
            table: &self.rules.tables[called.table as usize],
            table_id: called.table,
            chain: called.chain,
            hook,
        }
    }

    fn filter(&mut self, hook: Hook, called: Called, state: State, next: &mut Vec<State>) {
        for (state, end) in self.base_chain(hook, called, state) {
            next.extend(self.ended(state, end));
        }
    }

    /// Walks a base chain; its policy stands in for an end without verdict.
    fn base_chain(&mut self, hook: Hook, called: Called, state: State) -> Vec<(State, ChainExit)> {
        let rules = self.rules;
        let at = At {
            table: &rules.tables[called.table as usize],
            table_id: called.table,
            chain: called.chain,
            hook,
        };
        let mut ends = self.chain(at, state, 0);
        for (state, end) in &mut ends {
            if *end == ChainExit::Return {
                *end = match called.policy {
                    Policy::Accept => ChainExit::Accept,
                    Policy::Drop => {
                        let event = Event::Policy(called.table, called.chain.0);
                        state.trail = state.trail.and(event);
                        ChainExit::Drop
                    }
                };
            }
        }
        ends
    }

    /// The branch, if it may go on.
    fn ended(&mut self, state: State, end: ChainExit) -> Option<State> {
        let fate = match end {
            ChainExit::Accept | ChainExit::Return => return Some(state),
            ChainExit::Queue(_) if self.trusts_userspace => return Some(state),
            ChainExit::Drop => Fate::Drop,
            ChainExit::Reject(with) => Fate::Reject(with),
            ChainExit::Unknown(why) => Fate::Unknown(why),
            ChainExit::Queue(text) => {
                let why = format!("{text}: a program in userspace decides");
                let doubt = self.doubt(DoubtKind::Queue, why.clone());
                match state.assumed(doubt) {
                    Some(true) => return Some(state),
                    Some(false) => return None,
                    None => {}
                }
                self.end(state.clone().assume(doubt, false), Fate::Unknown(why));
                return Some(state.assume(doubt, true));
            }
        };
        self.end(state, fate);
        None
    }

    /// The translating chains. The first that decides wins; at equal priority the kernel asks the one
    /// registered last, which no dump shows, so that both orders are followed where it matters.
    fn translating(
        &mut self,
        hook: Hook,
        groups: &[Vec<Called>],
        mut state: State,
        next: &mut Vec<State>,
    ) {
        if state.tracking == Tracking::Reply {
            nat::undo(self, hook, &mut state);
            next.push(state);
            return;
        }
        if state.tracking != Tracking::New || decided(&state, hook) {
            next.push(state);
            return;
        }
        let mut open = vec![state];
        for group in groups {
            let mut still = Vec::new();
            for state in open {
                for order in self.orders(hook, group, &state) {
                    self.in_order(hook, &order.1, order.0, next, &mut still);
                }
            }
            open = still;
        }
        next.extend(open.into_iter().map(|mut state| {
            keep(&mut state, hook);
            state
        }));
    }

    fn in_order(
        &mut self,
        hook: Hook,
        group: &[Called],
        state: State,
        next: &mut Vec<State>,
        still: &mut Vec<State>,
    ) {
        let mut open = vec![state];
        for called in group {
            let mut later = Vec::new();
            for state in open {
                for (state, end) in self.base_chain(hook, *called, state) {
                    if let Some(state) = self.ended(state, end) {
                        if decided(&state, hook) {
                            next.push(state);
                        } else {
                            later.push(state);
                        }
                    }
                }
            }
            open = later;
        }
        still.extend(open);
    }

    /// The orders to follow, each with the state that assumes it.
    fn orders(&mut self, hook: Hook, group: &[Called], state: &State) -> Vec<(State, Vec<Called>)> {
        let in_order = vec![(state.clone(), group.to_vec())];
        if group.len() < 2 {
            return in_order;
        }
        let (outcomes, budget) = (self.outcomes.len(), self.budget);
        let deciding: Vec<Called> = group
            .iter()
            .copied()
            .filter(|called| {
                let ends = self.base_chain(hook, *called, state.clone());
                ends.iter().any(|(state, end)| {
                    decided(state, hook) || matches!(end, ChainExit::Unknown(_) | ChainExit::Drop)
                })
            })
            .collect();
        self.outcomes.truncate(outcomes);
        self.budget = budget;
        let [first, .., last] = deciding.as_slice() else {
            return in_order;
        };
        let titles: Vec<String> = [*first, *last]
            .iter()
            .map(|called| self.at(hook, *called).table.title())
            .collect();
        let doubt = self.doubt(
            DoubtKind::Order,
            format!(
                "tables {} and {} translate it both; the one loaded last wins",
                titles[0], titles[1]
            ),
        );
        let reversed: Vec<Called> = group.iter().rev().copied().collect();
        vec![
            (state.clone().assume(doubt, true), group.to_vec()),
            (state.clone().assume(doubt, false), reversed),
        ]
    }

    /// Notes where a branch came to an end.
    pub(super) fn end(&mut self, state: State, fate: Fate) {
        self.outcomes.push(Draft { state, fate });
    }
}

const fn side(state: &State, hook: Hook) -> Translation {
    match hook {
        Hook::Prerouting | Hook::Output | Hook::Forward => state.destination_nat,
        Hook::Input | Hook::Postrouting => state.source_nat,
    }
}

fn decided(state: &State, hook: Hook) -> bool {
    side(state, hook) != Translation::Open
}

/// No rule translated it: the connection keeps its addresses for good.
const fn keep(state: &mut State, hook: Hook) {
    match hook {
        Hook::Prerouting | Hook::Output | Hook::Forward => {
            state.destination_nat = Translation::Kept;
        }
        Hook::Input | Hook::Postrouting => state.source_nat = Translation::Kept,
    }
}
