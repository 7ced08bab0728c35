//! Addresses that the rules serve, to find those that no Service has any more.

use std::net::{IpAddr, Ipv4Addr};

use super::Mode;
use crate::nat::model::{Field, PacketEnd, Part, Ruleset, Step, Table};
use crate::net::{Family, Protocol};

/// One address and port that kube-proxy's rules know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Programmed {
    /// None for a NodePort.
    pub address: Option<IpAddr>,
    pub protocol: Protocol,
    pub port: u16,
    /// The rule or map entry.
    pub text: String,
}

/// Everything that the rules of a mode lead to a Service.
pub(super) fn programmed(rules: &Ruleset, mode: Mode) -> Vec<Programmed> {
    match mode {
        Mode::Iptables => rules
            .tables
            .iter()
            .filter(|table| &*table.name == "nat")
            .flat_map(|table| {
                let entries = chain(table, "KUBE-SERVICES");
                entries.chain(chain(table, "KUBE-NODEPORTS"))
            })
            .collect(),
        Mode::Nftables => rules
            .tables
            .iter()
            .filter(|table| &*table.name == "kube-proxy")
            .flat_map(|table| {
                ["service-ips", "service-nodeports"]
                    .into_iter()
                    .flat_map(|name| map(table, name))
            })
            .collect(),
        Mode::Ipvs => rules
            .virtual_servers
            .iter()
            .flatten()
            .map(|server| Programmed {
                address: Some(server.address.ip()),
                protocol: server.protocol,
                port: server.address.port(),
                text: format!("virtual server {}", server.address),
            })
            .collect(),
    }
}

fn chain<'a>(table: &'a Table, name: &str) -> impl Iterator<Item = Programmed> + 'a {
    let rules = table.chain_named(name).map(|chain| &chain.rules);
    rules.into_iter().flatten().filter_map(|rule| {
        let (mut address, mut port) = (None, None);
        for step in table.steps(rule) {
            let Step::Test(test) = step else { continue };
            let single = test.values.single().filter(|_| !test.negated);
            match (test.field, single) {
                (Field::Address(PacketEnd::Destination, family), Some(number)) => {
                    address = address_of(number, family);
                }
                (Field::Port(PacketEnd::Destination, Some(protocol)), Some(number)) => {
                    port = u16::try_from(number).ok().map(|number| (protocol, number));
                }
                _ => {}
            }
        }
        let (protocol, port) = port?;
        Some(Programmed {
            address,
            protocol,
            port,
            text: format!("nat: {}", table.text(rule)),
        })
    })
}

fn map<'a>(table: &'a Table, name: &'a str) -> impl Iterator<Item = Programmed> + 'a {
    let keys = table.set_named(name).map(|set| set.elements.keys());
    keys.into_iter().flatten().filter_map(move |key| {
        let numbers: Vec<u128> = key
            .iter()
            .filter_map(|part| match part {
                Part::Range(first, last) if first == last => Some(*first),
                _ => None,
            })
            .collect();
        let family = match table.family {
            crate::nat::model::TableFamily::Ip6 => Family::V6,
            _ => Family::V4,
        };
        let (address, protocol, port) = match *numbers.as_slice() {
            [address, protocol, port] => (Some(address_of(address, family)?), protocol, port),
            [protocol, port] => (None, protocol, port),
            _ => return None,
        };
        let all = Protocol::ALL.into_iter();
        let protocol = all
            .into_iter()
            .find(|one| u128::from(one.number()) == protocol)?;
        let port = u16::try_from(port).ok()?;
        let shown = address.map_or_else(|| "node port".to_owned(), |ip| ip.to_string());
        Some(Programmed {
            address,
            protocol,
            port,
            text: format!("map {name}: {shown} . {} . {port}", protocol.lower()),
        })
    })
}

fn address_of(number: u128, family: Family) -> Option<IpAddr> {
    Some(match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::from(u32::try_from(number).ok()?)),
        Family::V6 => IpAddr::V6(number.into()),
    })
}
