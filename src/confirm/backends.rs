//! Stages `egress-policy` to `destination`: what every backend answered by itself.

use std::net::SocketAddr;

use super::symptom::{BackendSymptom, Others, Symptom};
use super::{Confirmed, Inside};
use crate::observe::{Attempts, Observations, Vantage};
use crate::path::service_address;
use crate::path::{Backend, Break, Hop, Path, Stage, Status};
use crate::resolve::Site;
use crate::world::World;
use netpath_protocol::{Outcome, Task, TraceHop};

/// Lays the answers of the backends over their paths.
pub(super) fn confirm<'v>(
    confirmed: &mut Confirmed<'v>,
    world: &World<'v>,
    observations: &Observations,
) {
    let all = confirmed.walk.paths.clone();
    for path in &mut confirmed.walk.paths {
        let Some(source) = path.sources.first().copied() else {
            continue;
        };
        let Some(vantage) = Vantage::of_site(source) else {
            continue;
        };
        let asked: Vec<(usize, SocketAddr, Attempts)> = path
            .backends
            .iter()
            .enumerate()
            .filter_map(|(index, backend)| {
                let to = SocketAddr::new(backend.address?, backend.port);
                Some((index, to, observations.attempts(&vantage, to)?))
            })
            .collect();
        let Some((_, first, attempts)) = asked.first() else {
            unheard(path, observations);
            continue;
        };
        let text = format!("{first}: {}", attempts.words());
        if attempts.say_nothing() {
            silent(path, &text);
            continue;
        }
        if attempts.none_open() {
            closed(path, &text);
        } else {
            confirmed
                .symptoms
                .extend(open(path, source, *first, attempts, &text));
        }
        let is_explained = path
            .breaks
            .iter()
            .any(|seen| seen.stage() >= Stage::EgressPolicy);
        if is_explained || attempts.are_fine() {
            continue;
        }
        for (index, to, attempts) in asked {
            let backend = path.backends[index].clone();
            let node = |name: Option<&str>| {
                let vantage = Vantage::Node(name?.to_owned());
                observations.attempts(&vantage, to)
            };
            confirmed
                .symptoms
                .push(Symptom::Backend(Box::new(BackendSymptom {
                    source,
                    inside: backend
                        .pod
                        .and_then(|pod| Inside::of(world, pod, to, observations)),
                    others: others(&all, &vantage, to, backend.node, observations),
                    from_own_node: node(backend.node),
                    from_source_node: node(source.node_name()).filter(|_| source.pod().is_some()),
                    by_other_family: by_other_family(&all, &vantage, &backend, observations),
                    trace: trace(observations, &vantage, to),
                    service: path.service,
                    address: to,
                    attempts,
                    backend,
                })));
        }
    }
}

/// The source could not ask. Where not even the backend's own node gets an answer, whom no policy stops, nobody
/// knows whether the source would.
fn unheard(path: &mut Path<'_>, observations: &Observations) {
    let mut silent = path.backends.iter().filter_map(|backend| {
        let to = SocketAddr::new(backend.address?, backend.port);
        let node = backend.node?;
        let attempts = observations.attempts(&Vantage::Node(node.to_owned()), to)?;
        let is_silent = attempts.none_open() && !attempts.say_nothing();
        is_silent.then(|| format!("{node} → {to}: {}", attempts.words()))
    });
    let Some(text) = silent.next() else {
        return;
    };
    let mut hops = path.hops.iter_mut();
    let passed = |hop: &&mut Hop| hop.stage == Stage::Destination && hop.status == Status::Pass;
    if let Some(hop) = hops.find(passed) {
        hop.predicted = Some(hop.summary.clone());
        hop.observed = Some(text);
        hop.status = Status::Unknown;
    }
}

/// It answers: whatever was predicted to stop it behind the endpoints does not.
fn open<'v>(
    path: &mut Path<'v>,
    source: Site<'v>,
    address: SocketAddr,
    attempts: &Attempts,
    text: &str,
) -> Vec<Symptom<'v>> {
    let mut symptoms = Vec::new();
    let is_passed = passed(path);
    let stops: Vec<Stage> = path
        .hops
        .iter()
        .filter(|hop| is_passed(hop.stage) && hop.status == Status::Fail)
        .map(|hop| hop.stage)
        .collect();
    path.breaks.retain(|seen| match seen {
        Break::Policy(denied) => {
            symptoms.push(Symptom::OpenThoughDenied {
                source,
                denied: denied.clone(),
                address,
            });
            false
        }
        Break::DestinationDown(_) | Break::StaleEndpoint { .. } => false,
        Break::NodeDown { stage, .. } => *stage != Stage::Destination,
        Break::ClusterSet(trouble) if trouble.leaves_open() => false,
        // What only makes it limp is not refuted by one connection.
        seen if stops.contains(&seen.stage()) => {
            symptoms.push(Symptom::WorksAnyway {
                source,
                seen: Box::new(seen.clone()),
                address,
            });
            false
        }
        _ => true,
    });
    for hop in path.hops.iter_mut().filter(|hop| is_passed(hop.stage)) {
        let was_denied = hop.status == Status::Fail;
        if hop.stage == Stage::Destination {
            hop.observed = Some(text.to_owned());
            hop.status = if attempts.are_fine() {
                Status::Pass
            } else {
                Status::Warn
            };
        } else if was_denied || hop.status == Status::Unknown {
            hop.predicted = Some(hop.summary.clone());
            hop.observed = Some("open nevertheless".to_owned());
            hop.status = if was_denied {
                Status::Warn
            } else {
                Status::Pass
            };
        }
    }
    symptoms
}

