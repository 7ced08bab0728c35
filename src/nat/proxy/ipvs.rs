//! IPVS mode: virtual servers against entries.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use super::{Difference, DifferenceKind, ProxyEntry};
use crate::nat::model::Ruleset;

/// What the virtual server of an entry has other than it ought to. A real server of weight 0 drains:
/// it takes nothing new and counts as gone.
pub(super) fn compare(entry: &ProxyEntry<'_>, rules: &Ruleset) -> Vec<Difference> {
    use DifferenceKind as Kind;
    let choice = &entry.choice;
    let chosen = if entry.is_external() {
        choice.external()
    } else {
        choice.internal()
    };
    // A policy Local that finds nothing local gives way, so that pods of the node still get through.
    let chosen = if chosen.is_empty() {
        &choice.cluster
    } else {
        chosen
    };
    let expected: BTreeSet<SocketAddr> = chosen
        .iter()
        .map(|endpoint| SocketAddr::new(endpoint.address, endpoint.port))
        .collect();
    let servers = rules.virtual_servers.iter().flatten();
    let server = servers
        .into_iter()
        .find(|server| server.takes(entry.protocol, entry.address, entry.number));
    let wanted: Arc<[String]> = expected.iter().map(ToString::to_string).collect();
    let difference = |kind, endpoint: Option<SocketAddr>, actual: &Arc<[String]>| Difference {
        kind,
        service: Some(super::drift::reference(entry)),
        port: super::drift::port_name(entry),
        entry: entry.to_string(),
        entry_kind: Some(entry.kind),
        origins: BTreeSet::new(),
        expected: Arc::clone(&wanted),
        actual: Arc::clone(actual),
        endpoint,
        rule: None,
        is_local: super::drift::is_local(entry),
    };
    let Some(server) = server else {
        return vec![difference(Kind::ServiceMissing, None, &Arc::default())];
    };
    let weights: BTreeMap<SocketAddr, u32> = server
        .real_servers
        .iter()
        .filter(|real| real.weight > 0)
        .map(|real| (real.address, real.weight))
        .collect();
    let shown: Arc<[String]> = weights.keys().map(ToString::to_string).collect();
    let missing = expected
        .iter()
        .filter(|endpoint| !weights.contains_key(endpoint))
        .map(|endpoint| difference(Kind::EndpointMissing, Some(*endpoint), &shown));
    let stale = weights
        .keys()
        .filter(|real| !expected.contains(real))
        .map(|real| difference(Kind::EndpointStale, Some(*real), &shown));
    missing.chain(stale).collect()
}
