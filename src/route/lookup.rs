//! Policy rules and tables.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Decision, NoWay, Query};
use crate::facts::{Route, RouteKind, RouteRule, RuleAction, TableId};
use crate::net::Family;

/// All routing tables of a host with the rules that choose among them.
#[derive(Debug, Clone, Default)]
pub struct Routing {
    tables: BTreeMap<(Family, TableId), Vec<Route>>,
    rules: Vec<RouteRule>,
}

/// Whether a policy rule applies.
enum Applies {
    Yes,
    No,
    Unknown(String),
}

// === impl Routing ===

impl Routing {
    /// Puts routes into their tables. Without rules the kernel's three stand: local, main, default.
    #[must_use]
    pub fn new(routes: Vec<Route>, mut rules: Vec<RouteRule>) -> Self {
        let mut tables: BTreeMap<_, Vec<Route>> = BTreeMap::new();
        for route in routes {
            let family = Family::of(route.destination.addr());
            let table = tables.entry((family, route.table)).or_default();
            if !table.contains(&route) {
                table.push(route);
            }
        }
        for table in tables.values_mut() {
            // The first that contains the destination is the one that counts.
            table.sort_by_key(|route| (u8::MAX - route.destination.prefix_len(), route.metric));
        }
        rules.sort_by_key(|rule| rule.priority);
        Self { tables, rules }
    }

    /// Every route, table by table.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        self.tables.values().flatten()
    }

    /// The policy rules in the order they are asked; empty where only the kernel's own stand.
    #[must_use]
    pub fn rules(&self) -> &[RouteRule] {
        &self.rules
    }

    /// The most specific route of one table.
    #[must_use]
    pub fn best(&self, table: TableId, dst: IpAddr) -> Option<&Route> {
        self.best_within(table, dst, None)
    }

    fn best_within(&self, table: TableId, dst: IpAddr, suppress: Option<u8>) -> Option<&Route> {
        self.tables
            .get(&(Family::of(dst), table))?
            .iter()
            .filter(|route| route.hops.is_empty() || route.hops.iter().any(|hop| !hop.is_dead))
            .find(|route| route.destination.contains(&dst))
            .filter(|route| suppress.is_none_or(|longest| route.destination.prefix_len() > longest))
    }

    /// The route that a packet takes, with the rule that chose its table (none = the kernel's own).
    ///
    /// # Errors
    /// The text of a rule that needs more than is known, and could change the answer.
    pub fn select(&self, query: Query<'_>) -> Result<Option<Selected<'_>>, String> {
        let mut doubt: Option<String> = None;
        for (rule, action, suppress) in self.steps(Family::of(query.dst)) {
            let applies = rule.map_or(Applies::Yes, |rule| applies(rule, query));
            let found = match action {
                RuleAction::Lookup(table) => {
                    let best = self.best_within(table, query.dst, suppress);
                    best.filter(|route| route.kind != RouteKind::Throw)
                        .map(Selected::Route)
                }
                RuleAction::End(kind) => rule.map(|rule| Selected::Rule(rule, kind)),
                RuleAction::Opaque => None,
            };
            match (applies, found) {
                (Applies::Unknown(why), _) => doubt = doubt.or(Some(why)),
                (Applies::Yes, _) if action == RuleAction::Opaque => {
                    doubt = doubt.or_else(|| rule.map(|rule| format!("rule {}", rule.priority)));
                }
                (Applies::Yes, Some(found)) => return doubt.map_or(Ok(Some(found)), Err),
                (Applies::No, _) | (Applies::Yes, None) => {}
            }
        }
        doubt.map_or(Ok(None), Err)
    }

    /// What becomes of a packet.
    #[must_use]
    pub fn decide(&self, query: Query<'_>) -> Decision {
        match self.select(query) {
            Err(why) => Decision::Unknown(format!("policy routing: {why}")),
            Ok(None) => Decision::Refuse(NoWay::NoRoute),
            Ok(Some(Selected::Rule(_, kind))) => dead_end(kind),
            Ok(Some(Selected::Route(route))) => match route.kind {
                RouteKind::Unicast => {
                    let alive = route.hops.iter().filter(|hop| !hop.is_dead);
                    Decision::Forward(alive.cloned().collect())
                }
                kind => dead_end(kind),
            },
        }
    }

    fn steps(
        &self,
        family: Family,
    ) -> impl Iterator<Item = (Option<&RouteRule>, RuleAction, Option<u8>)> {
        let listed = self
            .rules
            .iter()
            .filter(move |rule| rule.family.is_none_or(|of| of == family))
            .map(|rule| (Some(rule), rule.action, rule.suppress_prefix));
        let own = [TableId::LOCAL, TableId::MAIN, TableId::DEFAULT];
        let own = own
            .into_iter()
            .filter(|_| self.rules.is_empty())
            .map(|table| (None, RuleAction::Lookup(table), None));
        listed.chain(own)
    }
}

