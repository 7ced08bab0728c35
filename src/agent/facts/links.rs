//! Interfaces over rtnetlink, in the form of `ip -j -d addr` and `bridge -j -d link`.
//!
//! ```text
//!  RTM_GETLINK + RTM_GETADDR ─► Link ─► ip-addr.json · bridge-link.json · names and MTUs for others
//! ```

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;

use netlink_packet_route::address::{
    AddressAttribute, AddressHeader, AddressMessage, AddressScope,
};
use netlink_packet_route::link::{
    InfoBridgePort, InfoData, InfoGeneve, InfoIpTunnel, InfoPortData, InfoVxlan, LinkAttribute,
    LinkFlags, LinkHeader, LinkInfo, LinkLayerType, LinkMessage,
};
use netlink_sys::protocols::NETLINK_ROUTE;
use serde_json::{Map, Value, json};

use crate::agent::netlink::{Ask, ask};

const RTM_GETLINK: u16 = 18;
const RTM_GETADDR: u16 = 22;

/// Every interface of this network namespace.
pub(in crate::agent) struct Links {
    links: Vec<LinkMessage>,
    addresses: Vec<AddressMessage>,
}

// === impl Links ===

impl Links {
    /// Asks the kernel.
    ///
    /// # Errors
    /// When it does not tell, in words.
    pub(in crate::agent) fn read() -> Result<Self, String> {
        let all = LinkHeader::default();
        let links = ask(NETLINK_ROUTE, RTM_GETLINK, &all, Ask::All)?;
        let all = AddressHeader::default();
        let addresses = ask(NETLINK_ROUTE, RTM_GETADDR, &all, Ask::All)?;
        Ok(Self { links, addresses })
    }

    /// Names by index.
    pub(super) fn names(&self) -> BTreeMap<u32, String> {
        let named = self.links.iter().filter_map(|link| {
            let name = name(link)?;
            Some((link.header.index, name.to_owned()))
        });
        named.collect()
    }

    /// The MTU of the interface that has an address.
    pub(in crate::agent) fn mtu_at(&self, ip: IpAddr) -> Option<u32> {
        let owner = self.addresses.iter().find(|own| local(own) == Some(ip))?;
        let mut links = self.links.iter();
        let link = links.find(|link| link.header.index == owner.header.index)?;
        mtu(link)
    }

    /// `ip -j -d addr`
    pub(super) fn addresses_json(&self) -> String {
        let names = self.names();
        let links = self.links.iter().map(|link| {
            let mut object = described(link, &names);
            let own = self
                .addresses
                .iter()
                .filter(|address| address.header.index == link.header.index);
            let own: Vec<Value> = own.filter_map(address_json).collect();
            object.insert("addr_info".to_owned(), own.into());
            Value::Object(object)
        });
        Value::Array(links.collect()).to_string()
    }

    /// `bridge -j -d link`: those that are ports of a bridge.
    pub(super) fn bridge_ports_json(&self) -> String {
        let names = self.names();
        let ports = self.links.iter().filter_map(|link| {
            let port = bridge_port(link)?;
            let mut object = described(link, &names);
            for one in port {
                match one {
                    InfoBridgePort::State(state) => {
                        object.insert("state".to_owned(), state.to_string().into());
                    }
                    InfoBridgePort::HairpinMode(is_on) => {
                        object.insert("hairpin".to_owned(), (*is_on).into());
                    }
                    _ => {}
                }
            }
            Some(Value::Object(object))
        });
        Value::Array(ports.collect()).to_string()
    }
}

fn name(link: &LinkMessage) -> Option<&str> {
    link.attributes.iter().find_map(|one| match one {
        LinkAttribute::IfName(name) => Some(name.as_str()),
        _ => None,
    })
}

fn mtu(link: &LinkMessage) -> Option<u32> {
    link.attributes.iter().find_map(|one| match one {
        LinkAttribute::Mtu(mtu) => Some(*mtu),
        _ => None,
    })
}

fn bridge_port(link: &LinkMessage) -> Option<&[InfoBridgePort]> {
    let mut infos = link.attributes.iter().filter_map(|one| match one {
        LinkAttribute::LinkInfo(infos) => Some(infos),
        _ => None,
    });
    infos.next()?.iter().find_map(|info| match info {
        LinkInfo::PortData(InfoPortData::BridgePort(port)) => Some(port.as_slice()),
        _ => None,
    })
}

/// What both forms say of an interface.
fn described(link: &LinkMessage, names: &BTreeMap<u32, String>) -> Map<String, Value> {
    let header = &link.header;
    let mut object = Map::new();
    let mut set = |key: &str, value: Value| object.insert(key.to_owned(), value);
    set("ifindex", header.index.into());
    set("flags", flags(header.flags).into());
    if header.link_layer_type == LinkLayerType::Loopback {
        set("link_type", "loopback".into());
    }
    // An index means nothing here if it is one of another network namespace.
    let is_foreign = |one: &LinkAttribute| matches!(one, LinkAttribute::LinkNetNsId(_));
    let is_foreign = link.attributes.iter().any(is_foreign);
    for one in &link.attributes {
        match one {
            LinkAttribute::IfName(name) => set("ifname", name.as_str().into()),
            LinkAttribute::Mtu(mtu) => set("mtu", (*mtu).into()),
            LinkAttribute::Address(bytes) => set("address", mac(bytes).into()),
            LinkAttribute::Controller(index) => set("master", names.get(index).cloned().into()),
            LinkAttribute::Link(index) => {
                if let Some(name) = names.get(index).filter(|_| !is_foreign) {
                    set("link", name.as_str().into());
                }
                set("link_index", (*index).into())
            }
            LinkAttribute::LinkInfo(infos) => set("linkinfo", made_of(infos, names)),
            _ => None,
        };
    }
    object
}

