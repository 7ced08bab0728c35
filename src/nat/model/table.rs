//! Tables, and how readers build them.

use std::collections::HashMap;
use std::sync::Arc;

use super::names::Names;
use super::{Base, Chain, Rule, Set, Step};
use crate::net::Family;

/// A chain by its position in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainId(pub u32);

/// A set by its position in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetId(pub u32);

/// A part of the text that a table was read from, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    pub start: u32,
    pub length: u32,
}

/// Which packets a table sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFamily {
    Ip,
    Ip6,
    /// Both; also an iptables dump that does not show which.
    Inet,
}

/// Who made a table. Hooks of all backends run side by side, by priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Backend {
    IptablesLegacy,
    /// iptables commands over nftables.
    IptablesNft,
    Nftables,
}

/// Chains and sets under one name.
#[derive(Debug, Clone)]
pub struct Table {
    pub family: TableFamily,
    pub name: Box<str>,
    pub backend: Backend,
    pub chains: Vec<Chain>,
    pub sets: Vec<Set>,
    names: Names,
    steps: Vec<Step>,
    text: Arc<str>,
}

/// A table while it is read.
#[derive(Debug)]
pub struct TableBuilder {
    table: Table,
    set_names: HashMap<Box<str>, SetId>,
}

// === impl TableFamily ===

impl TableFamily {
    /// Whether packets of a family pass it.
    #[must_use]
    pub const fn sees(self, family: Family) -> bool {
        matches!(
            (self, family),
            (Self::Inet, _) | (Self::Ip, Family::V4) | (Self::Ip6, Family::V6)
        )
    }

    /// `ip`, `ip6` or `inet`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Ip6 => "ip6",
            Self::Inet => "inet",
        }
    }
}

// === impl Span ===

impl Span {
    /// The part of `whole` that `part` is. `part` must be a slice of it; a dump beyond 4 GiB has no
    /// spans there.
    #[must_use]
    pub fn of(whole: &str, part: &str) -> Self {
        let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
        match (u32::try_from(start), u32::try_from(part.len())) {
            (Ok(start), Ok(length)) => Self { start, length },
            _ => Self::default(),
        }
    }
}

// === impl Table ===

impl Table {
    /// A chain of this table. Ids come from the table itself.
    #[must_use]
    pub fn chain(&self, id: ChainId) -> &Chain {
        &self.chains[id.0 as usize]
    }

    /// A set of this table. Ids come from the table itself.
    #[must_use]
    pub fn set(&self, id: SetId) -> &Set {
        &self.sets[id.0 as usize]
    }

    /// The chain of a name.
    #[must_use]
    pub fn chain_named(&self, name: &str) -> Option<&Chain> {
        self.names.find(name).map(|id| self.chain(ChainId(id)))
    }

    /// The id of the chain of a name.
    #[must_use]
    pub fn chain_id(&self, name: &str) -> Option<ChainId> {
        self.names.find(name).map(ChainId)
    }

    /// The name of a chain.
    #[must_use]
    pub fn chain_name(&self, id: ChainId) -> &str {
        self.names.get(id.0)
    }

    /// Every chain with its name.
    pub fn named_chains(&self) -> impl Iterator<Item = (&str, &Chain)> {
        let ids = 0u32..;
        ids.zip(&self.chains)
            .map(|(id, chain)| (self.names.get(id), chain))
    }

    /// The set of a name.
    #[must_use]
    pub fn set_named(&self, name: &str) -> Option<&Set> {
        self.sets.iter().find(|set| &*set.name == name)
    }

    /// The steps of one of this table's rules.
    #[must_use]
    pub fn steps(&self, rule: &Rule) -> &[Step] {
        let first = rule.first_step as usize;
        self.steps
            .get(first..first + rule.steps as usize)
            .unwrap_or_default()
    }

    /// The steps of all its rules.
    pub fn all_steps(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter()
    }

    /// A rule as it stands in the dump.
    #[must_use]
    pub fn text(&self, rule: &Rule) -> &str {
        let start = rule.text.start as usize;
        self.text
            .get(start..start + rule.text.length as usize)
            .unwrap_or_default()
    }

    /// `nat`, or `ip kube-proxy` for a native table.
    #[must_use]
    pub fn title(&self) -> String {
        match self.backend {
            Backend::IptablesNft => self.name.to_string(),
            Backend::IptablesLegacy => format!("{} (legacy)", self.name),
            Backend::Nftables => format!("{} {}", self.family.name(), self.name),
        }
    }
}

// === impl TableBuilder ===

impl TableBuilder {
    /// An empty table read from `text`.
    #[must_use]
    pub fn new(family: TableFamily, name: &str, backend: Backend, text: Arc<str>) -> Self {
        Self {
            table: Table {
                family,
                name: name.into(),
                backend,
                chains: Vec::new(),
                sets: Vec::new(),
                names: Names::default(),
                steps: Vec::new(),
                text,
            },
            set_names: HashMap::new(),
        }
    }

    /// The chain of a name, made if it is new; `base` makes it a base chain.
    pub fn chain(&mut self, name: &str, base: Option<Base>) -> ChainId {
        let chains = &mut self.table.chains;
        if let Some(id) = self.table.names.find(name) {
            if base.is_some() {
                chains[id as usize].base = base;
            }
            return ChainId(id);
        }
        chains.push(Chain::new(base));
        ChainId(self.table.names.add(name))
    }

    /// The chain of a name, if it was declared.
    #[must_use]
    pub fn find_chain(&self, name: &str) -> Option<ChainId> {
        self.table.names.find(name).map(ChainId)
    }

    /// Adds a set; one without a name belongs to the rule that uses it.
    pub fn set(&mut self, set: Set) -> SetId {
        let id = SetId(u32::try_from(self.table.sets.len()).unwrap_or(u32::MAX));
        if !set.name.is_empty() {
            self.set_names.insert(set.name.clone(), id);
        }
        self.table.sets.push(set);
        id
    }

    /// Gives a declared set its members.
    pub fn replace_set(&mut self, id: SetId, set: Set) {
        self.table.sets[id.0 as usize] = set;
    }

    /// The set of a name, if it was declared.
    #[must_use]
    pub fn find_set(&self, name: &str) -> Option<SetId> {
        self.set_names.get(name).copied()
    }

    /// Appends a rule; its steps are taken out of `steps`.
    pub fn rule(&mut self, chain: ChainId, text: Span, steps: &mut Vec<Step>) {
        let first_step = u32::try_from(self.table.steps.len()).unwrap_or(u32::MAX);
        let count = u32::try_from(steps.len()).unwrap_or(u32::MAX);
        self.table.steps.append(steps);
        let rules = &mut self.table.chains[chain.0 as usize].rules;
        // Most chains have one to three rules.
        if rules.len() < 4 {
            rules.reserve_exact(1);
        }
        rules.push(Rule {
            text,
            first_step,
            steps: count,
        });
    }

    /// The finished table.
    #[must_use]
    pub fn finish(mut self) -> Table {
        self.table.steps.shrink_to_fit();
        self.table.chains.shrink_to_fit();
        self.table
    }

    /// The table so far.
    #[must_use]
    pub const fn table(&self) -> &Table {
        &self.table
    }
}