/// Which stages a packet to a backend by its own address passes: not the rules for the Service's address,
/// and not the way back of what they translated.
fn passed(path: &Path<'_>) -> impl Fn(Stage) -> bool + use<> {
    let is_translated = service_address(path).is_some();
    move |stage| {
        stage >= Stage::EgressPolicy
            && stage != Stage::Nat
            && (stage != Stage::Return || !is_translated)
    }
}

/// It does not answer: where a break was predicted, that is confirmed; else the destination fails.
fn closed(path: &mut Path<'_>, text: &str) {
    let is_passed = passed(path);
    let predicted = path
        .hops
        .iter()
        .position(|hop| is_passed(hop.stage) && hop.status == Status::Fail);
    let at = predicted.or_else(|| {
        path.hops
            .iter()
            .position(|hop| hop.stage == Stage::Destination)
    });
    if let Some(hop) = at.and_then(|at| path.hops.get_mut(at)) {
        if predicted.is_none() {
            hop.predicted = Some(hop.summary.clone());
            hop.status = Status::Fail;
        }
        hop.observed = Some(text.to_owned());
    }
}

/// Datagrams that nobody answers and nobody refuses leave the prediction as it is.
fn silent(path: &mut Path<'_>, text: &str) {
    let mut hops = path.hops.iter_mut();
    if let Some(hop) = hops.find(|hop| hop.stage == Stage::Destination) {
        hop.observed = Some(text.to_owned());
    }
}

/// How the other backends do that the same source asked.
fn others(
    all: &[Path<'_>],
    vantage: &Vantage,
    own: SocketAddr,
    own_node: Option<&str>,
    observations: &Observations,
) -> Others {
    let mut others = Others::default();
    let mut seen: Vec<SocketAddr> = vec![own];
    for backend in all.iter().flat_map(|path| &path.backends) {
        let Some(addr) = backend.address else {
            continue;
        };
        let to = SocketAddr::new(addr, backend.port);
        if seen.contains(&to) {
            continue;
        }
        seen.push(to);
        let Some(attempts) = observations.attempts(vantage, to) else {
            continue;
        };
        if attempts.none_open() {
            others.failing += 1;
        } else if attempts.are_fine() {
            others.open += 1;
        } else {
            others.open += 1;
            others.shaky += 1;
        }
        let on_its_node = backend.node.is_some() && backend.node == own_node;
        let count = match (on_its_node, attempts.are_fine()) {
            (true, true) => &mut others.fine_on_its_node,
            (true, false) => &mut others.ailing_on_its_node,
            (false, true) => &mut others.fine_elsewhere,
            (false, false) => &mut others.ailing_elsewhere,
        };
        *count += 1;
    }
    others
}

/// How the same pod does by its address of the other family.
fn by_other_family(
    all: &[Path<'_>],
    vantage: &Vantage,
    own: &Backend<'_>,
    observations: &Observations,
) -> Option<bool> {
    let (pod, address) = (own.pod?, own.address?);
    let others = all
        .iter()
        .flat_map(|path| &path.backends)
        .filter(|other| other.is(pod));
    let mut others = others.filter_map(|other| Some((other.address?, other.port)));
    let (ip, port) = others.find(|(ip, _)| ip.is_ipv4() != address.is_ipv4())?;
    let attempts = observations.attempts(vantage, SocketAddr::new(ip, port))?;
    Some(attempts.are_fine())
}

fn trace(observations: &Observations, vantage: &Vantage, to: SocketAddr) -> Vec<TraceHop> {
    let traces = observations
        .seen
        .iter()
        .filter(|seen| seen.vantage == *vantage);
    let mut traces = traces.filter_map(|seen| match (&seen.task, &seen.outcome) {
        (Task::Trace { to: own, .. }, Outcome::Trace(hops)) if *own == to => Some(hops.clone()),
        _ => None,
    });
    traces.next().unwrap_or_default()
}
