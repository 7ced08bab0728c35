//! Events, as controllers leave them.

use serde_json::{Value, json};

use crate::net::fingerprint;
use crate::store::{Store, now};

/// Notes something about an object. The same again counts up.
pub fn record(store: &Store, object: &Value, from: (&str, &str), reason: &str, message: &str) {
    let meta = &object["metadata"];
    let namespace = meta["namespace"].as_str().unwrap_or("default");
    let name = meta["name"].as_str().unwrap_or_default();
    let (component, host) = from;
    let normal = !["Failed", "FailedScheduling", "BackOff", "Unhealthy"].contains(&reason);
    let key = format!(
        "{name}.{:08x}{:08x}",
        fingerprint(reason),
        fingerprint(message)
    );
    let time = now();
    let again = store.modify(
        &crate::store::Key::new("", "events", namespace, &key),
        |event| {
            event["count"] = json!(event["count"].as_u64().unwrap_or(1) + 1);
            event["lastTimestamp"] = time.clone().into();
        },
    );
    if again.is_some() {
        return;
    }
    let event = json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {"name": key, "namespace": namespace},
        "involvedObject": {"kind": object["kind"], "namespace": namespace, "name": name, "uid": meta["uid"],
            "apiVersion": object["apiVersion"], "resourceVersion": meta["resourceVersion"]},
        "reason": reason, "message": message, "type": if normal { "Normal" } else { "Warning" },
        "source": {"component": component, "host": host},
        "firstTimestamp": time, "lastTimestamp": time, "count": 1, "eventTime": null,
        "reportingComponent": component, "reportingInstance": host,
    });
    // Events are a convenience: one that cannot be kept is no fault.
    let _ = store.add(event);
}
