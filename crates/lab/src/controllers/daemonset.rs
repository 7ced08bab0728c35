//! DaemonSets: one pod on every node that fits.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::names::fresh;
use super::pods::{self, is_ready, owned, set_status};
use super::schedule::fits;
use crate::store::{Key, Store};

pub fn sync(store: &Store) {
    for set in store.list("apps", "daemonsets") {
        if set["metadata"]["deletionTimestamp"].is_null() {
            one(store, &set);
        }
    }
}

fn one(store: &Store, set: &Value) {
    let nodes = store.list("", "nodes");
    let template = &set["spec"]["template"];
    let fitting: Vec<&str> = nodes
        .iter()
        .filter(|node| fits(template, node))
        .filter_map(|node| node["metadata"]["name"].as_str())
        .collect();
    let have = owned(store, set);
    for node in fitting
        .iter()
        .filter(|node| !have.iter().any(|pod| pod["spec"]["nodeName"] == **node))
    {
        let prefix = format!("{}-", set["metadata"]["name"].as_str().unwrap_or_default());
        let namespace = set["metadata"]["namespace"].as_str().unwrap_or_default();
        let name = fresh(&prefix, |name| {
            store.get(&Key::pod(namespace, name)).is_some()
        });
        pods::create(store, set, &name, &BTreeMap::new(), |pod| {
            pod["metadata"]["generateName"] = prefix.clone().into();
            pod["spec"]["nodeName"] = (*node).into();
        });
    }
    let ready = have.iter().filter(|pod| is_ready(pod)).count();
    set_status(
        store,
        "apps",
        "daemonsets",
        set,
        &json!({
            "desiredNumberScheduled": fitting.len(), "currentNumberScheduled": have.len(), "numberReady": ready,
            "numberAvailable": ready, "updatedNumberScheduled": have.len(), "numberMisscheduled": 0,
        }),
    );
}
