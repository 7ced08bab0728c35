//! How kube-proxy is set up on a node, as far as it shapes the rules.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use crate::nat::model::{
    Action, Field, MarkOf, PacketEnd, RuleVerdict, Ruleset, Step, Table, Values,
};
use crate::net::{Family, parse_prefix};
use crate::route::Host;

/// The three ways kube-proxy programs a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    Iptables,
    Nftables,
    Ipvs,
}

/// How kube-proxy tells its own pods' traffic from that of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detector {
    /// It does not, so that no cluster-IP traffic is masqueraded.
    None,
    Cidrs(Vec<IpNet>),
    /// By the interface a packet comes in by, or the beginning of its name.
    Interface(String),
}

/// On which addresses of the node NodePorts answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodePortAddresses {
    /// On every local address: the default of iptables and IPVS mode.
    All,
    /// On the node's primary addresses: the default of nftables mode.
    Primary,
    Within(Vec<IpNet>),
}

/// A node's kube-proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxySetup {
    pub mode: Mode,
    /// The name it looks for in `nodeName` of endpoints.
    pub node: String,
    pub zone: Option<String>,
    /// The node's primary addresses.
    pub node_ips: Vec<IpAddr>,
    /// All addresses of the node that are known.
    pub local: Vec<IpAddr>,
    pub detector: Detector,
    pub masquerade_all: bool,
    pub node_port_addresses: NodePortAddresses,
}

// === impl Mode ===

impl Mode {
    /// The mode of a name, as kube-proxy answers on `/proxyMode` and takes in its configuration; the
    /// empty name is the default on Linux.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        match name.trim() {
            "iptables" | "" => Some(Self::Iptables),
            "nftables" => Some(Self::Nftables),
            "ipvs" => Some(Self::Ipvs),
            _ => None,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Iptables => "iptables",
            Self::Nftables => "nftables",
            Self::Ipvs => "ipvs",
        }
    }

    /// What NodePorts answer on unless configured.
    #[must_use]
    pub const fn node_port_addresses(self) -> NodePortAddresses {
        match self {
            Self::Nftables => NodePortAddresses::Primary,
            Self::Iptables | Self::Ipvs => NodePortAddresses::All,
        }
    }
}

// === impl Detector ===

impl Detector {
    /// Whether traffic from there counts as coming from a pod of the cluster; none when it cannot be
    /// told.
    #[must_use]
    pub fn takes(&self, ip: IpAddr, interface: Option<&str>) -> Option<bool> {
        match self {
            Self::None => Some(false),
            Self::Cidrs(nets) => Some(nets.iter().any(|net| net.contains(&ip))),
            Self::Interface(pattern) => {
                let values = Values::interface(pattern);
                interface.map(|name| values.holds_name(name))
            }
        }
    }

    /// Reads it off the rules: the source that cluster-IP traffic must not have to be masqueraded.
    #[must_use]
    pub fn of_rules(rules: &Ruleset) -> Self {
        let mut nets: Vec<IpNet> = Vec::new();
        for table in proxy_tables(rules) {
            let Some(found) = masquerade_exceptions(table).next() else {
                continue;
            };
            match found {
                Exception::Net(net) if !nets.contains(&net) => nets.push(net),
                Exception::Net(_) => {}
                Exception::Interface(pattern) => return Self::Interface(pattern),
            }
        }
        if nets.is_empty() {
            Self::None
        } else {
            Self::Cidrs(nets)
        }
    }
}

// === impl ProxySetup ===

impl ProxySetup {
    /// The setup of a node as its rules and addresses show it.
    #[must_use]
    pub fn of_rules(mode: Mode, rules: &Ruleset, host: &Host, node: &str) -> Self {
        // In IPVS mode the dummy interface has the Services' own addresses; node ports are not there.
        let is_dummy = |name: &str| mode == Mode::Ipvs && DUMMIES.contains(&name);
        let links = host.links.iter().flatten();
        let links = links.filter(|link| !is_dummy(&link.name));
        let own = links.flat_map(|link| link.addresses.iter().map(|address| address.ip));
        let local = own.chain(host.addresses.iter().flatten().copied());
        Self {
            mode,
            node: node.to_owned(),
            zone: None,
            node_ips: Vec::new(),
            local: local.collect(),
            detector: Detector::of_rules(rules),
            masquerade_all: masquerades_all(rules),
            node_port_addresses: mode.node_port_addresses(),
        }
    }

    /// Takes over what kube-proxy's configuration (`config.conf` of its ConfigMap, as JSON) says.
    pub fn configure(&mut self, config: &Value) {
        let text = |path: &str| config.pointer(path).and_then(Value::as_str);
        let nets = |texts: &str| -> Vec<IpNet> {
            let parts = texts.split(',');
            parts.filter_map(|net| parse_prefix(net).ok()).collect()
        };
        match (
            text("/detectLocalMode").unwrap_or_default(),
            text("/clusterCIDR"),
        ) {
            ("" | "ClusterCIDR", Some(cidrs)) if !cidrs.is_empty() => {
                self.detector = Detector::Cidrs(nets(cidrs));
            }
            ("BridgeInterface", _) => {
                if let Some(name) = text("/detectLocal/bridgeInterface") {
                    self.detector = Detector::Interface(name.to_owned());
                }
            }
            ("InterfaceNamePrefix", _) => {
                if let Some(prefix) = text("/detectLocal/interfaceNamePrefix") {
                    self.detector = Detector::Interface(format!("{prefix}+"));
                }
            }
            // NodeCIDR and the rest depend on the node; the rules show the result.
            _ => {}
        }
        let flag = |path: &str| config.pointer(path).and_then(Value::as_bool);
        let mode = self.mode.name();
        if let Some(all) = flag(&format!("/{mode}/masqueradeAll")) {
            self.masquerade_all = all;
        }
        if let Some(name) = text("/hostnameOverride").filter(|name| !name.is_empty()) {
            name.clone_into(&mut self.node);
        }
        let listed = config.get("nodePortAddresses").and_then(Value::as_array);
        let listed: Vec<&str> = listed
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        if listed == ["primary"] {
            self.node_port_addresses = NodePortAddresses::Primary;
        } else if !listed.is_empty() {
            let within = listed.iter().flat_map(|net| nets(net));
            self.node_port_addresses = NodePortAddresses::Within(within.collect());
        }
    }

