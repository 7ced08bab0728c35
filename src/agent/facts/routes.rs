//! Routes and policy rules over rtnetlink, in the form of `ip -j -N route show table all` and
//! `ip -j -N rule`: numbers instead of names.

use std::collections::BTreeMap;
use std::net::IpAddr;

use netlink_packet_route::AddressFamily;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteMetric, RouteNextHop,
    RouteNextHopFlags, RouteType, RouteVia,
};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleFlags, RuleHeader, RuleMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use serde_json::{Map, Value, json};

use crate::agent::netlink::{Ask, ask};
use crate::net::Family;

const RTM_GETROUTE: u16 = 26;
const RTM_GETRULE: u16 = 34;

type Names = BTreeMap<u32, String>;

/// The routes of all tables of a family.
///
/// # Errors
/// When the kernel does not tell, in words.
pub(super) fn routes_json(family: Family, names: &Names) -> Result<Vec<Value>, String> {
    let query = RouteHeader {
        address_family: number(family),
        ..RouteHeader::default()
    };
    let routes: Vec<RouteMessage> = ask(NETLINK_ROUTE, RTM_GETROUTE, &query, Ask::All)?;
    // A kernel without the family answers with all of them.
    let own = routes
        .iter()
        .filter(|route| route.header.address_family == number(family));
    Ok(own.map(|route| route_json(route, family, names)).collect())
}

/// The policy rules of a family.
///
/// # Errors
/// When the kernel does not tell, in words.
pub(super) fn rules_json(family: Family) -> Result<Vec<Value>, String> {
    let query = RuleHeader {
        family: number(family),
        ..RuleHeader::default()
    };
    let rules: Vec<RuleMessage> = ask(NETLINK_ROUTE, RTM_GETRULE, &query, Ask::All)?;
    Ok(rules.iter().map(rule_json).collect())
}

const fn number(family: Family) -> AddressFamily {
    match family {
        Family::V4 => AddressFamily::Inet,
        Family::V6 => AddressFamily::Inet6,
    }
}

fn route_json(route: &RouteMessage, family: Family, names: &Names) -> Value {
    let header = &route.header;
    let length = header.destination_prefix_length;
    let mut destination = None;
    let mut table = u32::from(header.table);
    let mut object = Map::new();
    let mut set = |key: &str, value: Value| object.insert(key.to_owned(), value);
    for one in &route.attributes {
        match one {
            RouteAttribute::Destination(address) => {
                destination = ip(address);
                None
            }
            RouteAttribute::Table(number) => {
                table = *number;
                None
            }
            RouteAttribute::Gateway(address) => set("gateway", json!(ip(address))),
            RouteAttribute::Via(via) => set("via", json!({"host": via_ip(via)})),
            RouteAttribute::Oif(index) => set("dev", json!(names.get(index))),
            RouteAttribute::Priority(metric) => set("metric", (*metric).into()),
            RouteAttribute::PrefSource(address) => set("prefsrc", json!(ip(address))),
            RouteAttribute::MultiPath(hops) => {
                let hops: Vec<Value> = hops.iter().map(|hop| hop_json(hop, names)).collect();
                set("nexthops", hops.into())
            }
            RouteAttribute::Metrics(metrics) => {
                let mtu = metrics.iter().find_map(|metric| match metric {
                    RouteMetric::Mtu(mtu) => Some(*mtu),
                    _ => None,
                });
                mtu.and_then(|mtu| set("metrics", json!([{"mtu": mtu}])))
            }
            _ => None,
        };
    }
    let full = if family == Family::V4 { 32 } else { 128 };
    let destination = match destination {
        None => "default".to_owned(),
        Some(ip) if length == full => ip.to_string(),
        Some(ip) => format!("{ip}/{length}"),
    };
    set("dst", destination.into());
    if header.kind != RouteType::Unicast {
        set("type", u8::from(header.kind).to_string().into());
    }
    set("table", table.to_string().into());
    set("protocol", u8::from(header.protocol).to_string().into());
    // Flags of the first hop are those of the route (RTNH_F_DEAD).
    let is_dead = header.flags.bits() & 1 == 1;
    set("flags", if is_dead { json!(["dead"]) } else { json!([]) });
    if family == Family::V6 {
        set("pref", "medium".into());
    }
    Value::Object(object)
}

