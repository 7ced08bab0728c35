//! The kube-proxy of one node: keeps its rules in step with the objects, unless it is stopped or
//! frozen.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde::{Deserialize, Serialize};

use super::config::{Backend, Config, Mode};
use super::{Port, iptables, nfacct, nftables, pieces, ports};
use crate::net::Ns;

/// What a node's kube-proxy does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    #[default]
    Running,
    /// No process. What it wrote stays.
    Stopped,
    /// The process answers, and writes nothing.
    Frozen,
}

/// A node's kube-proxy.
#[derive(Debug)]
pub struct Agent {
    ns: Ns,
    pub mode: Mode,
    pub backend: Backend,
    pub state: State,
    families: Vec<Family>,
}

/// What was last written for one family.
#[derive(Debug)]
struct Family {
    config: Config,
    ports: Option<Vec<Port>>,
    chains: BTreeSet<String>,
}

// === impl Agent ===

impl Agent {
    pub fn new(ns: Ns, mode: Mode, backend: Backend, mut configs: Vec<Config>) -> Result<Self> {
        let counted = ns.enter(nfacct::create)?.is_ok();
        for config in &mut configs {
            config.nfacct = counted;
        }
        ns.sysctl(&[("net/ipv4/conf/all/route_localnet", "1")])?;
        let fresh = |config| Family {
            config,
            ports: None,
            chains: BTreeSet::new(),
        };
        Ok(Self {
            ns,
            mode,
            backend,
            state: State::default(),
            families: configs.into_iter().map(fresh).collect(),
        })
    }

    /// Writes rules for the objects where they changed since the last time.
    pub fn sync(&mut self, services: &[Service], slices: &[EndpointSlice]) -> Result<()> {
        if self.state != State::Running {
            return Ok(());
        }
        for family in &mut self.families {
            let wanted = ports(services, slices, &family.config);
            if family.ports.as_ref() == Some(&wanted) {
                continue;
            }
            match self.mode {
                Mode::Iptables => family.write_iptables(&self.ns, self.backend, &wanted)?,
                Mode::Nftables => family.write_nftables(&self.ns, &wanted)?,
            }
            family.forget_stale_flows(&self.ns, &wanted);
            family.ports = Some(wanted);
        }
        Ok(())
    }

    /// The health-check node ports, with the number of ready endpoints on this node.
    pub fn health_checks(&self) -> Vec<(u16, usize)> {
        let ports = self
            .families
            .iter()
            .flat_map(|family| family.ports.iter().flatten());
        let checked = ports.filter_map(|port| {
            let local = port
                .endpoints
                .iter()
                .filter(|one| one.local && one.ready)
                .count();
            Some((port.health_check?, local))
        });
        checked.collect()
    }

    /// As after a restart: the next sync writes everything.
    pub fn restart(&mut self) {
        self.state = State::Running;
        for family in &mut self.families {
            family.ports = None;
        }
    }

    /// As with `--hostname-override`: endpoints of nodes of other names are none of its own.
    pub fn rename(&mut self, hostname: &str) {
        for family in &mut self.families {
            hostname.clone_into(&mut family.config.node);
        }
    }

    /// Takes away everything it wrote, as `kube-proxy --cleanup` or a reboot without it.
    pub fn flush(&mut self) -> Result<()> {
        for family in &mut self.families {
            match self.mode {
                Mode::Iptables => family.flush_iptables(&self.ns, self.backend)?,
                Mode::Nftables => {
                    let word = nftables::family_word(&family.config);
                    self.ns
                        .run("nft", &["delete", "table", word, nftables::TABLE], "")?;
                }
            }
            family.ports = None;
            family.chains.clear();
        }
        Ok(())
    }
}

// === impl Family ===

