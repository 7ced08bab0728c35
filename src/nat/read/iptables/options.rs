//! Options: which module each belongs to, and the notation of their values.

use std::net::IpAddr;

use super::tokens::Token;
use crate::nat::model::{Values, address_number};
use crate::net::{Family, parse_prefix};

/// An option with its arguments.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given<'a> {
    pub negated: bool,
    pub name: &'a str,
    pub args: &'a [Token<'a>],
}

// === impl Given ===

impl<'a> Given<'a> {
    /// The first argument.
    pub(super) fn first(&self) -> Option<&'a str> {
        self.args.first().map(|token| token.text)
    }
}

/// Options that belong to no module.
pub(super) fn is_basic(name: &str) -> bool {
    matches!(
        name,
        "-s" | "--source"
            | "--src"
            | "-d"
            | "--destination"
            | "--dst"
            | "-p"
            | "--protocol"
            | "--proto"
            | "-i"
            | "--in-interface"
            | "-o"
            | "--out-interface"
            | "-f"
            | "--fragment"
            | "-4"
            | "-6"
            | "--ipv4"
            | "--ipv6"
            | "-c"
            | "--set-counters"
    )
}

/// Whether a module understands an option. A module that is not known here may understand any.
pub(super) fn takes(module: &str, option: &str) -> bool {
    match module {
        "tcp" => is_port(option) || matches!(option, "--tcp-flags" | "--syn" | "--tcp-option"),
        "udp" | "udplite" => is_port(option),
        "sctp" => is_port(option) || option == "--chunk-types",
        "dccp" => is_port(option) || matches!(option, "--dccp-types" | "--dccp-option"),
        "icmp" => option == "--icmp-type",
        "icmp6" | "icmpv6" | "ipv6-icmp" => option == "--icmpv6-type",
        "comment" => option == "--comment",
        "mark" | "connmark" => option == "--mark",
        "conntrack" => option.starts_with("--ct"),
        "state" => option == "--state",
        "set" => {
            matches!(option, "--match-set" | "--set" | "--return-nomatch")
                || option.ends_with("-counters")
                || option.starts_with("--packets-")
                || option.starts_with("--bytes-")
        }
        "multiport" => matches!(
            option,
            "--ports" | "--sports" | "--source-ports" | "--dports" | "--destination-ports"
        ),
        "addrtype" => {
            matches!(option, "--src-type" | "--dst-type") || option.starts_with("--limit-iface")
        }
        "statistic" => matches!(option, "--mode" | "--probability" | "--every" | "--packet"),
        "nfacct" => option == "--nfacct-name",
        "physdev" => option.starts_with("--physdev"),
        "limit" => option.starts_with("--limit"),
        "hashlimit" => option.starts_with("--hashlimit"),
        "iprange" => option.ends_with("-range"),
        "length" => option == "--length",
        "owner" => {
            option.ends_with("-owner") || matches!(option, "--socket-exists" | "--suppl-groups")
        }
        _ => true,
    }
}

fn is_port(option: &str) -> bool {
    matches!(
        option,
        "--sport" | "--source-port" | "--dport" | "--destination-port"
    )
}

/// `80`, `1024:65535`, `:1023`, `1024:`.
pub(super) fn port_range(text: &str) -> Option<(u16, u16)> {
    let port = |text: &str, default: u16| match text {
        "" => Some(default),
        text => text.parse().ok(),
    };
    match text.split_once(':') {
        Some((first, last)) => Some((port(first, 0)?, port(last, u16::MAX)?)),
        None => text.parse().ok().map(|port| (port, port)),
    }
}

/// `80,443,8000:8010`.
pub(super) fn port_list(text: &str) -> Option<Values> {
    let ranges: Option<Vec<_>> = text
        .split(',')
        .map(|part| port_range(part).map(|(first, last)| (first.into(), last.into())))
        .collect();
    ranges.map(Values::ranges)
}

/// A number in decimal or with `0x`.
pub(super) fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// `0x4000/0x4000`, or a value with the full mask.
pub(super) fn masked(text: &str) -> Option<(u32, u32)> {
    match text.split_once('/') {
        Some((value, mask)) => Some((number(value)?, number(mask)?)),
        None => number(text).map(|value| (value, u32::MAX)),
    }
}

/// An address, a prefix, or an address with a mask (`10.0.0.0/255.0.0.0`), as `-s` takes it.
pub(super) fn network(text: &str) -> Option<(Values, Family)> {
    if let Ok(net) = parse_prefix(text) {
        return Some((Values::prefix(net), Family::of(net.addr())));
    }
    let (address, mask) = text.split_once('/')?;
    let (IpAddr::V4(address), IpAddr::V4(mask)) = (address.parse().ok()?, mask.parse().ok()?)
    else {
        return None;
    };
    let mask = u32::from(mask);
    let wanted = u32::from(address) & mask;
    Some((Values::Masked { mask, wanted }, Family::V4))
}

/// `10.0.0.1-10.0.0.9`.
pub(super) fn address_range(text: &str) -> Option<(IpAddr, IpAddr)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last): (IpAddr, IpAddr) = (first.parse().ok()?, last.parse().ok()?);
    let ordered = first.is_ipv4() == last.is_ipv4() && first <= last;
    ordered.then_some((first, last))
}

/// The same as values.
pub(super) fn address_values(text: &str) -> Option<(Values, Family)> {
    let (first, last) = address_range(text)?;
    let values = Values::range(address_number(first), address_number(last));
    Some((values, Family::of(first)))
}

/// The IP protocol number of a name or number (IANA; names as iptables prints them).
#[must_use]
pub fn protocol_number(name: &str) -> Option<u8> {
    Some(match name.to_ascii_lowercase().as_str() {
        "all" => 0,
        "icmp" => 1,
        "igmp" => 2,
        "ipv4" | "ipencap" | "ipip" => 4,
        "tcp" => 6,
        "udp" => 17,
        "dccp" => 33,
        "ipv6" => 41,
        "gre" => 47,
        "esp" | "ipv6-crypt" => 50,
        "ah" | "ipv6-auth" => 51,
        "icmpv6" | "ipv6-icmp" | "icmp6" => 58,
        "ospf" => 89,
        "pim" => 103,
        "vrrp" => 112,
        "sctp" => 132,
        "mh" | "ipv6-mh" => 135,
        "udplite" => 136,
        number => number.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notations() {
        assert_eq!(port_range(":1023"), Some((0, 1023)));
        assert_eq!(port_range("1024:"), Some((1024, 65535)));
        assert_eq!(masked("0x4000"), Some((0x4000, u32::MAX)));
        assert_eq!(masked("0x4000/0x0"), Some((0x4000, 0)));
        assert_eq!(
            network("10.0.0.1/255.0.0.255").map(|found| found.0),
            Some(Values::Masked {
                mask: 0xff00_00ff,
                wanted: 0x0a00_0001
            })
        );
        assert_eq!(address_range("10.0.0.9-10.0.0.1"), None);
        assert_eq!(protocol_number("47"), protocol_number("gre"));
    }
}
