//! The columns of the kinds people look at most; every other kind shows name and age.
//!
//! Source: Kubernetes, `pkg/printers/internalversion/printers.go`.

use serde_json::Value;

use super::table::age;
use crate::store::ResourceType;

/// A column; a wide one shows with `-o wide` alone.
pub struct Column {
    pub name: &'static str,
    pub wide: bool,
    pub cell: fn(&Value) -> Value,
}

const fn column(name: &'static str, cell: fn(&Value) -> Value) -> Column {
    let wide = false;
    Column { name, wide, cell }
}

const fn wide(name: &'static str, cell: fn(&Value) -> Value) -> Column {
    let wide = true;
    Column { name, wide, cell }
}

/// The columns of a kind.
pub fn of(kind: &ResourceType) -> Vec<Column> {
    let mut columns = vec![column("Name", |one| one["metadata"]["name"].clone())];
    columns.extend(middle(kind));
    if kind.plural == "events" {
        return columns.split_off(1);
    }
    let place = columns
        .iter()
        .position(|column| column.wide)
        .unwrap_or(columns.len());
    let age = column("Age", |one| {
        age(&one["metadata"]["creationTimestamp"]).into()
    });
    columns.insert(place, age);
    columns
}

#[expect(clippy::too_many_lines, reason = "a flat catalogue")]
fn middle(kind: &ResourceType) -> Vec<Column> {
    match kind.plural.as_str() {
        "pods" => vec![
            column("Ready", |one| {
                let ready = containers(one).filter(|status| status["ready"] == true);
                format!("{}/{}", ready.count(), count(&one["spec"]["containers"])).into()
            }),
            column("Status", |one| pod_status(one).into()),
            column("Restarts", |one| {
                let restarts = containers(one).filter_map(|status| status["restartCount"].as_u64());
                restarts.sum::<u64>().to_string().into()
            }),
            wide("IP", |one| or_none(&one["status"]["podIP"])),
            wide("Node", |one| or_none(&one["spec"]["nodeName"])),
            wide("Nominated Node", |_| "<none>".into()),
            wide("Readiness Gates", |one| {
                or_none_text(
                    &count(&one["spec"]["readinessGates"])
                        .to_string()
                        .replace('0', ""),
                )
            }),
        ],
        "services" => vec![
            column("Type", |one| one["spec"]["type"].clone()),
            column("Cluster-IP", |one| or_none(&one["spec"]["clusterIP"])),
            column("External-IP", |one| external(one).into()),
            column("Port(s)", |one| {
                or_none_text(&ports(&one["spec"]["ports"], "port"))
            }),
            wide("Selector", |one| pairs(&one["spec"]["selector"])),
        ],
        "nodes" => vec![
            column("Status", |one| node_status(one).into()),
            column("Roles", |_| "<none>".into()),
            column("Version", |one| {
                one["status"]["nodeInfo"]["kubeletVersion"].clone()
            }),
            wide("Internal-IP", |one| or_none(address(one))),
        ],
        "namespaces" => vec![column("Status", |one| one["status"]["phase"].clone())],
        "deployments" => vec![
            column("Ready", |one| {
                format!(
                    "{}/{}",
                    number(&one["status"]["readyReplicas"]),
                    number(&one["spec"]["replicas"])
                )
                .into()
            }),
            column("Up-to-date", |one| {
                number(&one["status"]["updatedReplicas"]).into()
            }),
            column("Available", |one| {
                number(&one["status"]["availableReplicas"]).into()
            }),
        ],
        "replicasets" => vec![
            column("Desired", |one| number(&one["spec"]["replicas"]).into()),
            column("Current", |one| number(&one["status"]["replicas"]).into()),
            column("Ready", |one| {
                number(&one["status"]["readyReplicas"]).into()
            }),
        ],
        "statefulsets" => vec![column("Ready", |one| {
            format!(
                "{}/{}",
                number(&one["status"]["readyReplicas"]),
                number(&one["spec"]["replicas"])
            )
            .into()
        })],
        "daemonsets" => vec![
            column("Desired", |one| {
                number(&one["status"]["desiredNumberScheduled"]).into()
            }),
            column("Current", |one| {
                number(&one["status"]["currentNumberScheduled"]).into()
            }),
            column("Ready", |one| number(&one["status"]["numberReady"]).into()),
        ],
        "endpointslices" => vec![
            column("AddressType", |one| one["addressType"].clone()),
            column("Ports", |one| or_none_text(&ports(&one["ports"], "port"))),
            column("Endpoints", |one| {
                let all = items(&one["endpoints"]).flat_map(|end| items(&end["addresses"]));
                or_none_text(&join(all.filter_map(Value::as_str)))
            }),
        ],
        "networkpolicies" => vec![column("Pod-Selector", |one| {
            pairs(&one["spec"]["podSelector"]["matchLabels"])
        })],
        "ingresses" => vec![
            column("Class", |one| or_none(&one["spec"]["ingressClassName"])),
            column("Hosts", |one| {
                let hosts = items(&one["spec"]["rules"]).filter_map(|rule| rule["host"].as_str());
                join(hosts).into()
            }),
        ],
        "configmaps" => vec![column("Data", |one| {
            one["data"]
                .as_object()
                .map_or(0, serde_json::Map::len)
                .into()
        })],
        "events" => vec![
            column("Last Seen", |one| age(&one["lastTimestamp"]).into()),
            column("Type", |one| one["type"].clone()),
            column("Reason", |one| one["reason"].clone()),
            column("Object", |one| {
                let about = &one["involvedObject"];
                let word = |field: &str| about[field].as_str().unwrap_or_default();
                format!("{}/{}", word("kind").to_lowercase(), word("name")).into()
            }),
            column("Message", |one| one["message"].clone()),
        ],
        _ => Vec::new(),
    }
}

