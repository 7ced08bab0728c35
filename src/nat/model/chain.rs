//! Chains and the hooks they hang on.

use std::sync::OnceLock;

use super::{Field, PacketEnd, Rule, Step, Table, address_number};
use crate::net::Packet;

/// A list of rules.
#[derive(Debug, Clone)]
pub struct Chain {
    /// Set for chains that the kernel calls itself.
    pub base: Option<Base>,
    pub rules: Vec<Rule>,
    index: OnceLock<Box<Index>>,
}

/// Where the kernel calls a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Base {
    pub hook: Hook,
    pub kind: HookKind,
    pub priority: i32,
    pub policy: Policy,
}

/// The places in the network stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hook {
    Prerouting,
    Input,
    Forward,
    Output,
    Postrouting,
}

/// What a base chain may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookKind {
    Filter,
    /// Asked once per connection, and never for untracked packets.
    Nat,
    /// As filter, but a changed mark makes the packet take another route.
    Route,
}

/// What happens at the end of a base chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    Accept,
    Drop,
}

/// Which rules of a long chain a packet can match at all: those that name its destination address or
/// port, and those that name neither. Pairs of key and position, in order.
#[derive(Debug, Clone, Default)]
struct Index {
    by_address: Vec<(u128, u32)>,
    by_port: Vec<(u16, u32)>,
    others: Vec<u32>,
}

/// Shorter chains are walked as they are.
const INDEX_FROM: usize = 24;

// === impl Chain ===

impl Chain {
    /// An empty chain.
    #[must_use]
    pub const fn new(base: Option<Base>) -> Self {
        Self {
            base,
            rules: Vec::new(),
            index: OnceLock::new(),
        }
    }

    /// The rules, by position, that a packet can match, in order. Every rule left out names another
    /// destination address or port before it does anything.
    #[must_use]
    pub fn candidates(&self, table: &Table, packet: &Packet) -> Vec<u32> {
        let count = u32::try_from(self.rules.len()).unwrap_or(u32::MAX);
        if self.rules.len() < INDEX_FROM {
            return (0..count).collect();
        }
        let index = self.index.get_or_init(|| Box::new(Index::new(self, table)));
        let mut all = index.others.clone();
        all.extend(found(&index.by_address, address_number(packet.dst)));
        all.extend(found(&index.by_port, packet.dport));
        all.sort_unstable();
        all
    }
}

/// The positions under a key.
fn found<K: Copy + Ord>(pairs: &[(K, u32)], key: K) -> impl Iterator<Item = u32> {
    let start = pairs.partition_point(|(other, _)| *other < key);
    let same = pairs[start..]
        .iter()
        .take_while(move |(other, _)| *other == key);
    same.map(|(_, position)| *position)
}

// === impl Index ===

impl Index {
    fn new(chain: &Chain, table: &Table) -> Self {
        let mut index = Self::default();
        for (position, rule) in (0u32..).zip(&chain.rules) {
            match key(table.steps(rule)) {
                Some((Field::Port(..), port)) => {
                    let port = u16::try_from(port).unwrap_or_default();
                    index.by_port.push((port, position));
                }
                Some((_, address)) => index.by_address.push((address, position)),
                None => index.others.push(position),
            }
        }
        index.by_address.sort_unstable();
        index.by_port.sort_unstable();
        index
    }
}

/// The destination address, else the destination port, that a rule insists on before it acts.
fn key(steps: &[Step]) -> Option<(Field, u128)> {
    let tests = steps
        .iter()
        .take_while(|step| !matches!(step, Step::Act(_)));
    let exact = tests.filter_map(|step| match step {
        Step::Test(test) if !test.negated => Some((test.field, test.values.single()?)),
        _ => None,
    });
    let mut port = None;
    for (field, value) in exact {
        match field {
            Field::Address(PacketEnd::Destination, _) => return Some((field, value)),
            Field::Port(PacketEnd::Destination, _) => port = port.or(Some((field, value))),
            _ => {}
        }
    }
    port
}

// === impl Hook ===

impl Hook {
    /// Every hook, in the order of nft's documentation.
    pub const ALL: [Self; 5] = [
        Self::Prerouting,
        Self::Input,
        Self::Forward,
        Self::Output,
        Self::Postrouting,
    ];

    /// The name in upper case, as iptables spells it.
    #[must_use]
    pub const fn upper(self) -> &'static str {
        match self {
            Self::Prerouting => "PREROUTING",
            Self::Input => "INPUT",
            Self::Forward => "FORWARD",
            Self::Output => "OUTPUT",
            Self::Postrouting => "POSTROUTING",
        }
    }

    /// The hook of a name in any case.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|hook| hook.upper().eq_ignore_ascii_case(name))
    }
}
