//! JSON merge patch (RFC 7386).

use serde_json::{Value, json};

/// Lays a patch over a value: null removes, everything but an object replaces.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        target.clone_from(patch);
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let Some(own) = target.as_object_mut() else {
        return;
    };
    for (name, value) in fields {
        if value.is_null() {
            own.remove(name);
        } else {
            merge(own.entry(name).or_insert(Value::Null), value);
        }
    }
}
