//! Who gets which address: read from the objects where they say so, else the lab's own scheme.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::Result;
use ipnet::IpNet;
use k8s_openapi::api::core::v1::Node;
use serde::{Deserialize, Serialize};

use super::Links;

/// How pod traffic crosses from node to node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Plain routes between the podCIDRs.
    #[default]
    Routes,
    /// VXLAN as flannel does it: interface `flannel.1`, VNI 1, UDP 8472.
    Vxlan,
}

/// A host on the fabric, with one address per family.
#[derive(Debug, Clone)]
pub struct Host {
    pub name: String,
    pub addresses: Vec<IpAddr>,
}

/// A node and its pod networks.
#[derive(Debug, Clone)]
pub struct NodePlan {
    pub host: Host,
    pub pods: Vec<IpNet>,
}

/// The addresses of everything but pods.
#[derive(Debug, Clone)]
pub struct Plan {
    pub nodes: Vec<NodePlan>,
    /// The outside host: default gateway of the nodes, DNS server of the world, a web server.
    pub outside: Host,
    /// Where the API server runs.
    pub control: Host,
    /// The ranges all pods come from, one per family: kube-proxy's clusterCIDR.
    pub cluster: Vec<IpNet>,
    pub transport: Transport,
    pub links: Links,
}

// === impl Plan ===

impl Plan {
    /// Reads the plan from Node objects; `cluster` overrides the guess of the pods' ranges.
    pub fn from_nodes(
        nodes: &[Node],
        cluster: &[IpNet],
        transport: Transport,
        links: Links,
    ) -> Result<Self> {
        let nodes: Vec<NodePlan> = nodes.iter().map(node_plan).collect();
        let families = nodes.first().map_or(&[][..], |node| &node.host.addresses);
        let at = |last: u8| {
            families
                .iter()
                .map(|sample| sibling(*sample, last))
                .collect()
        };
        let cluster = if cluster.is_empty() {
            let first = nodes.first().map_or(&[][..], |node| &node.pods);
            first.iter().map(surrounding).collect()
        } else {
            cluster.to_vec()
        };
        let plan = Self {
            outside: Host::new("ext", at(200)),
            control: Host::new("cp", at(2)),
            nodes,
            cluster,
            transport,
            links,
        };
        let hosts: Vec<&str> = plan.hosts().map(|host| host.name.as_str()).collect();
        let nodes: Vec<&str> = plan
            .nodes
            .iter()
            .map(|node| node.host.name.as_str())
            .collect();
        plan.links.check(&hosts, &nodes, transport)?;
        Ok(plan)
    }

    pub fn node(&self, name: &str) -> Option<&NodePlan> {
        self.nodes.iter().find(|node| node.host.name == name)
    }

    /// Every host on the fabric.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        [&self.outside, &self.control]
            .into_iter()
            .chain(self.nodes.iter().map(|node| &node.host))
    }
}

// === impl Host ===

impl Host {
    pub fn new(name: &str, addresses: Vec<IpAddr>) -> Self {
        let name = name.to_owned();
        Self { name, addresses }
    }

    /// The address of the family of `like`.
    pub fn address(&self, like: IpAddr) -> Option<IpAddr> {
        let same = |address: &&IpAddr| address.is_ipv4() == like.is_ipv4();
        self.addresses.iter().find(same).copied()
    }

    /// The first address, as Kubernetes shows it.
    pub fn primary(&self) -> IpAddr {
        let first = self.addresses.first().copied();
        first.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }
}

fn node_plan(node: &Node) -> NodePlan {
    let name = node.metadata.name.clone().unwrap_or_default();
    let listed = node
        .status
        .as_ref()
        .and_then(|status| status.addresses.as_ref());
    let addresses = listed
        .into_iter()
        .flatten()
        .filter(|one| one.type_ == "InternalIP");
    let addresses = addresses
        .filter_map(|one| one.address.parse().ok())
        .collect();
    let spec = node.spec.as_ref();
    let ranges = spec.and_then(|spec| spec.pod_cidrs.clone()).or_else(|| {
        let one = spec.and_then(|spec| spec.pod_cidr.clone());
        one.map(|one| vec![one])
    });
    let pods = ranges
        .into_iter()
        .flatten()
        .filter_map(|range| range.parse().ok())
        .collect();
    NodePlan {
        host: Host::new(&name, addresses),
        pods,
    }
}

/// The address with `last` in place of the last byte.
fn sibling(sample: IpAddr, last: u8) -> IpAddr {
    match sample {
        IpAddr::V4(sample) => {
            let [a, b, c, _] = sample.octets();
            Ipv4Addr::new(a, b, c, last).into()
        }
        IpAddr::V6(sample) => {
            // As written: fd10:30::11 is a sibling of fd10:30::200.
            let [a, b, c, d, ..] = sample.segments();
            let digits = u16::from_str_radix(&last.to_string(), 16).unwrap_or_default();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, digits).into()
        }
    }
}

/// The range a cluster would take its podCIDRs from: a /16, for IPv6 a /32 or wider.
fn surrounding(range: &IpNet) -> IpNet {
    let wider = match range {
        IpNet::V4(range) => 16.min(range.prefix_len()),
        IpNet::V6(range) => 32.min(range.prefix_len()),
    };
    IpNet::new(range.addr(), wider).map_or(*range, |net| net.trunc())
}
