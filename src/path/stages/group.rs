//! Pods that behave alike are walked once.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::cluster::access::NodeExt;
use crate::cluster::{ClusterView, Named, Pod, Resource};
use crate::node::Attachment;
use crate::path::Backend;
use crate::resolve::Site;
use crate::world::Nodes;

/// What can make one pod's path differ from another's: everything the stages look at.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Likeness {
    namespace: String,
    node: Option<String>,
    labels: Vec<(String, String)>,
    host_network: bool,
    state: String,
    families: usize,
    /// Debug text of the fields that shape lookups and named ports.
    resolver: String,
    ports: Vec<(Option<String>, i32)>,
    /// What ails its interface, where that was gathered.
    attachment: String,
    /// What meshes look at: account, containers, annotations.
    mesh: String,
    /// The address itself where some policy looks at addresses.
    addresses: Vec<String>,
}

/// Splits sites into groups that behave alike, in their given order.
pub(in crate::path) fn sites<'v>(
    view: &ClusterView,
    nodes: &Nodes<'_>,
    sites: &[Site<'v>],
) -> Vec<Vec<Site<'v>>> {
    let by_address = looks_at_addresses(view);
    group(sites, |site| {
        let pod = site.pod()?;
        Some(Likeness {
            attachment: attachment(nodes, pod),
            ..likeness(pod, by_address)
        })
    })
}

fn attachment(nodes: &Nodes<'_>, pod: &Pod) -> String {
    let fault = || {
        let (state, node) = (nodes.pod(pod)?, nodes.node(pod.node_name()?)?);
        let address = *pod.ips().first()?;
        Attachment::of(&node.state, state, address)?.fault(&node.state, address)
    };
    fault().map_or_else(String::new, |fault| format!("{fault:?}"))
}

/// Splits backends into groups that behave alike.
pub(in crate::path) fn backends<'v>(
    view: &ClusterView,
    backends: &[Backend<'v>],
) -> Vec<Vec<Backend<'v>>> {
    let by_address = looks_at_addresses(view);
    group(backends, |backend| {
        let pod = backend.pod.map(|pod| likeness(pod, by_address));
        // Of another cluster only the address is known, and few things look at it.
        let range = backend
            .cluster
            .and_then(|_| own_range(view, backend.address?));
        (pod.is_some() || backend.cluster.is_some()).then(|| {
            let address = backend.address.filter(|_| by_address && pod.is_none());
            (
                pod,
                backend.port,
                backend.is_hypothetical,
                backend.cluster,
                range,
                address,
            )
        })
    })
}

/// The range of one of this cluster's nodes that has an address.
fn own_range(view: &ClusterView, address: IpAddr) -> Option<IpNet> {
    let mut ranges = view.nodes.iter().flat_map(NodeExt::pod_cidrs);
    ranges.find(|range| range.contains(&address))
}

/// Items without a key stand alone.
fn group<T: Clone, K: Ord>(items: &[T], key: impl Fn(&T) -> Option<K>) -> Vec<Vec<T>> {
    let mut groups: Vec<Vec<T>> = Vec::new();
    let mut seen: BTreeMap<K, usize> = BTreeMap::new();
    for item in items {
        let position = key(item).map(|key| *seen.entry(key).or_insert(groups.len()));
        match position {
            Some(position) if position < groups.len() => groups[position].push(item.clone()),
            _ => groups.push(vec![item.clone()]),
        }
    }
    groups
}

fn likeness(pod: &Pod, by_address: bool) -> Likeness {
    let labels = pod.labels().iter().filter(|(key, _)| !is_of_one_pod(key));
    let spec = pod.spec.as_ref();
    Likeness {
        namespace: pod.namespace().to_owned(),
        node: pod.node_name().map(str::to_owned),
        labels: labels
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
        host_network: pod.is_host_network(),
        state: format!(
            "{} {} {} {:?}",
            pod.phase(),
            pod.is_ready(),
            pod.is_terminating(),
            pod.waiting().map(|waiting| waiting.reason)
        ),
        families: pod.ips().len(),
        resolver: spec.map_or_else(String::new, |spec| {
            format!(
                "{:?} {:?} {:?}",
                spec.dns_policy, spec.dns_config, spec.host_aliases
            )
        }),
        ports: pod
            .declared_ports()
            .into_iter()
            .map(|port| (port.name.clone(), port.container_port))
            .collect(),
        attachment: String::new(),
        mesh: mesh(pod),
        addresses: if by_address {
            pod.ips().iter().map(ToString::to_string).collect()
        } else {
            Vec::new()
        },
    }
}

/// The account, the containers and the settings of proxies of a pod.
fn mesh(pod: &Pod) -> String {
    let account = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.service_account_name.as_deref());
    let containers: Vec<&str> = pod
        .running_containers()
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    let annotations = pod.metadata.annotations.iter().flatten();
    let settings: Vec<_> = annotations
        .filter(|(key, _)| key.contains("istio.io/") || key.contains("linkerd.io/"))
        .collect();
    let statuses = pod.container_statuses().into_iter();
    let unready: Vec<&str> = statuses
        .filter(|status| status.ready == Some(false))
        .map(|status| status.name.as_str())
        .collect();
    format!("{account:?} {containers:?} {settings:?} {unready:?}")
}

/// Labels that controllers give each pod of its own; no policy or Service of sane mind uses them.
fn is_of_one_pod(key: &str) -> bool {
    matches!(
        key,
        "statefulset.kubernetes.io/pod-name"
            | "apps.kubernetes.io/pod-index"
            | "controller-revision-hash"
    )
}

/// Whether any policy tells pods apart by their address.
fn looks_at_addresses(view: &ClusterView) -> bool {
    let by_block = view.network_policies.iter().any(|policy| {
        let Some(spec) = &policy.spec else {
            return false;
        };
        let ingress = spec
            .ingress
            .iter()
            .flatten()
            .flat_map(|rule| rule.from.iter().flatten());
        let egress = spec
            .egress
            .iter()
            .flatten()
            .flat_map(|rule| rule.to.iter().flatten());
        ingress.chain(egress).any(|peer| peer.ip_block.is_some())
    });
    let mut meshes = Resource::MESHES.iter();
    let mut by_mesh = || meshes.any(|resource| view.custom(*resource).next().is_some());
    by_block || view.has_dialects() || by_mesh()
}
