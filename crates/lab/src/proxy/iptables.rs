//! iptables mode: the whole input of `iptables-restore --noflush`.
//!
//! Source: kube-proxy v1.36 `pkg/proxy/iptables/proxier.go`, and dumps of the running program.

use std::fmt::Write as _;

use super::endpoints::Chosen;
use super::iptables_service::{self, Tables};
use super::{Config, Port};

/// Jumps from built-in chains, in the order kube-proxy prepends them: the last ends up first.
pub const JUMPS: [(&str, &str, &str, &str); 14] = [
    ("filter", "INPUT", "KUBE-EXTERNAL-SERVICES", NEW_EXTERNAL),
    ("filter", "FORWARD", "KUBE-EXTERNAL-SERVICES", NEW_EXTERNAL),
    ("filter", "INPUT", "KUBE-NODEPORTS", HEALTH),
    ("filter", "FORWARD", "KUBE-SERVICES", NEW_PORTALS),
    ("filter", "OUTPUT", "KUBE-SERVICES", NEW_PORTALS),
    (
        "filter",
        "FORWARD",
        "KUBE-FORWARD",
        "-m comment --comment \"kubernetes forwarding rules\"",
    ),
    ("filter", "INPUT", "KUBE-PROXY-FIREWALL", NEW_FIREWALL),
    ("filter", "OUTPUT", "KUBE-PROXY-FIREWALL", NEW_FIREWALL),
    ("filter", "FORWARD", "KUBE-PROXY-FIREWALL", NEW_FIREWALL),
    ("filter", "INPUT", "KUBE-FIREWALL", ""),
    ("filter", "OUTPUT", "KUBE-FIREWALL", ""),
    ("nat", "PREROUTING", "KUBE-SERVICES", PORTALS),
    ("nat", "OUTPUT", "KUBE-SERVICES", PORTALS),
    (
        "nat",
        "POSTROUTING",
        "KUBE-POSTROUTING",
        "-m comment --comment \"kubernetes postrouting rules\"",
    ),
];

const NEW_EXTERNAL: &str = "-m conntrack --ctstate NEW -m comment --comment \"kubernetes externally-visible service portals\"";
const NEW_PORTALS: &str =
    "-m conntrack --ctstate NEW -m comment --comment \"kubernetes service portals\"";
const NEW_FIREWALL: &str =
    "-m conntrack --ctstate NEW -m comment --comment \"kubernetes load balancer firewall\"";
const HEALTH: &str = "-m comment --comment \"kubernetes health check service ports\"";
const PORTALS: &str = "-m comment --comment \"kubernetes service portals\"";

/// Chains that always are.
const FILTER_CHAINS: [&str; 6] = [
    "KUBE-EXTERNAL-SERVICES",
    "KUBE-FIREWALL",
    "KUBE-FORWARD",
    "KUBE-NODEPORTS",
    "KUBE-PROXY-FIREWALL",
    "KUBE-SERVICES",
];
const NAT_CHAINS: [&str; 4] = [
    "KUBE-MARK-MASQ",
    "KUBE-NODEPORTS",
    "KUBE-POSTROUTING",
    "KUBE-SERVICES",
];

/// The rules for all ports. `jumps` are the lines that lead into them where they are missing yet,
/// by table; `stale` are nat chains of earlier rules to remove.
pub fn restore_input(
    ports: &[Port],
    config: &Config,
    jumps: &[(&str, String)],
    stale: &[String],
) -> String {
    let tables = tables(ports, config);
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_filter(&mut out, &tables, config, jumps);
    let _ = write_nat(&mut out, &tables, config, jumps, stale);
    let _ = writeln!(out, "*mangle\n:KUBE-PROXY-CANARY - [0:0]\nCOMMIT");
    out
}

/// The chains of the nat table that the ports at hand need.
pub fn nat_chains(ports: &[Port], config: &Config) -> Vec<String> {
    tables(ports, config).nat_chains
}

