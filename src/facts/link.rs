//! `ip -j -d addr`: interfaces and their addresses.

use std::net::IpAddr;

use serde::Deserialize;
use serde_json::Value;

use super::plain::Listing;
use super::{BadFact, listed};

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub index: u32,
    pub name: String,
    /// `UP`: somebody switched it on.
    pub is_up: bool,
    /// `LOWER_UP`: the other end is there. True where the tool does not say.
    pub has_carrier: bool,
    pub mtu: u32,
    pub mac: Option<String>,
    /// The bridge or bond it is a port of.
    pub master: Option<String>,
    /// The index of the other end of a veth pair.
    pub peer_index: Option<u32>,
    pub kind: LinkKind,
    /// For a bridge: whether it calls iptables and ip6tables for itself, whatever the sysctl says.
    pub calls_filters: [bool; 2],
    pub addresses: Vec<LinkAddress>,
}

/// An address with its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkAddress {
    pub ip: IpAddr,
    pub prefix: u8,
    /// Not `link` or `host`: fit to leave this link.
    pub is_global: bool,
}

/// What an interface is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkKind {
    Loopback,
    Veth,
    Bridge,
    Overlay(Overlay),
    /// Any other `info_kind`; empty for hardware.
    Other(String),
}

/// A tunnel that carries pod traffic between nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    /// `vxlan`, `geneve`, `ipip`, `sit`, `gre`, `wireguard` …
    pub kind: String,
    /// Virtual network identifier.
    pub id: Option<u64>,
    /// UDP port.
    pub port: Option<u16>,
    /// The address that the outer packets come from.
    pub local: Option<IpAddr>,
    /// The interface that carries the outer packets.
    pub carrier: Option<String>,
    /// Where frames go that no forwarding entry knows: one peer, or a multicast group.
    pub default_peer: Option<IpAddr>,
    /// Whether somebody else (eBPF, Open vSwitch) decides packet by packet where they go.
    pub is_external: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawLink {
    ifindex: u32,
    ifname: String,
    flags: Vec<String>,
    mtu: u32,
    address: Option<String>,
    master: Option<String>,
    link_index: Option<u32>,
    link_type: String,
    linkinfo: Info,
    addr_info: Vec<RawAddress>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Info {
    info_kind: String,
    info_data: Value,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawAddress {
    local: Option<IpAddr>,
    prefixlen: u8,
    scope: String,
}

/// Reads `ip -j addr` (with `-d`, also what the interfaces are made of).
///
/// # Errors
/// When the text is no JSON list of interfaces.
pub fn links(text: &str) -> Result<Vec<Link>, BadFact> {
    let raw: Vec<RawLink> = listed(Listing::Addresses, "ip -j addr", text)?;
    let named = raw.into_iter().filter(|link| !link.ifname.is_empty());
    Ok(named.map(Link::from).collect())
}

// === impl Link ===

impl From<RawLink> for Link {
    fn from(raw: RawLink) -> Self {
        let flag = |name: &str| raw.flags.iter().any(|flag| flag == name);
        let is_up = flag("UP");
        let kind = LinkKind::of(&raw);
        let calls = |key: &str| {
            let value = raw.linkinfo.info_data.get(key);
            value.and_then(Value::as_u64) == Some(1)
        };
        let calls_filters = ["nf_call_iptables", "nf_call_ip6tables"].map(calls);
        // `eth0@if5` stands for eth0 in the text form; JSON has the name alone.
        Self {
            index: raw.ifindex,
            is_up,
            has_carrier: is_up && !flag("NO-CARRIER"),
            mtu: raw.mtu,
            mac: raw.address,
            master: raw.master,
            peer_index: raw.link_index,
            kind,
            calls_filters,
            addresses: raw
                .addr_info
                .into_iter()
                .filter_map(|address| {
                    Some(LinkAddress {
                        ip: address.local?,
                        prefix: address.prefixlen,
                        is_global: !matches!(
                            address.scope.as_str(),
                            "link" | "host" | "253" | "254"
                        ),
                    })
                })
                .collect(),
            name: raw.ifname,
        }
    }
}

impl Link {
    /// The tunnel it is, if it is one.
    #[must_use]
    pub const fn overlay(&self) -> Option<&Overlay> {
        match &self.kind {
            LinkKind::Overlay(overlay) => Some(overlay),
            _ => None,
        }
    }

    /// Whether one of its addresses is `ip`.
    #[must_use]
    pub fn has(&self, ip: IpAddr) -> bool {
        self.addresses.iter().any(|address| address.ip == ip)
    }
}

// === impl LinkAddress ===

impl LinkAddress {
    /// Whether `ip` lies in its prefix.
    #[must_use]
    pub fn covers(&self, ip: IpAddr) -> bool {
        ipnet::IpNet::new(self.ip, self.prefix).is_ok_and(|net| net.contains(&ip))
    }
}

// === impl LinkKind ===

impl LinkKind {
    fn of(raw: &RawLink) -> Self {
        let data = &raw.linkinfo.info_data;
        match raw.linkinfo.info_kind.as_str() {
            "veth" => Self::Veth,
            "bridge" => Self::Bridge,
            kind @ ("vxlan" | "geneve" | "ipip" | "sit" | "gre" | "ip6gre" | "gretap"
            | "ip6tnl" | "wireguard") => Self::Overlay(Overlay {
                kind: kind.to_owned(),
                id: data.get("id").and_then(Value::as_u64),
                port: data
                    .get("port")
                    .and_then(Value::as_u64)
                    .and_then(|port| port.try_into().ok()),
                local: ["local", "local6"]
                    .iter()
                    .find_map(|key| data.get(key)?.as_str()?.parse().ok()),
                carrier: data
                    .get("link")
                    .and_then(Value::as_str)
                    .map(ToOwned::to_owned),
                default_peer: ["remote", "group", "remote6", "group6"]
                    .iter()
                    .find_map(|key| data.get(key)?.as_str()?.parse().ok()),
                is_external: data
                    .get("external")
                    .is_some_and(|value| value.as_bool() != Some(false)),
            }),
            "" if raw.link_type == "loopback" => Self::Loopback,
            // Without -d the name is all there is to go by.
            "" if raw.ifname == "flannel.1" || raw.ifname == "vxlan.calico" => {
                Self::Overlay(Overlay {
                    kind: "vxlan".to_owned(),
                    id: None,
                    port: None,
                    local: None,
                    carrier: None,
                    default_peer: None,
                    is_external: false,
                })
            }
            kind => Self::Other(kind.to_owned()),
        }
    }
}

// === impl Overlay ===

impl Overlay {
    /// How many bytes the tunnel adds to each packet when its outer packets are IPv4 (or IPv6): outer
    /// header, and for VXLAN and Geneve UDP, their own header and the inner Ethernet header (RFC 7348,
    /// RFC 8926 without options); WireGuard adds UDP, its header and tag.
    #[must_use]
    pub fn overhead(&self, outer_is_v6: bool) -> u32 {
        let outer = if outer_is_v6 { 40 } else { 20 };
        outer
            + match self.kind.as_str() {
                "vxlan" | "geneve" => 8 + 8 + 14,
                "wireguard" => 8 + 32,
                "gre" | "ip6gre" => 4,
                "gretap" => 4 + 14,
                _ => 0,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_vxlan_and_a_port_of_a_bridge() {
        let text = r#"[{},{"ifindex":11,"ifname":"flannel.1","flags":["BROADCAST"],"mtu":1450,
            "address":"0a:58:0a:f4:01:00","linkinfo":{"info_kind":"vxlan","info_data":{"id":1,
            "local":"172.30.0.11","link":"eth0","port":8472}},"addr_info":[{"family":"inet",
            "local":"10.244.1.0","prefixlen":32,"scope":"global"}]},
            {"ifindex":4,"link_index":2,"ifname":"veth1","master":"cni0","flags":["UP","LOWER_UP"],
            "mtu":1500,"linkinfo":{"info_kind":"veth"},"addr_info":[{"family":"inet6",
            "local":"fe80::1","prefixlen":64,"scope":"link"}]}]"#;
        let links = links(text).unwrap();
        let vxlan = links[0].overlay().unwrap();
        assert!(!links[0].is_up);
        assert_eq!(
            (vxlan.id, vxlan.port, vxlan.carrier.as_deref()),
            (Some(1), Some(8472), Some("eth0"))
        );
        assert_eq!((vxlan.overhead(false), vxlan.overhead(true)), (50, 70));
        assert_eq!(links[1].master.as_deref(), Some("cni0"));
        assert!(links[1].has_carrier && !links[1].addresses[0].is_global);
    }

    #[test]
    fn what_is_no_list_is_an_error_and_nothing_is_empty() {
        assert!(super::links("Cannot open").is_err());
        assert_eq!(super::links(" \n").unwrap(), []);
    }
}
