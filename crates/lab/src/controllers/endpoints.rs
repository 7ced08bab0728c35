//! Which pods stand behind a Service, and on which ports.
//!
//! Source: Kubernetes v1.36, `endpointslice.reconciler` and `FindPort`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::pods::is_ready;
use crate::store::{Selector, Store, labels};

/// A port of a slice.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    pub name: String,
    pub port: u64,
    pub protocol: String,
    pub app_protocol: Option<String>,
}

/// The endpoints of a Service in one family, by the ports they serve it on: a named targetPort may be
/// another number in another pod.
pub fn of(store: &Store, service: &Value, ipv6: bool) -> BTreeMap<Vec<Port>, Vec<Value>> {
    let mut slices: BTreeMap<Vec<Port>, Vec<Value>> = BTreeMap::new();
    let wanted = service["spec"]["selector"]
        .as_object()
        .into_iter()
        .flatten();
    let wanted = wanted
        .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect();
    let selector = Selector::from_map(&wanted);
    for pod in store.list("", "pods") {
        let same = pod["metadata"]["namespace"] == service["metadata"]["namespace"];
        if !same || !selector.matches(&labels(&pod)) {
            continue;
        }
        let Some(address) = address(&pod, ipv6) else {
            continue;
        };
        let over = matches!(
            pod["status"]["phase"].as_str(),
            Some("Succeeded" | "Failed")
        );
        if !over {
            slices
                .entry(ports(service, &pod))
                .or_default()
                .push(endpoint(store, service, &pod, &address));
        }
    }
    slices
}

fn address(pod: &Arc<Value>, ipv6: bool) -> Option<String> {
    let listed = pod["status"]["podIPs"].as_array().into_iter().flatten();
    listed
        .filter_map(|one| one["ip"].as_str())
        .find(|ip| ip.contains(':') == ipv6)
        .map(str::to_owned)
}

fn endpoint(store: &Store, service: &Value, pod: &Value, address: &str) -> Value {
    let terminating = !pod["metadata"]["deletionTimestamp"].is_null();
    let serving = is_ready(pod) || service["spec"]["publishNotReadyAddresses"] == true;
    let node = pod["spec"]["nodeName"].as_str().unwrap_or_default();
    let mut endpoint = json!({
        "addresses": [address],
        "conditions": {"ready": serving && !terminating, "serving": serving, "terminating": terminating},
        "nodeName": node,
        "targetRef": {"kind": "Pod", "namespace": pod["metadata"]["namespace"], "name": pod["metadata"]["name"],
            "uid": pod["metadata"]["uid"]},
    });
    let named = pod["spec"]["subdomain"] == service["metadata"]["name"]
        && pod["spec"]["hostname"].is_string();
    if named {
        endpoint["hostname"] = pod["spec"]["hostname"].clone();
    }
    let object = store.get(&crate::store::Key::new("", "nodes", "", node));
    let zone = object.and_then(|node| {
        node["metadata"]["labels"]["topology.kubernetes.io/zone"]
            .as_str()
            .map(str::to_owned)
    });
    if let Some(zone) = zone {
        endpoint["zone"] = zone.clone().into();
        if matches!(
            service["spec"]["trafficDistribution"].as_str(),
            Some("PreferClose" | "PreferSameZone")
        ) {
            endpoint["hints"] = json!({"forZones": [{"name": zone}]});
        }
    }
    if service["spec"]["trafficDistribution"] == "PreferSameNode" {
        endpoint["hints"]["forNodes"] = json!([{"name": node}]);
    }
    endpoint
}

/// The ports of a Service as one pod serves them. A name the pod does not have is left out.
fn ports(service: &Value, pod: &Value) -> Vec<Port> {
    let listed = service["spec"]["ports"].as_array().into_iter().flatten();
    let mut ports: Vec<Port> = listed
        .filter_map(|port| {
            let protocol = port["protocol"].as_str().unwrap_or("TCP");
            let target = &port["targetPort"];
            let number = match target {
                Value::String(name) => container_port(pod, name, protocol)?,
                Value::Number(number) if number.as_u64() != Some(0) => number.as_u64()?,
                _ => port["port"].as_u64()?,
            };
            Some(Port {
                name: port["name"].as_str().unwrap_or_default().to_owned(),
                port: number,
                protocol: protocol.to_owned(),
                app_protocol: port["appProtocol"].as_str().map(str::to_owned),
            })
        })
        .collect();
    ports.sort();
    ports
}

fn container_port(pod: &Value, name: &str, protocol: &str) -> Option<u64> {
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let mut ports = containers.flat_map(|one| one["ports"].as_array().into_iter().flatten());
    let port = ports.find(|port| {
        port["name"] == name && port["protocol"].as_str().unwrap_or("TCP") == protocol
    })?;
    port["containerPort"].as_u64()
}
