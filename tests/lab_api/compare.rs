//! What two answers must have in common.

use serde_json::Value;

/// Differences between a recorded answer and ours: of a refusal everything counts, of an object its shape.
pub fn compare(recorded: &Value, ours: &Value) -> Vec<String> {
    let mut differences = Vec::new();
    let kind = recorded["kind"].as_str().unwrap_or_default();
    if kind == "Status" {
        exactly(&normal(recorded), &normal(ours), "", &mut differences);
    } else if kind.ends_with("Review") || recorded["gitVersion"].is_string() {
        exactly(recorded, ours, "", &mut differences);
    } else if kind == "APIResourceList" {
        resources(recorded, ours, &mut differences);
    } else {
        shape(recorded, ours, "", &mut differences);
    }
    differences
}

/// A refusal without revisions, and without the difference that Go prints between two of its structs.
fn normal(status: &Value) -> Value {
    fn cut(text: &str) -> String {
        let text = text.split("\n@@").next().unwrap_or(text);
        let text = text.split('\n').next().unwrap_or(text);
        match text.split_once("too old resource version: ") {
            Some((before, _)) => format!("{before}too old resource version"),
            None => text.to_owned(),
        }
    }
    match status {
        Value::String(text) => cut(text).into(),
        Value::Array(list) => list.iter().map(normal).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), normal(value)))
            .collect(),
        other => other.clone(),
    }
}

fn exactly(recorded: &Value, ours: &Value, path: &str, differences: &mut Vec<String>) {
    match (recorded, ours) {
        (Value::Object(a), Value::Object(b)) => {
            for name in a
                .keys()
                .chain(b.keys().filter(|name| !a.contains_key(*name)))
            {
                let side = |map: &serde_json::Map<String, Value>| {
                    map.get(name).cloned().unwrap_or_default()
                };
                exactly(&side(a), &side(b), &format!("{path}.{name}"), differences);
            }
        }
        _ if recorded == ours => {}
        _ => differences.push(format!("{path}: recorded {recorded}, ours {ours}")),
    }
}

/// Every resource that was recorded is served as it was.
fn resources(recorded: &Value, ours: &Value, differences: &mut Vec<String>) {
    let own = ours["resources"].as_array().cloned().unwrap_or_default();
    for one in recorded["resources"].as_array().into_iter().flatten() {
        match own.iter().find(|other| other["name"] == one["name"]) {
            Some(other) => exactly(one, other, &one["name"].to_string(), differences),
            None => differences.push(format!("{} is not served", one["name"])),
        }
    }
}

/// What the lab's objects may lack.
const MAY_LACK: [&str; 12] = [
    "managedFields",
    "hostname",
    "subdomain",
    "volumeMounts",
    "fieldPath",
    "generateName",
    "qosClass",
    "resources",
    "imagePullPolicy",
    "recursiveReadOnly",
    "annotations",
    "reason",
];

/// Every field that was recorded is there, with a value of the same type.
fn shape(recorded: &Value, ours: &Value, path: &str, differences: &mut Vec<String>) {
    match (recorded, ours) {
        (Value::Object(a), Value::Object(b)) => {
            for (name, value) in a {
                match b.get(name) {
                    // Whose labels and volumes they are is the recorded cluster's business.
                    Some(_) if matches!(name.as_str(), "labels" | "volumes") => {}
                    // Settings: what is there is as recorded, most is not there.
                    Some(other) if name == "kubeletconfig" => {
                        shape(other, value, name, differences);
                    }
                    Some(other) => shape(value, other, &format!("{path}.{name}"), differences),
                    None if value.is_null() || MAY_LACK.contains(&name.as_str()) => {}
                    None => differences.push(format!("{path}.{name} is missing")),
                }
            }
        }
        (Value::Array(a), Value::Array(b)) => match (a.first(), b.first()) {
            (Some(one), Some(other)) => shape(one, other, &format!("{path}[0]"), differences),
            (Some(_), None) => differences.push(format!("{path} is empty")),
            _ => {}
        },
        (Value::Null, _) => {}
        _ if std::mem::discriminant(recorded) == std::mem::discriminant(ours) => {}
        _ => differences.push(format!("{path}: recorded {recorded}, ours {ours}")),
    }
}
