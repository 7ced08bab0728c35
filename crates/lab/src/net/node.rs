//! One node: a host with a bridge for its pods, routes to the other nodes' pods, and the settings
//! and rules that kubelet and the CNI plugins make.

use std::net::IpAddr;

use anyhow::Result;
use ipnet::IpNet;

use super::overlay::hardware;
use super::plan::{Host, NodePlan, Plan, Transport};
use super::{Ns, overlay};

/// The bridge pods hang on, as the `bridge` CNI plugin names it by default.
pub const BRIDGE: &str = "cni0";

/// Plugs a host into the fabric and gives it its addresses.
pub fn plug(fabric: &Ns, ns: &Ns, host: &Host, mtu: u16) -> Result<()> {
    let port = format!("p-{}", host.name);
    fabric.ip(&[
        format!(
            "link add {port} mtu {mtu} master br0 type veth peer name eth0 netns {}",
            ns.name()
        ),
        format!("link set {port} up"),
    ])?;
    let mut lines = vec![format!("link set eth0 mtu {mtu} up")];
    lines.extend(host.addresses.iter().map(|address| match address {
        IpAddr::V4(_) => format!("addr add {address}/24 dev eth0"),
        IpAddr::V6(_) => format!("addr add {address}/64 dev eth0 nodad"),
    }));
    ns.ip(&lines)
}

/// Makes a plugged host a node.
pub fn furnish(ns: &Ns, node: &NodePlan, plan: &Plan) -> Result<()> {
    ns.sysctl(&[
        ("net/ipv4/ip_forward", "1"),
        ("net/ipv4/conf/all/rp_filter", "0"),
        ("net/ipv4/conf/default/rp_filter", "0"),
        (
            "net/ipv6/conf/all/forwarding",
            if dual(plan) { "1" } else { "0" },
        ),
        ("net/bridge/bridge-nf-call-iptables", "1"),
        ("net/bridge/bridge-nf-call-ip6tables", "1"),
    ])?;
    let mtu = plan.links.pods(&node.host.name, plan.transport);
    let mut lines = vec![
        // Only one that was changed stays as it is, whatever is plugged in later.
        format!("link add {BRIDGE} mtu {} type bridge", mtu - 1),
        format!("link set {BRIDGE} mtu {mtu} up"),
    ];
    // Set by hand, as the plugin does it: else it changes with the ports, and pods keep the old one for a while.
    let first = node.pods.iter().find(|range| range.addr().is_ipv4());
    lines.extend(first.map(|range| {
        let address = hardware(gateway(range));
        format!("link set {BRIDGE} address {address}")
    }));
    for range in &node.pods {
        let nodad = if range.addr().is_ipv6() { " nodad" } else { "" };
        let (gateway, length) = (gateway(range), range.prefix_len());
        lines.push(format!("addr add {gateway}/{length} dev {BRIDGE}{nodad}"));
    }
    for address in plan.outside.addresses.iter().filter(|one| one.is_ipv4()) {
        lines.push(format!("route add default via {address}"));
    }
    match plan.transport {
        Transport::Routes => lines.extend(peer_routes(node, plan)),
        Transport::Vxlan => lines.extend(overlay::interface(node, plan)),
    }
    ns.ip(&lines)?;
    if plan.transport == Transport::Vxlan {
        overlay::forwarding(ns, node, plan)?;
    }
    Ok(())
}

/// The first address of a podCIDR, which the bridge carries.
pub fn gateway(range: &IpNet) -> IpAddr {
    match range {
        IpNet::V4(range) => (u32::from(range.network()) + 1).to_be_bytes().into(),
        IpNet::V6(range) => (u128::from(range.network()) + 1).to_be_bytes().into(),
    }
}

/// What kubelet and the CNI configuration keep in iptables, as input of `iptables-restore`.
///
/// Source: kubelet of v1.36 (KUBE-FIREWALL, the canary and the hint of which backend is in use).
pub fn host_rules(cluster: &IpNet) -> String {
    let local = match cluster {
        IpNet::V4(_) => {
            "-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment \"block incoming localnet connections\" \
             -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP\n-A INPUT -j KUBE-FIREWALL\n-A OUTPUT -j KUBE-FIREWALL\n"
        }
        IpNet::V6(_) => "",
    };
    let firewall = if local.is_empty() {
        ""
    } else {
        ":KUBE-FIREWALL - [0:0]\n"
    };
    format!(
        "*mangle\n:KUBE-IPTABLES-HINT - [0:0]\n:KUBE-KUBELET-CANARY - [0:0]\nCOMMIT\n\
         *filter\n{firewall}:KUBE-KUBELET-CANARY - [0:0]\n{local}COMMIT\n\
         *nat\n:KUBE-KUBELET-CANARY - [0:0]\n\
         -A POSTROUTING -s {cluster} ! -d {cluster} -m comment --comment \"lab pod egress\" -j MASQUERADE\nCOMMIT\n"
    )
}

fn peer_routes(node: &NodePlan, plan: &Plan) -> Vec<String> {
    let peers = plan
        .nodes
        .iter()
        .filter(|peer| peer.host.name != node.host.name);
    let routes = peers.flat_map(|peer| peer.pods.iter().map(move |range| (peer, range)));
    routes
        .filter_map(|(peer, range)| {
            let via = peer.host.address(range.addr())?;
            Some(format!("route add {range} via {via}"))
        })
        .collect()
}

fn dual(plan: &Plan) -> bool {
    plan.nodes.iter().any(|node| node.pods.len() > 1)
}
