//! Which addresses a policy's peers stand for.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicyPeer;

use crate::store::Selector;

/// A pod as policies see it. Pods in their node's network are none.
#[derive(Debug, Clone)]
pub struct Subject {
    pub namespace: String,
    pub labels: BTreeMap<String, String>,
    pub node: String,
    pub addresses: Vec<IpAddr>,
    /// Name, protocol, number.
    pub ports: Vec<(String, String, u16)>,
}

/// The other end of a rule.
#[derive(Debug, Clone)]
pub enum Peer<'a> {
    Anyone,
    Pods(Vec<&'a Subject>),
    Block { range: IpNet, except: Vec<IpNet> },
}

/// All pods that have addresses of their own and run.
pub fn subjects(pods: &[Pod]) -> Vec<Subject> {
    pods.iter().filter_map(subject).collect()
}

fn subject(pod: &Pod) -> Option<Subject> {
    let (spec, status) = (pod.spec.as_ref()?, pod.status.as_ref()?);
    let over = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
    if spec.host_network == Some(true) || over {
        return None;
    }
    let addresses: Vec<IpAddr> = status
        .pod_ips
        .iter()
        .flatten()
        .filter_map(|one| one.ip.parse().ok())
        .collect();
    let ports = spec
        .containers
        .iter()
        .flat_map(|one| one.ports.iter().flatten())
        .filter_map(|port| {
            let protocol = port.protocol.clone().unwrap_or_else(|| "TCP".to_owned());
            Some((
                port.name.clone()?,
                protocol,
                u16::try_from(port.container_port).ok()?,
            ))
        });
    (!addresses.is_empty()).then(|| Subject {
        namespace: pod.metadata.namespace.clone().unwrap_or_default(),
        labels: pod.metadata.labels.clone().unwrap_or_default(),
        node: spec.node_name.clone().unwrap_or_default(),
        addresses,
        ports: ports.collect(),
    })
}

/// The peers of a rule in a policy of `namespace`; none listed means anyone.
pub fn peers<'a>(
    listed: Option<&Vec<NetworkPolicyPeer>>,
    namespace: &str,
    all: &'a [Subject],
    namespaces: &[Namespace],
) -> Vec<Peer<'a>> {
    let listed = listed.map_or(&[][..], Vec::as_slice);
    if listed.is_empty() {
        return vec![Peer::Anyone];
    }
    listed
        .iter()
        .filter_map(|peer| one(peer, namespace, all, namespaces))
        .collect()
}

fn one<'a>(
    peer: &NetworkPolicyPeer,
    own: &str,
    all: &'a [Subject],
    namespaces: &[Namespace],
) -> Option<Peer<'a>> {
    if let Some(block) = &peer.ip_block {
        let except = block
            .except
            .iter()
            .flatten()
            .filter_map(|range| range.parse().ok());
        return Some(Peer::Block {
            range: block.cidr.parse().ok()?,
            except: except.collect(),
        });
    }
    let by_namespace = peer.namespace_selector.as_ref().map(Selector::from_object);
    let by_labels = peer
        .pod_selector
        .as_ref()
        .map(Selector::from_object)
        .unwrap_or_default();
    let fits = |pod: &&Subject| {
        let there = match &by_namespace {
            Some(selector) => selector.matches(&labels_of(&pod.namespace, namespaces)),
            None => pod.namespace == own,
        };
        there && by_labels.matches(&pod.labels)
    };
    Some(Peer::Pods(all.iter().filter(fits).collect()))
}

fn labels_of(namespace: &str, namespaces: &[Namespace]) -> BTreeMap<String, String> {
    let object = namespaces
        .iter()
        .find(|one| one.metadata.name.as_deref() == Some(namespace));
    let mut labels = object
        .and_then(|one| one.metadata.labels.clone())
        .unwrap_or_default();
    labels.insert(
        "kubernetes.io/metadata.name".to_owned(),
        namespace.to_owned(),
    );
    labels
}
