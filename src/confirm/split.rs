//! Backends that were predicted to behave alike, and were seen not to, part ways.

use std::net::SocketAddr;

use crate::observe::{Observations, Vantage};
use crate::path::{Backend, Path, Walk};

/// How a backend was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    NotAsked,
    Open,
    /// Open, but after a lost packet, or not always.
    Shaky,
    Closed,
}

/// Splits every path by what was seen of its backends.
pub(super) fn by_sight<'v>(walk: Walk<'v>, observations: &Observations) -> Walk<'v> {
    let paths = walk
        .paths
        .into_iter()
        .flat_map(|path| split(path, observations));
    Walk {
        paths: paths.collect(),
        ..walk
    }
}

fn split<'v>(path: Path<'v>, observations: &Observations) -> Vec<Path<'v>> {
    let source = path.sources.first().copied();
    let Some(vantage) = source.and_then(Vantage::of_site) else {
        return vec![path];
    };
    let mut groups: Vec<(Sight, Vec<Backend<'v>>)> = Vec::new();
    for backend in &path.backends {
        let sight = sight(&vantage, backend, observations);
        match groups.iter_mut().find(|(other, _)| *other == sight) {
            Some((_, backends)) => backends.push(backend.clone()),
            None => groups.push((sight, vec![backend.clone()])),
        }
    }
    if groups.len() < 2 {
        return vec![path];
    }
    let parts = groups.into_iter().map(|(_, backends)| Path {
        backends,
        ..path.clone()
    });
    parts.collect()
}

fn sight(vantage: &Vantage, backend: &Backend<'_>, observations: &Observations) -> Sight {
    let to = backend
        .address
        .map(|addr| SocketAddr::new(addr, backend.port));
    match to.and_then(|to| observations.attempts(vantage, to)) {
        None => Sight::NotAsked,
        Some(attempts) if attempts.say_nothing() => Sight::NotAsked,
        Some(attempts) if attempts.none_open() => Sight::Closed,
        Some(attempts) if attempts.are_fine() => Sight::Open,
        Some(_) => Sight::Shaky,
    }
}
