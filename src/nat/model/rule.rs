//! Rules: tests and actions in the order they are written.

use super::{ChainId, Field, MarkOf, Nat, SetId, Span, Values};

/// One rule. Its steps lie in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Where it stands in the text it was read from.
    pub text: Span,
    pub(super) first_step: u32,
    pub(super) steps: u32,
}

/// A part of a rule. The first test that fails ends the rule.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Test(Test),
    Lookup(Box<Lookup>),
    /// Succeeds with this probability (`statistic`, `numgen`).
    Chance(f64),
    /// A match that was not understood or that needs what nobody can read from rules, as text.
    Doubt(Words),
    Act(Action),
}

/// A text that few rules have, so that it costs the others little room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words(Box<Box<str>>);

/// A field compared with values. A packet without the field satisfies neither the test nor its
/// negation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    pub field: Field,
    pub negated: bool,
    pub values: Values,
}

/// A key looked up in a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    pub key: Box<[Field]>,
    pub set: SetRef,
    pub negated: bool,
}

/// Which set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetRef {
    /// Of the same table.
    Table(SetId),
    /// Of ipset, by name, with the ends that `--match-set` names; the fields follow from the type of
    /// the set.
    Ipset(Box<str>, Box<[super::PacketEnd]>),
    /// A set that the dump does not hold.
    Missing(Box<str>),
}

/// What a map is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    Fields(Box<[Field]>),
    /// A number below `modulus`, plus `offset`: a fresh one for each packet.
    Number {
        modulus: u32,
        offset: u32,
    },
    /// The same, but the same number for packets that are alike: a hash of the packet with a seed
    /// that no dump shows.
    Hash {
        modulus: u32,
        offset: u32,
    },
}

/// What ends a chain or leads to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleVerdict {
    Accept,
    Drop,
    Return,
    Continue,
    Jump(ChainId),
    Goto(ChainId),
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    Verdict(RuleVerdict),
    /// Drop with an answer: `icmp-port-unreachable`, `tcp-reset` …
    Reject(Words),
    /// A program in userspace decides.
    Queue(Words),
    Nat(Box<Nat>),
    /// `mark = (mark & !mask) ^ value`.
    SetMark {
        of: MarkOf,
        mask: u32,
        value: u32,
    },
    /// `to = (to & !to_mask) ^ (from & from_mask)`, where `from` is the other mark.
    CopyMark {
        to: MarkOf,
        to_mask: u32,
        from_mask: u32,
    },
    SetLabel(u8),
    Notrack,
    /// Hand it to a local socket (TPROXY).
    Intercept(Words),
    VerdictMap(Box<(Key, SetRef)>),
    /// A statement that was not understood, as text: what follows is unknown.
    Opaque(Words),
}

// === impl Step ===

impl Step {
    /// A test that must hold.
    #[must_use]
    pub const fn test(field: Field, values: Values) -> Self {
        Self::Test(Test {
            field,
            negated: false,
            values,
        })
    }

    /// A test that must hold, or must not.
    #[must_use]
    pub const fn test_unless(negated: bool, field: Field, values: Values) -> Self {
        Self::Test(Test {
            field,
            negated,
            values,
        })
    }
}

// === impl Words ===

impl From<&str> for Words {
    fn from(text: &str) -> Self {
        Self(Box::new(text.into()))
    }
}

impl From<String> for Words {
    fn from(text: String) -> Self {
        Self(Box::new(text.into()))
    }
}

impl std::ops::Deref for Words {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self)
    }
}
