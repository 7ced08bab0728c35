//! What the API server and the EndpointSlice controller would make of a world after somebody changed
//! it.

use serde_json::{Value, json};

use super::world::{Key, World};

const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Gives every Service the node ports that the API server assigns.
pub fn assign(world: &mut World) {
    for mut service in of_kind(world, "Service") {
        let spec = &mut service["spec"];
        if spec["type"] == "NodePort" {
            for (port, number) in spec["ports"]
                .as_array_mut()
                .into_iter()
                .flatten()
                .zip(31_000..)
            {
                if port["nodePort"].is_null() {
                    port["nodePort"] = json!(number);
                }
            }
        }
        world.insert(service);
    }
}

/// Writes the slices of every Service with a selector anew, one per family and set of ports.
pub fn follow(world: &mut World) {
    let services: Vec<Value> = of_kind(world, "Service");
    let pods: Vec<Value> = of_kind(world, "Pod");
    for service in services {
        let Some(selector) = service["spec"]["selector"]
            .as_object()
            .filter(|own| !own.is_empty())
        else {
            continue;
        };
        let (namespace, name) = (
            text(&service["metadata"]["namespace"]),
            text(&service["metadata"]["name"]),
        );
        remove_slices(world, &namespace, &name);
        let selected = pods.iter().filter(|pod| {
            let labels = &pod["metadata"]["labels"];
            let phase = text(&pod["status"]["phase"]);
            pod["metadata"]["namespace"] == service["metadata"]["namespace"]
                && selector.iter().all(|(key, value)| labels[key] == *value)
                && !["Succeeded", "Failed"].contains(&phase.as_str())
        });
        for (number, pod) in selected.enumerate() {
            for family in service["spec"]["ipFamilies"]
                .as_array()
                .into_iter()
                .flatten()
            {
                let Some(slice) = slice(&service, pod, &text(family), number) else {
                    continue;
                };
                world.insert(slice);
            }
        }
    }
}

fn of_kind(world: &World, kind: &str) -> Vec<Value> {
    world
        .objects()
        .filter(|object| object["kind"] == kind)
        .cloned()
        .collect()
}

fn remove_slices(world: &mut World, namespace: &str, service: &str) {
    let of_service: Vec<Key> = world
        .objects()
        .filter(|object| {
            object["kind"] == "EndpointSlice"
                && object["metadata"]["namespace"] == namespace
                && object["metadata"]["labels"][SERVICE_NAME] == service
        })
        .map(super::world::key)
        .collect();
    for key in of_service {
        world.remove(&key);
    }
}

/// One pod in a slice of its own: as good as any other split.
fn slice(service: &Value, pod: &Value, family: &str, number: usize) -> Option<Value> {
    let addresses = pod["status"]["podIPs"].as_array()?;
    let address = addresses
        .iter()
        .map(|entry| text(&entry["ip"]))
        .find(|ip| ip.contains(':') == (family == "IPv6"))?;
    let is_ready = pod["status"]["conditions"]
        .as_array()
        .is_some_and(|conditions| {
            conditions
                .iter()
                .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
        });
    let published = service["spec"]["publishNotReadyAddresses"] == true;
    let meta = &service["metadata"];
    Some(json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": format!("{}-{}-{number}", text(&meta["name"]), family.to_lowercase()),
            "namespace": meta["namespace"],
            "labels": {SERVICE_NAME: meta["name"]},
        },
        "addressType": family,
        "ports": ports(service, pod),
        "endpoints": [{
            "addresses": [address],
            "conditions": {"ready": is_ready || published, "serving": is_ready},
            "nodeName": pod["spec"]["nodeName"],
            "hostname": pod["spec"]["hostname"],
            "targetRef": {"kind": "Pod", "name": pod["metadata"]["name"], "namespace": meta["namespace"]},
        }],
    }))
}

/// The Service's ports as this pod numbers them; a name that it lacks is left out.
fn ports(service: &Value, pod: &Value) -> Vec<Value> {
    let declared: Vec<&Value> = pod["spec"]["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|container| container["ports"].as_array().into_iter().flatten())
        .collect();
    let ports = service["spec"]["ports"].as_array().into_iter().flatten();
    ports
        .filter_map(|port| {
            let number = match &port["targetPort"] {
                Value::String(name) => {
                    let named = declared.iter().find(|own| own["name"] == *name)?;
                    named["containerPort"].clone()
                }
                Value::Null => port["port"].clone(),
                number => number.clone(),
            };
            let mut entry = json!({"port": number, "protocol": port["protocol"]});
            if let Some(name) = port.get("name") {
                entry["name"] = name.clone();
            }
            Some(entry)
        })
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
