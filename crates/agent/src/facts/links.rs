//! Interfaces over rtnetlink, in the form of `ip -j -d addr` and `bridge -j -d link`.
//!
//! ```text
//!  RTM_GETLINK + RTM_GETADDR ─► Link ─► ip-addr.json · bridge-link.json · names and MTUs for others
//! ```

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;

use netlink_sys::protocols::NETLINK_ROUTE;
use serde_json::{Map, Value, json};

use crate::netlink::numbers::{
    AF_UNSPEC, ARPHRD_LOOPBACK, IFA_ADDRESS, IFA_LOCAL, IFF_BROADCAST, IFF_LOOPBACK, IFF_LOWER_UP,
    IFF_MULTICAST, IFF_NOARP, IFF_POINTOPOINT, IFF_RUNNING, IFF_UP, IFLA_ADDRESS, IFLA_BRPORT_MODE,
    IFLA_BRPORT_STATE, IFLA_GENEVE_ID, IFLA_GENEVE_PORT, IFLA_IFNAME, IFLA_INFO_DATA,
    IFLA_INFO_KIND, IFLA_INFO_SLAVE_DATA, IFLA_INFO_SLAVE_KIND, IFLA_IPTUN_LINK, IFLA_IPTUN_LOCAL,
    IFLA_LINK, IFLA_LINK_NETNSID, IFLA_LINKINFO, IFLA_MASTER, IFLA_MTU, IFLA_VXLAN_ID,
    IFLA_VXLAN_LINK, IFLA_VXLAN_LOCAL, IFLA_VXLAN_LOCAL6, IFLA_VXLAN_PORT, RT_SCOPE_HOST,
    RT_SCOPE_LINK, RT_SCOPE_UNIVERSE, RTM_GETADDR, RTM_GETLINK,
};
use crate::netlink::{AddressMessage, Ask, Attributes, LinkMessage, Query, ask};

/// Every interface of this network namespace.
pub(crate) struct Links {
    links: Vec<LinkMessage>,
    addresses: Vec<AddressMessage>,
}

// === impl Links ===

impl Links {
    /// Asks the kernel.
    ///
    /// # Errors
    /// When it does not tell, in words.
    pub(crate) fn read() -> Result<Self, String> {
        let all = Query::<16> { family: AF_UNSPEC };
        let links = ask(NETLINK_ROUTE, RTM_GETLINK, &all, Ask::All)?;
        let all = Query::<8> { family: AF_UNSPEC };
        let addresses = ask(NETLINK_ROUTE, RTM_GETADDR, &all, Ask::All)?;
        Ok(Self { links, addresses })
    }

    /// Names by index.
    pub(super) fn names(&self) -> BTreeMap<u32, String> {
        let named = self.links.iter().filter_map(|link| {
            let name = link.attributes().text(IFLA_IFNAME)?;
            Some((link.header.index, name.to_owned()))
        });
        named.collect()
    }

    /// The MTU of the interface that has an address.
    pub(crate) fn mtu_at(&self, ip: IpAddr) -> Option<u32> {
        let owner = self.addresses.iter().find(|own| local(own) == Some(ip))?;
        let mut links = self.links.iter();
        let link = links.find(|link| link.header.index == owner.header.index)?;
        link.attributes().u32(IFLA_MTU)
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
            if let Some([state]) = port.array(IFLA_BRPORT_STATE) {
                object.insert("state".to_owned(), port_state(state).into());
            }
            if let Some([mode]) = port.array(IFLA_BRPORT_MODE) {
                object.insert("hairpin".to_owned(), (mode != 0).into());
            }
            Some(Value::Object(object))
        });
        Value::Array(ports.collect()).to_string()
    }
}

/// What an interface is as a port of a bridge.
fn bridge_port(link: &LinkMessage) -> Option<Attributes<'_>> {
    let info = link.attributes().within(IFLA_LINKINFO);
    let is_port = info.text(IFLA_INFO_SLAVE_KIND) == Some("bridge");
    is_port.then(|| info.within(IFLA_INFO_SLAVE_DATA))
}

/// States of a bridge's port (`BR_STATE_…` of if_bridge.h) under the names of iproute2.
fn port_state(state: u8) -> String {
    let names = [
        "disabled",
        "listening",
        "learning",
        "forwarding",
        "blocking",
    ];
    let name = names.get(usize::from(state));
    name.map_or_else(|| state.to_string(), |name| (*name).to_owned())
}

