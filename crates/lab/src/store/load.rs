//! Objects from text, and what every stored object has.

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Reads the objects of a YAML stream or a List.
pub fn read(text: &str) -> Result<Vec<Value>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).context("reading YAML")?;
    let mut objects = Vec::new();
    for mut document in documents {
        match document["items"].take() {
            Value::Array(items) => objects.extend(items),
            _ if document.is_null() => {}
            _ => objects.push(document),
        }
    }
    for object in &mut objects {
        if let Some(fields) = object.as_object_mut() {
            // Indexing above leaves a null behind.
            if fields.get("items").is_some_and(Value::is_null) {
                fields.remove("items");
            }
        }
    }
    Ok(objects)
}

/// Fills in uid and creationTimestamp, and raises the generation when the spec changed.
pub fn complete(object: &mut Value, before: Option<&Value>) {
    let changed = before.is_some_and(|before| before["spec"] != object["spec"]);
    let spec = object.get("spec").is_some();
    let meta = &mut object["metadata"];
    if let Some(old) = before.map(|before| &before["metadata"]) {
        for field in ["uid", "creationTimestamp", "generation"] {
            if !old[field].is_null() {
                meta[field] = old[field].clone();
            }
        }
        if changed && let Some(generation) = old["generation"].as_u64() {
            meta["generation"] = json!(generation + 1);
        }
    } else {
        if meta["uid"].is_null() {
            meta["uid"] = fresh_uid().into();
        }
        if meta["creationTimestamp"].is_null() {
            meta["creationTimestamp"] = now().into();
        }
        if spec && meta["generation"].is_null() {
            meta["generation"] = json!(1);
        }
    }
}

/// The time as Kubernetes writes it.
pub fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A random UUID (version 4), from the kernel.
pub fn fresh_uid() -> String {
    let random = std::fs::read_to_string("/proc/sys/kernel/random/uuid");
    random.map_or_else(|_| String::new(), |uuid| uuid.trim().to_owned())
}
