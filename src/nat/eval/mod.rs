//! A packet walked through a rule set, as the kernel walks it.
//!
//! ```text
//!  from outside: PREROUTING ─► route ─┬─► INPUT ─► this host
//!                                     └─► FORWARD ─► POSTROUTING ─► out
//!  made here:    route ─► OUTPUT ─► route again ─┬─► POSTROUTING ─► out
//!                                                └─► POSTROUTING ─► lo ─► PREROUTING ─► INPUT
//! ```
//!
//! At each hook the base chains of all tables and backends are asked by priority; translation is a
//! block of its own at -100 and 100. A test has three answers, and chance has many: the walk follows
//! every branch and gives a distribution of outcomes, each with the rules that led to it.
//!
//! Measured facts built in (Linux 6.18): the first translation of a connection wins; `accept` in a
//! chain ends that chain alone while `drop` ends everything; untracked packets are never translated;
//! the end of a chain entered by `goto` returns to the caller of the chain before it.

mod chain;
mod field;
mod hooks;
mod ipvs;
mod lookup;
mod marks;
mod nat;
mod outcome;
mod path;
mod question;
mod state;
mod trail;

use super::model::{Ruleset, Table};
use crate::net::Family;
use crate::route::Host;

pub use outcome::{Answer, Doubt, DoubtKind, Fate, Outcome};
pub use question::{Question, Undo};
pub use trail::TrailStep;

/// A rule set on a host, made ready to be asked many times.
#[derive(Debug)]
pub struct Tracer<'a> {
    rules: &'a Ruleset,
    host: &'a Host,
    scope: Option<Scope>,
    /// Whether packets that a program in userspace is asked about go on.
    trusts_userspace: bool,
    /// Bits of the packet's mark that somebody else may have set.
    open_marks: u32,
    /// IPv4 and IPv6.
    orders: [hooks::Order; 2],
}

/// A part of a rule set that is walked as if the rest were not there.
#[derive(Debug, Clone, Copy)]
pub struct Scope {
    /// Which tables.
    pub table: fn(&Table) -> bool,
    /// In the base chains of iptables tables, which everybody shares: the jumps to follow, by the
    /// name of the chain they lead to.
    pub jump: fn(&str) -> bool,
}

// === impl Tracer ===

impl<'a> Tracer<'a> {
    /// Finds out which chains each hook calls.
    #[must_use]
    pub fn new(rules: &'a Ruleset, host: &'a Host) -> Self {
        Self::within(rules, host, None)
    }

    /// The same for a part of the rules; policies of base chains then do not count.
    #[must_use]
    pub fn within(rules: &'a Ruleset, host: &'a Host, scope: Option<Scope>) -> Self {
        Self {
            rules,
            host,
            scope,
            trusts_userspace: false,
            open_marks: 0,
            orders: Family::ALL.map(|family| hooks::Order::of(rules, family, scope)),
        }
    }

    /// The same where a program in userspace (`NFQUEUE`, `queue`) lets everything pass: for those who
    /// know what it decides from elsewhere.
    #[must_use]
    pub const fn trusting_userspace(mut self) -> Self {
        self.trusts_userspace = true;
        self
    }

    /// The same where packets may carry marks that no rule sets: whoever puts programs on interfaces
    /// talks to rules by marks.
    #[must_use]
    pub fn doubting_marks(mut self) -> Self {
        self.open_marks = marks::open(self.rules);
        self
    }

    /// The rules it walks.
    #[must_use]
    pub const fn rules(&self) -> &'a Ruleset {
        self.rules
    }

    /// Walks one packet. Total: any rule set gives an answer, in bounded work that does not grow with
    /// the number of rules for other destinations.
    #[must_use]
    pub fn walk(&self, question: &Question) -> Answer {
        let order = match question.packet.family() {
            Family::V4 => &self.orders[0],
            Family::V6 => &self.orders[1],
        };
        let family = question.packet.family();
        if let Some(gap) = self.rules.gap(family) {
            return Answer::unknown(question.packet, gap.why.clone());
        }
        let mut walker = state::Walker::new(self, order, question);
        walker.run();
        walker.finish()
    }
}
