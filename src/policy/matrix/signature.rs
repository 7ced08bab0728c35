//! Blocks that no rule tells apart: ten thousand addresses of one allow list are one end.
//!
//! ```text
//!  address ─► blocks that hold it ─► rules that name these ─► what each of them makes of it
//! ```
//!
//! Two addresses outside the cluster that every rule answers alike share a signature. Labels,
//! namespaces and nodes are the same for all that is outside: only prefixes are looked into.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::policy::formula::Formula;
use crate::policy::model::{Peers, Policy, Tier};
use crate::policy::policies::Policies;

/// The lists of alternatives that policies hold, by the prefixes named in them.
pub(super) struct Signatures<'p> {
    lists: Vec<&'p [Formula]>,
    by_block: HashMap<IpNet, Vec<usize>>,
    lengths: BTreeSet<u8>,
}

/// What some list makes of an address: it holds, or only these of its entries are open.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    Holds,
    Open(Vec<usize>),
}

/// What every list makes of an address that it does not simply pass over, by position.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Signature(BTreeMap<usize, Said>);

// === impl Signatures ===

impl<'p> Signatures<'p> {
    /// Of the policies that will be asked.
    pub(super) fn of(policies: &'p Policies) -> Self {
        let mut all = Self {
            lists: Vec::new(),
            by_block: HashMap::new(),
            lengths: BTreeSet::new(),
        };
        let tiers = policies.stacks.iter().flat_map(|stack| &stack.tiers);
        for policy in tiers.flat_map(Tier::policies) {
            all.policy(policy);
        }
        all
    }

    fn policy(&mut self, policy: &'p Policy) {
        self.list(std::slice::from_ref(&policy.subject));
        let sections = [&policy.egress, &policy.ingress].into_iter().flatten();
        for rule in sections.flat_map(|section| &section.rules) {
            self.list(std::slice::from_ref(&rule.subject));
            if let Peers::OneOf(peers) = &rule.peers {
                self.list(peers);
            }
        }
    }

    fn list(&mut self, list: &'p [Formula]) {
        let mut named = BTreeSet::new();
        for formula in list {
            blocks_of(formula, &mut named);
        }
        for block in named {
            self.lengths.insert(block.prefix_len());
            self.by_block
                .entry(block)
                .or_default()
                .push(self.lists.len());
        }
        self.lists.push(list);
    }

    /// The signature of an address.
    pub(super) fn of_address(&self, addr: IpAddr) -> Signature {
        let mut asked = BTreeSet::new();
        for length in &self.lengths {
            if let Ok(net) = IpNet::new(addr, *length) {
                asked.extend(
                    self.by_block
                        .get(&net.trunc())
                        .into_iter()
                        .flatten()
                        .copied(),
                );
            }
        }
        let said = |at: usize| said(self.lists[at], addr);
        // What a list says of an address in none of its blocks, it says of most: that is left out.
        Signature(asked.into_iter().map(|at| (at, said(at))).collect())
    }
}

fn said(list: &[Formula], addr: IpAddr) -> Said {
    let mut open = Vec::new();
    for (at, formula) in list.iter().enumerate() {
        match holds(formula, addr) {
            Some(true) => return Said::Holds,
            Some(false) => {}
            None => open.push(at),
        }
    }
    Said::Open(open)
}

/// Whether a formula holds for an address, as far as its prefixes decide that.
fn holds(formula: &Formula, addr: IpAddr) -> Option<bool> {
    match formula {
        Formula::Within(net) => Some(net.contains(&addr)),
        Formula::Not(inner) => holds(inner, addr).map(|holds| !holds),
        Formula::All(parts) => decided(parts, addr, false),
        Formula::Any(parts) => decided(parts, addr, true),
        _ => None,
    }
}

/// One part with this answer decides; without any, all must be known.
fn decided(parts: &[Formula], addr: IpAddr, deciding: bool) -> Option<bool> {
    let mut is_known = true;
    for part in parts {
        match holds(part, addr) {
            Some(answer) if answer == deciding => return Some(deciding),
            Some(_) => {}
            None => is_known = false,
        }
    }
    is_known.then_some(!deciding)
}

fn blocks_of(formula: &Formula, into: &mut BTreeSet<IpNet>) {
    match formula {
        Formula::Within(net) => {
            into.insert(net.trunc());
        }
        Formula::Not(inner) => blocks_of(inner, into),
        Formula::All(parts) | Formula::Any(parts) => {
            for part in parts {
                blocks_of(part, into);
            }
        }
        _ => {}
    }
}
