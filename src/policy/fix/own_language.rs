//! A rule that allows one flow, in the language of its policy.

use serde_json::{Value, json};

use super::network_policy::selector;
use super::{EditPoint, words};
use crate::cluster::Resource;
use crate::net::Protocol;
use crate::policy::ends::{End, NAMESPACE_NAME};
use crate::policy::eval::Side;
use crate::policy::model::Direction;

/// None where the language cannot name the other end. Calico's rules are for one protocol each.
pub(super) fn rules(place: &EditPoint<'_>, side: Side<'_>) -> Option<Vec<Value>> {
    let protocols = words::transports(side);
    let rule = match place.policy.id.resource {
        Resource::AdminNetworkPolicies | Resource::BaselineAdminNetworkPolicies => {
            let port = |protocol: &Protocol| json!({"portNumber": {"protocol": protocol, "port": side.question.port}});
            let peer = cluster_wide_peer(side)?;
            json!({
                "action": "Allow",
                place.peer_list(): [peer],
                "ports": protocols.iter().map(port).collect::<Value>(),
            })
        }
        Resource::ClusterNetworkPolicies => {
            let port = |protocol: &Protocol| json!({protocol.lower(): {"destinationPort": {"number": side.question.port}}});
            let peer = cluster_wide_peer(side)?;
            json!({
                "action": "Accept",
                place.peer_list(): [peer],
                "protocols": protocols.iter().map(port).collect::<Value>(),
            })
        }
        Resource::CalicoNetworkPolicies | Resource::CalicoGlobalNetworkPolicies => {
            let rules = protocols.into_iter().map(|protocol| calico(side, protocol));
            return rules.collect();
        }
        Resource::CiliumNetworkPolicies | Resource::CiliumClusterwideNetworkPolicies => {
            cilium(place, side, &protocols)?
        }
        _ => return None,
    };
    Some(vec![rule])
}

/// Pods by namespace and labels; for egress anything by address. Rules for ingress know only pods.
fn cluster_wide_peer(side: Side<'_>) -> Option<Value> {
    if let Some(namespace) = words::selectable(side.peer) {
        let namespaces = json!({"matchLabels": {NAMESPACE_NAME: namespace}});
        let pods = json!({"namespaceSelector": namespaces, "podSelector": selector(side.peer)});
        return Some(json!({"pods": pods}));
    }
    let blocks = words::blocks(side.peer);
    let can_name = side.direction == Direction::Egress && !blocks.is_empty();
    can_name.then(|| json!({"networks": blocks}))
}

fn calico(side: Side<'_>, protocol: Protocol) -> Option<Value> {
    let mut peer = calico_end(side.peer)?;
    let port = json!([side.question.port]);
    Some(match side.direction {
        Direction::Egress => {
            peer["ports"] = port;
            json!({"action": "Allow", "protocol": protocol, "destination": peer})
        }
        Direction::Ingress => json!({
            "action": "Allow",
            "protocol": protocol,
            "source": peer,
            "destination": {"ports": port},
        }),
    })
}

fn calico_end(end: &End) -> Option<Value> {
    let Some(namespace) = words::selectable(end) else {
        let blocks = words::blocks(end);
        return (!blocks.is_empty()).then(|| json!({"nets": blocks}));
    };
    let labels = words::telling_labels(end);
    let terms = labels
        .iter()
        .map(|(key, value)| format!("{key} == '{value}'"));
    let terms: Vec<String> = terms.collect();
    let selector = if terms.is_empty() {
        "all()".to_owned()
    } else {
        terms.join(" && ")
    };
    let namespaces = format!("projectcalico.org/name == '{namespace}'");
    Some(json!({"selector": selector, "namespaceSelector": namespaces}))
}

fn cilium(place: &EditPoint<'_>, side: Side<'_>, protocols: &[Protocol]) -> Option<Value> {
    let list = place.peer_list();
    let number = side.question.port.to_string();
    let ports = protocols
        .iter()
        .map(|protocol| json!({"port": number, "protocol": protocol}));
    let ports: Vec<Value> = ports.collect();
    let (field, peers) = if let Some(namespace) = words::selectable(side.peer) {
        let mut labels = json!(words::telling_labels(side.peer));
        if namespace != place.own_namespace() {
            labels["k8s:io.kubernetes.pod.namespace"] = json!(namespace);
        }
        (format!("{list}Endpoints"), json!([{"matchLabels": labels}]))
    } else if side.peer.is_node_like() {
        (format!("{list}Entities"), json!(["host", "remote-node"]))
    } else {
        let blocks = words::blocks(side.peer);
        if blocks.is_empty() {
            return None;
        }
        (format!("{list}CIDR"), json!(blocks))
    };
    Some(json!({field: peers, "toPorts": [{"ports": ports}]}))
}