fn tables(ports: &[Port], config: &Config) -> Tables {
    const LARGE: usize = 1000;
    let endpoints: usize = ports.iter().map(|port| port.endpoints.len()).sum();
    let mut tables = Tables {
        large: endpoints > LARGE,
        ..Tables::default()
    };
    for port in ports {
        iptables_service::write(&mut tables, port, &Chosen::of(port, config), config);
    }
    tables
}

fn write_filter(
    out: &mut String,
    tables: &Tables,
    config: &Config,
    jumps: &[(&str, String)],
) -> std::fmt::Result {
    writeln!(out, "*filter\n:KUBE-PROXY-CANARY - [0:0]")?;
    for chain in FILTER_CHAINS {
        writeln!(out, ":{chain} - [0:0]")?;
    }
    for (_, line) in jumps.iter().filter(|(table, _)| *table == "filter") {
        writeln!(out, "{line}")?;
    }
    for rule in &tables.filter {
        writeln!(out, "{rule}")?;
    }
    if !config.ipv6 {
        writeln!(
            out,
            "-A KUBE-FIREWALL -m comment --comment \"block incoming localnet connections\" -d 127.0.0.0/8 ! -s 127.0.0.0/8 \
             -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP"
        )?;
    }
    let counter = if config.nfacct {
        " -m nfacct --nfacct-name ct_state_invalid_dropped_pkts"
    } else {
        ""
    };
    writeln!(
        out,
        "-A KUBE-FORWARD -m conntrack --ctstate INVALID{counter} -j DROP\n\
         -A KUBE-FORWARD -m comment --comment \"kubernetes forwarding rules\" -m mark --mark 0x4000/0x4000 -j ACCEPT\n\
         -A KUBE-FORWARD -m comment --comment \"kubernetes forwarding conntrack rule\" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n\
         COMMIT"
    )
}

fn write_nat(
    out: &mut String,
    tables: &Tables,
    config: &Config,
    jumps: &[(&str, String)],
    stale: &[String],
) -> std::fmt::Result {
    writeln!(out, "*nat\n:KUBE-PROXY-CANARY - [0:0]")?;
    let chains = NAT_CHAINS
        .into_iter()
        .chain(tables.nat_chains.iter().map(String::as_str));
    for chain in chains.chain(stale.iter().map(String::as_str)) {
        writeln!(out, ":{chain} - [0:0]")?;
    }
    for (_, line) in jumps.iter().filter(|(table, _)| *table == "nat") {
        writeln!(out, "{line}")?;
    }
    let random = if config.random_fully {
        " --random-fully"
    } else {
        ""
    };
    writeln!(
        out,
        "-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN\n\
         -A KUBE-POSTROUTING -j MARK --xor-mark 0x4000\n\
         -A KUBE-POSTROUTING -m comment --comment \"kubernetes service traffic requiring SNAT\" -j MASQUERADE{random}\n\
         -A KUBE-MARK-MASQ -j MARK --or-mark 0x4000"
    )?;
    for rule in &tables.nat {
        writeln!(out, "{rule}")?;
    }
    for to in node_port_destinations(config) {
        writeln!(
            out,
            "-A KUBE-SERVICES -m comment --comment \"kubernetes service nodeports; NOTE: this must be the last rule in this chain\" {to} -j KUBE-NODEPORTS"
        )?;
    }
    for chain in stale {
        writeln!(out, "-X {chain}")?;
    }
    writeln!(out, "COMMIT")
}

/// Where NodePorts are served: everywhere local, or on the addresses that were chosen.
fn node_port_destinations(config: &Config) -> Vec<String> {
    let local = "-m addrtype --dst-type LOCAL";
    match &config.node_port_addresses {
        Some(chosen) => chosen
            .iter()
            .map(|address| format!("-d {address}"))
            .collect(),
        None if config.ipv6 => vec![format!("{local} ! -d ::1/128")],
        None if config.localhost_node_ports => vec![local.to_owned()],
        None => vec![format!("{local} ! -d 127.0.0.0/8")],
    }
}
