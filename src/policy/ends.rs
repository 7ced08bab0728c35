//! The two ends of a flow, as policies see them.
//!
//! ```text
//!  Pod ───────────────┐
//!  pod template ──────┤            ┌ pod: namespace, labels, named ports, hostNetwork
//!  Node ──────────────┼─► Ends ─► End ─ node it runs on or is
//!  address ───────────┘            └ addresses
//! ```

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use ipnet::IpNet;
use k8s_openapi::api::core::v1::Node;

use super::formula::{Domain, Families, Part};
use super::truth::{Doubt, Truth};
use crate::cluster::access::NodeExt;
use crate::cluster::{ClusterView, Named, ObjectRef, Pod, Requirement, Resource};
use crate::net::{Family, Protocol};

/// The label every namespace carries (KEP-2161).
pub const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// The key under which the name of a service account is looked up, as if it were a label.
pub const SERVICE_ACCOUNT_NAME: &str = "metadata.name";

/// One end of a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The pod, workload or node; none for an address that belongs to nothing in the view.
    pub object: Option<ObjectRef>,
    pub pod: Option<PodTraits>,
    /// The node it runs on, or is.
    pub node: Option<Arc<Labelled>>,
    /// Empty where they are not known (yet).
    pub addresses: Vec<IpAddr>,
    /// Why it could be a pod all the same, where nothing says so.
    pub doubt: Option<Doubt>,
}

/// What policies see of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodTraits {
    pub namespace: Arc<Labelled>,
    pub labels: BTreeMap<String, String>,
    /// Its name stands under [`SERVICE_ACCOUNT_NAME`].
    pub service_account: Labelled,
    pub host_network: bool,
    /// In the order of the containers; the first of a name and protocol counts.
    pub ports: Vec<NamedPort>,
    /// Every port that the containers declare. Informational: policies do not look at it.
    pub declared: Vec<(Protocol, u16)>,
    /// It stands for any pod of a workload, wherever that may run next.
    pub is_workload: bool,
}

/// A namespace or a node with its labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labelled {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    /// Why there may be more labels.
    pub doubt: Option<Doubt>,
}

/// A port that a container declares with a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NamedPort {
    pub name: String,
    pub protocol: Protocol,
    pub number: u16,
}

/// Makes ends of what a view holds.
#[derive(Debug)]
pub struct Ends<'v> {
    view: &'v ClusterView,
    namespaces: BTreeMap<&'v str, Arc<Labelled>>,
    nodes: BTreeMap<&'v str, Arc<Labelled>>,
    by_address: OnceLock<HashMap<IpAddr, Owner<'v>>>,
}

