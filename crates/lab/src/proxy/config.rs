//! What one kube-proxy is told: KubeProxyConfiguration and its node.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// How services are programmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    #[default]
    Iptables,
    Nftables,
}

/// Which iptables the node has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    #[default]
    Nft,
    Legacy,
}

/// A kube-proxy of one address family.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "as kube-proxy has them")]
pub struct Config {
    pub ipv6: bool,
    pub node: String,
    pub node_labels: BTreeMap<String, String>,
    /// The node's primary address of this family.
    pub node_address: Option<IpAddr>,
    /// `detectLocalMode: ClusterCIDR`: what counts as pod traffic. Without it nothing does.
    pub cluster: Option<IpNet>,
    /// The ranges Services get their addresses from (nftables mode drops the unallocated rest).
    pub services: Vec<IpNet>,
    pub masquerade_all: bool,
    /// Whether NodePorts are served on loopback (iptables, IPv4).
    pub localhost_node_ports: bool,
    /// Addresses NodePorts are served on; `None` = every local one.
    pub node_port_addresses: Option<Vec<IpAddr>>,
    /// Whether the kernel has the counters `-m nfacct` names.
    pub nfacct: bool,
    /// Whether `MASQUERADE --random-fully` exists (iptables 1.6.2 and up).
    pub random_fully: bool,
}

/// How Services are programmed, with what: every way a lab knows.
pub const WAYS: [(Mode, Backend); 3] = [
    (Mode::Iptables, Backend::Nft),
    (Mode::Nftables, Backend::Nft),
    (Mode::Iptables, Backend::Legacy),
];

// === impl Mode ===

impl Mode {
    /// As `/proxyMode` says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Iptables => "iptables",
            Self::Nftables => "nftables",
        }
    }
}

// === impl Backend ===

impl Backend {
    /// `iptables-nft`, `ip6tables-legacy-restore` …
    pub fn program(self, ipv6: bool, what: &str) -> String {
        let family = if ipv6 { "ip6tables" } else { "iptables" };
        let backend = match self {
            Self::Nft => "nft",
            Self::Legacy => "legacy",
        };
        format!("{family}-{backend}{what}")
    }
}

// === impl Config ===

impl Config {
    /// Whether an address belongs to this family.
    pub const fn owns(&self, address: &IpAddr) -> bool {
        address.is_ipv6() == self.ipv6
    }
}
