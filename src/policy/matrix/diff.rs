//! What changed between two clusters: which pairs opened or closed, at which ports, because of which
//! object.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;
use serde_json::Value;

use super::{OUTSIDE, PortSet, UnitMatrix};
use crate::cluster::{ClusterView, Named, ObjectRef, Resource, Table};
use crate::policy::eval::{Judgement, Question};
use crate::policy::policies::Policies;

/// One cluster with its matrix.
pub struct Side<'a> {
    pub view: &'a ClusterView,
    pub policies: &'a Policies,
    pub matrix: &'a UnitMatrix,
}

/// What is different in the other cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// Workloads that are only in the other one.
    pub appeared: Vec<ObjectRef>,
    /// Workloads that are no longer there.
    pub gone: Vec<ObjectRef>,
    pub pairs: Vec<ChangedPair>,
}

/// A pair whose ports changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedPair {
    pub source: ObjectRef,
    pub destination: ObjectRef,
    /// What is allowed now and was not, or was open.
    pub opened: PortSet,
    /// What was allowed, or open, and is not any more.
    pub closed: PortSet,
    pub because: Vec<Cause>,
}

/// An object that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Cause {
    #[serde(flatten)]
    pub object: ObjectRef,
    pub change: Change,
}

/// How an object changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    Added,
    Removed,
    Changed,
}

type Changes = BTreeMap<ObjectRef, Change>;

/// Compares two clusters.
#[must_use]
pub fn difference(before: &Side<'_>, after: &Side<'_>) -> Difference {
    let (old, new) = (positions(before.matrix), positions(after.matrix));
    let only = |these: &BTreeMap<&ObjectRef, usize>, those: &BTreeMap<&ObjectRef, usize>| {
        let missing = these.keys().filter(|object| !those.contains_key(*object));
        missing.map(|object| ObjectRef::clone(object)).collect()
    };
    let both: Vec<(&ObjectRef, usize, usize)> = old
        .iter()
        .filter_map(|(object, was)| Some((*object, *was, *new.get(object)?)))
        .collect();
    let changes = changes(before.view, after.view);
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
                because = own_changes(&changes, [source, destination]);
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
    let of = |side: &Side<'_>, unit: usize| side.matrix.units[unit].classes.clone();
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
                    let class = side.matrix.units[unit]
                        .classes
                        .first()
                        .copied()
                        .unwrap_or_default();
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
    let causes = rules.filter_map(|rule| {
        let object = rule.policy.object();
        let change = *changes.get(&object)?;
        Some(Cause { object, change })
    });
    causes.collect()
}

/// Changes of the ends themselves, or of their namespaces.
fn own_changes(changes: &Changes, ends: [&ObjectRef; 2]) -> Vec<Cause> {
    let mut causes = BTreeSet::new();
    for end in ends.into_iter().filter(|end| end.kind != OUTSIDE) {
        let namespace = ObjectRef::cluster_wide("Namespace", &end.namespace);
        for object in [end.clone(), namespace] {
            if let Some(change) = changes.get(&object) {
                causes.insert(Cause {
                    object,
                    change: *change,
                });
            }
        }
    }
    causes.into_iter().collect()
}

/// Every object that policies depend on and that is not the same in both views.
fn changes(before: &ClusterView, after: &ClusterView) -> Changes {
    let mut changes = Changes::new();
    compare(&mut changes, content(before), &content(after));
    changes
}

fn compare(
    changes: &mut Changes,
    before: BTreeMap<ObjectRef, Value>,
    after: &BTreeMap<ObjectRef, Value>,
) {
    for (object, value) in after {
        if !before.contains_key(object) {
            changes.insert(object.clone(), Change::Added);
        } else if before.get(object) != Some(value) {
            changes.insert(object.clone(), Change::Changed);
        }
    }
    let gone = before
        .into_keys()
        .filter(|object| !after.contains_key(object));
    changes.extend(gone.map(|object| (object, Change::Removed)));
}

/// What of each object matters to policies.
fn content(view: &ClusterView) -> BTreeMap<ObjectRef, Value> {
    let mut content = BTreeMap::new();
    for policy in view.network_policies.iter() {
        let object = ObjectRef::new(
            Resource::NetworkPolicies.kind(),
            policy.namespace(),
            policy.name(),
        );
        content.insert(object, json(&policy.spec));
    }
    for (resource, table) in &view.custom {
        for object in table.iter() {
            let text = |pointer| {
                object
                    .pointer(pointer)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            };
            let reference = ObjectRef::new(
                resource.kind(),
                text("/metadata/namespace"),
                text("/metadata/name"),
            );
            let parts = [
                object.get("spec"),
                object.get("specs"),
                object.pointer("/metadata/labels"),
            ];
            content.insert(reference, json(&parts));
        }
    }
    for namespace in view.namespaces.iter() {
        let object = ObjectRef::cluster_wide("Namespace", namespace.name());
        content.insert(object, json(&namespace.metadata.labels));
    }
    for pod in view.pods.iter() {
        let object = ObjectRef::new("Pod", pod.namespace(), pod.name());
        content.insert(object, json(&pod.metadata.labels));
    }
    templates(&mut content, "Deployment", &view.deployments, |object| {
        &object.spec.template.metadata
    });
    templates(&mut content, "StatefulSet", &view.stateful_sets, |object| {
        &object.spec.template.metadata
    });
    templates(&mut content, "DaemonSet", &view.daemon_sets, |object| {
        &object.spec.template.metadata
    });
    content
}

fn templates<T: Named, M: Serialize>(
    content: &mut BTreeMap<ObjectRef, Value>,
    kind: &str,
    table: &Table<T>,
    metadata: impl Fn(&T) -> &M,
) {
    for object in table.iter() {
        let reference = ObjectRef::new(kind, object.namespace(), object.name());
        content.insert(reference, json(metadata(object)));
    }
}

fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
