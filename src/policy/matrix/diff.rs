//! What changed between two clusters: which pairs opened or closed, at which ports, because of which
//! object.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use super::changes::Changes;
use super::{OUTSIDE, PortSet, UnitMatrix};
use crate::cluster::{ClusterView, ObjectRef};
use crate::policy::eval::{Judgement, Question};
use crate::policy::policies::Policies;

pub use super::changes::{Cause, Change};

/// One cluster with its matrix, made beside the policies of the other.
pub struct Side<'a> {
    pub view: &'a ClusterView,
    pub policies: &'a Policies,
    pub matrix: &'a UnitMatrix,
}

/// What is different in the other cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Workloads that are only in the other one.
    pub appeared: Vec<ObjectRef>,
    /// Workloads that are no longer there.
    pub gone: Vec<ObjectRef>,
    pub pairs: Vec<ChangedPair>,
}

/// A pair whose ports changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedPair {
    pub source: ObjectRef,
    pub destination: ObjectRef,
    /// What is allowed now and was not, or was open.
    pub opened: PortSet,
    /// What was allowed, or open, and is not any more.
    pub closed: PortSet,
    /// The objects that made the difference: policies, else the ends themselves and their
    /// namespaces, else what policies refer to. Empty where none of these changed.
    pub because: Vec<Cause>,
}

/// Compares two clusters.
#[must_use]
pub fn difference(before: &Side<'_>, after: &Side<'_>) -> Difference {
    let (old, new) = (positions(before.matrix), positions(after.matrix));
    let only = |these: &BTreeMap<&ObjectRef, usize>, those: &BTreeMap<&ObjectRef, usize>| {
        let missing = these.keys().filter(|object| !those.contains_key(*object));
        let missing = missing.filter(|object| object.kind != OUTSIDE);
        missing.map(|object| ObjectRef::clone(object)).collect()
    };
    let both: Vec<(&ObjectRef, usize, usize)> = old
        .iter()
        .filter_map(|(object, was)| Some((*object, *was, *new.get(object)?)))
        .collect();
    let changes = Changes::between(before.view, after.view);
    let mut explained: HashMap<_, Explained> = HashMap::new();
    let mut pairs = Vec::new();
    for (source, source_was, source_is) in &both {
        for (destination, destination_was, destination_is) in &both {
            let was = before.matrix.between(*source_was, *destination_was);
            let is = after.matrix.between(*source_is, *destination_is);
            if was == is {
                continue;
            }
            let at = [
                (*source_was, *source_is),
                (*destination_was, *destination_is),
            ];
            let key = (classes(before, after, at[0]), classes(before, after, at[1]));
            let found = explained
                .entry(key)
                .or_insert_with(|| Explained::of(before, after, at, &was, &is, &changes));
            let mut because = found.policies.clone();
            if because.is_empty() {
                because = changes.of_ends([source, destination]);
            }
            if because.is_empty() {
                because = changes.of_references();
            }
            pairs.push(ChangedPair {
                source: (*source).clone(),
                destination: (*destination).clone(),
                opened: is.beyond(&was),
                closed: was.beyond(&is),
                because,
            });
        }
    }
    Difference {
        appeared: only(&new, &old),
        gone: only(&old, &new),
        pairs,
    }
}

fn positions(matrix: &UnitMatrix) -> BTreeMap<&ObjectRef, usize> {
    matrix
        .units
        .iter()
        .enumerate()
        .map(|(at, unit)| (&unit.object, at))
        .collect()
}

/// The classes a unit has in both clusters.
fn classes(before: &Side<'_>, after: &Side<'_>, at: (usize, usize)) -> (Vec<usize>, Vec<usize>) {
    let of = |side: &Side<'_>, unit: usize| {
        let parts = side.matrix.units[unit].parts.iter();
        parts.map(|part| part.class).collect()
    };
    (of(before, at.0), of(after, at.1))
}

/// The policies that made a difference.
struct Explained {
    policies: Vec<Cause>,
}

// === impl Explained ===

impl Explained {
    /// Asks about one port that changed, in both clusters, and looks which of the rules that decide
    /// stand in policies that changed.
    fn of(
        before: &Side<'_>,
        after: &Side<'_>,
        [source, destination]: [(usize, usize); 2],
        was: &PortSet,
        is: &PortSet,
        changes: &Changes,
    ) -> Self {
        let (opened, closed) = (is.beyond(was), was.beyond(is));
        let mut policies = BTreeSet::new();
        for interval in [opened.intervals().first(), closed.intervals().first()]
            .into_iter()
            .flatten()
        {
            let judge = |side: &Side<'_>, source: usize, destination: usize| {
                let end = |unit: usize| {
                    let part = side.matrix.units[unit].parts.first();
                    let class = part.map_or(0, |part| part.class);
                    &side.matrix.matrix.classes()[class].end
                };
                side.policies.judge(&Question {
                    source: end(source),
                    destination: end(destination),
                    protocol: interval.protocol,
                    port: interval.ports.first,
                    family: None,
                })
            };
            let was = judge(before, source.0, destination.0);
            let is = judge(after, source.1, destination.1);
            policies.extend(responsible(&was, &is, changes));
        }
        Self {
            policies: policies.into_iter().collect(),
        }
    }
}

/// Of the rules that decide before and after, on the sides whose verdict changed, those of policies
/// that changed.
fn responsible(was: &Judgement, is: &Judgement, changes: &Changes) -> Vec<Cause> {
    let sides = [(&was.egress, &is.egress), (&was.ingress, &is.ingress)];
    let differing = sides
        .into_iter()
        .filter(|(was, is)| was.verdict != is.verdict);
    let rules = differing.flat_map(|(was, is)| {
        let rules = was.decided_by.iter().chain(&is.decided_by);
        rules.chain(&was.passed_by).chain(&is.passed_by)
    });
    rules
        .filter_map(|rule| changes.of_policy(&rule.policy))
        .collect()
}
