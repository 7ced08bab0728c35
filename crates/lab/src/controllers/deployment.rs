//! Deployments: a ReplicaSet per template, the newest one scaled up.

use std::sync::Arc;

use serde_json::{Value, json};

use super::names::template_hash;
use super::pods::{count, is_owned, reference, set_status};
use crate::store::{Key, Store, labels, now};

/// The label that tells one template's pods from another's.
const HASH: &str = "pod-template-hash";

pub fn sync(store: &Store) {
    for deployment in store.list("apps", "deployments") {
        if deployment["metadata"]["deletionTimestamp"].is_null() {
            one(store, &deployment);
        }
    }
}

fn one(store: &Store, deployment: &Value) {
    let sets = store.list("apps", "replicasets");
    let owned: Vec<&Arc<Value>> = sets
        .iter()
        .filter(|set| is_owned(set, deployment))
        .collect();
    let current = owned.iter().find(|set| same_template(set, deployment));
    let wanted = deployment["spec"]["replicas"].as_u64().unwrap_or(1);
    match current {
        Some(current) => {
            scale(store, current, wanted);
            for old in owned
                .iter()
                .filter(|set| set["metadata"]["uid"] != current["metadata"]["uid"])
            {
                scale(store, old, 0);
            }
        }
        None => create(store, deployment, wanted),
    }
    publish(store, deployment, &owned, current.copied(), wanted);
}

fn same_template(set: &Value, deployment: &Value) -> bool {
    let mut template = set["spec"]["template"].clone();
    if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
        labels.remove(HASH);
    }
    let plain = |template: &Value| (labels(template), template["spec"].clone());
    plain(&template) == plain(&deployment["spec"]["template"])
}

fn create(store: &Store, deployment: &Value, replicas: u64) {
    let hash = template_hash(&deployment["spec"]["template"]);
    let mut template = deployment["spec"]["template"].clone();
    template["metadata"]["labels"][HASH] = hash.clone().into();
    let mut selector = deployment["spec"]["selector"].clone();
    selector["matchLabels"][HASH] = hash.clone().into();
    let name = deployment["metadata"]["name"].as_str().unwrap_or_default();
    let set = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {"name": format!("{name}-{hash}"), "namespace": deployment["metadata"]["namespace"],
            "labels": template["metadata"]["labels"], "ownerReferences": [reference(deployment)],
            "annotations": {"deployment.kubernetes.io/desired-replicas": replicas.to_string(), "deployment.kubernetes.io/revision": "1"}},
        "spec": {"replicas": replicas, "selector": selector, "template": template},
        "status": {"replicas": 0},
    });
    let _ = store.add(set);
}

fn scale(store: &Store, set: &Value, replicas: u64) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let key = Key::new(
        "apps",
        "replicasets",
        &text(&set["metadata"]["namespace"]),
        &text(&set["metadata"]["name"]),
    );
    store.modify(&key, |set| set["spec"]["replicas"] = json!(replicas));
}

fn publish(
    store: &Store,
    deployment: &Value,
    owned: &[&Arc<Value>],
    current: Option<&Arc<Value>>,
    wanted: u64,
) {
    let number = |set: &Value, field: &str| {
        usize::try_from(set["status"][field].as_u64().unwrap_or(0)).unwrap_or(0)
    };
    let sum = |field: &str| owned.iter().map(|set| number(set, field)).sum::<usize>();
    let available = sum("availableReplicas");
    let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
    let good = available >= wanted;
    let (reason, message) = if good {
        (
            "MinimumReplicasAvailable",
            "Deployment has minimum availability.",
        )
    } else {
        (
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.",
        )
    };
    let old = deployment["status"]["conditions"].as_array();
    let kept = |kind: &str| {
        old.and_then(|all| all.iter().find(|one| one["type"] == kind))
            .cloned()
    };
    let condition = |kind: &str, holds: bool, reason: &str, message: &str| {
        let word = if holds { "True" } else { "False" };
        let before = kept(kind).filter(|one| one["status"] == word);
        before.unwrap_or_else(|| {
            json!({"type": kind, "status": word, "reason": reason, "message": message,
                "lastTransitionTime": now(), "lastUpdateTime": now()})
        })
    };
    let name = current
        .and_then(|set| set["metadata"]["name"].as_str())
        .unwrap_or_default();
    let progress = format!("ReplicaSet \"{name}\" has successfully progressed.");
    set_status(
        store,
        "apps",
        "deployments",
        deployment,
        &json!({
            "replicas": count(sum("replicas")),
            "updatedReplicas": count(current.map_or(0, |set| number(set, "replicas"))),
            "readyReplicas": count(sum("readyReplicas")),
            "availableReplicas": count(available),
            "unavailableReplicas": count(wanted.saturating_sub(available)),
            "conditions": [
                condition("Available", good, reason, message),
                condition("Progressing", true, "NewReplicaSetAvailable", &progress),
            ],
        }),
    );
}
