//! The EndpointSlices of every Service with a selector.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::endpoints::{self, Port};
use super::names::fresh;
use super::pods::reference;
use crate::store::{Key, Store};

const SERVICE: &str = "kubernetes.io/service-name";
const MANAGER: &str = "endpointslice.kubernetes.io/managed-by";
const CONTROLLER: &str = "endpointslice-controller.k8s.io";

pub fn sync(store: &Store) {
    let slices = store.list("discovery.k8s.io", "endpointslices");
    for service in store.list("", "services") {
        let selected = service["spec"]["selector"]
            .as_object()
            .is_some_and(|selector| !selector.is_empty());
        if selected && service["spec"]["type"] != "ExternalName" {
            one(store, &service, &slices);
        }
    }
    for slice in &slices {
        drop_orphan(store, slice);
    }
}

fn one(store: &Store, service: &Value, slices: &[Arc<Value>]) {
    for ipv6 in families(service) {
        let family = if ipv6 { "IPv6" } else { "IPv4" };
        let mut wanted = endpoints::of(store, service, ipv6);
        if wanted.is_empty() {
            // A Service nobody stands behind still has a slice, an empty one.
            wanted.insert(Vec::new(), Vec::new());
        }
        let ours = |slice: &&Arc<Value>| {
            slice["metadata"]["namespace"] == service["metadata"]["namespace"]
                && slice["metadata"]["labels"][SERVICE] == service["metadata"]["name"]
                && slice["metadata"]["labels"][MANAGER] == CONTROLLER
                && slice["addressType"] == family
        };
        let existing: Vec<&Arc<Value>> = slices.iter().filter(ours).collect();
        write(store, service, family, wanted, existing);
    }
}

/// Reuses the slices that are there, makes missing ones, removes those too many.
fn write(
    store: &Store,
    service: &Value,
    family: &str,
    mut wanted: BTreeMap<Vec<Port>, Vec<Value>>,
    existing: Vec<&Arc<Value>>,
) {
    let mut free = Vec::new();
    for slice in existing {
        let ports = ports_of(slice);
        match wanted.remove(&ports) {
            Some(endpoints) => update(store, slice, &ports, &endpoints),
            None => free.push(slice),
        }
    }
    let mut free = free.into_iter();
    for (ports, endpoints) in wanted {
        match free.next() {
            Some(slice) => update(store, slice, &ports, &endpoints),
            None => create(store, service, family, &ports, &endpoints),
        }
    }
    for slice in free {
        store.remove(&key_of(slice));
    }
}

fn update(store: &Store, slice: &Value, ports: &[Port], endpoints: &[Value]) {
    let known = slice["endpoints"].as_array().cloned().unwrap_or_default();
    let same = known.len() == endpoints.len() && endpoints.iter().all(|one| known.contains(one));
    if same && ports_of(slice) == ports {
        return;
    }
    store.modify(&key_of(slice), |slice| {
        slice["endpoints"] = list(endpoints);
        slice["ports"] = ports_value(ports);
        let generation = slice["metadata"]["generation"].as_u64().unwrap_or(1);
        slice["metadata"]["generation"] = json!(generation + 1);
    });
}

fn create(store: &Store, service: &Value, family: &str, ports: &[Port], endpoints: &[Value]) {
    let namespace = service["metadata"]["namespace"]
        .as_str()
        .unwrap_or_default();
    let name = service["metadata"]["name"].as_str().unwrap_or_default();
    let prefix = format!("{name}-");
    let taken = |name: &str| {
        store
            .get(&Key::new(
                "discovery.k8s.io",
                "endpointslices",
                namespace,
                name,
            ))
            .is_some()
    };
    let mut labels = json!({MANAGER: CONTROLLER, SERVICE: name});
    if service["spec"]["clusterIP"] == "None" {
        labels["service.kubernetes.io/headless"] = "".into();
    }
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": fresh(&prefix, taken), "generateName": prefix, "namespace": namespace, "generation": 1,
            "labels": labels, "ownerReferences": [reference(service)]},
        "addressType": family, "endpoints": list(endpoints), "ports": ports_value(ports),
    });
    let _ = store.add(slice);
}

/// A slice the controller made for a Service that is gone or selects nothing any more.
fn drop_orphan(store: &Store, slice: &Value) {
    let meta = &slice["metadata"];
    if meta["labels"][MANAGER] != CONTROLLER {
        return;
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let service = store.get(&Key::new(
        "",
        "services",
        &text(&meta["namespace"]),
        &text(&meta["labels"][SERVICE]),
    ));
    if service.is_none_or(|service| {
        service["spec"]["selector"]
            .as_object()
            .is_none_or(serde_json::Map::is_empty)
    }) {
        store.remove(&key_of(slice));
    }
}

fn families(service: &Value) -> Vec<bool> {
    let listed = service["spec"]["ipFamilies"].as_array();
    let listed: Vec<bool> = listed
        .into_iter()
        .flatten()
        .map(|family| family == "IPv6")
        .collect();
    if listed.is_empty() {
        vec![false]
    } else {
        listed
    }
}

fn ports_of(slice: &Value) -> Vec<Port> {
    let listed = slice["ports"].as_array().into_iter().flatten();
    let mut ports: Vec<Port> = listed
        .map(|port| Port {
            name: port["name"].as_str().unwrap_or_default().to_owned(),
            port: port["port"].as_u64().unwrap_or(0),
            protocol: port["protocol"].as_str().unwrap_or("TCP").to_owned(),
            app_protocol: port["appProtocol"].as_str().map(str::to_owned),
        })
        .collect();
    ports.sort();
    ports
}

fn ports_value(ports: &[Port]) -> Value {
    let each = ports.iter().map(|port| {
        let mut value = json!({"name": port.name, "port": port.port, "protocol": port.protocol});
        if let Some(protocol) = &port.app_protocol {
            value["appProtocol"] = protocol.clone().into();
        }
        value
    });
    if ports.is_empty() {
        Value::Null
    } else {
        each.collect()
    }
}

fn key_of(slice: &Value) -> Key {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let meta = &slice["metadata"];
    Key::new(
        "discovery.k8s.io",
        "endpointslices",
        &text(&meta["namespace"]),
        &text(&meta["name"]),
    )
}

/// A list; an empty one shows as null.
fn list(endpoints: &[Value]) -> Value {
    if endpoints.is_empty() {
        Value::Null
    } else {
        json!(endpoints)
    }
}