fn flags(flags: LinkFlags) -> Vec<&'static str> {
    let names = [
        (LinkFlags::Broadcast, "BROADCAST"),
        (LinkFlags::Loopback, "LOOPBACK"),
        (LinkFlags::Pointopoint, "POINTOPOINT"),
        (LinkFlags::Noarp, "NOARP"),
        (LinkFlags::Multicast, "MULTICAST"),
        (LinkFlags::Up, "UP"),
        (LinkFlags::LowerUp, "LOWER_UP"),
    ];
    let set = names.iter().filter(|(flag, _)| flags.contains(*flag));
    let mut set: Vec<&str> = set.map(|(_, name)| *name).collect();
    if flags.contains(LinkFlags::Up) && !flags.contains(LinkFlags::Running) {
        set.insert(0, "NO-CARRIER");
    }
    set
}

fn made_of(infos: &[LinkInfo], names: &BTreeMap<u32, String>) -> Value {
    let mut object = Map::new();
    for info in infos {
        match info {
            LinkInfo::Kind(kind) => {
                object.insert("info_kind".to_owned(), kind.to_string().into());
            }
            LinkInfo::Data(data) => {
                object.insert("info_data".to_owned(), tunnel(data, names));
            }
            _ => {}
        }
    }
    Value::Object(object)
}

/// The ends, number and port of a tunnel.
fn tunnel(data: &InfoData, names: &BTreeMap<u32, String>) -> Value {
    let named = |index: &u32| json!(names.get(index));
    let pairs: Vec<(&str, Value)> = match data {
        InfoData::Vxlan(all) => all
            .iter()
            .filter_map(|one| match one {
                InfoVxlan::Id(id) => Some(("id", json!(id))),
                InfoVxlan::Local(ip) => Some(("local", json!(ip))),
                InfoVxlan::Local6(ip) => Some(("local6", json!(ip))),
                InfoVxlan::Port(port) => Some(("port", json!(port))),
                InfoVxlan::Link(index) => Some(("link", named(index))),
                _ => None,
            })
            .collect(),
        InfoData::Geneve(all) => all
            .iter()
            .filter_map(|one| match one {
                InfoGeneve::Id(id) => Some(("id", json!(id))),
                InfoGeneve::Port(port) => Some(("port", json!(port))),
                _ => None,
            })
            .collect(),
        InfoData::IpTunnel(all) => all
            .iter()
            .filter_map(|one| match one {
                InfoIpTunnel::Local(ip) => Some(("local", json!(ip))),
                InfoIpTunnel::Link(index) => Some(("link", named(index))),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect::<Map<_, _>>()
        .into()
}

/// On a point-to-point link the address is that of the other end.
fn local(address: &AddressMessage) -> Option<IpAddr> {
    let own = address.attributes.iter().find_map(|one| match one {
        AddressAttribute::Local(ip) => Some(*ip),
        _ => None,
    });
    own.or_else(|| {
        address.attributes.iter().find_map(|one| match one {
            AddressAttribute::Address(ip) => Some(*ip),
            _ => None,
        })
    })
}

fn address_json(address: &AddressMessage) -> Option<Value> {
    let ip = local(address)?;
    let scope = match address.header.scope {
        AddressScope::Universe => "global",
        AddressScope::Link => "link",
        AddressScope::Host => "host",
        _ => "site",
    };
    let family = if ip.is_ipv4() { "inet" } else { "inet6" };
    Some(json!({
        "family": family, "local": ip, "prefixlen": address.header.prefix_len, "scope": scope,
    }))
}

/// `0a:58:0a:f4:02:00`
pub(super) fn mac(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (position, byte) in bytes.iter().enumerate() {
        let colon = if position == 0 { "" } else { ":" };
        let _ = write!(text, "{colon}{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_comes_out_as_the_readers_want_it() {
        let links = match Links::read() {
            Ok(links) => links,
            Err(why) => return eprintln!("SKIPPED: no rtnetlink here: {why}"),
        };
        let read = crate::facts::links(&links.addresses_json()).unwrap();
        let lo = read.iter().find(|link| link.name == "lo").unwrap();
        assert_eq!(lo.kind, crate::facts::LinkKind::Loopback);
        if lo.is_up {
            let ip = IpAddr::from([127, 0, 0, 1]);
            assert!(lo.has(ip));
            assert_eq!(links.mtu_at(ip), Some(lo.mtu));
        }
        assert!(crate::facts::bridge_ports(&links.bridge_ports_json()).is_ok());
    }

    #[test]
    fn link_addresses_are_pairs_of_digits() {
        assert_eq!(mac(&[10, 0x58, 255, 0, 1, 2]), "0a:58:ff:00:01:02");
        assert_eq!(mac(&[]), "");
    }
}