/// What both forms say of an interface.
fn described(link: &LinkMessage, names: &BTreeMap<u32, String>) -> Map<String, Value> {
    let (header, all) = (&link.header, link.attributes());
    let mut object = Map::new();
    let mut set = |key: &str, value: Value| object.insert(key.to_owned(), value);
    set("ifindex", header.index.into());
    set("flags", flags(header.flags).into());
    if header.layer == ARPHRD_LOOPBACK {
        set("link_type", "loopback".into());
    }
    if let Some(name) = all.text(IFLA_IFNAME) {
        set("ifname", name.into());
    }
    if let Some(mtu) = all.u32(IFLA_MTU) {
        set("mtu", mtu.into());
    }
    if let Some(bytes) = all.bytes(IFLA_ADDRESS) {
        set("address", mac(bytes).into());
    }
    if let Some(index) = all.u32(IFLA_MASTER) {
        set("master", json!(names.get(&index)));
    }
    if let Some(index) = all.u32(IFLA_LINK) {
        set("link_index", index.into());
        // An index means nothing here if it is one of another network namespace.
        if let Some(name) = names.get(&index).filter(|_| !all.has(IFLA_LINK_NETNSID)) {
            set("link", name.as_str().into());
        }
    }
    if all.has(IFLA_LINKINFO) {
        set("linkinfo", made_of(all.within(IFLA_LINKINFO), names));
    }
    object
}

fn flags(flags: u32) -> Vec<&'static str> {
    let names = [
        (IFF_BROADCAST, "BROADCAST"),
        (IFF_LOOPBACK, "LOOPBACK"),
        (IFF_POINTOPOINT, "POINTOPOINT"),
        (IFF_NOARP, "NOARP"),
        (IFF_MULTICAST, "MULTICAST"),
        (IFF_UP, "UP"),
        (IFF_LOWER_UP, "LOWER_UP"),
    ];
    let set = names.iter().filter(|(flag, _)| flags & flag != 0);
    let mut set: Vec<&str> = set.map(|(_, name)| *name).collect();
    if flags & (IFF_UP | IFF_RUNNING) == IFF_UP {
        set.insert(0, "NO-CARRIER");
    }
    set
}

fn made_of(info: Attributes<'_>, names: &BTreeMap<u32, String>) -> Value {
    let mut object = Map::new();
    if let Some(kind) = info.text(IFLA_INFO_KIND) {
        object.insert("info_kind".to_owned(), kind.into());
        if info.has(IFLA_INFO_DATA) {
            let data = tunnel(kind, info.within(IFLA_INFO_DATA), names);
            object.insert("info_data".to_owned(), data);
        }
    }
    Value::Object(object)
}

/// The ends, number and port of a tunnel.
fn tunnel(kind: &str, data: Attributes<'_>, names: &BTreeMap<u32, String>) -> Value {
    let number = |kind| data.u32(kind).map(Value::from);
    let ip = |kind| data.ip(kind).map(|ip| json!(ip));
    let port = |kind| data.array(kind).map(|port| u16::from_be_bytes(port).into());
    let named = |kind| data.u32(kind).map(|index| json!(names.get(&index)));
    let fields: Vec<(&str, Option<Value>)> = match kind {
        "vxlan" => vec![
            ("id", number(IFLA_VXLAN_ID)),
            ("local", ip(IFLA_VXLAN_LOCAL)),
            ("local6", ip(IFLA_VXLAN_LOCAL6)),
            ("port", port(IFLA_VXLAN_PORT)),
            ("link", named(IFLA_VXLAN_LINK)),
        ],
        "geneve" => vec![
            ("id", number(IFLA_GENEVE_ID)),
            ("port", port(IFLA_GENEVE_PORT)),
        ],
        "ipip" | "ip6tnl" | "sit" => vec![
            ("local", ip(IFLA_IPTUN_LOCAL)),
            ("link", named(IFLA_IPTUN_LINK)),
        ],
        _ => Vec::new(),
    };
    let told = fields.into_iter();
    let told = told.filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Value::Object(told.collect())
}

/// On a point-to-point link the address is that of the other end.
fn local(address: &AddressMessage) -> Option<IpAddr> {
    let all = address.attributes();
    all.ip(IFA_LOCAL).or_else(|| all.ip(IFA_ADDRESS))
}

