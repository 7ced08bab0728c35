//! Raw facts to values. A file that cannot be read is listed, and the rest is still used.

use crate::cluster::{NodeFacts, PodFacts};
use crate::facts::{
    Attached, BadFact, BridgePort, Connection, ConntrackStats, Forwarding, Listener, Neighbour,
    Sysctls, attached, bridge_ports, connections, forwarding_entries, links, listeners, neighbours,
    route_rules, routes,
};
use crate::nat::model::Ruleset;
use crate::nat::proxy::Mode;
use crate::nat::read::{ipset, ipvs, read_iptables, read_nft};
use crate::net::Family;
use crate::route::{Host, Routing};

/// A node. What was not gathered is `None`, which is not the same as empty.
#[derive(Debug, Clone, Default)]
pub struct NodeState {
    /// None when no rule dump of any kind was gathered.
    pub rules: Option<Ruleset>,
    /// The kinds that `rules` holds.
    pub dumps: Vec<Dump>,
    pub host: Host,
    pub sysctls: Option<Sysctls>,
    pub neighbours: Option<Vec<Neighbour>>,
    pub forwarding: Option<Vec<Forwarding>>,
    pub bridge_ports: Option<Vec<BridgePort>>,
    pub connections: Option<Vec<Connection>>,
    pub conntrack_stats: Option<ConntrackStats>,
    /// Programs on interfaces.
    pub attached: Option<Vec<Attached>>,
    pub listeners: Option<Vec<Listener>>,
    /// `iptables`, `nftables`, `ipvs`, as kube-proxy says it.
    pub proxy_mode: Option<String>,
    pub unreadable: Vec<Unreadable>,
}

/// A rule dump that was gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dump {
    Iptables(Family),
    Nftables,
    VirtualServers,
}

/// A pod's network namespace.
#[derive(Debug, Clone, Default)]
pub struct PodState {
    pub rules: Option<Ruleset>,
    pub host: Host,
    pub listeners: Option<Vec<Listener>>,
    pub unreadable: Vec<Unreadable>,
}

/// A file that is not what its name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    pub file: &'static str,
    pub why: String,
}

/// Collects complaints while parsing.
#[derive(Default)]
struct Reader {
    unreadable: Vec<Unreadable>,
}

// === impl NodeState ===

impl NodeState {
    /// Whether the rules that kube-proxy writes in a mode for a family were gathered.
    #[must_use]
    pub fn has_rules_of(&self, mode: Mode, family: Family) -> bool {
        self.dumps.contains(&match mode {
            Mode::Iptables => Dump::Iptables(family),
            Mode::Nftables => Dump::Nftables,
            Mode::Ipvs => Dump::VirtualServers,
        })
    }

    /// Reads all that was gathered on a node.
    #[must_use]
    pub fn read(facts: &NodeFacts) -> Self {
        let mut reader = Reader::default();
        let mut rules = Ruleset::default();
        let iptables = [
            (
                "iptables-save.txt",
                &facts.iptables,
                Some(Family::V4),
                false,
            ),
            (
                "ip6tables-save.txt",
                &facts.ip6tables,
                Some(Family::V6),
                false,
            ),
            (
                "iptables-legacy-save.txt",
                &facts.iptables_legacy,
                None,
                true,
            ),
        ];
        let mut has_rules = facts.nft_json.is_some();
        for (file, text, family, legacy) in iptables {
            if let Some(text) = text {
                has_rules = true;
                let read = read_iptables(&mut rules, text.as_str(), family, legacy);
                reader.note(file, read.map_err(|bad| bad.to_string()));
            }
        }
        if let Some(text) = &facts.nft_json {
            let read = read_nft(&mut rules, text.as_str());
            reader.note("nft-ruleset.json", read.map_err(|bad| bad.to_string()));
        }
        rules.ipsets = facts.ipset.as_deref().map(ipset::ipsets);
        rules.virtual_servers = facts.ipvs.as_deref().map(ipvs::virtual_servers);
        Self {
            rules: has_rules.then_some(rules),
            dumps: dumps(facts, &reader.unreadable),
            host: reader.host(
                facts.addresses.as_deref(),
                facts.routes.as_deref(),
                facts.routes6.as_deref(),
                facts.rules.as_deref(),
            ),
            sysctls: facts.sysctls.as_deref().map(Sysctls::read),
            neighbours: reader.list("ip-neigh.json", facts.neighbours.as_deref(), neighbours),
            forwarding: reader.list(
                "bridge-fdb.json",
                facts.bridge_fdb.as_deref(),
                forwarding_entries,
            ),
            bridge_ports: reader.list(
                "bridge-link.json",
                facts.bridge_links.as_deref(),
                bridge_ports,
            ),
            connections: facts.conntrack.as_deref().map(connections),
            conntrack_stats: facts.conntrack_stats.as_deref().map(ConntrackStats::read),
            attached: reader.list("bpf-net.json", facts.attached.as_deref(), attached),
            listeners: facts.sockets.as_deref().map(listeners),
            proxy_mode: facts
                .proxy_mode
                .as_deref()
                .map(|mode| mode.trim().to_owned()),
            unreadable: reader.unreadable,
        }
    }
}

