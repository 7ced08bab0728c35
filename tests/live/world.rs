//! Clusters of any size: the demonstration's shop, and around it what fills a cluster.

use netpath::cluster::snapshot::objects;
use serde_json::{Value, json};

/// The shop alone, healthy.
pub fn shop() -> Vec<Value> {
    objects(include_str!("../../src/demo/world.json")).expect("the shop")[0]["items"]
        .as_array()
        .expect("a List")
        .clone()
}

/// The shop with later objects in the place of earlier ones.
pub fn changed(changes: &str) -> Vec<Value> {
    let key = |object: &Value| {
        let meta = &object["metadata"];
        (
            object["kind"].clone(),
            meta["namespace"].clone(),
            meta["name"].clone(),
        )
    };
    let mut world = shop();
    for change in objects(changes).expect("objects") {
        let all = match change["items"].as_array() {
            Some(items) => items.clone(),
            None => vec![change],
        };
        for object in all {
            world.retain(|old| key(old) != key(&object));
            world.push(object);
        }
    }
    world
}

/// The shop in a cluster of so many pods: half of them in its own namespace, a quarter behind one
/// Service, and a policy and a Service for every twenty.
pub fn grown(mut world: Vec<Value>, pods: usize) -> Vec<Value> {
    for number in 0..pods {
        let namespace = if number % 2 == 0 {
            "shop".to_owned()
        } else {
            format!("team-{}", number / 200)
        };
        let app = if number % 4 == 0 {
            "crowd".to_owned()
        } else {
            format!("filler-{}", number / 20)
        };
        world.push(pod(&namespace, &format!("filler-{number}"), &app, number));
        if number % 200 == 1 {
            world.push(named("v1", "Namespace", "", &namespace));
        }
        if number % 20 == 1 {
            let name = format!("filler-{}", number / 20);
            world.push(service(&namespace, &name, number));
            world.push(policy(&namespace, &name));
        }
        if number % 50 == 0 {
            world.push(node(number / 50));
        }
    }
    if pods > 0 {
        world.push(service("shop", "crowd", pods));
        let members: Vec<usize> = (0..pods).step_by(4).collect();
        for (number, chunk) in members.chunks(100).enumerate() {
            world.push(slice("crowd", number, chunk));
        }
    }
    world
}

fn named(version: &str, kind: &str, namespace: &str, name: &str) -> Value {
    let mut meta = json!({"name": name, "uid": format!("{kind}-{namespace}-{name}")});
    if !namespace.is_empty() {
        meta["namespace"] = namespace.into();
    }
    json!({"apiVersion": version, "kind": kind, "metadata": meta})
}

fn address(number: usize) -> String {
    format!("10.20.{}.{}", number / 250, number % 250 + 1)
}

fn pod(namespace: &str, name: &str, app: &str, number: usize) -> Value {
    let mut pod = named("v1", "Pod", namespace, name);
    pod["metadata"]["labels"] = json!({"app": app});
    pod["spec"] = json!({
        "nodeName": format!("filler-{}", number / 50),
        "dnsPolicy": "ClusterFirst",
        "containers": [{"name": "main", "image": "main", "ports": [{"containerPort": 80}]}],
    });
    pod["status"] = json!({
        "phase": "Running", "podIP": address(number), "podIPs": [{"ip": address(number)}],
        "conditions": [{"type": "Ready", "status": "True"}],
    });
    pod
}

fn node(number: usize) -> Value {
    let mut node = named("v1", "Node", "", &format!("filler-{number}"));
    node["spec"] = json!({});
    node["status"] = json!({"conditions": [{"type": "Ready", "status": "True"}]});
    node
}

fn service(namespace: &str, name: &str, number: usize) -> Value {
    let ip = format!("10.97.{}.{}", number / 250, number % 250 + 1);
    let mut service = named("v1", "Service", namespace, name);
    service["spec"] = json!({
        "type": "ClusterIP", "clusterIP": ip, "clusterIPs": [ip], "ipFamilies": ["IPv4"],
        "selector": {"app": name}, "ports": [{"port": 80, "targetPort": 80, "protocol": "TCP"}],
    });
    service
}

fn slice(service: &str, number: usize, members: &[usize]) -> Value {
    let name = format!("{service}-{number}");
    let mut slice = named("discovery.k8s.io/v1", "EndpointSlice", "shop", &name);
    slice["metadata"]["labels"] = json!({"kubernetes.io/service-name": service});
    slice["addressType"] = "IPv4".into();
    slice["ports"] = json!([{"name": "", "port": 80, "protocol": "TCP"}]);
    let endpoints = members.iter().map(|member| {
        json!({
            "addresses": [address(*member)], "conditions": {"ready": true, "serving": true},
            "nodeName": format!("filler-{}", member / 50),
            "targetRef": {"kind": "Pod", "namespace": "shop", "name": format!("filler-{member}")},
        })
    });
    slice["endpoints"] = endpoints.collect();
    slice
}

fn policy(namespace: &str, app: &str) -> Value {
    let mut policy = named("networking.k8s.io/v1", "NetworkPolicy", namespace, app);
    policy["spec"] = json!({
        "podSelector": {"matchLabels": {"app": app}}, "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"podSelector": {}}]}],
    });
    policy
}