/// Who has an address.
#[derive(Debug, Clone, Copy)]
enum Owner<'v> {
    Pod(&'v Pod),
    Node(&'v Node),
}

// === impl Ends ===

impl<'v> Ends<'v> {
    /// Looks at a view.
    #[must_use]
    pub fn new(view: &'v ClusterView) -> Self {
        let namespaces = view.namespaces.iter().map(Named::name);
        let nodes = view.nodes.iter().map(|node| {
            let labels = node.metadata.labels.clone().unwrap_or_default();
            let node_traits = Labelled {
                name: node.name().to_owned(),
                labels,
                doubt: None,
            };
            (node.name(), Arc::new(node_traits))
        });
        Self {
            view,
            namespaces: namespaces
                .map(|name| (name, Arc::new(read_namespace(view, name))))
                .collect(),
            nodes: nodes.collect(),
            by_address: OnceLock::new(),
        }
    }

    /// A pod.
    #[must_use]
    pub fn pod(&self, pod: &Pod) -> End {
        let template = pod.spec.as_ref();
        let account = template.and_then(|spec| spec.service_account_name.as_deref());
        End {
            object: Some(pod.reference()),
            pod: Some(PodTraits {
                namespace: self.namespace(pod.namespace()),
                labels: pod.labels().clone(),
                service_account: service_account(account.unwrap_or("default")),
                host_network: pod.is_host_network(),
                ports: named_ports(pod),
                declared: declared_ports(pod),
                is_workload: false,
            }),
            node: pod.node_name().map(|name| self.node_traits(name)),
            addresses: pod.ips(),
            doubt: None,
        }
    }

    /// The pods a workload would make, where none exists.
    #[must_use]
    pub fn template(&self, workload: ObjectRef, template: &Pod) -> End {
        let mut pod = template.clone();
        pod.metadata.namespace = Some(workload.namespace.clone());
        self.pod(&pod).standing_for(workload)
    }

    /// A node itself: its kubelet, its daemons, what is forwarded under its address. It speaks under
    /// the first address of each family.
    #[must_use]
    pub fn node(&self, node: &Node) -> End {
        let mut addresses = node.addresses();
        let first = |family| {
            addresses
                .iter()
                .copied()
                .find(|ip| Family::of(*ip) == family)
        };
        addresses = Family::ALL.into_iter().filter_map(first).collect();
        End {
            object: Some(node.reference()),
            pod: None,
            node: Some(self.node_traits(node.name())),
            addresses,
            doubt: None,
        }
    }

    /// Whoever has an address: the pod, the node, or somebody outside.
    #[must_use]
    pub fn address(&self, addr: IpAddr) -> End {
        let mut end = match self.by_address().get(&addr) {
            Some(Owner::Pod(pod)) => self.pod(pod),
            Some(Owner::Node(node)) => self.node(node),
            None => End {
                object: None,
                pod: None,
                node: None,
                addresses: Vec::new(),
                doubt: self.may_be_pod(addr).then_some(Doubt::NoSuchPod(addr)),
            },
        };
        end.addresses = vec![addr];
        end
    }

    /// Somebody outside the cluster whose address is not known.
    #[must_use]
    pub const fn outside() -> End {
        End {
            object: None,
            pod: None,
            node: None,
            addresses: Vec::new(),
            doubt: None,
        }
    }

    /// A namespace, also one that has no object.
    #[must_use]
    pub fn namespace(&self, name: &str) -> Arc<Labelled> {
        let known = self.namespaces.get(name).cloned();
        known.unwrap_or_else(|| Arc::new(read_namespace(self.view, name)))
    }

    /// What they are made of.
    #[must_use]
    pub const fn view(&self) -> &'v ClusterView {
        self.view
    }

    /// Every namespace that has an object.
    pub fn namespaces(&self) -> impl Iterator<Item = &Arc<Labelled>> {
        self.namespaces.values()
    }

    fn node_traits(&self, name: &str) -> Arc<Labelled> {
        self.nodes.get(name).cloned().unwrap_or_else(|| {
            Arc::new(Labelled {
                name: name.to_owned(),
                labels: BTreeMap::new(),
                doubt: Some(Doubt::LabelsUnread {
                    of: format!("node {name}"),
                }),
            })
        })
    }

    /// Finished pods have given their address back, and hostNetwork pods have that of their node.
    fn by_address(&self) -> &HashMap<IpAddr, Owner<'v>> {
        self.by_address.get_or_init(|| {
            let view = self.view;
            let mut owners = HashMap::new();
            for pod in view.pods.iter() {
                if !pod.is_finished() && !pod.is_host_network() {
                    owners.extend(pod.ips().into_iter().map(|ip| (ip, Owner::Pod(pod))));
                }
            }
            for node in view.nodes.iter() {
                owners.extend(
                    node.addresses()
                        .into_iter()
                        .map(|ip| (ip, Owner::Node(node))),
                );
            }
            owners
        })
    }

    /// Whether an address that no known pod has may still be one's: it lies in a node's pod range,
    /// and not every pod was read.
    fn may_be_pod(&self, addr: IpAddr) -> bool {
        let view = self.view;
        let all_read = view.holds_all(Resource::Pods, "");
        let in_range = |node: &Node| {
            node.pod_cidrs()
                .iter()
                .any(|cidr: &IpNet| cidr.contains(&addr))
        };
        !all_read && view.nodes.iter().any(in_range)
    }
}

fn read_namespace(view: &ClusterView, name: &str) -> Labelled {
    let is_read = view.namespaces.get("", name).is_some()
        || view.unread(Resource::Namespaces, name).is_none();
    Labelled {
        name: name.to_owned(),
        labels: view.namespace_labels(name),
        doubt: (!is_read).then(|| Doubt::LabelsUnread {
            of: format!("namespace {name}"),
        }),
    }
}

fn service_account(name: &str) -> Labelled {
    Labelled {
        name: name.to_owned(),
        labels: BTreeMap::from([(SERVICE_ACCOUNT_NAME.to_owned(), name.to_owned())]),
        doubt: Some(Doubt::LabelsUnread {
            of: format!("service account {name}"),
        }),
    }
}

