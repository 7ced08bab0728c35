//! The scheduler: the fitting node with the fewest pods of the kind, then the fewest at all.

use std::sync::Arc;

use serde_json::{Value, json};

use super::pods::is_active;
use crate::kubelet::{record, status};
use crate::store::{Key, Store, labels};

pub fn sync(store: &Store) {
    for pod in store.list("", "pods") {
        let waiting = pod["spec"]["nodeName"].is_null() && is_active(&pod);
        let ours = pod["spec"]["schedulerName"]
            .as_str()
            .unwrap_or("default-scheduler")
            == "default-scheduler";
        if waiting && ours {
            one(store, &pod);
        }
    }
}

fn one(store: &Store, pod: &Value) {
    let nodes = store.list("", "nodes");
    let pods = store.list("", "pods");
    let name = |node: &Value| {
        node["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let load = |node: &Arc<Value>| {
        let there = |other: &&Arc<Value>| {
            other["spec"]["nodeName"] == node["metadata"]["name"] && is_active(other)
        };
        let alike = pods
            .iter()
            .filter(there)
            .filter(|other| labels(other) == labels(pod))
            .count();
        (alike, pods.iter().filter(there).count(), name(node))
    };
    let chosen = nodes
        .iter()
        .filter(|node| fits(pod, node))
        .min_by_key(|node| load(node));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let key = Key::pod(
        &text(&pod["metadata"]["namespace"]),
        &text(&pod["metadata"]["name"]),
    );
    if let Some(node) = chosen {
        store.modify(&key, |pod| {
            pod["spec"]["nodeName"] = node["metadata"]["name"].clone();
            let generation = pod["metadata"]["generation"].clone();
            status::condition(&mut pod["status"], &generation, "PodScheduled", true, None);
        });
        let message = format!("Successfully assigned {} to {}", key.path(), name(node));
        record(store, pod, ("default-scheduler", ""), "Scheduled", &message);
    } else {
        let count = nodes.len();
        let message = format!(
            "0/{count} nodes are available: {count} node(s) didn't match Pod's node affinity/selector. no new claims to deallocate, \
                 preemption: 0/{count} nodes are available: {count} Preemption is not helpful for scheduling."
        );
        let known = pod["status"]["conditions"].as_array();
        if known
            .into_iter()
            .flatten()
            .any(|one| one["type"] == "PodScheduled" && one["status"] == "False")
        {
            return;
        }
        store.modify(&key, |pod| {
            let generation = pod["metadata"]["generation"].clone();
            let why = Some(("Unschedulable", message.clone()));
            status::condition(&mut pod["status"], &generation, "PodScheduled", false, why);
            pod["status"]["phase"] = json!("Pending");
        });
        record(
            store,
            pod,
            ("default-scheduler", ""),
            "FailedScheduling",
            &message,
        );
    }
}

/// Whether a pod (or a template) may run on a node.
pub fn fits(pod: &Value, node: &Value) -> bool {
    let own = labels(node);
    let wanted = pod["spec"]["nodeSelector"]
        .as_object()
        .into_iter()
        .flatten();
    let mut selected = wanted
        .into_iter()
        .all(|(key, value)| own.get(key).map(String::as_str) == value.as_str());
    let required =
        &pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    if let Some(terms) = required["nodeSelectorTerms"].as_array() {
        selected &= terms.iter().any(|term| {
            term["matchExpressions"]
                .as_array()
                .into_iter()
                .flatten()
                .all(|one| {
                    let value = one["key"].as_str().and_then(|key| own.get(key));
                    let listed = |value: &String| {
                        one["values"]
                            .as_array()
                            .into_iter()
                            .flatten()
                            .any(|text| text == value.as_str())
                    };
                    match one["operator"].as_str() {
                        Some("Exists") => value.is_some(),
                        Some("DoesNotExist") => value.is_none(),
                        Some("NotIn") => value.is_none_or(|value| !listed(value)),
                        _ => value.is_some_and(listed),
                    }
                })
        });
    }
    let taints = node["spec"]["taints"].as_array().into_iter().flatten();
    let tolerated = |taint: &Value| {
        let tolerations = pod["spec"]["tolerations"].as_array().into_iter().flatten();
        tolerations.into_iter().any(|one| {
            let key = one["key"].is_null() || one["key"] == taint["key"];
            let value = one["operator"] == "Exists" || one["value"] == taint["value"];
            let effect = one["effect"].is_null() || one["effect"] == taint["effect"];
            key && value && effect
        })
    };
    let mut hard = taints.filter(|taint| taint["effect"] != "PreferNoSchedule");
    selected && hard.all(tolerated) && node["spec"]["unschedulable"] != true
}
