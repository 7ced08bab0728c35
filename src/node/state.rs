//! Raw facts to values. A file that cannot be read is listed, and the rest is still used.

use crate::cluster::{NodeFacts, PodFacts};
use crate::facts::{
    Attached, BadFact, BridgePort, Connection, ConntrackStats, Forwarding, Listener, Neighbour,
    Sysctls, attached, bridge_ports, connections, forwarding_entries, links, neighbours,
    route_rules, routes, sockets,
};
use crate::nat::model::{Gap, Ruleset, TableFamily};
use crate::nat::proxy::Mode;
use crate::nat::read::{BadDump, read_ipset, read_iptables, read_ipvs, read_nft};
use crate::net::Family;
use crate::route::{Host, Routing};

/// A node. What was not gathered is `None`, which is not the same as empty.
#[derive(Debug, Clone, Default)]
pub struct NodeState {
    /// None when no rule dump of any kind was gathered.
    pub rules: Option<Ruleset>,
    /// The kinds that `rules` holds.
    pub dumps: Vec<Dump>,
    /// The kinds that something was given for that says nothing, and why.
    pub blank: Vec<(Dump, String)>,
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
        self.dumps.contains(&Dump::of(mode, family))
    }

    /// Why the rules that kube-proxy writes in a mode for a family are not known, though something was
    /// gathered in their place.
    #[must_use]
    pub fn blank(&self, mode: Mode, family: Family) -> Option<String> {
        if self.has_rules_of(mode, family) {
            return None;
        }
        let dump = Dump::of(mode, family);
        let mut blank = self.blank.iter();
        blank
            .find(|(of, _)| *of == dump)
            .map(|(_, why)| why.clone())
    }

    /// What of addresses, routes and neighbours was gathered and could not be read.
    #[must_use]
    pub fn unread_way(&self) -> Option<&Unreadable> {
        let mut all = self.unreadable.iter();
        all.find(|one| WAY.contains(&one.file))
    }

    /// Reads all that was gathered on a node.
    #[must_use]
    pub fn read(facts: &NodeFacts) -> Self {
        let mut reader = Reader::default();
        let mut rules = Ruleset::default();
        let iptables = [
            (
                "iptables-save.txt",
                facts.iptables.as_deref(),
                Some(Family::V4),
                false,
            ),
            (
                "ip6tables-save.txt",
                facts.ip6tables.as_deref(),
                Some(Family::V6),
                false,
            ),
            (
                "iptables-legacy-save.txt",
                facts.iptables_legacy.as_deref(),
                None,
                true,
            ),
        ];
        let nft = gathered(facts.nft_json.as_deref()).filter(|text| !text.trim().is_empty());
        let mut has_rules = nft.is_some();
        for (file, text, family, legacy) in iptables {
            if let Some(text) = gathered(text) {
                has_rules = true;
                let read = read_iptables(&mut rules, text, family, legacy);
                let concerns = match family {
                    Some(Family::V6) => TableFamily::Ip6,
                    _ => TableFamily::Ip,
                };
                reader.rules(file, read, concerns, &mut rules);
            }
        }
        if let Some(text) = nft {
            let read = read_nft(&mut rules, text);
            reader.rules("nft-ruleset.json", read, TableFamily::Inet, &mut rules);
        }
        rules.ipsets = reader.dump("ipset-save.txt", facts.ipset.as_deref(), read_ipset);
        rules.virtual_servers = reader.dump("ipvsadm-save.txt", facts.ipvs.as_deref(), read_ipvs);
        Self {
            rules: has_rules.then_some(rules),
            dumps: dumps(facts, &reader.unreadable),
            blank: blank(facts, &reader.unreadable),
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
            listeners: reader.list("sockets.txt", facts.sockets.as_deref(), sockets),
            proxy_mode: facts
                .proxy_mode
                .as_deref()
                .map(|mode| mode.trim().to_owned()),
            unreadable: reader.unreadable,
        }
    }
}

/// The files that say which way a packet takes.
const WAY: [&str; 7] = [
    "ip-addr.json",
    "ip-route.json",
    "ip6-route.json",
    "ip-rule.json",
    "ip-neigh.json",
    "bridge-fdb.json",
    "bridge-link.json",
];

/// The text of a file, unless it holds the shell's complaint that there is no such tool.
fn gathered(text: Option<&str>) -> Option<&str> {
    let text = text?;
    let is_complaint = ["not found", "No such file", "Can't initialize ipvs"]
        .iter()
        .any(|words| text.contains(words));
    (!(is_complaint && text.lines().count() <= 2)).then_some(text)
}