/// Whether a prefix shares addresses with the ranges that pod networks are made of: private use,
/// shared (RFC 6598), benchmarking, class E, unique local.
fn may_hold_pods(net: IpNet) -> bool {
    const RANGES: [&str; 7] = [
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "198.18.0.0/15",
        "240.0.0.0/4",
        "fc00::/7",
    ];
    let ranges = RANGES
        .iter()
        .filter_map(|range| range.parse::<IpNet>().ok());
    ranges
        .into_iter()
        .any(|range| range.contains(&net) || net.contains(&range))
}

fn declared_ports(pod: &Pod) -> Vec<(Protocol, u16)> {
    let declared = pod.declared_ports().into_iter().filter_map(|port| {
        let protocol = Protocol::from_field(port.protocol.as_deref()).ok()?;
        Some((protocol, u16::try_from(port.container_port).ok()?))
    });
    declared.collect()
}

fn named_ports(pod: &Pod) -> Vec<NamedPort> {
    let declared = pod.declared_ports().into_iter();
    let named = declared.filter_map(|port| {
        Some(NamedPort {
            name: port.name.clone()?,
            protocol: Protocol::from_field(port.protocol.as_deref()).ok()?,
            number: u16::try_from(port.container_port).ok()?,
        })
    });
    named.collect()
}

// === impl End ===

impl End {
    /// The same end, seen under one of its addresses, or under the one a translation gave it.
    #[must_use]
    pub fn seen_as(mut self, addr: IpAddr) -> Self {
        self.addresses = vec![addr];
        self
    }

