//! nftables mode: the whole table of one family, as one transaction of `nft -f`.
//!
//! Source: kube-proxy v1.36 `pkg/proxy/nftables/proxier.go`, and dumps of the running program. The
//! running program changes what differs; the lab writes the table anew, which reads the same.

use super::endpoints::Chosen;
use super::nftables_service;
use super::{Config, Port};

/// The name of the table, in families `ip` and `ip6`.
pub const TABLE: &str = "kube-proxy";

/// What the ports add to the table.
#[derive(Debug, Default)]
pub struct Parts {
    /// Names of chains.
    pub chains: Vec<String>,
    /// Affinity sets with their timeout in seconds.
    pub sets: Vec<(String, u32)>,
    /// Chain and rule.
    pub rules: Vec<(String, String)>,
    /// Set or map and element.
    pub elements: Vec<(&'static str, String)>,
}

/// The commands that make the table.
pub fn ruleset(ports: &[Port], config: &Config) -> Vec<String> {
    let mut parts = Parts::default();
    for port in ports {
        nftables_service::write(&mut parts, port, &Chosen::of(port, config), config);
    }
    if let Some(addresses) = &config.node_port_addresses {
        let served = addresses
            .iter()
            .map(|address| ("nodeport-ips", address.to_string()));
        parts.elements.extend(served);
    }
    let family = if config.ipv6 { "ip6" } else { "ip" };
    let at = format!("{family} {TABLE}");
    let mut lines = vec![format!(
        "add table {at} {{ comment \"rules for kube-proxy\" ; }}"
    )];
    lines.extend(chains(&at));
    lines.extend(
        parts
            .chains
            .iter()
            .map(|chain| format!("add chain {at} {chain}")),
    );
    lines.extend(sets(&at, config));
    let kind = address_type(config);
    lines.extend(parts.sets.iter().map(|(name, seconds)| {
        format!(
            "add set {at} {name} {{ type {kind} ; flags dynamic,timeout ; timeout {seconds}s ; }}"
        )
    }));
    let rules = rules(config)
        .into_iter()
        .map(|(chain, rule)| (chain.to_owned(), rule));
    lines.extend(
        rules
            .chain(parts.rules)
            .map(|(chain, rule)| format!("add rule {at} {chain} {rule}")),
    );
    let elements = parts.elements.iter();
    let mut elements: Vec<String> = elements
        .map(|(set, element)| format!("add element {at} {set} {{ {element} }}"))
        .collect();
    elements.sort();
    elements.dedup();
    lines.extend(elements);
    lines
}

fn chains(at: &str) -> Vec<String> {
    const BASE: [(&str, &str, &str, &str); 8] = [
        ("filter-prerouting-pre-dnat", "filter", "prerouting", "-110"),
        ("filter-output-pre-dnat", "filter", "output", "-110"),
        ("filter-input", "filter", "input", "0"),
        ("filter-forward", "filter", "forward", "0"),
        ("filter-output", "filter", "output", "0"),
        ("nat-prerouting", "nat", "prerouting", "-100"),
        ("nat-output", "nat", "output", "-100"),
        ("nat-postrouting", "nat", "postrouting", "100"),
    ];
    const PLAIN: [&str; 6] = [
        "nodeport-endpoints-check",
        "service-endpoints-check",
        "firewall-check",
        "services",
        "masquerading",
        "cluster-ips-check",
    ];
    let base = BASE.map(|(name, kind, hook, priority)| {
        format!("add chain {at} {name} {{ type {kind} hook {hook} priority {priority} ; }}")
    });
    let plain = PLAIN.map(|name| format!("add chain {at} {name}"));
    let reject = format!(
        "add chain {at} reject-chain {{ comment \"helper for @no-endpoint-services / @no-endpoint-nodeports\" ; }}"
    );
    base.into_iter().chain(plain).chain([reject]).collect()
}

fn sets(at: &str, config: &Config) -> Vec<String> {
    let kind = address_type(config);
    let to_port = "inet_proto . inet_service";
    let set = |name: &str, of: &str, why: &str| {
        format!("add set {at} {name} {{ type {of} ; comment \"{why}\" ; }}")
    };
    let map = |name: &str, of: &str, why: &str| {
        format!("add map {at} {name} {{ type {of} : verdict ; comment \"{why}\" ; }}")
    };
    let full = format!("{kind} . {to_port}");
    let mut sets = vec![
        set(
            "hairpin-connections",
            &format!("{kind} . {kind} . {to_port}"),
            "service hairpin connections",
        ),
        set("cluster-ips", kind, "Active ClusterIPs"),
        map(
            "no-endpoint-services",
            &full,
            "vmap to drop or reject packets to services with no endpoints",
        ),
        map(
            "no-endpoint-nodeports",
            to_port,
            "vmap to drop or reject packets to service nodeports with no endpoints",
        ),
        map(
            "firewall-ips",
            &full,
            "destinations that are subject to LoadBalancerSourceRanges",
        ),
        map(
            "service-ips",
            &full,
            "ClusterIP, ExternalIP and LoadBalancer IP traffic",
        ),
        map("service-nodeports", to_port, "NodePort traffic"),
    ];
    if config.node_port_addresses.is_some() {
        sets.push(set(
            "nodeport-ips",
            kind,
            "IPs that accept NodePort traffic",
        ));
    }
    sets
}

#[expect(clippy::too_many_lines, reason = "one flat list of rules")]
fn rules(config: &Config) -> Vec<(&'static str, String)> {
    let ip = family_word(config);
    let (check, serve) = if config.node_port_addresses.is_some() {
        let to = format!("{ip} daddr @nodeport-ips");
        (to.clone(), to)
    } else if config.ipv6 {
        (
            "ip6 daddr != ::1".to_owned(),
            "fib daddr type local ip6 daddr != ::1".to_owned(),
        )
    } else {
        (
            "ip daddr != 127.0.0.0/8".to_owned(),
            "fib daddr type local ip daddr != 127.0.0.0/8".to_owned(),
        )
    };
    let port = "meta l4proto . th dport";
    let mut rules = vec![
        (
            "filter-prerouting-pre-dnat",
            "ct state new jump firewall-check".to_owned(),
        ),
        (
            "filter-output-pre-dnat",
            "ct state new jump firewall-check".to_owned(),
        ),
        (
            "filter-input",
            "ct state new jump nodeport-endpoints-check".to_owned(),
        ),
        (
            "filter-input",
            "ct state new jump service-endpoints-check".to_owned(),
        ),
        (
            "filter-forward",
            "ct state new jump service-endpoints-check".to_owned(),
        ),
        (
            "filter-forward",
            "ct state new jump cluster-ips-check".to_owned(),
        ),
        (
            "filter-output",
            "ct state new jump service-endpoints-check".to_owned(),
        ),
        (
            "filter-output",
            "ct state new jump cluster-ips-check".to_owned(),
        ),
        ("nat-prerouting", "jump services".to_owned()),
        ("nat-output", "jump services".to_owned()),
        ("nat-postrouting", "jump masquerading".to_owned()),
        (
            "nodeport-endpoints-check",
            format!("{check} {port} vmap @no-endpoint-nodeports"),
        ),
        (
            "service-endpoints-check",
            format!("{ip} daddr . {port} vmap @no-endpoint-services"),
        ),
        (
            "firewall-check",
            format!("{ip} daddr . {port} vmap @firewall-ips"),
        ),
        (
            "masquerading",
            "mark and 0x4000 != 0 mark set mark xor 0x4000 masquerade fully-random".to_owned(),
        ),
        (
            "masquerading",
            format!(
                "ct status dnat {ip} saddr . {ip} daddr . {port} @hairpin-connections masquerade fully-random"
            ),
        ),
        (
            "cluster-ips-check",
            format!(
                "{ip} daddr @cluster-ips reject comment \"Reject traffic to invalid ports of ClusterIPs\""
            ),
        ),
        ("reject-chain", "reject".to_owned()),
    ];
    if !config.services.is_empty() {
        let ranges: Vec<String> = config.services.iter().map(ToString::to_string).collect();
        rules.push((
            "cluster-ips-check",
            format!(
                "{ip} daddr {{ {} }} drop comment \"Drop traffic to unallocated ClusterIPs\"",
                ranges.join(", ")
            ),
        ));
    }
    if config.masquerade_all {
        rules.push((
            "services",
            format!("{ip} daddr @cluster-ips mark set mark or 0x4000 comment \"masquerade all clusterIP traffic\""),
        ));
    } else if let Some(cluster) = &config.cluster {
        rules.push((
            "services",
            format!(
                "{ip} daddr @cluster-ips {ip} saddr != {cluster} mark set mark or 0x4000 \
                 comment \"masquerade clusterIP traffic from outside cluster\""
            ),
        ));
    }
    rules.push(("services", format!("{ip} daddr . {port} vmap @service-ips")));
    rules.push((
        "services",
        format!("{serve} {port} vmap @service-nodeports"),
    ));
    rules
}

/// `ip` or `ip6`, as rules say it.
pub const fn family_word(config: &Config) -> &'static str {
    if config.ipv6 { "ip6" } else { "ip" }
}

const fn address_type(config: &Config) -> &'static str {
    if config.ipv6 {
        "ipv6_addr"
    } else {
        "ipv4_addr"
    }
}
