//! Which objects that policies depend on are not the same in two clusters.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};

use super::units::cast;
use crate::cluster::{ClusterView, Named, ObjectRef, Resource};
use crate::policy::ends::{End, Ends};
use crate::policy::model::PolicyRef;

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

/// Everything that changed.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Policies, and what they refer to: tiers, sets of addresses.
    policies: BTreeMap<PolicyRef, Change>,
    /// Namespaces and workloads.
    others: BTreeMap<ObjectRef, Change>,
}

/// Labels that controllers set, which differ from pod to pod or from rollout to rollout.
const OF_CONTROLLERS: [&str; 5] = [
    "pod-template-hash",
    "controller-revision-hash",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
    "pod-template-generation",
];

// === impl Changes ===

impl Changes {
    /// What is different after.
    pub(super) fn between(before: &ClusterView, after: &ClusterView) -> Self {
        Self {
            policies: compare(&policies(before), &policies(after)),
            others: compare(&others(before), &others(after)),
        }
    }

    /// What happened to a policy.
    pub(super) fn of_policy(&self, policy: &PolicyRef) -> Option<Cause> {
        Some(Cause {
            object: policy.object(),
            change: *self.policies.get(policy)?,
        })
    }

    /// What happened to some ends, and to their namespaces.
    pub(super) fn of_ends(&self, ends: [&ObjectRef; 2]) -> Vec<Cause> {
        let objects: BTreeSet<ObjectRef> = ends
            .into_iter()
            .flat_map(|end| {
                let namespace = ObjectRef::cluster_wide("Namespace", &end.namespace);
                [end.clone(), namespace]
            })
            .collect();
        let causes = objects.into_iter().filter_map(|object| {
            let change = *self.others.get(&object)?;
            Some(Cause { object, change })
        });
        causes.collect()
    }

    /// What happened to whatever policies refer to by name or label.
    pub(super) fn of_references(&self) -> Vec<Cause> {
        let is_reference = |resource| {
            matches!(
                resource,
                Resource::CalicoTiers
                    | Resource::CalicoNetworkSets
                    | Resource::CalicoGlobalNetworkSets
            )
        };
        let changed = self.policies.iter();
        changed
            .filter(|(policy, _)| is_reference(policy.resource))
            .map(|(policy, change)| Cause {
                object: policy.object(),
                change: *change,
            })
            .collect()
    }
}

fn compare<K: Ord + Clone>(
    before: &BTreeMap<K, Value>,
    after: &BTreeMap<K, Value>,
) -> BTreeMap<K, Change> {
    let mut changes = BTreeMap::new();
    for (object, value) in after {
        match before.get(object) {
            None => drop(changes.insert(object.clone(), Change::Added)),
            Some(was) if was != value => drop(changes.insert(object.clone(), Change::Changed)),
            Some(_) => {}
        }
    }
    let gone = before.keys().filter(|object| !after.contains_key(*object));
    changes.extend(gone.map(|object| (object.clone(), Change::Removed)));
    changes
}

/// What every policy says.
fn policies(view: &ClusterView) -> BTreeMap<PolicyRef, Value> {
    let mut content = BTreeMap::new();
    for policy in view.network_policies.iter() {
        let id = PolicyRef::new(Resource::NetworkPolicies, policy.namespace(), policy.name());
        content.insert(id, json!(policy.spec));
    }
    for (resource, table) in &view.custom {
        for object in table.iter() {
            let at = |pointer| object.pointer(pointer).unwrap_or(&Value::Null);
            let text = |pointer| at(pointer).as_str().unwrap_or_default();
            let id = PolicyRef::new(
                *resource,
                text("/metadata/namespace"),
                text("/metadata/name"),
            );
            let parts = json!([at("/spec"), at("/specs"), at("/metadata/labels")]);
            content.insert(id, parts);
        }
    }
    content
}

/// What policies see of namespaces and workloads.
fn others(view: &ClusterView) -> BTreeMap<ObjectRef, Value> {
    let mut content: BTreeMap<ObjectRef, Value> = cast(&Ends::new(view))
        .into_iter()
        .map(|(object, ends)| {
            let traits: BTreeSet<String> = ends.iter().map(traits).collect();
            (object, json!(traits))
        })
        .collect();
    for namespace in view.namespaces.iter() {
        let object = ObjectRef::cluster_wide("Namespace", namespace.name());
        content.insert(object, json!(namespace.metadata.labels));
    }
    content
}

/// What tells a pod from others, but for its place and address.
fn traits(end: &End) -> String {
    let Some(pod) = &end.pod else {
        return String::new();
    };
    let labels = pod.labels.iter();
    let labels: Vec<(&String, &String)> = labels
        .filter(|(key, _)| !OF_CONTROLLERS.contains(&key.as_str()))
        .collect();
    format!(
        "{labels:?} {:?} {} {}",
        pod.ports, pod.service_account.name, pod.host_network
    )
}
