//! `scale`: how many replicas a workload has, as an object of its own.

use serde_json::{Value, json};

use super::create::Written;
use super::patch;
use super::refusal::Refusal;
use super::request::{Call, Target};
use crate::store::{ResourceType, Store};

/// Answers GET, PUT and PATCH of a workload's scale.
pub fn answer(
    store: &Store,
    call: &Call,
    target: &Target,
    kind: &ResourceType,
    body: &Value,
) -> Result<Written, Refusal> {
    store.with(|inner| {
        let key = target.key(kind);
        let workload = inner
            .get(&key)
            .ok_or_else(|| Refusal::not_found(kind, &key.name))?;
        let scale = scale_of(&workload);
        let wanted = match call.verb() {
            "update" => body.clone(),
            "patch" => {
                let form = call.header("content-type").unwrap_or_default();
                patch::apply(kind, &scale, body, form)?
            }
            _ => scale,
        };
        let replicas = wanted["spec"]["replicas"].as_u64().unwrap_or(0);
        let mut changed = (*workload).clone();
        changed["spec"]["replicas"] = replicas.into();
        let object = if changed == *workload || call.is_dry() {
            changed
        } else {
            (*inner.put(key, changed)).clone()
        };
        Ok(Written {
            object: scale_of(&object),
            warnings: Vec::new(),
        })
    })
}

fn scale_of(workload: &Value) -> Value {
    let meta = &workload["metadata"];
    let selector = workload["spec"]["selector"]["matchLabels"].as_object();
    let selector: Vec<String> = selector
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    json!({"kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {"name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"],
            "resourceVersion": meta["resourceVersion"], "creationTimestamp": meta["creationTimestamp"]},
        "spec": {"replicas": workload["spec"]["replicas"]},
        "status": {"replicas": workload["status"]["replicas"].as_u64().unwrap_or(0), "selector": selector.join(",")}})
}
