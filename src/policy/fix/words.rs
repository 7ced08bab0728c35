//! Naming an end and a flow, in words and by the labels that last.

use std::collections::BTreeMap;

use crate::net::Protocol;
use crate::policy::ends::End;
use crate::policy::eval::Side;

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

/// The labels that say what a pod is: a telling one, or else all that no controller made.
pub(super) fn telling_labels(end: &End) -> BTreeMap<&str, &str> {
    let Some(pod) = &end.pod else {
        return BTreeMap::new();
    };
    let telling = TELLING_LABELS
        .iter()
        .find_map(|key| pod.labels.get_key_value(*key));
    let made = |key: &str| {
        CONTROLLER_LABELS
            .iter()
            .any(|prefix| key.starts_with(prefix))
    };
    let lasting = pod.labels.iter().filter(|(key, _)| !made(key));
    let chosen: Vec<(&String, &String)> =
        telling.map_or_else(|| lasting.collect(), |one| vec![one]);
    let pairs = chosen.into_iter();
    pairs
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect()
}

/// The pod and its namespace, if labels can name it.
pub(super) fn selectable(end: &End) -> Option<&str> {
    let pod = end.pod.as_ref().filter(|pod| !pod.host_network)?;
    Some(&pod.namespace.name)
}

/// The port of the DNS (RFC 1035).
const DNS: u16 = 53;

/// The protocols that a flow needs open: of the DNS both, since answers that do not fit are asked for
/// again over TCP (RFC 7766). A port that pods declare for both is such a one, too.
pub(super) fn transports(side: Side<'_>) -> Vec<Protocol> {
    let question = side.question;
    let declares = |protocol| {
        let pod = question.destination.pod.as_ref();
        pod.is_some_and(|pod| pod.declared.contains(&(protocol, question.port)))
    };
    let both = [Protocol::Udp, Protocol::Tcp];
    let is_dns = question.port == DNS || both.into_iter().all(declares);
    if is_dns && both.contains(&question.protocol) {
        both.to_vec()
    } else {
        vec![question.protocol]
    }
}

/// `TCP 9090`, `UDP and TCP 53`.
pub(super) fn port(side: Side<'_>) -> String {
    let protocols = transports(side).into_iter();
    let protocols: Vec<String> = protocols.map(|one| one.to_string()).collect();
    format!("{} {}", crate::text::list(&protocols), side.question.port)
}

/// `pods of namespace shop with app=web on TCP 9090`.
pub(super) fn flow(side: Side<'_>) -> String {
    format!("{} on {}", self::end(side.peer), port(side))
}

/// `pods of namespace shop with app=web`, `every pod of namespace shop`, or an address.
pub(super) fn end(end: &End) -> String {
    let Some(namespace) = selectable(end) else {
        let addresses: Vec<String> = end.addresses.iter().map(ToString::to_string).collect();
        return crate::text::list(&addresses);
    };
    let labels = telling_labels(end);
    let labels: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    if labels.is_empty() {
        format!("every pod of namespace {namespace}")
    } else {
        format!("pods of namespace {namespace} with {}", labels.join(","))
    }
}

/// Its addresses as blocks of one.
pub(super) fn blocks(end: &End) -> Vec<String> {
    let blocks = end.addresses.iter().map(|addr| ipnet::IpNet::from(*addr));
    blocks.map(|block| block.to_string()).collect()
}
