//! Pod traffic between nodes in VXLAN, wired as flannel wires it: one interface with VNI 1 on UDP
//! 8472, a permanent neighbour and a forwarding entry per peer, and a route through it.

use std::net::IpAddr;

use anyhow::Result;

use super::Ns;
use super::plan::{NodePlan, Plan};

/// flannel's name for it: VNI 1.
const DEVICE: &str = "flannel.1";

/// The lines of `ip` for a node's tunnel interface. IPv4 only, as the recorded overlay.
pub fn interface(node: &NodePlan, plan: &Plan) -> Vec<String> {
    let Some((own, local)) = ends(node) else {
        return Vec::new();
    };
    let mut lines = vec![
        format!(
            "link add {DEVICE} address {} mtu {} type vxlan id 1 local {local} dev eth0 dstport 8472 nolearning",
            hardware(own),
            plan.links.overlay(&node.host.name)
        ),
        format!("addr add {own}/32 dev {DEVICE}"),
        format!("link set {DEVICE} up"),
    ];
    for peer in peers(node, plan) {
        if let Some((remote, _)) = ends(peer) {
            let range = peer.pods[0];
            let address = hardware(remote);
            lines.push(format!(
                "neigh add {remote} lladdr {address} dev {DEVICE} nud permanent"
            ));
            lines.push(format!(
                "route add {range} via {remote} dev {DEVICE} onlink"
            ));
        }
    }
    lines
}

/// Tells the interface at which host each peer's end is.
pub fn forwarding(ns: &Ns, node: &NodePlan, plan: &Plan) -> Result<()> {
    let entries = peers(node, plan)
        .filter_map(ends)
        .map(|(remote, host)| format!("fdb append {} dev {DEVICE} dst {host}\n", hardware(remote)));
    let entries: String = entries.collect();
    ns.must("bridge", &["-batch", "-"], &entries)?;
    Ok(())
}

fn peers<'a>(node: &'a NodePlan, plan: &'a Plan) -> impl Iterator<Item = &'a NodePlan> {
    plan.nodes
        .iter()
        .filter(|peer| peer.host.name != node.host.name)
}

/// The address of the tunnel end (the first of the podCIDR) and of the host that carries it.
fn ends(node: &NodePlan) -> Option<(IpAddr, IpAddr)> {
    let range = node.pods.iter().find(|range| range.addr().is_ipv4())?;
    Some((range.network(), node.host.address(range.addr())?))
}

/// The hardware address made from an IPv4 address, `0a:58` and its four bytes.
pub(super) fn hardware(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("0a:58:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
        }
        IpAddr::V6(_) => "0a:58:00:00:00:01".to_owned(),
    }
}
