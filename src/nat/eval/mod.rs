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
mod nat;
mod outcome;
mod path;
mod question;
mod state;
mod trail;

use super::model::Ruleset;
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
    /// IPv4 and IPv6.
    orders: [hooks::Order; 2],
}

// === impl Tracer ===

impl<'a> Tracer<'a> {
    /// Finds out which chains each hook calls.
    #[must_use]
    pub fn new(rules: &'a Ruleset, host: &'a Host) -> Self {
        Self {
            rules,
            host,
            orders: Family::ALL.map(|family| hooks::Order::of(rules, family)),
        }
    }

    /// Walks one packet. Total: any rule set gives an answer, in bounded work that does not grow with
    /// the number of rules for other destinations.
    #[must_use]
    pub fn walk(&self, question: &Question) -> Answer {
        let order = match question.packet.family() {
            Family::V4 => &self.orders[0],
            Family::V6 => &self.orders[1],
        };
        let mut walker = state::Walker::new(self.rules, self.host, order, question);
        walker.run();
        walker.finish()
    }
}
