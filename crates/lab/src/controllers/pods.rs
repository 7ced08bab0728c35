//! What controllers of pods share: owning, making and ending them.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::defaults;
use crate::store::{Key, Selector, Store, labels, now};

/// The pods of an owner that are not on their way out.
pub fn owned(store: &Store, owner: &Value) -> Vec<Arc<Value>> {
    let pods = store.list("", "pods").into_iter();
    pods.filter(|pod| is_owned(pod, owner) && is_active(pod))
        .collect()
}

/// Whether a pod counts: neither ended nor ending.
pub fn is_active(pod: &Value) -> bool {
    let over = matches!(
        pod["status"]["phase"].as_str(),
        Some("Succeeded" | "Failed")
    );
    !over && pod["metadata"]["deletionTimestamp"].is_null()
}

pub fn is_owned(object: &Value, owner: &Value) -> bool {
    let owners = object["metadata"]["ownerReferences"].as_array();
    owners
        .into_iter()
        .flatten()
        .any(|one| one["uid"] == owner["metadata"]["uid"] && one["controller"] == true)
}

pub fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions
        .into_iter()
        .flatten()
        .any(|one| one["type"] == "Ready" && one["status"] == "True")
}

/// The reference by which an object is owned.
pub fn reference(owner: &Value) -> Value {
    json!({"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true})
}

/// The selector of a workload.
pub fn selector(owner: &Value) -> Selector {
    let selector = LabelSelector::deserialize(&owner["spec"]["selector"]).unwrap_or_default();
    Selector::from_object(&selector)
}

/// Makes a pod from an owner's template.
pub fn create(
    store: &Store,
    owner: &Value,
    name: &str,
    extra: &BTreeMap<String, String>,
    change: impl FnOnce(&mut Value),
) {
    let template = &owner["spec"]["template"];
    let mut all = labels(template);
    all.extend(extra.clone());
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": owner["metadata"]["namespace"], "labels": all,
            "ownerReferences": [reference(owner)]},
        "spec": template["spec"],
    });
    if template["metadata"]["annotations"].is_object() {
        pod["metadata"]["annotations"] = template["metadata"]["annotations"].clone();
    }
    change(&mut pod);
    defaults::pod(&mut pod);
    // A pod that cannot be made shows as missing.
    let _ = store.add(pod);
}

/// Marks a pod for its end; kubelet does the rest.
pub fn delete(store: &Store, pod: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let key = Key::pod(
        &text(&pod["metadata"]["namespace"]),
        &text(&pod["metadata"]["name"]),
    );
    if pod["spec"]["nodeName"].is_null() {
        store.remove(&key);
        return;
    }
    store.modify(&key, |pod| {
        if pod["metadata"]["deletionTimestamp"].is_null() {
            pod["metadata"]["deletionTimestamp"] = now().into();
            pod["metadata"]["deletionGracePeriodSeconds"] = json!(0);
        }
    });
}

/// Changes the status of an object.
pub fn set_status(store: &Store, group: &str, plural: &str, object: &Value, fields: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let key = Key::new(
        group,
        plural,
        &text(&object["metadata"]["namespace"]),
        &text(&object["metadata"]["name"]),
    );
    store.modify(&key, |object| {
        if !object["status"].is_object() {
            object["status"] = json!({});
        }
        for (name, value) in fields.as_object().into_iter().flatten() {
            if value.is_null() {
                if let Some(status) = object["status"].as_object_mut() {
                    status.remove(name);
                }
            } else {
                object["status"][name] = value.clone();
            }
        }
        object["status"]["observedGeneration"] = object["metadata"]["generation"].clone();
    });
}

/// A count, left out where it is zero as Kubernetes does.
pub fn count(number: usize) -> Value {
    if number == 0 {
        Value::Null
    } else {
        json!(number)
    }
}
