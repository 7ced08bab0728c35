//! The smallest change of a policy that would admit a flow, as a JSON patch (RFC 6902).

use serde_json::{Value, json};

use super::ends::{End, NAMESPACE_NAME};
use super::eval::{Missed, Side};
use super::explain::Cause;
use super::model::{Direction, PolicyRef};
use crate::cluster::Resource;

/// A change of one policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    pub policy: PolicyRef,
    /// `admit pods with app=client on TCP 9090`
    pub summary: String,
    /// A JSON patch.
    pub patch: Value,
}

/// Labels that controllers set for themselves: they change with every release.
const CONTROLLER_LABELS: &[&str] = &[
    "pod-template-hash",
    "controller-revision-hash",
    "pod-template-generation",
    "controller-uid",
    "job-name",
    "statefulset.kubernetes.io/",
    "apps.kubernetes.io/",
    "batch.kubernetes.io/",
];

/// Labels that say what a pod is, most telling first (Kubernetes' recommended labels, then custom).
const TELLING_LABELS: &[&str] = &[
    "app.kubernetes.io/name",
    "app",
    "k8s-app",
    "app.kubernetes.io/component",
    "component",
    "name",
    "run",
];

/// What lets a rule that misses, or one beside it, admit the flow; none where the other end has no
/// property that a rule could name.
pub(super) fn admitting(missed: Missed<'_>, cause: &Cause, side: Side<'_>) -> Option<Fix> {
    if missed.policy.id.resource != Resource::NetworkPolicies {
        return None;
    }
    let section = missed.section;
    let list = format!("/{}", section.list.replace('.', "/"));
    let peer_list = match side.direction {
        Direction::Egress => "to",
        Direction::Ingress => "from",
    };
    let port = json!({"protocol": side.question.protocol, "port": side.question.port});
    let own = missed.policy.namespace.as_deref().unwrap_or_default();
    let at_rule = |rule: usize, field: &str| format!("{list}/{rule}/{field}/-");
    let peers = || peers(side.peer, own);
    let (patch, what) = match (cause, missed.rule) {
        (
            Cause::Mismatch {
                peers: of_rule,
                port: Some(_),
            },
            Some(rule),
        ) if of_rule.is_empty() => (
            vec![add(&at_rule(rule.index, "ports"), &port)],
            port_words(side),
        ),
        (Cause::Mismatch { port: None, .. }, Some(rule)) => {
            let added = peers()?.into_iter();
            let patch = added.map(|peer| add(&at_rule(rule.index, peer_list), &peer));
            (patch.collect(), end_words(side.peer))
        }
        _ => {
            let rule = json!({peer_list: peers()?, "ports": [port]});
            let is_there = section.is_written;
            let patch = if is_there {
                add(&format!("{list}/-"), &rule)
            } else {
                add(&list, &json!([rule]))
            };
            (
                vec![patch],
                format!("{} on {}", end_words(side.peer), port_words(side)),
            )
        }
    };
    Some(Fix {
        policy: missed.policy.id.clone(),
        summary: format!("admit {what}"),
        patch: Value::Array(patch),
    })
}

fn add(path: &str, value: &Value) -> Value {
    json!({"op": "add", "path": path, "value": value})
}

fn port_words(side: Side<'_>) -> String {
    format!("{} {}", side.question.protocol, side.question.port)
}

fn end_words(end: &End) -> String {
    match &end.pod {
        Some(pod) if !pod.host_network => {
            let labels = telling_labels(end);
            let labels: Vec<String> = labels
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            let namespace = &pod.namespace.name;
            if labels.is_empty() {
                format!("every pod of namespace {namespace}")
            } else {
                format!("pods of namespace {namespace} with {}", labels.join(","))
            }
        }
        _ => {
            let addresses = end.addresses.iter().map(ToString::to_string);
            addresses.collect::<Vec<_>>().join(" and ")
        }
    }
}

/// The peers that name an end, as a policy of a namespace would write them.
fn peers(end: &End, own_namespace: &str) -> Option<Vec<Value>> {
    match &end.pod {
        Some(pod) if !pod.host_network => {
            let labels: serde_json::Map<String, Value> = telling_labels(end)
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value.into()))
                .collect();
            let pods = if labels.is_empty() {
                json!({})
            } else {
                json!({"matchLabels": labels})
            };
            let mut peer = json!({"podSelector": pods});
            if pod.namespace.name != own_namespace {
                let name = json!({NAMESPACE_NAME: pod.namespace.name});
                peer["namespaceSelector"] = json!({"matchLabels": name});
            }
            Some(vec![peer])
        }
        _ if end.addresses.is_empty() => None,
        _ => {
            let block = |addr: &std::net::IpAddr| {
                let single = ipnet::IpNet::from(*addr);
                json!({"ipBlock": {"cidr": single.to_string()}})
            };
            Some(end.addresses.iter().map(block).collect())
        }
    }
}

/// The labels that say what a pod is: a telling one, or else all that no controller made.
fn telling_labels(end: &End) -> Vec<(&str, &str)> {
    let Some(pod) = &end.pod else {
        return Vec::new();
    };
    let telling = TELLING_LABELS
        .iter()
        .find_map(|key| pod.labels.get_key_value(*key));
    if let Some((key, value)) = telling {
        return vec![(key, value)];
    }
    let made = |key: &str| {
        CONTROLLER_LABELS
            .iter()
            .any(|prefix| key.starts_with(prefix))
    };
    let own = pod.labels.iter().filter(|(key, _)| !made(key));
    own.map(|(key, value)| (key.as_str(), value.as_str()))
        .collect()
}
