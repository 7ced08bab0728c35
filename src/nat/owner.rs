//! Whose a rule is: programs mark theirs by chain names and comments.

use super::eval::TrailStep;

/// Who wrote a rule, and will write it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// Its name.
    pub name: &'static str,
    /// What runs it on the node.
    pub runs_as: &'static str,
}

/// Words that stand in chain names, tables or comments of one program alone.
const SIGNS: &[(&str, Owner)] = &[
    (
        "NodeLocal DNS Cache",
        owner("NodeLocal DNSCache", "DaemonSet kube-system/node-local-dns"),
    ),
    (
        "CNI-HOSTPORT-",
        owner(
            "the CNI plugin portmap",
            "the container runtime, for pods with hostPort",
        ),
    ),
    (
        "CNI-DN-",
        owner(
            "the CNI plugin portmap",
            "the container runtime, for pods with hostPort",
        ),
    ),
    (
        "cni_hostport",
        owner(
            "the CNI plugin portmap",
            "the container runtime, for pods with hostPort",
        ),
    ),
    ("cali-", owner("Calico", "DaemonSet calico-node")),
    ("cali:", owner("Calico", "DaemonSet calico-node")),
    ("CILIUM_", owner("Cilium", "DaemonSet cilium")),
    ("ANTREA-", owner("Antrea", "DaemonSet antrea-agent")),
    (
        "OVN-KUBE-",
        owner("OVN-Kubernetes", "DaemonSet ovnkube-node"),
    ),
    (
        "ovn-kubernetes",
        owner("OVN-Kubernetes", "DaemonSet ovnkube-node"),
    ),
    ("FLANNEL-", owner("Flannel", "DaemonSet kube-flannel-ds")),
    ("flanneld", owner("Flannel", "DaemonSet kube-flannel-ds")),
    ("WEAVE", owner("Weave Net", "DaemonSet weave-net")),
    ("KUBE-ROUTER", owner("kube-router", "DaemonSet kube-router")),
    (
        "KUBE-POD-FW-",
        owner("kube-router", "DaemonSet kube-router"),
    ),
    (
        "KUBE-NWPLCY-",
        owner("kube-router", "DaemonSet kube-router"),
    ),
    ("AZURE-NPM", owner("Azure NPM", "DaemonSet azure-npm")),
    ("AWS-SNAT-CHAIN", owner("AWS VPC CNI", "DaemonSet aws-node")),
    ("AWS-CONNMARK", owner("AWS VPC CNI", "DaemonSet aws-node")),
    ("IP-MASQ", owner("ip-masq-agent", "DaemonSet ip-masq-agent")),
    ("KIND-MASQ-AGENT", owner("kindnet", "DaemonSet kindnet")),
    (
        "ISTIO_",
        owner("Istio", "istio-init, or DaemonSet istio-cni-node"),
    ),
    (
        "PROXY_INIT_",
        owner("Linkerd", "linkerd-init, or DaemonSet linkerd-cni"),
    ),
    ("DOCKER", owner("Docker", "dockerd on the node")),
    ("NETAVARK", owner("Podman", "podman on the node")),
    ("firewalld", owner("firewalld", "firewalld on the node")),
    ("ufw-", owner("ufw", "ufw on the node")),
    ("f2b-", owner("fail2ban", "fail2ban on the node")),
    ("LOCALINPUT", owner("csf", "csf on the node")),
    ("LOCALOUTPUT", owner("csf", "csf on the node")),
    ("ts-", owner("Tailscale", "tailscaled on the node")),
    ("LIBVIRT_", owner("libvirt", "libvirtd on the node")),
    ("KUBE-FIREWALL", owner("the kubelet", "the kubelet")),
    ("KUBE-", owner("kube-proxy", "DaemonSet kube-proxy")),
];

const fn owner(name: &'static str, runs_as: &'static str) -> Owner {
    Owner { name, runs_as }
}

impl Owner {
    /// The owner of a rule, as far as its table, chain and text tell.
    #[must_use]
    pub fn of(rule: &TrailStep) -> Option<Self> {
        let starts = |sign: &str| rule.chain.starts_with(sign) || rule.table.contains(sign);
        let says = |sign: &str| {
            let mut at = rule.text.match_indices(sign);
            at.any(|(at, _)| rule.text[..at].ends_with([' ', '"', '(']))
        };
        let named = SIGNS.iter().find(|(sign, _)| starts(sign));
        let named = named.or_else(|| SIGNS.iter().find(|(sign, _)| says(sign)));
        named.map(|(_, owner)| *owner)
    }
}
