//! Rules that nothing reaches, and that kube-proxy did not write.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::drift::{is_local, port_name, reference};
use super::{Difference, DifferenceKind, ProxyEntry};
use crate::nat::eval::TrailStep;
use crate::nat::model::{Action, NatKind, NatTarget, Ruleset};

/// Translations to somewhere else that stand in the chain of an endpoint behind its own.
#[must_use]
pub fn targets(entry: &ProxyEntry<'_>, rules: &Ruleset, known: &[Difference]) -> Vec<Difference> {
    let name = entry.name();
    let choice = &entry.choice;
    let mut endpoints: Vec<SocketAddr> = choice
        .cluster
        .iter()
        .chain(&choice.local)
        .map(|endpoint| SocketAddr::new(endpoint.address, endpoint.port))
        .collect();
    endpoints.sort_unstable();
    endpoints.dedup();
    let mut found = Vec::new();
    for endpoint in endpoints {
        let is_known = known
            .iter()
            .any(|one| one.kind == DifferenceKind::WrongTarget && one.endpoint == Some(endpoint));
        if is_known {
            continue;
        }
        let chain = name.iptables_endpoint(endpoint);
        let stray = TrailStep::rules_of(rules, "nat", &chain)
            .into_iter()
            .find(|(actions, _)| {
                actions
                    .iter()
                    .any(|action| leads_elsewhere(action, endpoint))
            });
        if let Some((_, rule)) = stray {
            found.push(Difference {
                kind: DifferenceKind::IdleTarget,
                service: Some(reference(entry)),
                port: port_name(entry),
                entry: entry.to_string(),
                entry_kind: Some(entry.kind),
                origins: BTreeSet::new(),
                expected: [endpoint.to_string()].into(),
                actual: [endpoint.to_string()].into(),
                endpoint: Some(endpoint),
                rule: Some(rule),
                is_local: is_local(entry),
            });
        }
    }
    found
}

fn leads_elsewhere(action: &Action, endpoint: SocketAddr) -> bool {
    match action {
        Action::Nat(nat) if nat.kind == NatKind::Destination => {
            let ip = endpoint.ip();
            nat.target != NatTarget::Addresses(ip, ip)
                || nat.ports != Some((endpoint.port(), endpoint.port()))
        }
        _ => false,
    }
}