fn address_json(address: &AddressMessage) -> Option<Value> {
    let ip = local(address)?;
    let scope = match address.header.scope {
        RT_SCOPE_UNIVERSE => "global",
        RT_SCOPE_LINK => "link",
        RT_SCOPE_HOST => "host",
        _ => "site",
    };
    let family = if ip.is_ipv4() { "inet" } else { "inet6" };
    Some(json!({
        "family": family, "local": ip, "prefixlen": address.header.length, "scope": scope,
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
    use netlink_packet_route::address::{self, AddressAttribute, AddressScope};
    use netlink_packet_route::link::{
        self, BridgePortState, InfoBridgePort, InfoData, InfoKind, InfoPortData, InfoPortKind,
        InfoVxlan, LinkAttribute, LinkFlags, LinkInfo,
    };

    use super::*;
    use crate::netlink::reread;

    #[test]
    fn the_loopback_comes_out_as_the_readers_want_it() {
        let links = match Links::read() {
            Ok(links) => links,
            Err(why) => return eprintln!("SKIPPED: no rtnetlink here: {why}"),
        };
        let read: Vec<serde_json::Value> = serde_json::from_str(&links.addresses_json()).unwrap();
        let lo = read.iter().find(|link| link["ifname"] == "lo").unwrap();
        assert_eq!(lo["link_type"], "loopback");
        let is_up = lo["flags"].as_array().unwrap().contains(&"UP".into());
        if is_up {
            let mtu = links.mtu_at(IpAddr::from([127, 0, 0, 1]));
            assert_eq!(mtu.map(u64::from), lo["mtu"].as_u64());
        }
        let ports: Result<Vec<serde_json::Value>, _> =
            serde_json::from_str(&links.bridge_ports_json());
        assert!(ports.is_ok());
    }

    #[test]
    fn a_tunnel_and_a_port_are_read_as_they_are_written() {
        let mut tunnel = link::LinkMessage::default();
        tunnel.header.index = 5;
        tunnel.header.flags = LinkFlags::Up | LinkFlags::Broadcast;
        tunnel.attributes = vec![
            LinkAttribute::IfName("flannel.1".to_owned()),
            LinkAttribute::Mtu(1450),
            LinkAttribute::Address(vec![2, 0, 0, 0, 0, 1]),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Vxlan),
                LinkInfo::Data(InfoData::Vxlan(vec![
                    InfoVxlan::Id(1),
                    InfoVxlan::Link(2),
                    InfoVxlan::Local([172, 30, 0, 11].into()),
                    InfoVxlan::Port(8472),
                ])),
            ]),
        ];
        let names = BTreeMap::from([(2, "eth0".to_owned())]);
        assert_eq!(
            Value::Object(described(&reread(&tunnel), &names)),
            json!({
                "ifindex": 5, "flags": ["NO-CARRIER", "BROADCAST", "UP"], "ifname": "flannel.1",
                "mtu": 1450, "address": "02:00:00:00:00:01",
                "linkinfo": {"info_kind": "vxlan", "info_data": {
                    "id": 1, "local": "172.30.0.11", "port": 8472, "link": "eth0"}},
            })
        );

        let mut port = link::LinkMessage::default();
        port.header.flags = LinkFlags::Up | LinkFlags::Running | LinkFlags::LowerUp;
        port.attributes = vec![
            LinkAttribute::Link(2),
            LinkAttribute::LinkNetNsId(3),
            LinkAttribute::Controller(2),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Veth),
                LinkInfo::PortKind(InfoPortKind::Bridge),
                LinkInfo::PortData(InfoPortData::BridgePort(vec![
                    InfoBridgePort::State(BridgePortState::Forwarding),
                    InfoBridgePort::HairpinMode(true),
                ])),
            ]),
        ];
        let links = Links {
            links: vec![reread(&port)],
            addresses: Vec::new(),
        };
        assert_eq!(
            links.bridge_ports_json().parse::<Value>().unwrap(),
            json!([{
                "ifindex": 0, "flags": ["UP", "LOWER_UP"], "link_index": 2, "master": null,
                "linkinfo": {"info_kind": "veth"}, "state": "forwarding", "hairpin": true,
            }])
        );
    }

    #[test]
    fn an_address_is_the_own_end_of_a_link() {
        let mut address = address::AddressMessage::default();
        address.header.prefix_len = 24;
        address.header.scope = AddressScope::Link;
        address.header.index = 7;
        address.attributes = vec![
            AddressAttribute::Address([10, 0, 0, 2].into()),
            AddressAttribute::Local([10, 0, 0, 1].into()),
        ];
        let read = reread(&address);
        assert_eq!(
            address_json(&read).unwrap(),
            json!({"family": "inet", "local": "10.0.0.1", "prefixlen": 24, "scope": "link"})
        );
        assert_eq!(read.header.index, 7);
    }

    #[test]
    fn link_addresses_are_pairs_of_digits() {
        assert_eq!(mac(&[10, 0x58, 255, 0, 1, 2]), "0a:58:ff:00:01:02");
        assert_eq!(mac(&[]), "");
    }
}
