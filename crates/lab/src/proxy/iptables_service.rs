//! iptables mode: the rules of one port of one Service.

use std::net::IpAddr;

use super::endpoints::Chosen;
use super::names::{endpoint_chain, service_chain};
use super::service::Endpoint;
use super::{Config, Port};

/// What the ports add to the tables.
#[derive(Debug, Default)]
pub struct Tables {
    /// More than a thousand endpoints: the rules of endpoints go without their comments.
    pub large: bool,
    pub filter: Vec<String>,
    pub nat: Vec<String>,
    pub nat_chains: Vec<String>,
}

// === impl Tables ===

impl Tables {
    fn comment(&self, text: &str) -> String {
        if self.large {
            String::new()
        } else {
            format!(" -m comment --comment \"{text}\"")
        }
    }
}

/// Adds everything one port needs.
pub fn write(tables: &mut Tables, port: &Port, chosen: &Chosen<'_>, config: &Config) {
    let chains = Chains::of(port, chosen);
    capture_cluster_ip(tables, port, chosen, &chains);
    capture_external(tables, port, chosen, config, &chains);
    if chosen.internal {
        mark_foreign(tables, port, config, &chains);
    }
    if chains.uses_external {
        external_chain(tables, port, chosen, config, &chains);
    }
    if chains.uses_firewall {
        firewall_chain(tables, port, config, &chains);
    }
    if chosen.uses_cluster {
        spread(tables, port, &chains.cluster, &chosen.cluster);
    }
    if chosen.uses_local {
        spread(tables, port, &chains.local, &chosen.local);
    }
    for endpoint in chosen.reachable() {
        endpoint_rules(tables, port, endpoint);
    }
}

/// The names of a port's chains, and which of them it needs.
struct Chains {
    cluster: String,
    local: String,
    external: String,
    firewall: String,
    internal_target: String,
    external_target: String,
    uses_external: bool,
    uses_firewall: bool,
}

// === impl Chains ===

impl Chains {
    fn of(port: &Port, chosen: &Chosen<'_>) -> Self {
        let cluster = service_chain("KUBE-SVC-", port);
        let local = service_chain("KUBE-SVL-", port);
        let by_policy = |is_local| {
            if is_local {
                local.clone()
            } else {
                cluster.clone()
            }
        };
        Self {
            internal_target: by_policy(port.internal_local),
            external_target: by_policy(port.external_local),
            external: service_chain("KUBE-EXT-", port),
            firewall: service_chain("KUBE-FW-", port),
            uses_external: chosen.any && port.is_external(),
            uses_firewall: chosen.any
                && !port.load_balancer_ips.is_empty()
                && !port.source_ranges.is_empty(),
            cluster,
            local,
        }
    }
}

fn capture_cluster_ip(tables: &mut Tables, port: &Port, chosen: &Chosen<'_>, chains: &Chains) {
    let to = to(port, port.cluster_ip);
    let name = &port.name;
    if chosen.internal {
        let target = &chains.internal_target;
        tables.nat.push(format!(
            "-A KUBE-SERVICES -m comment --comment \"{name} cluster IP\" {to} -j {target}"
        ));
    } else {
        let (why, target) = refusal(chosen);
        tables.filter.push(format!(
            "-A KUBE-SERVICES -m comment --comment \"{name} {why}\" {to} -j {target}"
        ));
    }
}

fn capture_external(
    tables: &mut Tables,
    port: &Port,
    chosen: &Chosen<'_>,
    config: &Config,
    chains: &Chains,
) {
    let (name, external) = (&port.name, &chains.external);
    let (why, refused) = refusal(chosen);
    let entry = if chains.uses_firewall {
        &chains.firewall
    } else {
        external
    };
    let addresses = port
        .external_ips
        .iter()
        .map(|address| (address, "external IP", external));
    let balanced = port
        .load_balancer_ips
        .iter()
        .map(|address| (address, "loadbalancer IP", entry));
    for (address, what, chain) in addresses.chain(balanced) {
        let to = to(port, *address);
        if chosen.any {
            tables.nat.push(format!(
                "-A KUBE-SERVICES -m comment --comment \"{name} {what}\" {to} -j {chain}"
            ));
        }
        if !chosen.external {
            tables.filter.push(format!(
                "-A KUBE-EXTERNAL-SERVICES -m comment --comment \"{name} {why}\" {to} -j {refused}"
            ));
        }
        if chains.uses_firewall && what == "loadbalancer IP" {
            tables.filter.push(format!(
                "-A KUBE-PROXY-FIREWALL -m comment --comment \"{name} traffic not accepted by {}\" {to} -j DROP",
                chains.firewall
            ));
        }
    }
    let protocol = &port.protocol;
    if let Some(number) = port.node_port {
        if chosen.any {
            if config.localhost_node_ports && !config.ipv6 && config.nfacct {
                tables.nat.push(format!(
                    "-A KUBE-NODEPORTS -m comment --comment \"{name}\" -m {protocol} -p {protocol} -d 127.0.0.0/8 --dport {number} \
                     -m nfacct --nfacct-name localhost_nps_accepted_pkts -j {external}"
                ));
            }
            tables.nat.push(format!(
                "-A KUBE-NODEPORTS -m comment --comment \"{name}\" -m {protocol} -p {protocol} --dport {number} -j {external}"
            ));
        }
        if !chosen.external {
            tables.filter.push(format!(
                "-A KUBE-EXTERNAL-SERVICES -m comment --comment \"{name} {why}\" -m addrtype --dst-type LOCAL \
                 -m {protocol} -p {protocol} --dport {number} -j {refused}"
            ));
        }
    }
    if let Some(number) = port.health_check {
        tables.filter.push(format!(
            "-A KUBE-NODEPORTS -m comment --comment \"{name} health check node port\" -m tcp -p tcp --dport {number} -j ACCEPT"
        ));
    }
}

