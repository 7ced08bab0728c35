//! nftables mode: the chains and elements of one port of one Service.

use std::net::IpAddr;

use super::endpoints::Chosen;
use super::names::{nft_chain, nft_endpoint};
use super::nftables::{Parts, family_word};
use super::service::Endpoint;
use super::{Config, Port};

/// Adds everything one port needs.
pub fn write(parts: &mut Parts, port: &Port, chosen: &Chosen<'_>, config: &Config) {
    let chains = Chains::of(port);
    parts
        .elements
        .push(("cluster-ips", port.cluster_ip.to_string()));
    capture(parts, port, chosen, &chains);
    if chosen.any && port.is_external() {
        external_chain(parts, port, chosen, config, &chains);
    }
    if !port.load_balancer_ips.is_empty() && !port.source_ranges.is_empty() {
        firewall_chain(parts, port, config, &chains);
    }
    if chosen.uses_cluster {
        spread(parts, port, &chains.service, &chosen.cluster, config);
    }
    if chosen.uses_local {
        spread(parts, port, &chains.local, &chosen.local, config);
    }
    for endpoint in chosen.reachable() {
        if endpoint.local {
            let (ip, protocol, number) = (
                endpoint.address.ip(),
                &port.protocol,
                endpoint.address.port(),
            );
            parts.elements.push((
                "hairpin-connections",
                format!("{ip} . {ip} . {protocol} . {number}"),
            ));
        }
        if port.affinity.is_some() {
            endpoint_chain(parts, port, endpoint, config);
        }
    }
}

struct Chains {
    service: String,
    local: String,
    external: String,
    firewall: String,
}

// === impl Chains ===

impl Chains {
    fn of(port: &Port) -> Self {
        Self {
            service: nft_chain("service-", port),
            local: nft_chain("local-", port),
            external: nft_chain("external-", port),
            firewall: nft_chain("firewall-", port),
        }
    }

    fn by_policy(&self, local: bool) -> &str {
        if local { &self.local } else { &self.service }
    }
}

/// The map elements that lead to the port's chains, or to a refusal.
fn capture(parts: &mut Parts, port: &Port, chosen: &Chosen<'_>, chains: &Chains) {
    let Port { name, protocol, .. } = port;
    let refusal = if chosen.any {
        "drop"
    } else {
        "goto reject-chain"
    };
    let at = |address: IpAddr| format!("{address} . {protocol} . {}", port.port);
    let refused = |address: IpAddr| format!("{} comment \"{name}\" : {refusal}", at(address));
    let elements = &mut parts.elements;
    if chosen.internal {
        let target = chains.by_policy(port.internal_local);
        elements.push((
            "service-ips",
            format!("{} : goto {target}", at(port.cluster_ip)),
        ));
    } else {
        elements.push(("no-endpoint-services", refused(port.cluster_ip)));
    }
    for address in port.external_ips.iter().chain(&port.load_balancer_ips) {
        if chosen.any {
            elements.push((
                "service-ips",
                format!("{} : goto {}", at(*address), chains.external),
            ));
        }
        if !chosen.external {
            elements.push(("no-endpoint-services", refused(*address)));
        }
    }
    if !port.source_ranges.is_empty() {
        let guarded = port.load_balancer_ips.iter();
        elements.extend(guarded.map(|address| {
            (
                "firewall-ips",
                format!("{} : goto {}", at(*address), chains.firewall),
            )
        }));
    }
    if let Some(number) = port.node_port {
        if chosen.any {
            elements.push((
                "service-nodeports",
                format!("{protocol} . {number} : goto {}", chains.external),
            ));
        }
        if !chosen.external {
            let element = format!("{protocol} . {number} comment \"{name}\" : {refusal}");
            elements.push(("no-endpoint-nodeports", element));
        }
    }
}

fn external_chain(
    parts: &mut Parts,
    port: &Port,
    chosen: &Chosen<'_>,
    config: &Config,
    chains: &Chains,
) {
    let (chain, service) = (&chains.external, &chains.service);
    parts.chains.push(chain.clone());
    let mut rule = |text: String| parts.rules.push((chain.clone(), text));
    if port.external_local {
        if let Some(cluster) = &config.cluster {
            let ip = family_word(config);
            rule(format!(
                "{ip} saddr {cluster} goto {service} comment \"short-circuit pod traffic\""
            ));
        }
        rule(
            "fib saddr type local mark set mark or 0x4000 comment \"masquerade local traffic\""
                .to_owned(),
        );
        rule(format!(
            "fib saddr type local goto {service} comment \"short-circuit local traffic\""
        ));
    } else {
        rule("mark set mark or 0x4000 comment \"masquerade\"".to_owned());
    }
    if chosen.external {
        rule(format!("goto {}", chains.by_policy(port.external_local)));
    }
}

fn firewall_chain(parts: &mut Parts, port: &Port, config: &Config, chains: &Chains) {
    let mut allowed: Vec<String> = port.source_ranges.iter().map(ToString::to_string).collect();
    let node_is_allowed = port.source_ranges.iter().any(|range| {
        config
            .node_address
            .is_some_and(|address| range.contains(&address))
    });
    if node_is_allowed {
        // A node that sends to a VIP of its own comes from that VIP.
        allowed.extend(port.load_balancer_ips.iter().map(ToString::to_string));
    }
    parts.chains.push(chains.firewall.clone());
    let rule = format!(
        "{} saddr != {{ {} }} drop",
        family_word(config),
        allowed.join(", ")
    );
    parts.rules.push((chains.firewall.clone(), rule));
}

/// One of several endpoints by chance; with affinity the one that was used last.
fn spread(parts: &mut Parts, port: &Port, chain: &str, endpoints: &[&Endpoint], config: &Config) {
    parts.chains.push(chain.to_owned());
    let ip = family_word(config);
    let count = endpoints.len();
    let each = endpoints.iter().enumerate();
    if port.affinity.is_none() {
        let targets: Vec<String> = each
            .map(|(position, one)| {
                format!("{position} : {} . {}", one.address.ip(), one.address.port())
            })
            .collect();
        let rule = format!(
            "meta l4proto {} dnat {ip} addr . port to numgen random mod {count} map {{ {} }}",
            port.protocol,
            targets.join(" , ")
        );
        parts.rules.push((chain.to_owned(), rule));
        return;
    }
    let mut targets = Vec::new();
    for (position, one) in each {
        let target = nft_endpoint("endpoint-", port, one.address);
        let set = nft_endpoint("affinity-", port, one.address);
        parts
            .rules
            .push((chain.to_owned(), format!("{ip} saddr @{set} goto {target}")));
        targets.push(format!("{position} : goto {target}"));
    }
    let rule = format!(
        "numgen random mod {count} vmap {{ {} }}",
        targets.join(" , ")
    );
    parts.rules.push((chain.to_owned(), rule));
}

/// An endpoint's own chain, which only affinity needs.
fn endpoint_chain(parts: &mut Parts, port: &Port, endpoint: &Endpoint, config: &Config) {
    let chain = nft_endpoint("endpoint-", port, endpoint.address);
    let set = nft_endpoint("affinity-", port, endpoint.address);
    let ip = family_word(config);
    parts.chains.push(chain.clone());
    parts
        .sets
        .push((set.clone(), port.affinity.unwrap_or_default()));
    parts
        .rules
        .push((chain.clone(), format!("update @{set} {{ {ip} saddr }}")));
    let to = format!(
        "meta l4proto {} dnat to {}",
        port.protocol, endpoint.address
    );
    parts.rules.push((chain, to));
}