/// What decided: a route, or a rule that ends the search itself.
#[derive(Debug, Clone, Copy)]
pub enum Selected<'a> {
    Route(&'a Route),
    Rule(&'a RouteRule, RouteKind),
}

const fn dead_end(kind: RouteKind) -> Decision {
    Decision::Refuse(match kind {
        RouteKind::Blackhole => NoWay::Blackhole,
        RouteKind::Unreachable => NoWay::Unreachable,
        RouteKind::Prohibit => NoWay::Prohibit,
        RouteKind::Unicast | RouteKind::Throw => NoWay::NoRoute,
        RouteKind::Local | RouteKind::Broadcast | RouteKind::Anycast | RouteKind::Multicast => {
            return Decision::Deliver;
        }
    })
}

fn applies(rule: &RouteRule, query: Query<'_>) -> Applies {
    let within = |net: &Option<ipnet::IpNet>, address: Option<IpAddr>| match (net, address) {
        (None, _) => true,
        (Some(net), Some(address)) => net.contains(&address),
        // An unbound socket asks with the zero address, which no prefix but /0 holds.
        (Some(net), None) => net.prefix_len() == 0,
    };
    let known = within(&rule.from, query.src)
        && within(&rule.to, Some(query.dst))
        && rule
            .iif
            .as_deref()
            .is_none_or(|iif| iif == query.iif.unwrap_or("lo"))
        // Only sockets bound to a device ask with one.
        && rule.oif.is_none()
        && rule
            .mark
            .is_none_or(|(value, mask)| query.mark & mask == value & mask);
    match (&rule.opaque, known) {
        (None, known) if known != rule.negated => Applies::Yes,
        (Some(text), true) => Applies::Unknown(format!("rule {} ({text})", rule.priority)),
        (Some(text), false) if rule.negated => {
            Applies::Unknown(format!("rule {} (not {text})", rule.priority))
        }
        _ => Applies::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{route_rules, routes};

    fn routing(rules: &str) -> Routing {
        let text = r#"[{"dst":"default","gateway":"192.0.2.1","dev":"eth0"},
            {"dst":"10.244.0.0/16","dev":"cni0","metric":5},
            {"dst":"10.244.0.0/16","gateway":"192.0.2.9","dev":"eth0"},
            {"dst":"10.244.2.0/24","gateway":"192.0.2.12","dev":"eth0"},
            {"type":"local","dst":"192.0.2.2","dev":"eth0","table":"local"},
            {"type":"blackhole","dst":"10.244.0.0/16","table":"99"},
            {"type":"throw","dst":"10.244.2.0/24","table":"99"},
            {"dst":"default","dev":"wg0","table":"51820"}]"#;
        Routing::new(
            routes(text, Family::V4).unwrap(),
            route_rules(rules).unwrap(),
        )
    }

    fn decide(routing: &Routing, src: &str, dst: &str, iif: Option<&str>, mark: u32) -> String {
        let query = Query {
            src: src.parse().ok(),
            dst: dst.parse().unwrap(),
            iif,
            mark,
            protocol: None,
        };
        match routing.decide(query) {
            Decision::Forward(hops) => {
                let hop = &hops[0];
                format!("{} {:?}", hop.device, hop.gateway.map(|ip| ip.to_string()))
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn longest_prefix_then_metric() {
        let routing = routing("");
        for (dst, expected) in [
            ("10.244.2.9", r#"eth0 Some("192.0.2.12")"#),
            ("10.244.7.9", r#"eth0 Some("192.0.2.9")"#),
            ("203.0.113.1", r#"eth0 Some("192.0.2.1")"#),
            ("192.0.2.2", "Deliver"),
            ("fd00::1", "Refuse(NoRoute)"),
        ] {
            assert_eq!(decide(&routing, "10.244.1.5", dst, None, 0), expected);
        }
    }

    #[test]
    fn policy_rules_by_source_interface_and_mark() {
        let own = r#"{"priority":0,"src":"all","table":"local"},
            {"priority":32766,"src":"all","table":"main"}"#;
        let with = |rule: &str| routing(&format!("[{own},{rule}]"));
        let by_source = with(r#"{"priority":100,"src":"10.244.0.0","srclen":16,"table":"99"}"#);
        assert_eq!(
            decide(&by_source, "10.244.1.5", "10.244.7.9", Some("cni0"), 0),
            "Refuse(Blackhole)"
        );
        // `throw` gives the packet back to the rules.
        assert_eq!(
            decide(&by_source, "10.244.1.5", "10.244.2.9", Some("cni0"), 0),
            r#"eth0 Some("192.0.2.12")"#
        );
        let by_mark =
            with(r#"{"priority":100,"not":null,"src":"all","fwmark":"0xca6c","table":"51820"}"#);
        assert_eq!(
            decide(&by_mark, "192.0.2.2", "203.0.113.1", None, 0),
            "wg0 None"
        );
        assert_eq!(
            decide(&by_mark, "192.0.2.2", "203.0.113.1", None, 0xca6c),
            r#"eth0 Some("192.0.2.1")"#
        );
        let suppressing = with(
            r#"{"priority":90,"src":"all","table":"main","suppress_prefixlen":0},
                {"priority":100,"src":"all","table":"51820"}"#,
        );
        assert_eq!(
            decide(&suppressing, "192.0.2.2", "10.244.2.9", None, 0),
            r#"eth0 Some("192.0.2.12")"#
        );
        assert_eq!(
            decide(&suppressing, "192.0.2.2", "8.8.8.8", None, 0),
            "wg0 None"
        );
        let opaque = with(r#"{"priority":100,"src":"all","uid_start":5,"table":"51820"}"#);
        assert!(decide(&opaque, "192.0.2.2", "8.8.8.8", None, 0).starts_with("Unknown"));
        let by_interface = with(r#"{"priority":100,"src":"all","iif":"eth1","table":"51820"}"#);
        assert_eq!(
            decide(&by_interface, "9.9.9.9", "8.8.8.8", Some("eth1"), 0),
            "wg0 None"
        );
    }
}