fn hop_json(hop: &RouteNextHop, names: &Names) -> Value {
    let mut object = Map::new();
    object.insert("dev".to_owned(), json!(names.get(&hop.interface_index)));
    for one in &hop.attributes {
        match one {
            RouteAttribute::Gateway(address) => {
                object.insert("gateway".to_owned(), json!(ip(address)));
            }
            RouteAttribute::Via(via) => {
                object.insert("via".to_owned(), json!({"host": via_ip(via)}));
            }
            _ => {}
        }
    }
    let is_dead = hop.flags.contains(RouteNextHopFlags::Dead);
    object.insert(
        "flags".to_owned(),
        if is_dead { json!(["dead"]) } else { json!([]) },
    );
    Value::Object(object)
}

const fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(ip) => Some(IpAddr::V4(*ip)),
        RouteAddress::Inet6(ip) => Some(IpAddr::V6(*ip)),
        _ => None,
    }
}

const fn via_ip(via: &RouteVia) -> Option<IpAddr> {
    match via {
        RouteVia::Inet(ip) => Some(IpAddr::V4(*ip)),
        RouteVia::Inet6(ip) => Some(IpAddr::V6(*ip)),
        _ => None,
    }
}

/// Selectors that need more than addresses, interfaces and marks are named, so that the reader does
/// not take the rule for a wider one.
fn rule_json(rule: &RuleMessage) -> Value {
    let header = &rule.header;
    let mut table = u32::from(header.table);
    let mut object = Map::new();
    let mut set = |key: &str, value: Value| object.insert(key.to_owned(), value);
    set("src", "all".into());
    set("priority", 0.into());
    for one in &rule.attributes {
        match one {
            RuleAttribute::Table(number) => {
                table = *number;
                None
            }
            RuleAttribute::Priority(priority) => set("priority", (*priority).into()),
            RuleAttribute::Source(ip) => {
                set("srclen", header.src_len.into());
                set("src", json!(ip))
            }
            RuleAttribute::Destination(ip) => {
                set("dstlen", header.dst_len.into());
                set("dst", json!(ip))
            }
            RuleAttribute::Iifname(name) => set("iif", name.as_str().into()),
            RuleAttribute::Oifname(name) => set("oif", name.as_str().into()),
            RuleAttribute::FwMark(mark) => set("fwmark", format!("{mark:#x}").into()),
            RuleAttribute::FwMask(mask) => set("fwmask", format!("{mask:#x}").into()),
            // The kernel's "no limit" is minus one.
            RuleAttribute::SuppressPrefixLen(u32::MAX) => None,
            RuleAttribute::SuppressPrefixLen(length) => set("suppress_prefixlen", (*length).into()),
            RuleAttribute::L3MDev(true) => set("l3mdev", Value::Null),
            RuleAttribute::UidRange(range) => set("uid_start", range.start.into()),
            RuleAttribute::IpProtocol(protocol) => set("ipproto", format!("{protocol:?}").into()),
            RuleAttribute::SourcePortRange(range) => set("sport_start", range.start.into()),
            RuleAttribute::DestinationPortRange(range) => set("dport_start", range.start.into()),
            RuleAttribute::TunId(id) => set("tun_id", (*id).into()),
            _ => None,
        };
    }
    if header.tos != 0 {
        set("dsfield", header.tos.into());
    }
    if header.flags.contains(RuleFlags::Invert) {
        set("not", Value::Null);
    }
    match header.action {
        RuleAction::ToTable => {
            set("table", table.to_string().into());
        }
        RuleAction::Blackhole => {
            set("action", "blackhole".into());
        }
        RuleAction::Unreachable => {
            set("action", "unreachable".into());
        }
        RuleAction::Prohibit => {
            set("action", "prohibit".into());
        }
        _ => {
            set("action", "goto".into());
        }
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{TableId, route_rules, routes};

    #[test]
    fn what_the_kernel_tells_comes_out_as_the_readers_want_it() {
        let names = BTreeMap::from([(1, "lo".to_owned())]);
        for family in Family::ALL {
            let all = match routes_json(family, &names) {
                Ok(all) => all,
                Err(why) => return eprintln!("SKIPPED: no rtnetlink here: {why}"),
            };
            let count = all.len();
            let read = routes(&Value::Array(all).to_string(), family).unwrap();
            assert_eq!(read.len(), count, "{family}");
            for route in read {
                assert_eq!(Family::of(route.destination.addr()), family, "{route:?}");
            }
        }
        let rules = Value::Array(rules_json(Family::V4).unwrap()).to_string();
        let rules = route_rules(&rules).unwrap();
        let first = rules.iter().find(|rule| rule.priority == 0);
        let lookup = first.map(|rule| rule.action);
        assert_eq!(
            lookup,
            Some(crate::facts::RuleAction::Lookup(TableId::LOCAL)),
            "{rules:?}"
        );
    }
}