/// `iptables-save` prints nothing where there are no tables, so that an empty dump counts only beside
/// an nftables listing.
fn dumps(facts: &NodeFacts, unreadable: &[Unreadable]) -> Vec<Dump> {
    let lists_all = facts.nft_json.is_some();
    let is_told = |text: &Option<String>| {
        text.as_ref()
            .is_some_and(|text| lists_all || !text.trim().is_empty())
    };
    let read = |file: &str| !unreadable.iter().any(|one| one.file == file);
    let (v4, v6) = (Dump::Iptables(Family::V4), Dump::Iptables(Family::V6));
    let found = [
        (v4, is_told(&facts.iptables), "iptables-save.txt"),
        (
            v4,
            facts.iptables_legacy.is_some(),
            "iptables-legacy-save.txt",
        ),
        (v6, is_told(&facts.ip6tables), "ip6tables-save.txt"),
        (Dump::Nftables, lists_all, "nft-ruleset.json"),
        (
            Dump::VirtualServers,
            facts.ipvs.is_some(),
            "ipvsadm-save.txt",
        ),
    ];
    let gathered = found
        .into_iter()
        .filter(|(_, is_told, file)| *is_told && read(file));
    gathered.map(|(dump, _, _)| dump).collect()
}

// === impl PodState ===

impl PodState {
    /// Reads all that was gathered inside a pod.
    #[must_use]
    pub fn read(facts: &PodFacts) -> Self {
        let mut reader = Reader::default();
        let mut rules = Ruleset::default();
        if let Some(text) = &facts.iptables {
            let read = read_iptables(&mut rules, text.as_str(), None, false);
            reader.note("iptables-save.txt", read.map_err(|bad| bad.to_string()));
        }
        if let Some(text) = &facts.nft_json {
            let read = read_nft(&mut rules, text.as_str());
            reader.note("nft-ruleset.json", read.map_err(|bad| bad.to_string()));
        }
        let has_rules = facts.iptables.is_some() || facts.nft_json.is_some();
        Self {
            rules: has_rules.then_some(rules),
            host: reader.host(
                facts.addresses.as_deref(),
                facts.routes.as_deref(),
                None,
                None,
            ),
            listeners: facts.sockets.as_deref().map(listeners),
            unreadable: reader.unreadable,
        }
    }
}

// === impl Reader ===

impl Reader {
    fn note(&mut self, file: &'static str, outcome: Result<(), String>) {
        if let Err(why) = outcome {
            self.unreadable.push(Unreadable { file, why });
        }
    }

    fn list<T>(
        &mut self,
        file: &'static str,
        text: Option<&str>,
        read: impl Fn(&str) -> Result<Vec<T>, BadFact>,
    ) -> Option<Vec<T>> {
        match read(text?) {
            Ok(list) => Some(list),
            Err(bad) => {
                self.note(file, Err(bad.to_string()));
                None
            }
        }
    }

    fn host(
        &mut self,
        addresses: Option<&str>,
        ipv4: Option<&str>,
        ipv6: Option<&str>,
        rules: Option<&str>,
    ) -> Host {
        let of = |family| move |text: &str| routes(text, family);
        let v4 = self.list("ip-route.json", ipv4, of(Family::V4));
        let v6 = self.list("ip6-route.json", ipv6, of(Family::V6));
        let rules = self.list("ip-rule.json", rules, route_rules);
        let routing = (v4.is_some() || v6.is_some()).then(|| {
            let all = v4.into_iter().chain(v6).flatten().collect();
            Routing::new(all, rules.unwrap_or_default())
        });
        Host {
            links: self.list("ip-addr.json", addresses, links),
            addresses: None,
            routing,
        }
    }
}
