//! Which base chains a hook calls, in which order.

use super::Scope;
use crate::nat::model::{ChainId, Hook, HookKind, Policy, Ruleset};
use crate::net::Family;

/// The base chains of one family by hook.
#[derive(Debug, Default)]
pub(super) struct Order {
    hooks: [Vec<HookCall>; 5],
}

/// One call of a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HookCall {
    /// A chain that filters, marks or logs.
    Filter(Called),
    /// Conntrack looks at the packet (priority -200).
    Conntrack,
    /// All translating chains: groups by priority, in order. Their own priorities only order them
    /// among each other; the block has its fixed place.
    Translate(Vec<Vec<Called>>),
    /// IPVS takes packets to its virtual servers (98 on the way in, -99 for packets made here).
    VirtualServers,
}

/// A base chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Called {
    /// Position in the rule set.
    pub table: u32,
    pub chain: ChainId,
    pub policy: Policy,
}

// === impl Order ===

impl Order {
    pub(super) fn of(rules: &Ruleset, family: Family, scope: Option<Scope>) -> Self {
        let mut order = Self::default();
        for hook in Hook::ALL {
            let mut entries: Vec<(i32, HookCall)> = Vec::new();
            let mut translating: Vec<(i32, Called)> = Vec::new();
            for (table_id, table) in (0u32..).zip(&rules.tables) {
                let in_scope = scope.is_none_or(|scope| (scope.table)(table));
                if !table.family.sees(family) || !in_scope {
                    continue;
                }
                for (chain_id, chain) in (0u32..).zip(&table.chains) {
                    let Some(base) = chain.base.filter(|base| base.hook == hook) else {
                        continue;
                    };
                    // A chain without rules that accepts changes nothing.
                    if chain.rules.is_empty() && base.policy == Policy::Accept {
                        continue;
                    }
                    let called = Called {
                        table: table_id,
                        chain: ChainId(chain_id),
                        policy: if scope.is_some() {
                            Policy::Accept
                        } else {
                            base.policy
                        },
                    };
                    if base.kind == HookKind::Nat {
                        translating.push((base.priority, called));
                    } else {
                        entries.push((base.priority, HookCall::Filter(called)));
                    }
                }
            }
            let early = matches!(hook, Hook::Prerouting | Hook::Output);
            if early {
                entries.push((-200, HookCall::Conntrack));
            }
            if hook != Hook::Forward {
                let block = HookCall::Translate(grouped(translating));
                entries.push((if early { -100 } else { 100 }, block));
            }
            if rules
                .virtual_servers
                .as_ref()
                .is_some_and(|all| !all.is_empty())
            {
                match hook {
                    Hook::Input => entries.push((98, HookCall::VirtualServers)),
                    Hook::Output => entries.push((-98, HookCall::VirtualServers)),
                    _ => {}
                }
            }
            entries.sort_by_key(|(priority, _)| *priority);
            order.hooks[hook as usize] = entries.into_iter().map(|(_, entry)| entry).collect();
        }
        order
    }

    pub(super) fn at(&self, hook: Hook) -> &[HookCall] {
        &self.hooks[hook as usize]
    }
}

fn grouped(mut chains: Vec<(i32, Called)>) -> Vec<Vec<Called>> {
    chains.sort_by_key(|(priority, _)| *priority);
    let mut groups: Vec<(i32, Vec<Called>)> = Vec::new();
    for (priority, chain) in chains {
        match groups.last_mut() {
            Some((same, group)) if *same == priority => group.push(chain),
            _ => groups.push((priority, vec![chain])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}
