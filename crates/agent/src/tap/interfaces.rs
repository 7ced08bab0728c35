//! What the interfaces of a node are to its pods.

use std::collections::BTreeMap;

use crate::facts::Links;
use crate::netlink::LinkMessage;
use crate::netlink::numbers::{
    ARPHRD_LOOPBACK, IFLA_IFNAME, IFLA_INFO_KIND, IFLA_LINK_NETNSID, IFLA_LINKINFO,
};
use netpath_protocol::tap::Role;

/// Kinds of links that carry packets inside packets.
const TUNNELS: [&str; 9] = [
    "vxlan",
    "geneve",
    "ipip",
    "ip6tnl",
    "sit",
    "gre",
    "gretap",
    "wireguard",
    "tun",
];

/// Names and roles by index.
pub(super) struct Interfaces(BTreeMap<u32, (String, Role)>);

// === impl Interfaces ===

impl Interfaces {
    /// Asks the kernel; without an answer numbers have to do for names.
    pub(super) fn read() -> Self {
        let Ok(links) = Links::read() else {
            return Self(BTreeMap::new());
        };
        let all = links.all().filter_map(|link| {
            let name = link.attributes().text(IFLA_IFNAME)?.to_owned();
            Some((link.header.index, (name, role(link, &links))))
        });
        Self(all.collect())
    }

    /// The name and role of an interface; one that is new is asked for.
    pub(super) fn get(&mut self, index: u32) -> (String, Role) {
        if !self.0.contains_key(&index) {
            self.0.extend(Self::read().0);
        }
        let unknown = || (format!("#{index}"), Role::Uplink);
        self.0.get(&index).cloned().unwrap_or_else(unknown)
    }
}

/// What a link is: a pod's cable ends in another network namespace, and its end here is in no network: it has
/// no address, or one for itself alone.
fn role(link: &LinkMessage, links: &Links) -> Role {
    let all = link.attributes();
    let kind = all.within(IFLA_LINKINFO).text(IFLA_INFO_KIND);
    let is_full = |length| length == 32 || length == 128;
    let mut own = links.addresses_of(link.header.index);
    let in_network = own.any(|(ip, length)| {
        let is_link_local = match ip {
            std::net::IpAddr::V4(ip) => ip.is_link_local(),
            std::net::IpAddr::V6(ip) => ip.is_unicast_link_local(),
        };
        !is_link_local && !is_full(length)
    });
    match kind {
        _ if link.header.layer == ARPHRD_LOOPBACK => Role::Loopback,
        Some("bridge" | "openvswitch") => Role::Bridge,
        Some(kind) if TUNNELS.contains(&kind) => Role::Tunnel,
        Some("veth" | "netkit") if all.has(IFLA_LINK_NETNSID) && !in_network => Role::PodVeth,
        _ => Role::Uplink,
    }
}
