//! Which service proxies have left rules on a node, and whether anything leads to them.

use super::Mode;
use crate::nat::eval::Scope;
use crate::nat::model::{
    Action, Backend, Hook, NatKind, RuleVerdict, Ruleset, Step, Table, TableFamily,
};
use crate::net::Family;

/// What kube-proxy, in any of its modes, holds on a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Footprint {
    pub layers: Vec<Layer>,
}

/// The rules of one mode in one backend for one family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    pub mode: Mode,
    pub backend: Backend,
    pub family: TableFamily,
    /// Chains of Services that hold rules, or virtual servers.
    pub services: usize,
    /// Addresses that lead to one of those chains.
    pub entries: usize,
    /// Jumps that should lead to its chains and do not.
    pub missing_jumps: Vec<MissingJump>,
    /// Whether anything masquerades the packets that were marked for it.
    pub masquerades: bool,
}

/// A jump from a base chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingJump {
    pub table: &'static str,
    pub hook: Hook,
    pub target: &'static str,
}

/// The jumps of iptables mode that Services need.
const JUMPS: [MissingJump; 3] = [
    MissingJump {
        table: "nat",
        hook: Hook::Prerouting,
        target: "KUBE-SERVICES",
    },
    MissingJump {
        table: "nat",
        hook: Hook::Output,
        target: "KUBE-SERVICES",
    },
    MissingJump {
        table: "nat",
        hook: Hook::Postrouting,
        target: "KUBE-POSTROUTING",
    },
];

/// The chains of kube-proxy that base chains jump to, in any mode.
const ROOTS: [&str; 10] = [
    "KUBE-SERVICES",
    "KUBE-EXTERNAL-SERVICES",
    "KUBE-NODEPORTS",
    "KUBE-POSTROUTING",
    "KUBE-FORWARD",
    "KUBE-PROXY-FIREWALL",
    "KUBE-NODE-PORT",
    "KUBE-LOAD-BALANCER",
    "KUBE-IPVS-FILTER",
    "KUBE-IPVS-OUT-FILTER",
];

// === impl Footprint ===

impl Footprint {
    /// Looks for kube-proxy's tables and chains.
    #[must_use]
    pub fn of(rules: &Ruleset) -> Self {
        let mut layers: Vec<Layer> = rules
            .tables
            .iter()
            .filter_map(|table| match (&*table.name, table.backend) {
                ("kube-proxy", Backend::Nftables) => Some(nftables(table)),
                ("nat", Backend::IptablesNft | Backend::IptablesLegacy) => iptables(table),
                _ => None,
            })
            .collect();
        let servers = rules.virtual_servers.iter().flatten().count();
        if servers > 0 {
            layers.push(Layer {
                mode: Mode::Ipvs,
                backend: Backend::IptablesNft,
                family: TableFamily::Inet,
                services: servers,
                entries: servers,
                missing_jumps: Vec::new(),
                masquerades: true,
            });
        }
        Self { layers }
    }

    /// Layers of a family that hold Services.
    pub fn filled(&self, family: Family) -> impl Iterator<Item = &Layer> {
        self.layers
            .iter()
            .filter(move |layer| layer.family.sees(family) && layer.services > 0)
    }

    /// The mode whose rules hold most.
    #[must_use]
    pub fn mode(&self, family: Family) -> Option<Mode> {
        self.filled(family)
            .max_by_key(|layer| layer.services)
            .map(|layer| layer.mode)
    }

    /// The part of a rule set that kube-proxy writes.
    #[must_use]
    pub const fn scope() -> Scope {
        Scope {
            table: is_of_kube_proxy,
            jump: |chain| ROOTS.contains(&chain),
        }
    }
}

fn is_of_kube_proxy(table: &Table) -> bool {
    match table.backend {
        Backend::Nftables => &*table.name == "kube-proxy",
        Backend::IptablesNft | Backend::IptablesLegacy => {
            matches!(&*table.name, "nat" | "filter")
        }
    }
}

fn iptables(table: &Table) -> Option<Layer> {
    let services = table.chain_named("KUBE-SERVICES")?;
    let is_service = |name: &str| {
        ["KUBE-SVC-", "KUBE-SVL-", "KUBE-EXT-", "KUBE-XLB-"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
    };
    let filled = table
        .named_chains()
        .filter(|(name, chain)| is_service(name) && !chain.rules.is_empty());
    let leads_to_service = |step: &Step| match step {
        Step::Act(Action::Verdict(RuleVerdict::Jump(chain))) => {
            let name = table.chain_name(*chain);
            is_service(name) || name.starts_with("KUBE-FW-")
        }
        _ => false,
    };
    let leading = services
        .rules
        .iter()
        .filter(|rule| table.steps(rule).iter().any(leads_to_service));
    Some(Layer {
        mode: Mode::Iptables,
        backend: table.backend,
        family: table.family,
        services: filled.count(),
        entries: leading.count(),
        missing_jumps: JUMPS
            .into_iter()
            .filter(|jump| !has_jump(table, jump))
            .collect(),
        masquerades: acts(
            table,
            "KUBE-POSTROUTING",
            |action| matches!(action, Action::Nat(nat) if nat.kind == NatKind::Masquerade),
        ),
    })
}

fn has_jump(table: &Table, jump: &MissingJump) -> bool {
    let Some(target) = table.chain_id(jump.target) else {
        return false;
    };
    acts(table, jump.hook.upper(), |action| {
        *action == Action::Verdict(RuleVerdict::Jump(target))
    })
}

fn acts(table: &Table, chain: &str, wanted: impl Fn(&Action) -> bool) -> bool {
    let rules = table.chain_named(chain).map(|chain| &chain.rules);
    let mut steps = rules
        .into_iter()
        .flatten()
        .flat_map(|rule| table.steps(rule));
    steps.any(|step| matches!(step, Step::Act(action) if wanted(action)))
}

fn nftables(table: &Table) -> Layer {
    let is_service = |name: &str| {
        ["service-", "local-", "external-"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
            && name.contains('/')
    };
    let filled = table
        .named_chains()
        .filter(|(name, chain)| is_service(name) && !chain.rules.is_empty());
    let entries = table.set_named("service-ips").map(|set| set.elements.len());
    let calls = |hook: Hook| {
        let mut bases = table
            .named_chains()
            .filter(|(_, chain)| chain.base.is_some_and(|base| base.hook == hook));
        bases.any(|(name, _)| {
            let services = table.chain_id("services");
            acts(table, name, |action| {
                services.is_some_and(|id| *action == Action::Verdict(RuleVerdict::Jump(id)))
            })
        })
    };
    let missing = |hook| MissingJump {
        table: "kube-proxy",
        hook,
        target: "services",
    };
    Layer {
        mode: Mode::Nftables,
        backend: Backend::Nftables,
        family: table.family,
        services: filled.count(),
        entries: entries.unwrap_or_default(),
        missing_jumps: [Hook::Prerouting, Hook::Output]
            .into_iter()
            .filter(|hook| !calls(*hook))
            .map(missing)
            .collect(),
        masquerades: acts(
            table,
            "masquerading",
            |action| matches!(action, Action::Nat(nat) if nat.kind == NatKind::Masquerade),
        ),
    }
}