    /// The namespace of a pod.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.pod.as_ref().map(|pod| pod.namespace.name.as_str())
    }

    /// Whether it is a node, or a pod that lives in its node's network namespace.
    #[must_use]
    pub const fn is_node_like(&self) -> bool {
        match &self.pod {
            Some(pod) => pod.host_network,
            None => self.node.is_some(),
        }
    }

    /// Whether its traffic stays inside its own network namespace.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        !self.addresses.is_empty() && self.addresses.iter().all(IpAddr::is_loopback)
    }

    /// Whether both are the same running pod. The pods of a workload are not: a replica may call
    /// another.
    #[must_use]
    pub fn is_same_pod(&self, other: &Self) -> bool {
        let runs = self
            .pod
            .as_ref()
            .is_some_and(|pod| !pod.is_workload && !pod.host_network);
        runs && self.object == other.object && other.pod.is_some()
    }

    /// The number a named port has here, for a protocol.
    #[must_use]
    pub fn named_port(&self, name: &str, protocol: Protocol) -> Option<u16> {
        let ports = &self.pod.as_ref()?.ports;
        let found = ports
            .iter()
            .find(|port| port.name == name && port.protocol == protocol);
        found.map(|port| port.number)
    }

    /// The address families it has; none where its addresses are not known.
    #[must_use]
    pub fn families(&self) -> Families {
        Families::of(&self.addresses)
    }

    /// The same end as any pod of the workload it belongs to.
    #[must_use]
    pub(super) fn standing_for(mut self, workload: ObjectRef) -> Self {
        self.object = Some(workload);
        if let Some(pod) = &mut self.pod {
            pod.is_workload = true;
        }
        self
    }

    /// Whether label selectors see it: pods do, but for those in their node's network namespace,
    /// whose packets most plugins cannot tell from the node's (Kubernetes documentation, "Network
    /// policies and hostNetwork pods"; network-policy-api says so outright).
    pub(super) fn is_selectable(&self) -> Truth {
        match (&self.pod, &self.doubt) {
            (Some(pod), _) => Truth::from(!pod.host_network),
            (None, Some(doubt)) => Truth::Maybe(doubt.clone()),
            (None, None) => Truth::No,
        }
    }

    /// Whether it belongs to nothing of this cluster.
    pub(super) fn is_outside(&self) -> Truth {
        match (&self.pod, &self.node, &self.doubt) {
            (None, None, Some(doubt)) => Truth::Maybe(doubt.clone()),
            (None, None, None) => Truth::Yes,
            _ => Truth::No,
        }
    }

    /// Whether it runs on, or is, the node of another end.
    pub(super) fn is_on_node_of(&self, other: Option<&Self>) -> Truth {
        let unknown = |end: &Self| {
            Truth::Maybe(Doubt::NodeUnknown {
                end: end.to_string(),
            })
        };
        let Some(other) = other else {
            return Truth::No;
        };
        match (&self.node, &other.node) {
            (Some(here), Some(there)) => (here.name == there.name).into(),
            _ if self.is_outside().is_yes() || other.is_outside().is_yes() => Truth::No,
            (None, _) => unknown(self),
            (_, None) => unknown(other),
        }
    }

    /// Whether a label of its own, its namespace, its service account or its node meets a
    /// requirement.
    pub(super) fn label(&self, domain: Domain, requirement: &Requirement) -> Truth {
        self.labelled(domain, |labels| requirement.holds(labels), &requirement.key)
    }

    /// The same, for a part of a value.
    pub(super) fn label_part(&self, domain: Domain, part: &Part) -> Truth {
        let holds = |labels: &BTreeMap<String, String>| {
            part.holds(labels.get(&part.key).map(String::as_str))
        };
        self.labelled(domain, holds, &part.key)
    }

    fn labelled(
        &self,
        domain: Domain,
        holds: impl Fn(&BTreeMap<String, String>) -> bool,
        key: &str,
    ) -> Truth {
        let of = |labelled: &Labelled| labelled.truth(&holds, key);
        match (domain, &self.pod) {
            (Domain::Node, _) if self.is_node_like() => {
                self.node.as_ref().map_or(Truth::No, |node| of(node))
            }
            (Domain::Node, _) => Truth::No,
            (Domain::Pod, Some(pod)) => self.is_selectable().and(holds(&pod.labels).into()),
            (Domain::Namespace, Some(pod)) => self.is_selectable().and(of(&pod.namespace)),
            (Domain::ServiceAccount, Some(pod)) => {
                self.is_selectable().and(of(&pod.service_account))
            }
            (_, None) => self.is_selectable(),
        }
    }

    /// Whether its address lies in a prefix. Families never cross. Of an address nobody knows yet
    /// only this much is said: the whole IPv4 or IPv6 space holds it, and if it is a pod's, then
    /// globally routable space does not.
    pub(super) fn is_within(&self, net: IpNet, families: Families) -> Truth {
        let net_family = Family::of(net.addr());
        if !families.iter().any(|family| family == net_family) {
            return Truth::No;
        }
        let mixed = || {
            Truth::Maybe(Doubt::AddressesDiffer {
                end: self.to_string(),
            })
        };
        if self.addresses.is_empty() {
            let is_pod = self.pod.as_ref().is_some_and(|pod| !pod.host_network);
            return match (net.prefix_len(), families.v4 && families.v6) {
                (0, false) => Truth::Yes,
                (0, true) => mixed(),
                _ if is_pod && !may_hold_pods(net) => Truth::No,
                _ => Truth::Maybe(Doubt::AddressUnknown {
                    end: self.to_string(),
                }),
            };
        }
        let relevant = || {
            let addresses = self.addresses.iter();
            addresses.filter(|addr| families.iter().any(|family| family == Family::of(**addr)))
        };
        let inside = relevant().filter(|addr| net.contains(*addr)).count();
        if inside == 0 {
            Truth::No
        } else if inside == relevant().count() {
            Truth::Yes
        } else {
            mixed()
        }
    }
}

/// `Pod/shop/client-1`, `Node/node1`, an address, or `somebody outside`.
impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.object, self.addresses.first()) {
            (Some(object), _) => write!(f, "{object}"),
            (None, Some(addr)) => write!(f, "{addr}"),
            (None, None) => f.write_str("somebody outside"),
        }
    }
}

// === impl Labelled ===

impl Labelled {
    /// Whether a label fits; open where its labels are not known, but for its name.
    fn truth(&self, holds: impl Fn(&BTreeMap<String, String>) -> bool, key: &str) -> Truth {
        match &self.doubt {
            Some(doubt) if ![NAMESPACE_NAME, SERVICE_ACCOUNT_NAME].contains(&key) => {
                Truth::Maybe(doubt.clone())
            }
            _ => holds(&self.labels).into(),
        }
    }

    /// The value of one of its labels.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&str> {
        self.labels.get(key).map(String::as_str)
    }
}