impl Family {
    fn write_iptables(&mut self, ns: &Ns, backend: Backend, wanted: &[Port]) -> Result<()> {
        let ipv6 = self.config.ipv6;
        let jumps = if self.ports.is_none() {
            let there = ns.must(&backend.program(ipv6, "-save"), &[], "")?;
            missing_jumps(&there)
        } else {
            Vec::new()
        };
        let chains: BTreeSet<String> = iptables::nat_chains(wanted, &self.config)
            .into_iter()
            .collect();
        let stale: Vec<String> = self.chains.difference(&chains).cloned().collect();
        let input = iptables::restore_input(wanted, &self.config, &jumps, &stale);
        let restore = backend.program(ipv6, "-restore");
        for piece in pieces::restore(&input) {
            ns.must(&restore, &["--noflush", "-w", "5"], &piece)
                .with_context(|| format!("kube-proxy of {}", self.config.node))?;
        }
        self.chains = chains;
        Ok(())
    }

    fn write_nftables(&self, ns: &Ns, wanted: &[Port]) -> Result<()> {
        let at = format!(
            "{} {}",
            nftables::family_word(&self.config),
            nftables::TABLE
        );
        let mut lines = vec![format!("add table {at}"), format!("delete table {at}")];
        lines.extend(nftables::ruleset(wanted, &self.config));
        for piece in pieces::nft(&lines) {
            ns.must("nft", &["-f", "-"], &piece)
                .with_context(|| format!("kube-proxy of {}", self.config.node))?;
        }
        Ok(())
    }

    fn flush_iptables(&self, ns: &Ns, backend: Backend) -> Result<()> {
        let program = backend.program(self.config.ipv6, "-save");
        let there = ns.must(&program, &[], "")?;
        // Everything but what names a chain of kube-proxy; the canary and the firewall are kubelet's too.
        let kept = there.lines().filter(|line| {
            let ours = line.contains("KUBE-")
                && !line.contains("KUBE-FIREWALL")
                && !line.contains("KUBELET");
            !ours
        });
        let input = kept.collect::<Vec<_>>().join("\n") + "\n";
        ns.must(
            &backend.program(self.config.ipv6, "-restore"),
            &["-w", "5"],
            &input,
        )?;
        Ok(())
    }

    /// UDP flows to endpoints that are gone would go on into the void.
    ///
    /// Source: kube-proxy v1.36 `conntrack/cleanup.go`; a Service without any endpoint is passed over.
    fn forget_stale_flows(&self, ns: &Ns, wanted: &[Port]) {
        let old = self
            .ports
            .iter()
            .flatten()
            .filter(|port| port.protocol == "udp");
        for port in old {
            let same = wanted
                .iter()
                .find(|one| one.name == port.name && one.protocol == port.protocol);
            let Some(now) = same.filter(|now| !now.endpoints.is_empty()) else {
                continue;
            };
            let gone = port
                .endpoints
                .iter()
                .filter(|one| !now.endpoints.contains(one));
            for endpoint in gone {
                let (to, from) = (
                    port.cluster_ip.to_string(),
                    endpoint.address.ip().to_string(),
                );
                let arguments = ["-D", "-p", "udp", "--orig-dst", &to, "--reply-src", &from];
                // Ends with 1 where there was none, and the tool may be missing.
                let _ = ns.run("conntrack", &arguments, "");
            }
        }
    }
}

/// The jumps into kube-proxy's chains that a dump lacks, as lines that put them first.
fn missing_jumps(dump: &str) -> Vec<(&'static str, String)> {
    let mut table = "";
    let mut present = BTreeSet::new();
    for line in dump.lines() {
        if let Some(name) = line.strip_prefix('*') {
            table = name;
        } else if let Some(rule) = line.strip_prefix("-A ") {
            let (chain, target) = (rule.split(' ').next(), rule.rsplit(' ').next());
            present.insert((table, chain.unwrap_or_default(), target.unwrap_or_default()));
        }
    }
    let missing = iptables::JUMPS
        .into_iter()
        .filter(|(table, chain, target, _)| !present.contains(&(*table, *chain, *target)));
    missing
        .map(|(table, chain, target, matches)| (table, format!("-I {chain} {matches} -j {target}")))
        .collect()
}