    /// The addresses of a family on which NodePorts answer.
    #[must_use]
    pub fn node_port_ips(&self, family: Family) -> Vec<IpAddr> {
        let of_family = |ip: &&IpAddr| Family::of(**ip) == family;
        let primary = || self.node_ips.iter().filter(of_family).copied();
        match &self.node_port_addresses {
            NodePortAddresses::Primary => primary().collect(),
            NodePortAddresses::All if self.local.is_empty() => primary().collect(),
            NodePortAddresses::All => {
                let usable = self.local.iter().filter(of_family);
                usable.filter(|ip| is_reachable(**ip)).copied().collect()
            }
            NodePortAddresses::Within(nets) => {
                let all = self.local.iter().chain(&self.node_ips).filter(of_family);
                let within = all.filter(|ip| nets.iter().any(|net| net.contains(*ip)));
                let mut ips: Vec<IpAddr> =
                    within.filter(|ip| is_reachable(**ip)).copied().collect();
                ips.sort_unstable();
                ips.dedup();
                ips
            }
        }
    }
}

/// The interfaces that carry Services' addresses for IPVS: kube-proxy's and kube-router's.
const DUMMIES: [&str; 2] = ["kube-ipvs0", "kube-dummy-if"];

/// Neither loopback nor link-local: an address that clients use.
const fn is_reachable(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_link_local(),
        IpAddr::V6(ip) => !ip.is_loopback() && !ip.is_unicast_link_local(),
    }
}

/// Tables that kube-proxy writes Services into.
fn proxy_tables(rules: &Ruleset) -> impl Iterator<Item = &Table> {
    rules
        .tables
        .iter()
        .filter(|table| matches!(&*table.name, "nat" | "kube-proxy"))
}

enum Exception {
    Net(IpNet),
    Interface(String),
}

/// Sources that the rules which mark for masquerading leave out.
fn masquerade_exceptions(table: &Table) -> impl Iterator<Item = Exception> + '_ {
    marking_rules(table).filter_map(|steps| {
        steps.iter().find_map(|step| match step {
            Step::Test(test) if test.negated => match test.field {
                Field::Address(PacketEnd::Source, family) => {
                    net_of(&test.values, family).map(Exception::Net)
                }
                Field::InInterface => match &test.values {
                    Values::Names(names) => names.first().map(Exception::Interface),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        })
    })
}

/// Whether cluster-IP traffic is marked whatever its source.
fn masquerades_all(rules: &Ruleset) -> bool {
    proxy_tables(rules).any(|table| {
        marking_rules(table).any(|steps| {
            let asks = |wanted: fn(Field) -> bool| {
                steps.iter().any(|step| match step {
                    Step::Test(test) => wanted(test.field),
                    Step::Lookup(lookup) => lookup.key.iter().any(|field| wanted(*field)),
                    _ => false,
                })
            };
            asks(|field| matches!(field, Field::Address(PacketEnd::Destination, _)))
                && !asks(|field| {
                    matches!(
                        field,
                        Field::Address(PacketEnd::Source, _) | Field::InInterface
                    )
                })
        })
    })
}

/// The rules of Service chains that mark packets for masquerading.
fn marking_rules(table: &Table) -> impl Iterator<Item = &[Step]> {
    let mark = table.chain_id("KUBE-MARK-MASQ");
    let marks = move |step: &Step| match step {
        Step::Act(Action::Verdict(RuleVerdict::Jump(chain))) => Some(*chain) == mark,
        Step::Act(Action::SetMark {
            of: MarkOf::Packet, ..
        }) => mark.is_none(),
        _ => false,
    };
    table
        .named_chains()
        .filter(|(name, _)| name.starts_with("KUBE-SV") || *name == "services")
        .flat_map(|(_, chain)| &chain.rules)
        .map(|rule| table.steps(rule))
        .filter(move |steps| steps.iter().any(marks))
}

/// The prefix that a range of addresses is.
fn net_of(values: &Values, family: Family) -> Option<IpNet> {
    let (first, last) = values.bounds()?;
    let bits = match family {
        Family::V4 => 32,
        Family::V6 => 128,
    };
    let host_bits = u128::BITS - (last - first).leading_zeros();
    let length = u8::try_from(bits - host_bits.min(bits)).ok()?;
    let address = match family {
        Family::V4 => IpAddr::V4(u32::try_from(first).ok()?.into()),
        Family::V6 => IpAddr::V6(first.into()),
    };
    IpNet::new(address, length).ok()
}
