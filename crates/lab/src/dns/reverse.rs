//! Names of addresses: the Services' and the endpoints' own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::index::Index;

/// The name of an address below a zone, if a Service or an endpoint has it.
pub fn name_of(index: &Index, address: IpAddr, zone: &str) -> Option<String> {
    for ((namespace, name), entry) in &index.services {
        if entry.addresses.contains(&address) {
            return Some(format!("{name}.{namespace}.svc.{zone}"));
        }
        if let Some(endpoint) = entry.endpoints.iter().find(|one| one.address == address) {
            return Some(format!("{}.{name}.{namespace}.svc.{zone}", endpoint.name));
        }
    }
    None
}

/// The address a reverse name stands for.
pub fn address_of(name: &str) -> Option<IpAddr> {
    if let Some(rest) = name.strip_suffix(".in-addr.arpa") {
        let mut bytes: Vec<u8> = rest
            .split('.')
            .map(|byte| byte.parse().ok())
            .collect::<Option<_>>()?;
        bytes.reverse();
        let bytes: [u8; 4] = bytes.try_into().ok()?;
        return Some(Ipv4Addr::from(bytes).into());
    }
    let digits: String = name.strip_suffix(".ip6.arpa")?.split('.').rev().collect();
    Some(Ipv6Addr::from(u128::from_str_radix(&digits, 16).ok()?).into())
}
