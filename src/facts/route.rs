//! `ip -j route show table all` and `ip -j rule`.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;

use super::plain::Listing;
use super::{BadFact, Loose, listed};
use crate::net::{Family, parse_prefix};

/// The number of a routing table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(pub u32);

/// One route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub table: TableId,
    pub destination: IpNet,
    pub kind: RouteKind,
    /// Several for equal-cost multipath; none for a route that leads nowhere.
    pub hops: Vec<NextHop>,
    pub metric: u32,
    /// The source address that the node's own packets get.
    pub source: Option<IpAddr>,
    pub mtu: Option<u32>,
    /// Who made it: `kernel`, `bird`, a number …
    pub protocol: Option<String>,
}

/// One way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextHop {
    pub device: String,
    /// Absent: the destination is on the link.
    pub gateway: Option<IpAddr>,
    /// The kernel has given it up (`dead`).
    pub is_dead: bool,
}

/// What a route does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteKind {
    Unicast,
    Local,
    Broadcast,
    Anycast,
    Multicast,
    /// Silence.
    Blackhole,
    /// ICMP host unreachable.
    Unreachable,
    /// ICMP administratively prohibited.
    Prohibit,
    /// Go on with the next policy rule.
    Throw,
}

/// One policy rule: which table to ask for which packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteRule {
    pub priority: u32,
    /// The family it was listed for; rules of the two families are apart.
    pub family: Option<Family>,
    pub negated: bool,
    pub from: Option<IpNet>,
    pub to: Option<IpNet>,
    pub iif: Option<String>,
    pub oif: Option<String>,
    /// Value and mask.
    pub mark: Option<(u32, u32)>,
    /// A selector that needs more than the packet, as its text.
    pub opaque: Option<String>,
    pub action: RuleAction,
    /// Routes with at most so long a prefix do not count.
    pub suppress_prefix: Option<u8>,
}

