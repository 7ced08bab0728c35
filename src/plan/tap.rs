//! What to tap: the path that fails, from the source's node to those of its backends.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::backend_addresses;
use crate::diagnose::Case;
use crate::net::Protocol;
use crate::observe::{Observations, Tapping, Vantage};
use crate::path::{Outcome, Path, service_address};
use crate::resolve::Site;

/// Nodes that are tapped.
const MAX_NODES: usize = 4;
/// Backends that are waited for.
const MAX_ANSWERERS: usize = 16;

/// What to tap of a question. Without `always` only where a probe failed that nothing explains.
#[must_use]
pub fn tapping(case: &Case<'_, '_>, seen: &Observations, always: bool) -> Option<Tapping> {
    if !seen.taps.is_empty() || case.walk.protocol == Protocol::Sctp {
        return None;
    }
    let is_able = |path: &&Path<'_>| {
        let source = path.sources.first().copied();
        source.and_then(Vantage::of_site).is_some() && backend_addresses(path).next().is_some()
    };
    let fails = |path: &&Path<'_>| path.outcome() == Outcome::Fails;
    let unexplained = |path: &&Path<'_>| path.breaks.is_empty() && is_silent(path, seen);
    let mut able = case.paths().filter(is_able);
    let path = able.clone().find(unexplained);
    let path = if always {
        path.or_else(|| able.clone().find(fails))
            .or_else(|| able.next())
    } else {
        path
    }?;
    let source = *path.sources.first()?;
    let vantage = Vantage::of_site(source)?;
    if seen.has_failed(&vantage) {
        return None;
    }
    let backends = candidates(case, path);
    let to = target(path, seen, &vantage)?;
    let mut nodes: Vec<String> = source.node_name().map(str::to_owned).into_iter().collect();
    for backend in case.paths().flat_map(|path| &path.backends) {
        let is_meant = backend
            .address
            .is_some_and(|ip| to.ip() == ip || backends.iter().any(|own| own.ip() == ip));
        let node = backend.node.filter(|_| is_meant);
        if let Some(node) = node.filter(|name| !nodes.iter().any(|known| known == name)) {
            nodes.push(node.to_owned());
        }
    }
    nodes.retain(|name| case.view.nodes.get("", name).is_some());
    nodes.truncate(MAX_NODES);
    let answerers: BTreeSet<SocketAddr> = backends.into_iter().chain([to]).collect();
    let answerers = answerers.into_iter().take(MAX_ANSWERERS).collect();
    (!nodes.is_empty()).then_some(Tapping {
        source: vantage,
        to,
        protocol: case.walk.protocol,
        nodes,
        answerers,
        capture: false,
    })
}

/// Whether probes at the path's addresses failed in a way that leaves open where.
fn is_silent(path: &Path<'_>, seen: &Observations) -> bool {
    let Some(vantage) = path.sources.first().copied().and_then(Vantage::of_site) else {
        return false;
    };
    let addresses = backend_addresses(path).chain(service_address(path));
    addresses.into_iter().any(|to| {
        let attempts = seen.attempts(&vantage, to);
        attempts.is_some_and(|own| own.none_open() && !own.say_nothing())
    })
}

/// The backend itself where it does not answer by its own address, else the Service's address.
fn target(path: &Path<'_>, seen: &Observations, vantage: &Vantage) -> Option<SocketAddr> {
    let fails = |to: &SocketAddr| {
        let attempts = seen.attempts(vantage, *to);
        attempts.is_some_and(|own| own.none_open())
    };
    let mut backends = backend_addresses(path);
    let dead = backends.find(fails);
    dead.or_else(|| service_address(path))
        .or_else(|| backend_addresses(path).next())
}

/// Where a packet to the path's address may be sent: all backends of the same Service in the same family.
fn candidates(case: &Case<'_, '_>, path: &Path<'_>) -> Vec<SocketAddr> {
    let own = service_address(path);
    let source = path.sources.first().map(Site::reference);
    let alike = case.paths().filter(|other| {
        service_address(other) == own && other.sources.first().map(Site::reference) == source
    });
    alike.flat_map(backend_addresses).collect()
}
