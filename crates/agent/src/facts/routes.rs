//! Routes and policy rules over rtnetlink, in the form of `ip -j -N route show table all` and
//! `ip -j -N rule`: numbers instead of names.

use std::collections::BTreeMap;

use netlink_sys::protocols::NETLINK_ROUTE;
use serde_json::{Map, Value, json};

use crate::netlink::numbers::{
    AF_INET, AF_INET6, FIB_RULE_INVERT, FR_ACT_BLACKHOLE, FR_ACT_PROHIBIT, FR_ACT_TO_TBL,
    FR_ACT_UNREACHABLE, FRA_DPORT_RANGE, FRA_DST, FRA_FWMARK, FRA_FWMASK, FRA_IIFNAME,
    FRA_IP_PROTO, FRA_L3MDEV, FRA_OIFNAME, FRA_PRIORITY, FRA_SPORT_RANGE, FRA_SRC,
    FRA_SUPPRESS_PREFIXLEN, FRA_TABLE, FRA_TUN_ID, FRA_UID_RANGE, RTA_DST, RTA_GATEWAY,
    RTA_METRICS, RTA_MULTIPATH, RTA_OIF, RTA_PREFSRC, RTA_PRIORITY, RTA_TABLE, RTA_VIA, RTAX_MTU,
    RTM_GETROUTE, RTM_GETRULE, RTN_UNICAST, RTNH_F_DEAD,
};
use crate::netlink::{Ask, Attributes, Query, RouteMessage, RuleMessage, ask, ip};
use netpath_protocol::Family;

type Names = BTreeMap<u32, String>;

/// The routes of all tables of a family.
///
/// # Errors
/// When the kernel does not tell, in words.
pub(super) fn routes_json(family: Family, names: &Names) -> Result<Vec<Value>, String> {
    let query = Query::<12> {
        family: number(family),
    };
    let routes: Vec<RouteMessage> = ask(NETLINK_ROUTE, RTM_GETROUTE, &query, Ask::All)?;
    // A kernel without the family answers with all of them.
    let own = routes
        .iter()
        .filter(|route| route.header.family == number(family));
    Ok(own.map(|route| route_json(route, family, names)).collect())
}

/// The policy rules of a family.
///
/// # Errors
/// When the kernel does not tell, in words.
pub(super) fn rules_json(family: Family) -> Result<Vec<Value>, String> {
    let query = Query::<12> {
        family: number(family),
    };
    let rules: Vec<RuleMessage> = ask(NETLINK_ROUTE, RTM_GETRULE, &query, Ask::All)?;
    Ok(rules.iter().map(rule_json).collect())
}

const fn number(family: Family) -> u8 {
    match family {
        Family::V4 => AF_INET,
        Family::V6 => AF_INET6,
    }
}

fn route_json(route: &RouteMessage, family: Family, names: &Names) -> Value {
    let (header, all) = (&route.header, route.attributes());
    let mut object = way_json(all);
    let mut set = |key: &str, value: Value| object.insert(key.to_owned(), value);
    if let Some(index) = all.u32(RTA_OIF) {
        set("dev", json!(names.get(&index)));
    }
    if let Some(metric) = all.u32(RTA_PRIORITY) {
        set("metric", metric.into());
    }
    if let Some(ip) = all.ip(RTA_PREFSRC) {
        set("prefsrc", json!(ip));
    }
    if let Some(hops) = all.bytes(RTA_MULTIPATH) {
        set("nexthops", hops_json(hops, names).into());
    }
    if let Some(mtu) = all.within(RTA_METRICS).u32(RTAX_MTU) {
        set("metrics", json!([{"mtu": mtu}]));
    }
    let length = header.length;
    let full = if family == Family::V4 { 32 } else { 128 };
    let destination = match all.ip(RTA_DST) {
        None => "default".to_owned(),
        Some(ip) if length == full => ip.to_string(),
        Some(ip) => format!("{ip}/{length}"),
    };
    set("dst", destination.into());
    if header.kind != RTN_UNICAST {
        set("type", header.kind.to_string().into());
    }
    let table = all.u32(RTA_TABLE).unwrap_or_else(|| header.table.into());
    set("table", table.to_string().into());
    set("protocol", header.protocol.to_string().into());
    set("flags", flags(header.flags));
    if family == Family::V6 {
        set("pref", "medium".into());
    }
    Value::Object(object)
}

