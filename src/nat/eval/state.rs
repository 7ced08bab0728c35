//! Where a packet is and what is known of it.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::hooks::Order;
use super::outcome::{Answer, Doubt, DoubtKind, Draft};
use super::trail::Trail;
use super::{Question, Scope, Tracer, outcome};
use crate::facts::NextHop;
use crate::nat::model::{MarkOf, Ruleset, ct};
use crate::net::Packet;
use crate::route::Host;

/// How many rules one packet may meet, over all branches, before the walk gives up.
const BUDGET: u64 = 3_000_000;

/// How many things may be unknown on the way of one packet before the rest counts as one. Each doubles
/// the worlds to follow.
const DOUBTS: usize = 12;

/// Walks every branch of one packet.
pub(super) struct Walker<'a> {
    pub rules: &'a Ruleset,
    pub host: &'a Host,
    pub scope: Option<Scope>,
    pub trusts_userspace: bool,
    pub open_marks: u32,
    pub question: &'a Question,
    pub order: &'a Order,
    pub outcomes: Vec<Draft>,
    pub doubts: Vec<Doubt>,
    doubt_ids: BTreeMap<String, u32>,
    pub budget: u64,
}

/// One branch.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub packet: Packet,
    /// As it was before any translation.
    pub original: Packet,
    pub mark: u32,
    pub connection_mark: u32,
    /// Bits of the two marks that are not known.
    open_mark: u32,
    open_connection_mark: u32,
    pub labels: u64,
    pub tracking: Tracking,
    /// Set by NOTRACK before conntrack looks.
    pub notrack: bool,
    pub destination_nat: Translation,
    pub source_nat: Translation,
    /// A masquerading or source-translating rule was met.
    pub masqueraded: bool,
    /// Rewritten to this host itself (REDIRECT, TPROXY).
    pub redirected: bool,
    /// Empty for a packet made here.
    pub in_interface: Rc<str>,
    pub out: Out,
    pub weight: f64,
    /// What this branch takes for granted: doubt and answer.
    pub assumed: Vec<(u32, bool)>,
    pub trail: Trail,
}

/// What conntrack makes of the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tracking {
    /// Conntrack has not looked yet.
    Unseen,
    Untracked,
    New,
    Reply,
}

/// One side of a translation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Translation {
    /// No rule decided yet.
    Open,
    /// Decided, and nothing changed.
    Kept,
    Changed,
}

/// How it leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Out {
    /// Not yet routed, or for this host.
    None,
    Hop(Rc<NextHop>),
    /// Away, but nobody knows by which interface.
    Somewhere,
}

// === impl Walker ===

impl<'a> Walker<'a> {
    pub(super) const fn new(tracer: &Tracer<'a>, order: &'a Order, question: &'a Question) -> Self {
        Self {
            rules: tracer.rules,
            host: tracer.host,
            scope: tracer.scope,
            trusts_userspace: tracer.trusts_userspace,
            open_marks: tracer.open_marks,
            question,
            order,
            outcomes: Vec::new(),
            doubts: Vec::new(),
            doubt_ids: BTreeMap::new(),
            budget: BUDGET,
        }
    }

    /// The number of a doubt. The same text is the same doubt: two rules that ask the same unknown
    /// get the same answer in one world.
    pub(super) fn doubt(&mut self, kind: DoubtKind, mut text: String) -> u32 {
        if self.doubts.len() >= DOUBTS && !self.doubt_ids.contains_key(&text) {
            text = format!("more than {DOUBTS} things could not be decided");
        }
        let next = u32::try_from(self.doubts.len()).unwrap_or(u32::MAX);
        let id = *self.doubt_ids.entry(text.clone()).or_insert(next);
        if id == next {
            self.doubts.push(Doubt { kind, text });
        }
        id
    }

    pub(super) fn finish(self) -> Answer {
        outcome::settle(self.rules, self.outcomes, self.doubts)
    }
}

// === impl State ===

impl State {
    pub(super) fn start(question: &Question, open_mark: u32) -> Self {
        Self {
            packet: question.packet,
            original: question.packet,
            mark: 0,
            connection_mark: 0,
            open_mark,
            open_connection_mark: 0,
            labels: 0,
            tracking: Tracking::Unseen,
            notrack: false,
            destination_nat: Translation::Open,
            source_nat: Translation::Open,
            masqueraded: false,
            redirected: false,
            in_interface: question.in_interface.as_deref().unwrap_or_default().into(),
            out: Out::None,
            weight: 1.0,
            assumed: Vec::new(),
            trail: Trail::default(),
        }
    }