/// Traffic to the ClusterIP that is not from a pod is masqueraded.
fn mark_foreign(tables: &mut Tables, port: &Port, config: &Config, chains: &Chains) {
    let from = match &config.cluster {
        _ if config.masquerade_all => String::new(),
        Some(cluster) => format!(" ! -s {cluster}"),
        None => return,
    };
    tables.nat.push(format!(
        "-A {} -m comment --comment \"{} cluster IP\" {}{from} -j KUBE-MARK-MASQ",
        chains.internal_target,
        port.name,
        to(port, port.cluster_ip)
    ));
}

fn external_chain(
    tables: &mut Tables,
    port: &Port,
    chosen: &Chosen<'_>,
    config: &Config,
    chains: &Chains,
) {
    let (chain, name, cluster) = (&chains.external, &port.name, &chains.cluster);
    tables.nat_chains.push(chain.clone());
    let nat = &mut tables.nat;
    if port.external_local {
        if let Some(range) = &config.cluster {
            nat.push(format!(
                "-A {chain} -m comment --comment \"pod traffic for {name} external destinations\" -s {range} -j {cluster}"
            ));
        }
        nat.push(format!(
            "-A {chain} -m comment --comment \"masquerade LOCAL traffic for {name} external destinations\" -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ"
        ));
        nat.push(format!(
            "-A {chain} -m comment --comment \"route LOCAL traffic for {name} external destinations\" -m addrtype --src-type LOCAL -j {cluster}"
        ));
    } else {
        nat.push(format!(
            "-A {chain} -m comment --comment \"masquerade traffic for {name} external destinations\" -j KUBE-MARK-MASQ"
        ));
    }
    if chosen.external {
        nat.push(format!("-A {chain} -j {}", chains.external_target));
    }
}

fn firewall_chain(tables: &mut Tables, port: &Port, config: &Config, chains: &Chains) {
    let (chain, name, external) = (&chains.firewall, &port.name, &chains.external);
    tables.nat_chains.push(chain.clone());
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
    for range in allowed {
        tables.nat.push(format!(
            "-A {chain} -m comment --comment \"{name} loadbalancer IP\" -s {range} -j {external}"
        ));
    }
    tables.nat.push(format!(
        "-A {chain} -m comment --comment \"other traffic to {name} will be dropped by KUBE-PROXY-FIREWALL\""
    ));
}

/// One of several endpoints by chance; with affinity the one that was used last.
fn spread(tables: &mut Tables, port: &Port, chain: &str, endpoints: &[&Endpoint]) {
    tables.nat_chains.push(chain.to_owned());
    let name = &port.name;
    let each = endpoints
        .iter()
        .map(|one| (one.address, endpoint_chain(port, one.address)));
    if let Some(seconds) = port.affinity {
        for (address, target) in each.clone() {
            let comment = tables.comment(&format!("{name} -> {address}"));
            tables.nat.push(format!(
                "-A {chain}{comment} -m recent --name {target} --rcheck --seconds {seconds} --reap -j {target}"
            ));
        }
    }
    for (position, (address, target)) in each.enumerate() {
        let left = endpoints.len() - position;
        let chance = match u32::try_from(left) {
            Ok(left) if left > 1 => {
                format!(
                    " -m statistic --mode random --probability {:.10}",
                    1.0 / f64::from(left)
                )
            }
            _ => String::new(),
        };
        let comment = tables.comment(&format!("{name} -> {address}"));
        tables
            .nat
            .push(format!("-A {chain}{comment}{chance} -j {target}"));
    }
}

fn endpoint_rules(tables: &mut Tables, port: &Port, endpoint: &Endpoint) {
    let chain = endpoint_chain(port, endpoint.address);
    let (name, protocol) = (&port.name, &port.protocol);
    let host = endpoint.address.ip();
    let remember = match port.affinity {
        Some(_) => format!(" -m recent --name {chain} --set"),
        None => String::new(),
    };
    let comment = tables.comment(name);
    tables
        .nat
        .push(format!("-A {chain}{comment} -s {host} -j KUBE-MARK-MASQ"));
    tables.nat.push(format!(
        "-A {chain}{comment}{remember} -m {protocol} -p {protocol} -j DNAT --to-destination {}",
        endpoint.address
    ));
    tables.nat_chains.push(chain);
}

/// The match of a port at an address.
fn to(port: &Port, address: IpAddr) -> String {
    let Port { protocol, port, .. } = port;
    format!("-m {protocol} -p {protocol} -d {address} --dport {port}")
}

/// Nothing anywhere is refused, nothing here is dropped.
const fn refusal(chosen: &Chosen<'_>) -> (&'static str, &'static str) {
    if chosen.any {
        ("has no local endpoints", "DROP")
    } else {
        ("has no endpoints", "REJECT")
    }
}
