//! Chains: rule after rule, branch after branch.

use super::field::Seen;
use super::outcome::DoubtKind;
use super::state::{State, Walker, join};
use super::trail::Event;
use crate::nat::model::{
    Action, ChainId, Data, End as PacketEnd, Field, Hook, Key, Lookup, Rule, SetRef, Step, Table,
    Test, Verdict,
};
use crate::net::Family;

/// How a branch leaves a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
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
    pub(super) fn chain(&mut self, at: At<'_>, start: State, depth: u32) -> Vec<(State, End)> {
        if depth > DEPTH {
            let why = "chains call each other too deeply".to_owned();
            return vec![(start, End::Unknown(why))];
        }
        let chain = at.table.chain(at.chain);
        let mut done = Vec::new();
        let mut live = vec![start];
        let Some(first) = live.first() else {
            return done;
        };
        for position in chain.candidates(at.table, &first.packet) {
            let Some(rule) = chain.rules.get(position as usize) else {
                continue;
            };
            let mut next = Vec::new();
            for state in live {
                self.rule(at, rule, position, state, depth, &mut next, &mut done);
            }
            live = next;
            if live.len() > BRANCHES || done.len() > BRANCHES * 64 {
                let unknown = || End::Unknown("the rules branch too often".to_owned());
                done.extend(live.into_iter().map(|state| (state, unknown())));
                return done;
            }
            if live.is_empty() {
                break;
            }
        }
        done.extend(live.into_iter().map(|state| (state, End::Return)));
        done
    }

    /// One rule for one branch: where it does not apply, or applies and goes on, the branch joins
    /// `next`.
    #[expect(clippy::too_many_arguments, reason = "the walk's registers, all plain")]
    fn rule(
        &mut self,
        at: At<'_>,
        rule: &Rule,
        position: u32,
        state: State,
        depth: u32,
        next: &mut Vec<State>,
        done: &mut Vec<(State, End)>,
    ) {
        let steps = at.table.steps(rule);
        if self.budget == 0 {
            done.push((state, End::Unknown("the rules branch too often".to_owned())));
            return;
        }
        self.budget -= 1;
        // Without an action it only counts or logs.
        if !steps.iter().any(|step| matches!(step, Step::Act(_))) {
            join(next, state);
            return;
        }
        let mut inside = vec![state];
        let mut has_acted = false;
        for step in steps {
            let mut still = Vec::new();
            for mut state in inside {
                if let Step::Act(action) = step {
                    if !has_acted {
                        let event = Event::Rule(at.table_id, at.chain.0, position);
                        state.trail = state.trail.and(event);
                    }
                    self.act(at, action, state, depth, &mut still, next, done);
                } else {
                    self.test(at, step, state, &mut still, next);
                }
            }
            has_acted |= matches!(step, Step::Act(_));
            inside = still;
            if inside.is_empty() {
                return;
            }
        }
        for state in inside {
            join(next, state);
        }
    }

    /// A test: `still` holds what passes it, `next` what does not.
    fn test(
        &mut self,
        at: At<'_>,
        step: &Step,
        state: State,
        still: &mut Vec<State>,
        next: &mut Vec<State>,
    ) {
        let holds = match step {
            Step::Chance(share) => {
                if *share > 0.0 {
                    still.push(state.part(*share));
                }
                if *share < 1.0 {
                    join(next, state.part(1.0 - *share));
                }
                return;
            }
            Step::Test(test) => self.compare(&state, test, at.table.backend),
            Step::Lookup(lookup) => self.look_up(at, &state, lookup),
            Step::Doubt(text) => Holds::Unknown(format!("`{text}` cannot be decided from rules")),
            Step::Act(_) => Holds::Yes,
        };
        match holds {
            Holds::Yes => still.push(state),
            Holds::No => join(next, state),
            Holds::Unknown(why) => {
                let doubt = self.doubt(DoubtKind::Match, why);
                match state.assumed(doubt) {
                    Some(true) => still.push(state),
                    Some(false) => join(next, state),
                    None => {
                        join(next, state.clone().assume(doubt, false));
                        still.push(state.assume(doubt, true));
                    }
                }
            }
        }
    }

    fn compare(&self, state: &State, test: &Test, backend: crate::nat::model::Backend) -> Holds {
        let holds = match self.see(state, test.field) {
            Seen::Number(number) => test.values.holds(number),
            Seen::Name(name) => test.values.holds_name(&name),
            Seen::Within(low, high) => match test.values.holds_within(low, high) {
                (false, _) => false,
                (_, true) => true,
                _ => return Holds::Unknown(within(test.field)),
            },
            // Without a socket xt_owner succeeds exactly where everything it asks is negated.
            Seen::Absent if matches!(test.field, Field::Uid | Field::Gid) => {
                let is_iptables = backend != crate::nat::model::Backend::Nftables;
                return yes_no(test.negated && is_iptables);
            }
            Seen::Absent => return Holds::No,
            Seen::Unknown(why) => return Holds::Unknown(why),
        };
        yes_no(holds != test.negated)
    }

    fn look_up(&self, at: At<'_>, state: &State, lookup: &Lookup) -> Holds {
        let found = match &lookup.set {
            SetRef::Table(id) => match self.key(state, &lookup.key) {
                Ok(key) => Found::of(at.table.set(*id).elements.get(&key)),
                Err(Seen::Absent) => return Holds::No,
                Err(_) if at.table.set(*id).elements.is_empty() => Found::No,
                Err(Seen::Unknown(why)) => return Holds::Unknown(why),
                Err(_) => return Holds::Unknown("a part of the key is not known".to_owned()),
            },
            SetRef::Ipset(name, ends) => self.in_ipset(state, name, ends, 0),
            SetRef::Missing(name) => Found::Unknown(format!("set @{name} is not in the dump")),
        };
        match found {
            Found::Yes => yes_no(!lookup.negated),
            Found::No => yes_no(lookup.negated),
            Found::Unknown(why) => Holds::Unknown(why),
        }
    }

    fn in_ipset(&self, state: &State, name: &str, ends: &[PacketEnd], depth: u32) -> Found {
        let Some(sets) = &self.rules.ipsets else {
            return Found::Unknown(format!("ipset {name} was not read (give ipset save)"));
        };
        let Some(set) = sets.get(name) else {
            return Found::Unknown(format!("ipset {name} is not in ipset save"));
        };
        if set.columns.iter().any(|column| &**column == "set") {
            let members = set.elements.names();
            return members.fold(Found::No, |found, member| match found {
                Found::No if depth < 8 => self.in_ipset(state, member, ends, depth + 1),
                other => other,
            });
        }
        let family = if set.is_v4 { Family::V4 } else { Family::V6 };
        let mut key = Vec::new();
        for (column, end) in set.columns.iter().zip(ends) {
            match &**column {
                "ip" | "net" => key.push(Field::Address(*end, family)),
                "port" if set.columns.len() == 1 => key.push(Field::Port(*end, None)),
                "port" => key.extend([Field::Protocol, Field::Port(*end, None)]),
                "iface" => key.push(match end {
                    PacketEnd::Source => Field::InInterface,
                    PacketEnd::Destination => Field::OutInterface,
                }),
                "mark" => key.push(Field::Mark(crate::nat::model::MarkOf::Packet)),
                other => {
                    return Found::Unknown(format!("ipset {name} asks for {other}"));
                }
            }
        }
        match self.key(state, &key) {
            Ok(key) => Found::of(set.elements.get(&key)),
            Err(Seen::Absent) => Found::No,
            Err(_) if set.elements.is_empty() => Found::No,
            Err(Seen::Unknown(why)) => Found::Unknown(why),
            Err(_) => Found::Unknown("a part of the key is not known".to_owned()),
        }
    }

    /// An action: `still` goes on in the same rule, `next` with the next one.
    #[expect(clippy::too_many_arguments, reason = "the walk's registers, all plain")]
    fn act(
        &mut self,
        at: At<'_>,
        action: &Action,
        mut state: State,
        depth: u32,
        still: &mut Vec<State>,
        next: &mut Vec<State>,
        done: &mut Vec<(State, End)>,
    ) {
        match action {
            Action::Verdict(verdict) => self.verdict(at, *verdict, state, depth, next, done),
            Action::Reject(with) => done.push((state, End::Reject(with.clone()))),
            Action::Queue(text) => done.push((state, End::Queue(text.clone()))),
            Action::Nat(nat) => self.translate(at, nat, state, next, done),
            Action::SetMark { of, mask, value } => {
                let mark = (state.mark_of(*of) & !mask) ^ value;
                state.set_mark(*of, mark);
                still.push(state);
            }
            Action::CopyMark {
                to,
                to_mask,
                from_mask,
            } => {
                use crate::nat::model::MarkOf::{Connection, Packet};
                if state.is_tracked() {
                    let from = if *to == Packet { Connection } else { Packet };
                    let copied = state.mark_of(from) & from_mask;
                    state.set_mark(*to, (state.mark_of(*to) & !to_mask) ^ copied);
                }
                still.push(state);
            }
            Action::SetLabel(bit) => {
                state.labels |= 1u64.checked_shl(u32::from(*bit)).unwrap_or_default();
                still.push(state);
            }
            Action::Notrack => {
                state.notrack = true;
                still.push(state);
            }
            Action::Intercept(_) => {
                state.redirected = true;
                done.push((state, End::Accept));
            }
            Action::VerdictMap(map) => {
                for (state, data) in self.map(at, &map.0, &map.1, state) {
                    match data {
                        Mapped::To(Data::Verdict(verdict)) => {
                            self.verdict(at, verdict, state, depth, next, done);
                        }
                        Mapped::Missing => join(next, state),
                        Mapped::To(_) => {
                            let why = "a verdict map holds something else".to_owned();
                            done.push((state, End::Unknown(why)));
                        }
                        Mapped::Unknown(why) => done.push((state, End::Unknown(why))),
                    }
                }
            }
            Action::Opaque(text) => {
                let why = format!("`{text}` is not understood");
                let doubt = self.doubt(DoubtKind::Match, why.clone());
                // It may do nothing, or anything.
                still.push(state.clone().assume(doubt, false));
                done.push((state.assume(doubt, true), End::Unknown(why)));
            }
        }
    }

    fn verdict(
        &mut self,
        at: At<'_>,
        verdict: Verdict,
        state: State,
        depth: u32,
        next: &mut Vec<State>,
        done: &mut Vec<(State, End)>,
    ) {
        let (target, goto) = match verdict {
            Verdict::Accept => return done.push((state, End::Accept)),
            Verdict::Drop => return done.push((state, End::Drop)),
            Verdict::Return => return done.push((state, End::Return)),
            Verdict::Continue => return join(next, state),
            Verdict::Jump(chain) => (chain, false),
            Verdict::Goto(chain) => (chain, true),
        };
        let there = At {
            chain: target,
            ..at
        };
        for (state, end) in self.chain(there, state, depth + 1) {
            match end {
                End::Return if !goto => join(next, state),
                end => done.push((state, end)),
            }
        }
    }

    /// What a map gives, for every number that chance can pick.
    pub(super) fn map(
        &self,
        at: At<'_>,
        key: &Key,
        set: &SetRef,
        state: State,
    ) -> Vec<(State, Mapped)> {
        let elements = match set {
            SetRef::Table(id) => &at.table.set(*id).elements,
            SetRef::Missing(name) => {
                let why = format!("map @{name} is not in the dump");
                return vec![(state, Mapped::Unknown(why))];
            }
            SetRef::Ipset(..) => return vec![(state, Mapped::Missing)],
        };
        let (modulus, offset) = match key {
            Key::Number { modulus, offset } | Key::Hash { modulus, offset } => (*modulus, *offset),
            Key::Fields(fields) => {
                let mapped = match self.key(&state, fields) {
                    Ok(key) => elements
                        .get(&key)
                        .map_or(Mapped::Missing, |data| Mapped::To(data.clone())),
                    Err(Seen::Unknown(_) | Seen::Within(..)) if elements.is_empty() => {
                        Mapped::Missing
                    }
                    Err(Seen::Unknown(why)) => Mapped::Unknown(why),
                    Err(Seen::Within(..)) => {
                        Mapped::Unknown("a part of the key is not known".to_owned())
                    }
                    Err(_) => Mapped::Missing,
                };
                return vec![(state, mapped)];
            }
        };
        if modulus > 65_536 {
            let why = format!("a choice among {modulus}");
            return vec![(state, Mapped::Unknown(why))];
        }
        let share = 1.0 / f64::from(modulus.max(1));
        (0..modulus)
            .map(|number| {
                let number = u128::from(number) + u128::from(offset);
                let data = elements.get(&[crate::nat::model::Part::one(number)]);
                let mapped = data.map_or(Mapped::Missing, |data| Mapped::To(data.clone()));
                (state.part(share), mapped)
            })
            .collect()
    }
}

/// What a map gives for one key.
pub(super) enum Mapped {
    To(Data),
    Missing,
    Unknown(String),
}

enum Found {
    Yes,
    No,
    Unknown(String),
}

// === impl Found ===

impl Found {
    fn of(data: Option<&Data>) -> Self {
        match data {
            None | Some(Data::Nomatch) => Self::No,
            Some(Data::Opaque(text)) => Self::Unknown(format!("member {text} is not understood")),
            Some(_) => Self::Yes,
        }
    }
}

const fn yes_no(yes: bool) -> Holds {
    if yes { Holds::Yes } else { Holds::No }
}

fn within(field: Field) -> String {
    match field {
        Field::Length => "the length of the packet is not known".to_owned(),
        _ => "the client's port is not picked yet".to_owned(),
    }
}