/// What a matching rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleAction {
    Lookup(TableId),
    End(RouteKind),
    /// `goto`, `nop`, a virtual routing domain: not understood.
    Opaque,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawRoute {
    #[serde(rename = "type")]
    kind: Option<Loose>,
    dst: String,
    gateway: Option<String>,
    via: Option<Via>,
    dev: Option<String>,
    table: Option<Loose>,
    prefsrc: Option<IpAddr>,
    metric: Option<Loose>,
    protocol: Option<Loose>,
    flags: Vec<String>,
    nexthops: Vec<RawHop>,
    metrics: Vec<Metrics>,
    pref: Option<Loose>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawHop {
    gateway: Option<String>,
    via: Option<Via>,
    dev: Option<String>,
    flags: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Via {
    host: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Metrics {
    mtu: Option<u32>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawRule {
    priority: u32,
    src: String,
    srclen: Option<u8>,
    dst: String,
    dstlen: Option<u8>,
    iif: Option<String>,
    oif: Option<String>,
    fwmark: Option<Loose>,
    fwmask: Option<Loose>,
    table: Option<Loose>,
    action: Option<Loose>,
    #[serde(rename = "type")]
    kind: Option<Loose>,
    suppress_prefixlen: Option<u8>,
    #[serde(flatten)]
    rest: serde_json::Map<String, serde_json::Value>,
}

/// Reads `ip -j route show table all`, of one family or of both.
///
/// `family` says what a `default` without any address belongs to. Routes that cannot be understood
/// (MPLS, say) are left out.
///
/// # Errors
/// When the text is no JSON list of routes.
pub fn routes(text: &str, family: Family) -> Result<Vec<Route>, BadFact> {
    let raw: Vec<RawRoute> = listed(Listing::Routes, "ip -j route show table all", text)?;
    let routes = raw.into_iter().filter_map(|raw| raw.read(family));
    Ok(routes.collect())
}

/// Reads `ip -j rule`.
///
/// # Errors
/// When the text is no JSON list of rules.
pub fn route_rules(text: &str) -> Result<Vec<RouteRule>, BadFact> {
    let raw: Vec<RawRule> = listed(Listing::Rules, "ip -j rule", text)?;
    let rules = raw.into_iter().map(RawRule::read);
    Ok(rules.collect())
}

// === impl TableId ===

impl TableId {
    pub const DEFAULT: Self = Self(253);
    pub const MAIN: Self = Self(254);
    pub const LOCAL: Self = Self(255);

    fn read(raw: Option<&Loose>) -> Self {
        let Some(raw) = raw else { return Self::MAIN };
        match raw.text().as_str() {
            "local" => Self::LOCAL,
            "main" => Self::MAIN,
            "default" => Self::DEFAULT,
            // A name from rt_tables that is not ours to know still has to stay apart from the rest.
            name => Self(raw.number().map_or_else(
                || {
                    name.bytes().fold(1 << 31, |hash: u32, byte| {
                        hash.rotate_left(5) ^ u32::from(byte)
                    })
                },
                |number| u32::try_from(number).unwrap_or_default(),
            )),
        }
    }
}

impl std::fmt::Display for TableId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::LOCAL => f.write_str("local"),
            Self::MAIN => f.write_str("main"),
            Self::DEFAULT => f.write_str("default"),
            Self(number) => write!(f, "{number}"),
        }
    }
}

// === impl RouteKind ===

impl RouteKind {
    /// Names of iproute2, numbers of `RTN_*` (linux/rtnetlink.h).
    fn read(raw: Option<&Loose>) -> Option<Self> {
        let Some(raw) = raw else {
            return Some(Self::Unicast);
        };
        Some(match raw.text().as_str() {
            "unicast" | "1" | "" => Self::Unicast,
            "local" | "2" => Self::Local,
            "broadcast" | "3" => Self::Broadcast,
            "anycast" | "4" => Self::Anycast,
            "multicast" | "5" => Self::Multicast,
            "blackhole" | "6" => Self::Blackhole,
            "unreachable" | "7" => Self::Unreachable,
            "prohibit" | "8" => Self::Prohibit,
            "throw" | "9" => Self::Throw,
            _ => return None,
        })
    }
}

// === impl RawRoute ===

impl RawRoute {
    fn read(self, family: Family) -> Option<Route> {
        let gateway = gateway(self.gateway.as_deref(), self.via.as_ref());
        let nexthops = self.nexthops.iter();
        let mut hops: Vec<NextHop> = nexthops.filter_map(RawHop::read).collect();
        if let Some(device) = self.dev {
            hops.push(NextHop {
                device,
                gateway,
                is_dead: is_dead(&self.flags),
            });
        }
        let known = hops.iter().find_map(|hop| hop.gateway).or(self.prefsrc);
        let family = match known {
            _ if self.pref.is_some() => Family::V6,
            // An IPv4 route may have an IPv6 gateway (RFC 5549), never the reverse.
            Some(address) if self.via.is_none() => Family::of(address),
            _ => family,
        };
        Some(Route {
            table: TableId::read(self.table.as_ref()),
            destination: prefix(&self.dst, None, family)?,
            kind: RouteKind::read(self.kind.as_ref())?,
            hops,
            metric: self
                .metric
                .and_then(|metric| metric.number()?.try_into().ok())
                .unwrap_or_default(),
            source: self.prefsrc,
            mtu: self.metrics.iter().find_map(|metrics| metrics.mtu),
            protocol: self.protocol.map(|protocol| protocol.text()),
        })
    }
}

impl RawHop {
    fn read(&self) -> Option<NextHop> {
        Some(NextHop {
            device: self.dev.clone()?,
            gateway: gateway(self.gateway.as_deref(), self.via.as_ref()),
            is_dead: is_dead(&self.flags),
        })
    }
}

fn gateway(plain: Option<&str>, via: Option<&Via>) -> Option<IpAddr> {
    plain
        .or_else(|| via.and_then(|via| via.host.as_deref()))
        .and_then(|address| address.parse().ok())
}

fn is_dead(flags: &[String]) -> bool {
    flags.iter().any(|flag| flag == "dead")
}

fn prefix(text: &str, length: Option<u8>, family: Family) -> Option<IpNet> {
    match (text, family) {
        ("default" | "all", Family::V4) => parse_prefix("0.0.0.0/0").ok(),
        ("default" | "all", Family::V6) => parse_prefix("::/0").ok(),
        _ => match length {
            Some(length) => IpNet::new(text.parse().ok()?, length).ok(),
            None => parse_prefix(text).ok(),
        },
    }
}

// === impl RawRule ===

impl RawRule {
    fn read(self) -> RouteRule {
        // `all` is no selector at all.
        let selector = |text: &str, length| match text {
            "" | "all" | "default" => None,
            text => prefix(text, length, Family::V4),
        };
        let (from, to) = (
            selector(&self.src, self.srclen),
            selector(&self.dst, self.dstlen),
        );
        let number = |raw: &Option<Loose>| {
            let number = raw.as_ref()?.number()?;
            u32::try_from(number).ok()
        };
        let action = match (&self.table, self.action.as_ref().or(self.kind.as_ref())) {
            (Some(_), None) => RuleAction::Lookup(TableId::read(self.table.as_ref())),
            (table, Some(kind)) => match kind.text().as_str() {
                "lookup" | "table" | "to_tbl" | "1" => {
                    RuleAction::Lookup(TableId::read(table.as_ref()))
                }
                _ => match RouteKind::read(Some(kind)) {
                    Some(
                        kind
                        @ (RouteKind::Blackhole | RouteKind::Unreachable | RouteKind::Prohibit),
                    ) => RuleAction::End(kind),
                    _ => RuleAction::Opaque,
                },
            },
            (None, None) => RuleAction::Opaque,
        };
        let harmless = ["not", "protocol", "flags", "tos", "suppress_ifgroup"];
        let opaque = self
            .rest
            .iter()
            .find(|(key, _)| !harmless.contains(&key.as_str()));
        RouteRule {
            priority: self.priority,
            family: from.or(to).map(|net| Family::of(net.addr())),
            negated: self.rest.contains_key("not"),
            from,
            to,
            mark: number(&self.fwmark).map(|mark| (mark, number(&self.fwmask).unwrap_or(u32::MAX))),
            iif: self.iif,
            oif: self.oif,
            opaque: opaque.map(|(key, value)| format!("{key} {value}")),
            action,
            suppress_prefix: self.suppress_prefixlen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_mean_the_same() {
        let numbers = r#"[{"dst":"10.244.1.0/24","dev":"cni0","protocol":"2","scope":"253"},
            {"type":"2","dst":"10.244.1.1","dev":"cni0","table":"255","flags":[]},
            {"dst":"default","gateway":"fd00::1","dev":"eth0","metric":1024,"pref":"medium"}]"#;
        let names = r#"[{"dst":"10.244.1.0/24","dev":"cni0","protocol":"2","scope":"link"},
            {"type":"local","dst":"10.244.1.1","dev":"cni0","table":"local"},
            {"dst":"::/0","gateway":"fd00::1","dev":"eth0","metric":1024,"pref":"medium"}]"#;
        let numbers = routes(numbers, Family::V4).unwrap();
        assert_eq!(numbers, routes(names, Family::V4).unwrap());
        assert_eq!(
            (numbers[1].table, numbers[1].kind),
            (TableId::LOCAL, RouteKind::Local)
        );
        assert_eq!(numbers[2].destination.to_string(), "::/0");
    }

    #[test]
    fn multipath_and_dead_ends() {
        let text = r#"[{"dst":"default","nexthops":[{"gateway":"10.0.0.1","dev":"a","weight":1,"flags":[]},
            {"via":{"family":"inet6","host":"fe80::1"},"dev":"b","flags":["dead"]}]},
            {"type":"blackhole","dst":"10.1.0.0/16","table":"99"}]"#;
        let routes = routes(text, Family::V4).unwrap();
        assert_eq!(routes[0].hops.len(), 2);
        assert!(routes[0].hops[1].is_dead);
        assert_eq!(
            (routes[1].kind, routes[1].table, routes[1].hops.len()),
            (RouteKind::Blackhole, TableId(99), 0)
        );
    }

    #[test]
    fn rules_with_selectors() {
        let text = r#"[{"priority":0,"src":"all","table":"local"},
            {"priority":512,"src":"all","dst":"10.0.1.5","table":"main"},
            {"priority":100,"not":null,"src":"10.244.0.0","srclen":16,"fwmark":"0x80","fwmask":"0x80","iif":"eth1","table":"99"},
            {"priority":200,"src":"all","uid_start":1000,"uid_end":1000,"action":"blackhole"}]"#;
        let rules = route_rules(text).unwrap();
        assert_eq!(rules[0].action, RuleAction::Lookup(TableId::LOCAL));
        assert_eq!(rules[1].to.unwrap().to_string(), "10.0.1.5/32");
        assert_eq!(rules[2].mark, Some((0x80, 0x80)));
        assert!(rules[2].negated);
        assert!(rules[3].opaque.is_some());
        assert_eq!(rules[3].action, RuleAction::End(RouteKind::Blackhole));
    }
}