/// The hops of a route with several: each a `struct rtnexthop` (rtnetlink.h: length, flags, weight,
/// interface) with attributes.
fn hops_json(mut bytes: &[u8], names: &Names) -> Vec<Value> {
    let mut hops = Vec::new();
    while let Some(([l0, l1, dead, _weight, index @ ..], _)) = bytes.split_first_chunk::<8>() {
        let length = usize::from(u16::from_ne_bytes([*l0, *l1]));
        let Some(attributes) = bytes.get(8..length) else {
            break;
        };
        let mut object = way_json(Attributes::new(attributes));
        let index = u32::from_ne_bytes(*index);
        object.insert("dev".to_owned(), json!(names.get(&index)));
        object.insert("flags".to_owned(), flags((*dead).into()));
        hops.push(Value::Object(object));
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    hops
}

/// Who takes the packet next: an address of the route's family, or of another (`struct rtvia`: a
/// family in two bytes, then the address).
fn way_json(all: Attributes<'_>) -> Map<String, Value> {
    let mut object = Map::new();
    if let Some(gateway) = all.ip(RTA_GATEWAY) {
        object.insert("gateway".to_owned(), json!(gateway));
    }
    if let Some(via) = all.bytes(RTA_VIA) {
        let via = via.get(2..).and_then(ip);
        object.insert("via".to_owned(), json!({"host": via}));
    }
    object
}

fn flags(flags: u32) -> Value {
    if flags & RTNH_F_DEAD == 0 {
        json!([])
    } else {
        json!(["dead"])
    }
}

/// Selectors that need more than addresses, interfaces and marks are named, so that the reader does
/// not take the rule for a wider one.
fn rule_json(rule: &RuleMessage) -> Value {
    let (header, all) = (&rule.header, rule.attributes());
    let mut object = Map::new();
    let mut set = |key: &str, value: Value| object.insert(key.to_owned(), value);
    set("priority", all.u32(FRA_PRIORITY).unwrap_or(0).into());
    set("src", "all".into());
    if let Some(ip) = all.ip(FRA_SRC) {
        set("src", json!(ip));
        set("srclen", header.source_length.into());
    }
    if let Some(ip) = all.ip(FRA_DST) {
        set("dst", json!(ip));
        set("dstlen", header.destination_length.into());
    }
    let two = |kind| all.array(kind).map(u16::from_ne_bytes);
    let selectors: [(&str, Option<Value>); 10] = [
        ("iif", all.text(FRA_IIFNAME).map(Value::from)),
        ("oif", all.text(FRA_OIFNAME).map(Value::from)),
        ("fwmark", all.u32(FRA_FWMARK).map(hex)),
        ("fwmask", all.u32(FRA_FWMASK).map(hex)),
        ("suppress_prefixlen", suppressed(all).map(Value::from)),
        ("uid_start", all.u32(FRA_UID_RANGE).map(Value::from)),
        ("sport_start", two(FRA_SPORT_RANGE).map(Value::from)),
        ("dport_start", two(FRA_DPORT_RANGE).map(Value::from)),
        (
            "ipproto",
            all.array(FRA_IP_PROTO).map(|[number]| number.into()),
        ),
        (
            "tun_id",
            all.array(FRA_TUN_ID)
                .map(|id| u64::from_be_bytes(id).into()),
        ),
    ];
    for (key, value) in selectors {
        if let Some(value) = value {
            set(key, value);
        }
    }
    if all.array(FRA_L3MDEV) == Some([1]) {
        set("l3mdev", Value::Null);
    }
    if header.tos != 0 {
        set("dsfield", header.tos.into());
    }
    if header.flags & FIB_RULE_INVERT != 0 {
        set("not", Value::Null);
    }
    let table = all.u32(FRA_TABLE).unwrap_or_else(|| header.table.into());
    match header.action {
        FR_ACT_TO_TBL => set("table", table.to_string().into()),
        FR_ACT_BLACKHOLE => set("action", "blackhole".into()),
        FR_ACT_UNREACHABLE => set("action", "unreachable".into()),
        FR_ACT_PROHIBIT => set("action", "prohibit".into()),
        _ => set("action", "goto".into()),
    };
    Value::Object(object)
}

fn hex(mark: u32) -> Value {
    format!("{mark:#x}").into()
}

/// The kernel's "no limit" is minus one.
fn suppressed(all: Attributes<'_>) -> Option<u32> {
    let length = all.u32(FRA_SUPPRESS_PREFIXLEN);
    length.filter(|&length| length != u32::MAX)
}

#[cfg(test)]
mod tests {
    use netlink_packet_route::route::{
        self, RouteAddress, RouteAttribute, RouteMetric, RouteNextHop, RouteNextHopFlags,
        RouteProtocol, RouteType, RouteVia,
    };
    use netlink_packet_route::rule::{self, RuleAttribute, RulePortRange};
    use netlink_packet_route::{AddressFamily, IpProtocol};

    use super::*;
    use crate::netlink::reread;

    #[test]
    fn what_the_kernel_tells_comes_out_as_the_readers_want_it() {
        let names = BTreeMap::from([(1, "lo".to_owned())]);
        for family in Family::ALL {
            let all = match routes_json(family, &names) {
                Ok(all) => all,
                Err(why) => return eprintln!("SKIPPED: no rtnetlink here: {why}"),
            };
            for route in all {
                assert!(route["dst"].is_string(), "{family}: {route}");
            }
        }
        let rules = rules_json(Family::V4).unwrap();
        let first = rules.iter().find(|rule| rule["priority"] == 0);
        assert_eq!(first.map(|rule| &rule["table"]), Some(&"255".into()));
    }

    #[test]
    fn a_route_with_several_hops_is_read_as_it_is_written() {
        let mut hop = RouteNextHop::default();
        hop.interface_index = 2;
        hop.attributes = vec![RouteAttribute::Gateway(RouteAddress::Inet(
            [10, 0, 0, 254].into(),
        ))];
        let mut dead = RouteNextHop::default();
        dead.interface_index = 3;
        dead.flags = RouteNextHopFlags::Dead;
        dead.attributes = vec![RouteAttribute::Via(RouteVia::Inet6(
            [0xfe80, 0, 0, 0, 0, 0, 0, 1].into(),
        ))];
        let mut written = route::RouteMessage::default();
        written.header.address_family = AddressFamily::Inet;
        written.header.destination_prefix_length = 16;
        written.header.table = 254;
        written.header.kind = RouteType::Unicast;
        written.header.protocol = RouteProtocol::Static;
        written.attributes = vec![
            RouteAttribute::Destination(RouteAddress::Inet([10, 244, 0, 0].into())),
            RouteAttribute::Table(1000),
            RouteAttribute::Priority(100),
            RouteAttribute::PrefSource(RouteAddress::Inet([10, 0, 0, 1].into())),
            RouteAttribute::Metrics(vec![RouteMetric::Window(7), RouteMetric::Mtu(1400)]),
            RouteAttribute::MultiPath(vec![hop, dead]),
        ];
        let names = BTreeMap::from([(2, "eth0".to_owned()), (3, "eth1".to_owned())]);
        assert_eq!(
            route_json(&reread(&written), Family::V4, &names),
            json!({
                "dst": "10.244.0.0/16", "table": "1000", "protocol": "4", "metric": 100,
                "prefsrc": "10.0.0.1", "flags": [], "metrics": [{"mtu": 1400}],
                "nexthops": [
                    {"dev": "eth0", "gateway": "10.0.0.254", "flags": []},
                    {"dev": "eth1", "via": {"host": "fe80::1"}, "flags": ["dead"]}],
            })
        );
    }

    #[test]
    fn a_policy_rule_is_read_as_it_is_written() {
        let mut written = rule::RuleMessage::default();
        written.header.src_len = 24;
        written.header.dst_len = 8;
        written.header.table = 254;
        written.header.action = rule::RuleAction::ToTable;
        written.header.flags = rule::RuleFlags::Invert;
        written.attributes = vec![
            RuleAttribute::Priority(32_765),
            RuleAttribute::Source([10, 1, 1, 0].into()),
            RuleAttribute::Destination([10, 0, 0, 0].into()),
            RuleAttribute::Iifname("eth0".to_owned()),
            RuleAttribute::FwMark(0x4000),
            RuleAttribute::FwMask(0xffff),
            RuleAttribute::SuppressPrefixLen(u32::MAX),
            RuleAttribute::TunId(9),
            RuleAttribute::IpProtocol(IpProtocol::Tcp),
            RuleAttribute::DestinationPortRange(RulePortRange { start: 80, end: 81 }),
            RuleAttribute::Table(1000),
        ];
        assert_eq!(
            rule_json(&reread(&written)),
            json!({
                "priority": 32_765, "src": "10.1.1.0", "srclen": 24, "dst": "10.0.0.0", "dstlen": 8,
                "iif": "eth0", "fwmark": "0x4000", "fwmask": "0xffff", "tun_id": 9, "ipproto": 6,
                "dport_start": 80, "not": null, "table": "1000",
            })
        );
    }
}
