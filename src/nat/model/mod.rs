//! The neutral rule model: what iptables, ip6tables and nftables have in common.
//!
//! ```text
//!  Ruleset
//!   ├─ Table (family, name, backend)
//!   │   ├─ Chain (a base chain has a hook and a priority)
//!   │   │   └─ Rule = steps in order: test, test, … act
//!   │   └─ Set (members, or a map from members to verdicts or addresses)
//!   ├─ ipsets
//!   └─ virtual servers of IPVS
//! ```
//!
//! A construct that nobody understood stays in its rule as a doubt ([`Step::Doubt`],
//! [`Action::Opaque`]): it makes unknown what happens to the packets that reach it, and nothing else.

mod chain;
mod field;
mod names;
mod nat;
mod rule;
mod set;
mod table;
mod values;

use std::collections::BTreeMap;

pub use chain::{Base, Chain, Hook, HookKind, Policy};
pub use field::{Field, Limit, MarkOf, PacketEnd, address_type, ct};
pub use nat::{Nat, NatKind, NatTarget};
pub use rule::{Action, Key, Lookup, Rule, RuleVerdict, SetRef, Step, Test, Words};
pub use set::{Data, Elements, Ipset, Member, Part, Set};
pub use table::{Backend, ChainId, SetId, Span, Table, TableBuilder, TableFamily};
pub use values::{NamePattern, Values, address_number, prefix_range};

use super::read::ipvs::VirtualServer;
use crate::net::Family;

/// Everything that filters and translates packets in one network namespace.
#[derive(Debug, Clone, Default)]
pub struct Ruleset {
    pub tables: Vec<Table>,
    /// By name; none where nobody looked.
    pub ipsets: Option<BTreeMap<String, Ipset>>,
    /// None where nobody looked.
    pub virtual_servers: Option<Vec<VirtualServer>>,
    /// What was read only in part, and why.
    pub notes: Vec<String>,
    /// Dumps that were given and could not be read to their end.
    pub gaps: Vec<Gap>,
}

/// A dump of which a part is missing: whatever the rest shows, the missing part may decide otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The packets that it concerns.
    pub family: TableFamily,
    pub why: String,
}

// === impl Ruleset ===

impl Ruleset {
    /// The tables of a name.
    pub fn tables_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Table> {
        self.tables.iter().filter(move |table| &*table.name == name)
    }

    /// What is missing for the packets of a family, if anything is.
    #[must_use]
    pub fn gap(&self, family: Family) -> Option<&Gap> {
        self.gaps.iter().find(|gap| gap.family.sees(family))
    }

    /// How many rules there are in all.
    #[must_use]
    pub fn rule_count(&self) -> usize {
        let chains = self.tables.iter().flat_map(|table| &table.chains);
        chains.map(|chain| chain.rules.len()).sum()
    }
}
