//! The network of one pod: a namespace and a cable to its node's bridge, as the `bridge` CNI plugin
//! and `host-local` leave them.

use std::net::IpAddr;

use anyhow::Result;
use ipnet::IpNet;

use super::Ns;
use super::node::{BRIDGE, gateway};
use super::plan::{NodePlan, Plan};

/// A pod's end of the network.
#[derive(Debug, Clone)]
pub struct PodWire {
    pub ns: Ns,
    /// The node's end of the cable.
    pub veth: String,
    pub node: String,
    pub addresses: Vec<IpAddr>,
}

// === impl PodWire ===

impl PodWire {
    /// Makes the namespace of `namespace/name` and plugs it into its node.
    pub fn plug(
        key: &str,
        node_ns: &Ns,
        node: &NodePlan,
        plan: &Plan,
        addresses: &[IpAddr],
    ) -> Result<Self> {
        let ns = Ns::create(&key.replace('/', "_"))?;
        let veth = format!("veth{:08x}", fingerprint(key));
        let mtu = plan.links.pod(key, &node.host.name, plan.transport);
        node_ns.ip(&[
            format!(
                "link add {veth} mtu {mtu} type veth peer name eth0 mtu {mtu} netns {}",
                ns.name()
            ),
            format!("link set {veth} master {BRIDGE} up"),
            format!("link set {veth} type bridge_slave hairpin on"),
        ])?;
        let mut lines = vec!["link set eth0 up".to_owned()];
        for address in addresses {
            let Some(range) = node.pods.iter().find(|range| same_family(range, *address)) else {
                continue;
            };
            let nodad = if address.is_ipv6() { " nodad" } else { "" };
            lines.push(format!(
                "addr add {address}/{} dev eth0{nodad}",
                range.prefix_len()
            ));
            lines.push(format!("route add default via {}", gateway(range)));
        }
        ns.ip(&lines)?;
        // containerd's defaults (enable_unprivileged_ports, enable_unprivileged_icmp); the lab maps
        // every user to one, so the range of groups is that one.
        ns.sysctl(&[
            ("net/ipv4/ip_unprivileged_port_start", "0"),
            ("net/ipv4/ping_group_range", "0 0"),
        ])?;
        Ok(Self {
            ns,
            veth,
            node: node.host.name.clone(),
            addresses: addresses.to_vec(),
        })
    }

    /// Pulls the plug. The namespace itself ends with the last process or socket in it.
    pub fn unplug(&self, node_ns: &Ns) {
        let _ = node_ns.ip(&[format!("link del {}", self.veth)]);
        self.ns.forget();
    }
}

/// The next free address of a node's range after the last one given, as `host-local` does it: `.2` and
/// up, the gateway has `.1`.
pub fn next_address(
    range: &IpNet,
    last: Option<IpAddr>,
    taken: &dyn Fn(IpAddr) -> bool,
) -> Option<IpAddr> {
    let hosts = || -> Box<dyn Iterator<Item = IpAddr>> {
        match range {
            IpNet::V4(range) => Box::new(range.hosts().map(IpAddr::V4).skip(1)),
            IpNet::V6(range) => Box::new(range.hosts().map(IpAddr::V6).skip(2)),
        }
    };
    let later = hosts().filter(|address| last.is_none_or(|last| *address > last));
    let mut free = later.take(1 << 16).filter(|address| !taken(*address));
    free.next()
        .or_else(|| hosts().take(1 << 16).find(|address| !taken(*address)))
}

fn same_family(range: &IpNet, address: IpAddr) -> bool {
    range.addr().is_ipv4() == address.is_ipv4()
}

/// FNV-1a: a stable number for a name.
pub fn fingerprint(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}
