//! Changes of a NetworkPolicy: entries of its own lists.

use serde_json::{Value, json};

use super::{Place, words};
use crate::policy::ends::{End, NAMESPACE_NAME};
use crate::policy::eval::Side;
use crate::policy::explain::Cause;

/// The steps of the patch, and whom they admit.
pub(super) fn admitting(
    place: &Place<'_>,
    cause: &Cause,
    side: Side<'_>,
) -> Option<(Vec<Value>, String)> {
    let port = json!({"protocol": side.question.protocol, "port": side.question.port});
    if cause.is_port_only() {
        return Some((vec![place.extend("ports", &port)?], words::port(side)));
    }
    let peers = peers(side.peer, place.own_namespace())?;
    if cause.is_peer_only() {
        let added = peers
            .iter()
            .map(|peer| place.extend(place.peer_list(), peer));
        return Some((added.collect::<Option<_>>()?, words::end(side.peer)));
    }
    let rule = json!({place.peer_list(): peers, "ports": [port]});
    // Order does not matter here, and a rule at the end moves no other.
    let last = Place {
        index: None,
        list: place.list.clone(),
        ..*place
    };
    Some((vec![last.insert(&rule)], words::flow(side)))
}

/// The peers that name an end, as a policy of a namespace would write them.
fn peers(end: &End, own_namespace: &str) -> Option<Vec<Value>> {
    let Some(namespace) = words::selectable(end) else {
        let blocks = words::blocks(end).into_iter();
        let peers: Vec<Value> = blocks
            .map(|cidr| json!({"ipBlock": {"cidr": cidr}}))
            .collect();
        return (!peers.is_empty()).then_some(peers);
    };
    let mut peer = json!({"podSelector": selector(end)});
    if namespace != own_namespace {
        peer["namespaceSelector"] = json!({"matchLabels": {NAMESPACE_NAME: namespace}});
    }
    Some(vec![peer])
}

/// The label selector that names a pod among those of its namespace.
pub(super) fn selector(end: &End) -> Value {
    let labels = words::telling_labels(end);
    if labels.is_empty() {
        json!({})
    } else {
        json!({"matchLabels": labels})
    }
}