/// The one word kubectl shows for a pod.
fn pod_status(pod: &Value) -> String {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    if !pod["metadata"]["deletionTimestamp"].is_null() {
        return "Terminating".to_owned();
    }
    let reason = containers(pod).find_map(|status| {
        let state = &status["state"];
        text(&state["waiting"]["reason"]).or_else(|| text(&state["terminated"]["reason"]))
    });
    reason
        .or_else(|| text(&pod["status"]["reason"]))
        .or_else(|| text(&pod["status"]["phase"]))
        .unwrap_or_default()
}

fn node_status(node: &Value) -> String {
    let ready = items(&node["status"]["conditions"])
        .any(|one| one["type"] == "Ready" && one["status"] == "True");
    let mut words = vec![if ready { "Ready" } else { "NotReady" }];
    if node["spec"]["unschedulable"] == true {
        words.push("SchedulingDisabled");
    }
    words.join(",")
}

fn address(node: &Value) -> &Value {
    items(&node["status"]["addresses"])
        .find(|one| one["type"] == "InternalIP")
        .map_or(&Value::Null, |one| &one["address"])
}

fn external(service: &Value) -> String {
    let spec = &service["spec"];
    if spec["type"] == "ExternalName" {
        return spec["externalName"].as_str().unwrap_or_default().to_owned();
    }
    let given = items(&service["status"]["loadBalancer"]["ingress"])
        .filter_map(|one| one["ip"].as_str().or_else(|| one["hostname"].as_str()));
    let listed = items(&spec["externalIPs"]).filter_map(Value::as_str);
    let all = join(given.chain(listed));
    match (all.is_empty(), spec["type"] == "LoadBalancer") {
        (true, true) => "<pending>".to_owned(),
        (true, false) => "<none>".to_owned(),
        _ => all,
    }
}

fn ports(list: &Value, field: &str) -> String {
    let one = |port: &Value| {
        let node = port["nodePort"]
            .as_u64()
            .map_or_else(String::new, |node| format!(":{node}"));
        let protocol = port["protocol"].as_str().unwrap_or("TCP");
        format!("{}{node}/{protocol}", port[field])
    };
    items(list).map(one).collect::<Vec<_>>().join(",")
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    items(&pod["status"]["containerStatuses"])
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn count(list: &Value) -> usize {
    list.as_array().map_or(0, Vec::len)
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn join<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(",")
}

fn pairs(map: &Value) -> Value {
    let pairs = map.as_object().into_iter().flatten();
    let pairs: Vec<String> = pairs
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    or_none_text(&pairs.join(","))
}

fn or_none(value: &Value) -> Value {
    or_none_text(value.as_str().unwrap_or_default())
}

fn or_none_text(text: &str) -> Value {
    if text.is_empty() { "<none>" } else { text }.into()
}
