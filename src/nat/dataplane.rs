//! Who else programs a node, and what its rules can and cannot tell.
//!
//! Everybody leaves signs: chain names, tables, sets, interfaces. Some only filter beside kube-proxy,
//! some serve Services themselves, in rules (then they are walked like all others) or in maps and
//! flows that no rule dump holds.

use crate::nat::model::{Backend, Ruleset, Table};
use crate::route::Host;

/// A program that shapes packets on nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dataplane {
    Calico,
    CalicoEbpf,
    Cilium,
    Flannel,
    KubeRouter,
    Antrea,
    OvnKubernetes,
    Kindnet,
    KubeNetworkPolicies,
    AwsVpcCni,
    IpMasqAgent,
    NodeLocalDns,
    Istio,
    IstioAmbient,
    Linkerd,
    PortMap,
    BridgeIpMasq,
    Docker,
    Netavark,
    Firewalld,
    Ufw,
}

/// What a program does with Services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServesServices {
    /// Leaves them to kube-proxy.
    No,
    /// Where kube-proxy is absent, in rules that can be walked.
    InRules,
    /// Where kube-proxy is absent, in BPF maps or flows that no rule dump shows.
    OutOfSight,
}

/// A program that was recognised, by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognised {
    pub dataplane: Dataplane,
    pub evidence: Vec<String>,
}