/// The dumps that were given and say nothing: empty ones, and the text form of nftables.
fn blank(facts: &NodeFacts, unreadable: &[Unreadable]) -> Vec<(Dump, String)> {
    let is_empty = |text: &Option<String>| text.as_ref().is_some_and(|text| text.trim().is_empty());
    let files = [
        (
            Dump::Iptables(Family::V4),
            &facts.iptables,
            "iptables-save.txt",
        ),
        (
            Dump::Iptables(Family::V6),
            &facts.ip6tables,
            "ip6tables-save.txt",
        ),
        (Dump::Nftables, &facts.nft_json, "nft-ruleset.json"),
        (Dump::VirtualServers, &facts.ipvs, "ipvsadm-save.txt"),
    ];
    let mut all: Vec<(Dump, String)> = Vec::new();
    for (dump, text, file) in files {
        if let Some(bad) = unreadable.iter().find(|one| one.file == file) {
            all.push((dump, format!("{file}: {}", bad.why)));
        } else if is_empty(text) {
            all.push((dump, format!("{file} is empty")));
        }
    }
    if facts.nft_json.is_none() && facts.nft_text.is_some() {
        let why = "nft-ruleset.txt is not read: gather `nft -j list ruleset`";
        all.push((Dump::Nftables, why.to_owned()));
    }
    all
}

/// `iptables-save` prints nothing where there are no tables, so that an empty dump counts only beside
/// an nftables listing.
fn dumps(facts: &NodeFacts, unreadable: &[Unreadable]) -> Vec<Dump> {
    let lists_all = gathered(facts.nft_json.as_deref()).is_some_and(|text| !text.trim().is_empty());
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
            is_told(&facts.ipvs),
            "ipvsadm-save.txt",
        ),
    ];
    let gathered = found
        .into_iter()
        .filter(|(_, is_told, file)| *is_told && read(file));
    gathered.map(|(dump, _, _)| dump).collect()
}

// === impl Dump ===

impl Dump {
    /// The dump that holds what kube-proxy writes in a mode.
    const fn of(mode: Mode, family: Family) -> Self {
        match mode {
            Mode::Iptables => Self::Iptables(family),
            Mode::Nftables => Self::Nftables,
            Mode::Ipvs => Self::VirtualServers,
        }
    }
}

// === impl PodState ===

impl PodState {
    /// What of its addresses and routes was gathered and could not be read.
    #[must_use]
    pub fn unread_way(&self) -> Option<&Unreadable> {
        let mut all = self.unreadable.iter();
        all.find(|one| WAY.contains(&one.file))
    }

    /// Reads all that was gathered inside a pod.
    #[must_use]
    pub fn read(facts: &PodFacts) -> Self {
        let mut reader = Reader::default();
        let mut rules = Ruleset::default();
        let iptables = gathered(facts.iptables.as_deref());
        if let Some(text) = iptables {
            let read = read_iptables(&mut rules, text, None, false);
            reader.rules("iptables-save.txt", read, TableFamily::Inet, &mut rules);
        }
        let nft = gathered(facts.nft_json.as_deref()).filter(|text| !text.trim().is_empty());
        if let Some(text) = nft {
            let read = read_nft(&mut rules, text);
            reader.rules("nft-ruleset.json", read, TableFamily::Inet, &mut rules);
        }
        let has_rules = iptables.is_some() || nft.is_some();
        Self {
            rules: has_rules.then_some(rules),
            host: reader.host(
                facts.addresses.as_deref(),
                facts.routes.as_deref(),
                None,
                None,
            ),
            listeners: reader.list("sockets.txt", facts.sockets.as_deref(), sockets),
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

    /// Notes a rule dump that is none: what it would have shown is missing.
    fn rules(
        &mut self,
        file: &'static str,
        read: Result<(), BadDump>,
        family: TableFamily,
        rules: &mut Ruleset,
    ) {
        if let Err(bad) = read {
            let why = format!("{file}: {bad}");
            rules.gaps.push(Gap { family, why });
            self.note(file, Err(bad.to_string()));
        }
    }

    fn dump<T>(
        &mut self,
        file: &'static str,
        text: Option<&str>,
        read: impl Fn(&str) -> Result<T, BadDump>,
    ) -> Option<T> {
        match read(gathered(text)?) {
            Ok(found) => Some(found),
            Err(bad) => {
                self.note(file, Err(bad.to_string()));
                None
            }
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
        // No host is without any route: an empty file is one that was not gathered.
        let ipv4 = ipv4.filter(|text| !text.trim().is_empty());
        let v4 = self.list("ip-route.json", ipv4, of(Family::V4));
        let v6 = self.list("ip6-route.json", ipv6, of(Family::V6));
        let rules = self.list("ip-rule.json", rules, route_rules);
        // A part of the routes is worse than none: the missing ones would seem to be gone.
        let is_told = v4.is_some() || v6.is_some() && ipv4.is_none();
        let routing = is_told.then(|| {
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
