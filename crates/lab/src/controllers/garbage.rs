//! What is owned goes with its owner; what is in a namespace goes with it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::pods;
use crate::store::{Key, Store};

pub fn sync(store: &Store) {
    let all = store.everything();
    let uids: BTreeSet<&str> = all
        .iter()
        .filter_map(|(_, object)| object["metadata"]["uid"].as_str())
        .collect();
    let ending: BTreeSet<&str> = all
        .iter()
        .filter(|(key, object)| {
            key.plural == "namespaces" && !object["metadata"]["deletionTimestamp"].is_null()
        })
        .map(|(key, _)| key.name.as_str())
        .collect();
    for (key, object) in &all {
        let orphaned = object["metadata"]["ownerReferences"]
            .as_array()
            .is_some_and(|owners| {
                // A recording may hold owners of kinds that were not recorded: only what this lab ever
                // had counts, which is what has a uid among the forgotten.
                !owners.is_empty() && owners.iter().all(|owner| is_gone(store, owner, &uids))
            });
        let homeless = ending.contains(key.namespace.as_str()) && key.plural != "namespaces";
        if orphaned || homeless {
            remove(store, key, object);
        }
    }
    for name in ending {
        let empty = !all.iter().any(|(key, _)| key.namespace == name);
        if empty {
            store.remove(&Key::new("", "namespaces", "", name));
        }
    }
}

fn is_gone(store: &Store, owner: &Value, uids: &BTreeSet<&str>) -> bool {
    let uid = owner["uid"].as_str().unwrap_or_default();
    !uids.contains(uid) && store.was_removed(uid)
}

fn remove(store: &Store, key: &Key, object: &Arc<Value>) {
    if key.plural == "pods" {
        pods::delete(store, object);
    } else {
        store.remove(key);
    }
}