/// Where a sign shows.
enum Sign {
    /// A chain whose name begins so, in any table.
    Chain(&'static str),
    /// A native nftables table of this name.
    Table(&'static str),
    Ipset(&'static str),
    /// An interface whose name begins so.
    Link(&'static str),
}

/// The catalogue. Interface names are only taken where nobody else uses them.
const SIGNS: &[(Dataplane, Sign)] = &[
    (Dataplane::Calico, Sign::Chain("cali-")),
    (Dataplane::Calico, Sign::Table("calico")),
    (Dataplane::Calico, Sign::Ipset("cali40")),
    (Dataplane::Calico, Sign::Link("vxlan.calico")),
    (Dataplane::CalicoEbpf, Sign::Link("bpfin.cali")),
    (Dataplane::CalicoEbpf, Sign::Link("bpfout.cali")),
    (Dataplane::Cilium, Sign::Chain("CILIUM_")),
    (Dataplane::Cilium, Sign::Link("cilium_")),
    (Dataplane::Flannel, Sign::Chain("FLANNEL-")),
    (Dataplane::Flannel, Sign::Table("flannel-ipv4")),
    (Dataplane::Flannel, Sign::Table("flannel-ipv6")),
    (Dataplane::Flannel, Sign::Link("flannel.")),
    (Dataplane::KubeRouter, Sign::Chain("KUBE-ROUTER-")),
    (Dataplane::KubeRouter, Sign::Chain("KUBE-POD-FW-")),
    (Dataplane::KubeRouter, Sign::Chain("KUBE-NWPLCY-")),
    (Dataplane::KubeRouter, Sign::Ipset("kube-router-")),
    (Dataplane::KubeRouter, Sign::Link("kube-dummy-if")),
    (Dataplane::Antrea, Sign::Chain("ANTREA-")),
    (Dataplane::Antrea, Sign::Link("antrea-gw")),
    (Dataplane::OvnKubernetes, Sign::Table("ovn-kubernetes")),
    (Dataplane::OvnKubernetes, Sign::Chain("OVN-KUBE-")),
    (Dataplane::OvnKubernetes, Sign::Link("ovn-k8s-mp")),
    (Dataplane::Kindnet, Sign::Table("kindnet-")),
    (Dataplane::Kindnet, Sign::Chain("KIND-MASQ-AGENT")),
    (
        Dataplane::KubeNetworkPolicies,
        Sign::Table("kube-network-policies"),
    ),
    (Dataplane::AwsVpcCni, Sign::Chain("AWS-SNAT-CHAIN-")),
    (Dataplane::AwsVpcCni, Sign::Chain("AWS-CONNMARK-CHAIN-")),
    (Dataplane::IpMasqAgent, Sign::Chain("IP-MASQ")),
    (Dataplane::NodeLocalDns, Sign::Link("nodelocaldns")),
    (Dataplane::Istio, Sign::Chain("ISTIO_INBOUND")),
    (Dataplane::Istio, Sign::Chain("ISTIO_OUTPUT")),
    (Dataplane::IstioAmbient, Sign::Chain("ISTIO_PRERT")),
    (Dataplane::Linkerd, Sign::Chain("PROXY_INIT_")),
    (Dataplane::PortMap, Sign::Chain("CNI-HOSTPORT-")),
    (Dataplane::PortMap, Sign::Table("cni_hostport")),
    (Dataplane::Docker, Sign::Chain("DOCKER")),
    (Dataplane::Netavark, Sign::Chain("NETAVARK_")),
    (Dataplane::Netavark, Sign::Table("netavark")),
    (Dataplane::Firewalld, Sign::Table("firewalld")),
    (Dataplane::Ufw, Sign::Chain("ufw-")),
];

/// Adds what is known from elsewhere to what was recognised, in the same order.
#[must_use]
pub fn join(mut found: Vec<Recognised>, more: Vec<Recognised>) -> Vec<Recognised> {
    for one in more {
        match found
            .iter_mut()
            .find(|known| known.dataplane == one.dataplane)
        {
            Some(known) => known.evidence.extend(one.evidence),
            None => found.push(one),
        }
    }
    found.sort_by_key(|one| one.dataplane);
    found
}

/// Everybody who left a sign, in a fixed order.
#[must_use]
pub fn recognise(rules: Option<&Ruleset>, host: &Host) -> Vec<Recognised> {
    let mut found: Vec<Recognised> = Vec::new();
    let mut add = |dataplane, evidence: String| {
        let known = found.iter_mut().find(|one| one.dataplane == dataplane);
        match known {
            Some(one) => one.evidence.push(evidence),
            None => found.push(Recognised {
                dataplane,
                evidence: vec![evidence],
            }),
        }
    };
    for (dataplane, sign) in SIGNS {
        if let Some(evidence) = shows(sign, rules, host) {
            add(*dataplane, evidence);
        }
    }
    if let Some(chain) = rules.and_then(bridge_chain) {
        add(Dataplane::BridgeIpMasq, format!("chain {chain}"));
    }
    found.sort_by_key(|one| one.dataplane);
    found
}

fn shows(sign: &Sign, rules: Option<&Ruleset>, host: &Host) -> Option<String> {
    match sign {
        Sign::Chain(prefix) => rules?.tables.iter().find_map(|table| {
            let mut names = table.named_chains().map(|(name, _)| name);
            let name = names.find(|name| name.starts_with(prefix))?;
            Some(format!("chain {name} in table {}", table.title()))
        }),
        Sign::Table(prefix) => rules?
            .tables
            .iter()
            .find(|table| table.backend == Backend::Nftables && table.name.starts_with(prefix))
            .map(|table| format!("table {}", table.title())),
        Sign::Ipset(prefix) => rules?
            .ipsets
            .as_ref()?
            .keys()
            .find(|name| name.starts_with(prefix))
            .map(|name| format!("ipset {name}")),
        Sign::Link(prefix) => host
            .links
            .iter()
            .flatten()
            .find(|link| link.name.starts_with(prefix))
            .map(|link| format!("interface {}", link.name)),
    }
}

/// The bridge plugin of CNI names a chain per pod `CNI-` and 24 hexadecimal digits.
fn bridge_chain(rules: &Ruleset) -> Option<&str> {
    let chains = rules.tables.iter().flat_map(Table::named_chains);
    chains.map(|(name, _)| name).find(|name| {
        name.strip_prefix("CNI-").is_some_and(|rest| {
            rest.len() == 24 && rest.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    })
}

// === impl Dataplane ===

impl Dataplane {
    /// Whether it puts programs of its own on interfaces.
    #[must_use]
    pub const fn attaches_programs(self) -> bool {
        matches!(
            self,
            Self::Calico
                | Self::CalicoEbpf
                | Self::Cilium
                | Self::Antrea
                | Self::AwsVpcCni
                | Self::Kindnet
                | Self::IstioAmbient
        )
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Calico => "Calico",
            Self::CalicoEbpf => "Calico eBPF",
            Self::Cilium => "Cilium",
            Self::Flannel => "Flannel",
            Self::KubeRouter => "kube-router",
            Self::Antrea => "Antrea",
            Self::OvnKubernetes => "OVN-Kubernetes",
            Self::Kindnet => "kindnet",
            Self::KubeNetworkPolicies => "kube-network-policies",
            Self::AwsVpcCni => "AWS VPC CNI",
            Self::IpMasqAgent => "ip-masq-agent",
            Self::NodeLocalDns => "NodeLocal DNSCache",
            Self::Istio => "Istio sidecar",
            Self::IstioAmbient => "Istio ambient",
            Self::Linkerd => "Linkerd",
            Self::PortMap => "CNI portmap",
            Self::BridgeIpMasq => "CNI bridge",
            Self::Docker => "Docker",
            Self::Netavark => "Podman (netavark)",
            Self::Firewalld => "firewalld",
            Self::Ufw => "ufw",
        }
    }

    /// Where Services are served when kube-proxy's rules are not there.
    #[must_use]
    pub const fn serves_services(self) -> ServesServices {
        match self {
            Self::Cilium | Self::CalicoEbpf | Self::Antrea | Self::OvnKubernetes => {
                ServesServices::OutOfSight
            }
            Self::KubeRouter => ServesServices::InRules,
            _ => ServesServices::No,
        }
    }

    /// What can be concluded from a rule dump where it is at work, and what cannot.
    #[must_use]
    pub const fn conclusion(self) -> &'static str {
        match self {
            Self::Calico => {
                "its policy is in cali- chains and ipsets and is walked; give ipset save too"
            }
            Self::CalicoEbpf => {
                "Services and policy are in BPF maps: rules neither prove nor exclude a fault; see `calico-node -bpf nat dump`"
            }
            Self::Cilium => {
                "policy, and Services if it replaces kube-proxy, are in BPF maps: rules neither prove nor exclude a fault; see `cilium-dbg service list` and `cilium-dbg bpf policy get`"
            }
            Self::Flannel => {
                "its forwarding and masquerading rules are walked; it leaves Services to kube-proxy"
            }
            Self::KubeRouter => {
                "its policy chains are walked; where kube-proxy is absent its Services are IPVS virtual servers (give ipvsadm-save -n)"
            }
            Self::Antrea => {
                "pod traffic, policy and Services are Open vSwitch flows: rules say only what masquerades at the node's edge; see `antctl get ovsflows`"
            }
            Self::OvnKubernetes => {
                "Services and policy are OVN load balancers and ACLs: rules say only how node ports enter; see `ovn-nbctl lb-list` and `ovn-trace`"
            }
            Self::Kindnet | Self::KubeNetworkPolicies => {
                "policy is decided by a program in userspace (queue): rules do not say its verdict"
            }
            Self::AwsVpcCni => {
                "its source translation is walked; which interface a pod leaves by is in policy routing (give ip rule and all tables)"
            }
            Self::IpMasqAgent => "its list of ranges that keep their source is walked",
            Self::NodeLocalDns => {
                "DNS traffic to its addresses is not tracked and ends on the node: kube-proxy's rules for kube-dns do not apply to it"
            }
            Self::Istio | Self::Linkerd => {
                "traffic goes through a proxy in the pod: its further handling is not defined by rules"
            }
            Self::IstioAmbient => {
                "traffic goes through ztunnel on the node: its further handling is not defined by rules"
            }
            Self::PortMap => {
                "host ports are rules and are walked; a host port equal to a NodePort takes it where its rule comes first"
            }
            Self::BridgeIpMasq => "masquerading per pod is in rules and is walked",
            Self::Docker | Self::Netavark => {
                "its rules are walked; it sets the policy of FORWARD to DROP, which stops pods that nothing accepts"
            }
            Self::Firewalld | Self::Ufw => {
                "a host firewall: its rules are walked like all others, and act on pod traffic too"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nat::read::read_iptables;

    fn names(chains: &str) -> Vec<Dataplane> {
        let declared: Vec<String> = chains
            .split(' ')
            .map(|name| format!(":{name} - [0:0]\n"))
            .collect();
        let mut rules = Ruleset::default();
        let text = format!("*nat\n{}COMMIT\n", declared.concat());
        read_iptables(&mut rules, text, None, false).unwrap();
        let found = recognise(Some(&rules), &Host::default());
        found.iter().map(|one| one.dataplane).collect()
    }

    #[test]
    fn chains_give_their_makers_away() {
        assert_eq!(names("KUBE-SERVICES KUBE-SVC-A"), []);
        assert_eq!(
            names("cali-FORWARD CILIUM_INPUT"),
            [Dataplane::Calico, Dataplane::Cilium]
        );
        assert_eq!(
            names("CNI-HOSTPORT-DNAT CNI-0123456789abcdef01234567 DOCKER-USER"),
            [
                Dataplane::PortMap,
                Dataplane::BridgeIpMasq,
                Dataplane::Docker
            ]
        );
        assert_eq!(names("CNI-DN-0123456789abcdef01234"), []);
    }
}
