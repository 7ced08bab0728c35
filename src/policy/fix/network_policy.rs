//! Changes of a NetworkPolicy: entries of its own lists.

use serde_json::{Value, json};

use super::{EditPoint, words};
use crate::net::Protocol;
use crate::policy::ends::{End, NAMESPACE_NAME};
use crate::policy::eval::{Question, Side};
use crate::policy::explain::Cause;
use crate::policy::formula::{Domain, Formula};
use crate::policy::model::{Peers, Port, PortNumber, Ports, Rule};

/// The steps of the patch, and whom they admit. The rule that misses is mended where that opens nothing
/// else; else one of its own comes beside it.
pub(super) fn admitting(
    place: &EditPoint<'_>,
    rule: Option<&Rule>,
    cause: &Cause,
    side: Side<'_>,
) -> Option<(Vec<Value>, String)> {
    if cause.is_port_only()
        && let Some(rule) = rule.filter(|rule| has_few_peers(&rule.peers))
    {
        let missing = words::transports(side).into_iter();
        let missing = missing.filter(|protocol| !has_port(&rule.ports, *protocol, side));
        let added = missing.map(|protocol| place.extend("ports", &port(protocol, side)));
        return Some((added.collect::<Option<_>>()?, words::port(side)));
    }
    let peers = peers(side.peer, place.own_namespace())?;
    if cause.is_peer_only() && rule.is_some_and(|rule| has_that_port_alone(&rule.ports, side)) {
        let added = peers
            .iter()
            .map(|peer| place.extend(place.peer_list(), peer));
        return Some((added.collect::<Option<_>>()?, words::end(side.peer)));
    }
    let ports = words::transports(side).into_iter();
    let ports: Vec<Value> = ports.map(|protocol| port(protocol, side)).collect();
    let rule = json!({place.peer_list(): peers, "ports": ports});
    // Order does not matter here, and a rule at the end moves no other.
    let last = EditPoint {
        index: None,
        list: place.list.clone(),
        ..*place
    };
    Some((vec![last.insert(&rule)], words::flow(side)))
}

fn port(protocol: Protocol, side: Side<'_>) -> Value {
    json!({"protocol": protocol, "port": side.question.port})
}

/// Whether the peers are one kind of pod or one address: a port that is added then opens it to them and
/// nobody else.
fn has_few_peers(peers: &Peers) -> bool {
    fn is_telling(part: &Formula) -> bool {
        match part {
            Formula::Label(Domain::Pod, _) => true,
            Formula::Within(net) => net.prefix_len() == net.max_prefix_len(),
            Formula::All(parts) => parts.iter().any(is_telling),
            _ => false,
        }
    }
    matches!(peers, Peers::OneOf(peers) if peers.len() == 1 && peers.iter().all(is_telling))
}

/// Whether a rule has no other port than the one that was asked: a peer that is added gets that alone.
fn has_that_port_alone(ports: &Ports, side: Side<'_>) -> bool {
    let is_it = |port: &Port| match &port.number {
        PortNumber::Range(range) => range.first == range.last && range.first == side.question.port,
        PortNumber::Named(name) => {
            let protocol = port.protocol.unwrap_or(side.question.protocol);
            side.question.destination.named_port(name, protocol) == Some(side.question.port)
        }
        PortNumber::Any | PortNumber::Unclear(_) => false,
    };
    matches!(ports, Ports::OneOf(ports) if ports.iter().all(is_it))
}

/// Whether a rule's ports hold the one that was asked, for a protocol.
fn has_port(ports: &Ports, protocol: Protocol, side: Side<'_>) -> bool {
    let question = Question {
        protocol,
        ..*side.question
    };
    let side = Side {
        question: &question,
        ..side
    };
    side.ports_match(ports).is_yes()
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
