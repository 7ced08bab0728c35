//! ReplicaSets: as many pods as they say. Pods nobody owns that fit are taken in, as in a real cluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::names::fresh;
use super::pods::{self, count, is_active, is_ready, owned, reference, selector, set_status};
use crate::store::{Key, Store, labels};

pub fn sync(store: &Store) {
    for set in store.list("apps", "replicasets") {
        if set["metadata"]["deletionTimestamp"].is_null() {
            adopt(store, &set);
            one(store, &set);
        }
    }
}

fn one(store: &Store, set: &Value) {
    let wanted = usize::try_from(set["spec"]["replicas"].as_u64().unwrap_or(1)).unwrap_or(0);
    let mut have = owned(store, set);
    for _ in have.len()..wanted {
        let prefix = format!("{}-", set["metadata"]["name"].as_str().unwrap_or_default());
        let namespace = set["metadata"]["namespace"].as_str().unwrap_or_default();
        let name = fresh(&prefix, |name| {
            store.get(&Key::pod(namespace, name)).is_some()
        });
        pods::create(store, set, &name, &BTreeMap::new(), |pod| {
            pod["metadata"]["generateName"] = prefix.clone().into();
        });
    }
    if have.len() > wanted {
        // Not ready before ready, young before old.
        have.sort_by_key(|pod| {
            (
                is_ready(pod),
                std::cmp::Reverse(pod["metadata"]["creationTimestamp"].to_string()),
            )
        });
        for pod in &have[..have.len() - wanted] {
            pods::delete(store, pod);
        }
    }
    let now = owned(store, set);
    let ready = now.iter().filter(|pod| is_ready(pod)).count();
    set_status(
        store,
        "apps",
        "replicasets",
        set,
        &json!({
            "replicas": now.len(), "fullyLabeledReplicas": count(now.len()),
            "readyReplicas": count(ready), "availableReplicas": count(ready),
        }),
    );
}

fn adopt(store: &Store, set: &Value) {
    let selector = selector(set);
    let orphans: Vec<Arc<Value>> = store
        .list("", "pods")
        .into_iter()
        .filter(|pod| {
            pod["metadata"]["namespace"] == set["metadata"]["namespace"]
                && is_active(pod)
                && pod["metadata"]["ownerReferences"]
                    .as_array()
                    .is_none_or(Vec::is_empty)
                && selector.matches(&labels(pod))
        })
        .collect();
    for pod in orphans {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let key = Key::pod(
            &text(&pod["metadata"]["namespace"]),
            &text(&pod["metadata"]["name"]),
        );
        store.modify(&key, |pod| {
            pod["metadata"]["ownerReferences"] = json!([reference(set)]);
        });
    }
}