    /// Whether a process of this host made it.
    pub(super) fn is_made_here(&self) -> bool {
        self.in_interface.is_empty()
    }

    /// Whether conntrack knows it, so that translations and its mark exist.
    pub(super) const fn is_tracked(&self) -> bool {
        matches!(self.tracking, Tracking::New | Tracking::Reply)
    }

    /// State bits as `ctstate` sees them.
    pub(super) fn state_bits(&self) -> u64 {
        let state = match self.tracking {
            Tracking::Unseen => return ct::INVALID,
            Tracking::Untracked => return ct::UNTRACKED,
            Tracking::New => ct::NEW,
            Tracking::Reply => ct::ESTABLISHED,
        };
        state | self.translation_bits()
    }

    /// Status bits as `ctstatus` sees them.
    pub(super) fn status_bits(&self) -> u64 {
        let seen = match self.tracking {
            Tracking::Reply => ct::SEEN_REPLY | ct::CONFIRMED,
            _ => 0,
        };
        seen | self.translation_bits()
    }

    fn translation_bits(&self) -> u64 {
        let bit = |side, bit| if side == Translation::Changed { bit } else { 0 };
        bit(self.source_nat, ct::SNAT) | bit(self.destination_nat, ct::DNAT)
    }

    pub(super) const fn mark_of(&self, of: MarkOf) -> u32 {
        match of {
            MarkOf::Packet => self.mark,
            MarkOf::Connection => self.connection_mark,
        }
    }

    /// The bits of a mark that are not known.
    pub(super) const fn open_mark(&self, of: MarkOf) -> u32 {
        match of {
            MarkOf::Packet => self.open_mark,
            MarkOf::Connection => self.open_connection_mark,
        }
    }

    /// Gives a mark a new value, of which `open` is not known.
    pub(super) const fn set_mark(&mut self, of: MarkOf, value: u32, open: u32) {
        match of {
            MarkOf::Packet => {
                self.mark = value;
                self.open_mark = open;
            }
            MarkOf::Connection if self.is_tracked() => {
                self.connection_mark = value;
                self.open_connection_mark = open;
            }
            MarkOf::Connection => {}
        }
    }

    /// Whether nothing but history tells the two apart.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.packet == other.packet
            && self.mark == other.mark
            && self.connection_mark == other.connection_mark
            && self.open_mark == other.open_mark
            && self.open_connection_mark == other.open_connection_mark
            && self.labels == other.labels
            && self.tracking == other.tracking
            && self.notrack == other.notrack
            && self.destination_nat == other.destination_nat
            && self.source_nat == other.source_nat
            && self.masqueraded == other.masqueraded
            && self.redirected == other.redirected
            && self.in_interface == other.in_interface
            && self.out == other.out
    }

    /// The same packet with a part of the probability.
    pub(super) fn part(&self, share: f64) -> Self {
        let mut part = self.clone();
        part.weight *= share;
        part
    }

    /// The same packet in the world where a doubt is answered so.
    pub(super) fn assume(mut self, doubt: u32, answer: bool) -> Self {
        self.assumed.push((doubt, answer));
        self
    }

    /// What this branch already assumes about a doubt.
    pub(super) fn assumed(&self, doubt: u32) -> Option<bool> {
        let mut all = self.assumed.iter();
        all.find(|(id, _)| *id == doubt).map(|(_, answer)| *answer)
    }
}

/// Adds a branch to those that go on, joined with one that it differs from by history alone.
pub(super) fn join(states: &mut Vec<State>, state: State) {
    for other in states.iter_mut() {
        if !other.is_like(&state) {
            continue;
        }
        if other.assumed == state.assumed {
            other.weight += state.weight;
            return;
        }
        // The same in both worlds: then it does not matter which one is real.
        let differ_last = match (other.assumed.split_last(), state.assumed.split_last()) {
            (Some(((a, yes), rest)), Some(((b, no), other_rest))) => {
                a == b && yes != no && rest == other_rest
            }
            _ => false,
        };
        if differ_last && (other.weight - state.weight).abs() < 1e-9 {
            other.assumed.pop();
            return;
        }
    }
    states.push(state);
}

// === impl Out ===

impl Out {
    /// By the loopback interface: to this host itself.
    pub(super) fn loopback() -> Self {
        Self::Hop(Rc::new(NextHop {
            device: "lo".to_owned(),
            gateway: None,
            is_dead: false,
        }))
    }

    /// The interface's name; empty before routing, none when it is unknown.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::None => Some(""),
            Self::Hop(hop) => Some(&hop.device),
            Self::Somewhere => None,
        }
    }
}
