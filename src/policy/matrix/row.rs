//! Which policies select which classes: what makes two of them share a row.

use std::rc::Rc;

use super::bits::Tri;
use super::universe::{Needs, Seat, Universe};
use crate::net::Protocol;
use crate::policy::ends::End;
use crate::policy::formula::Formula;
use crate::policy::model::{Direction, Policy, Rule, Section};
use crate::policy::policies::Policies;

/// The policies that select one class for one direction: stacks of tiers in order.
pub(super) type Row<'p> = Vec<Vec<Vec<Selecting<'p>>>>;

/// A policy that selects a class.
#[derive(Debug, Clone)]
pub(super) struct Selecting<'p> {
    /// Its position among all policies.
    at: usize,
    pub policy: &'p Policy,
    pub section: &'p Section,
    pub is_certain: bool,
    /// The rules that are for this class, and whether for sure.
    pub rules: Vec<(&'p Rule, bool)>,
}

/// A policy by position, whether it selects for sure, and its rules for the class.
type Selected = (usize, bool, Vec<(usize, bool)>);

/// Two classes with the same signature have the same row.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Signature {
    policies: Vec<Selected>,
    seat: Seat,
    /// What the names of ports mean there.
    names: Vec<(String, Protocol, u16)>,
}

/// The row of every class.
pub(super) fn rows<'p>(
    policies: &'p Policies,
    direction: Direction,
    universe: &mut Universe<'_>,
) -> Vec<Row<'p>> {
    let empty: Row<'p> = policies
        .stacks
        .iter()
        .map(|stack| stack.tiers.iter().map(|_| Vec::new()).collect())
        .collect();
    let mut rows = vec![empty; universe.len()];
    let mut at = 0;
    for (stack_at, stack) in policies.stacks.iter().enumerate() {
        for (tier_at, tier) in stack.tiers.iter().enumerate() {
            for policy in tier.policies() {
                at += 1;
                let Some(section) = policy.section(direction) else {
                    continue;
                };
                let selects = selects(policy, universe);
                let rules: Vec<(&Rule, Option<Rc<Tri>>)> = section
                    .rules
                    .iter()
                    .map(|rule| {
                        let always = rule.subject == Formula::EVERYTHING;
                        (rule, (!always).then(|| universe.holds(&rule.subject, None)))
                    })
                    .collect();
                let sure = selects.yes.iter().map(|class| (class, true));
                let possible = selects.maybe.iter().map(|class| (class, false));
                for (class, is_certain) in sure.chain(possible) {
                    rows[class][stack_at][tier_at].push(Selecting {
                        at,
                        policy,
                        section,
                        is_certain,
                        rules: rules_for(&rules, class),
                    });
                }
            }
        }
    }
    rows
}

fn selects(policy: &Policy, universe: &mut Universe<'_>) -> Tri {
    let mut selects = Tri::clone(&universe.holds(&policy.subject, None));
    if let Some(namespace) = &policy.namespace {
        selects.and(&universe.holds(&Formula::Namespace(namespace.clone()), None));
    }
    selects
}

fn rules_for<'p>(rules: &[(&'p Rule, Option<Rc<Tri>>)], class: usize) -> Vec<(&'p Rule, bool)> {
    let of_class = rules.iter().filter_map(|(rule, subject)| match subject {
        None => Some((*rule, true)),
        Some(tri) if tri.yes.has(class) => Some((*rule, true)),
        Some(tri) if tri.maybe.has(class) => Some((*rule, false)),
        Some(_) => None,
    });
    of_class.collect()
}

// === impl Signature ===

impl Signature {
    pub(super) fn of(row: &Row<'_>, end: &End, needs: Needs) -> Self {
        let selecting = || row.iter().flatten().flatten();
        let policies = selecting().map(|selecting| {
            let rules = selecting
                .rules
                .iter()
                .map(|(rule, is_certain)| (rule.index, *is_certain));
            (selecting.at, selecting.is_certain, rules.collect())
        });
        let is_selected = selecting().next().is_some();
        let names = end
            .pod
            .iter()
            .flat_map(|pod| &pod.ports)
            .filter(|_| is_selected);
        Self {
            policies: policies.collect(),
            seat: Seat::of(end, needs),
            names: names
                .map(|port| (port.name.clone(), port.protocol, port.number))
                .collect(),
        }
    }
}
