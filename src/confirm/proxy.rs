//! Stage `nat`: whether the Service's address leads to its backends.

use std::net::SocketAddr;

use super::Confirmed;
use super::symptom::Symptom;
use crate::cluster::ClusterView;
use crate::cluster::access::ServiceExt;
use crate::observe::{Attempts, Observations, Vantage};
use crate::path::service_address;
use crate::path::{Break, Hop, Outcome, Path, Stage, Status};
use crate::resolve::Site;
use netpath_protocol::Task;

/// Adds the hop of the Service's address where it was asked.
pub(super) fn confirm<'v>(
    confirmed: &mut Confirmed<'v>,
    view: &ClusterView,
    observations: &Observations,
) {
    let all = confirmed.walk.paths.clone();
    let mut said: Vec<(Vantage, SocketAddr)> = Vec::new();
    for path in &mut confirmed.walk.paths {
        let Some(source) = path.sources.first().copied() else {
            continue;
        };
        let Some(vantage) = Vantage::of_site(source) else {
            continue;
        };
        let Some(address) = service_address(path) else {
            continue;
        };
        let Some(attempts) = observations.attempts(&vantage, address) else {
            continue;
        };
        if attempts.say_nothing() {
            continue;
        }
        let siblings: Vec<&Path<'v>> = all
            .iter()
            .filter(|other| {
                other
                    .sources
                    .first()
                    .is_some_and(|lead| lead.reference() == source.reference())
            })
            .filter(|other| service_address(other) == Some(address))
            .collect();
        let status = judge(&siblings, &attempts);
        // As long as one backend is reached by rules that are right, an open connection proves nothing
        // about the rules for the others.
        let is_refuted = status == Status::Pass && siblings.iter().all(|path| is_stopped(path));
        if is_refuted {
            confirmed.symptoms.extend(refute(path, source, address));
        }
        let is_explained = siblings
            .iter()
            .flat_map(|path| &path.breaks)
            .any(|seen| is_of_translation(seen.stage()));
        // Where other backends are why it fails, this one may be reached all the same.
        let is_others = status == Status::Fail && is_explained && !is_stopped(path);
        let shown = if is_others { Status::Warn } else { status };
        add_hop(path, address, &attempts, shown);
        let key = (vantage.clone(), address);
        if status == Status::Pass
            || is_explained
            || said.contains(&key)
            || has_ailing_backend(&siblings, &vantage, observations)
        {
            continue;
        }
        said.push(key);
        confirmed.symptoms.push(Symptom::Proxy {
            source,
            service: path.service,
            address,
            others_answer: others_answer(view, &vantage, &[address], observations),
            is_own_backend: siblings
                .iter()
                .flat_map(|path| &path.backends)
                .any(|backend| source.pod().is_some_and(|pod| backend.is(pod))),
            only_local: siblings
                .iter()
                .flat_map(|path| &path.backends)
                .all(|backend| backend.node.is_some() && backend.node == source.node_name()),
            attempts,
        });
    }
}

/// Whether only packets to the Service's address pass a stage, or answers to them.
const fn is_of_translation(stage: Stage) -> bool {
    matches!(stage, Stage::Nat | Stage::Return)
}

/// Whether the rules of the source's node are predicted to keep a packet from the backends, or may: where a
/// break leaves it open.
fn is_stopped(path: &Path<'_>) -> bool {
    path.hops.iter().any(|hop| is_stopping(hop, &path.breaks))
}

fn is_stopping(hop: &Hop, breaks: &[Break<'_>]) -> bool {
    let is_known = || breaks.iter().any(|seen| seen.stage() == hop.stage);
    match hop.status {
        Status::Fail => is_of_translation(hop.stage),
        Status::Unknown => is_of_translation(hop.stage) && is_known(),
        _ => false,
    }
}

/// Whether the backend of a path answers, whatever becomes of packets to the Service's address.
fn answers(path: &Path<'_>) -> bool {
    let mut hops = path.hops.iter();
    hops.all(|hop| match hop.status {
        Status::Pass | Status::Warn => true,
        _ => is_stopping(hop, &path.breaks) && hop.status == Status::Unknown,
    })
}

/// Takes back what was predicted of the rules: it works.
fn refute<'v>(path: &mut Path<'v>, source: Site<'v>, address: SocketAddr) -> Vec<Symptom<'v>> {
    let Path { hops, breaks, .. } = path;
    let failing = hops.iter_mut().filter(|hop| is_stopping(hop, breaks));
    for hop in failing {
        hop.predicted = Some(hop.summary.clone());
        hop.status = Status::Warn;
    }
    let (wrong, rest) = std::mem::take(&mut path.breaks)
        .into_iter()
        .partition(|seen: &Break<'v>| is_of_translation(seen.stage()));
    path.breaks = rest;
    let wrong: Vec<Break<'v>> = wrong;
    let symptoms = wrong.into_iter().map(|seen| Symptom::WorksAnyway {
        source,
        seen: Box::new(seen),
        address,
    });
    symptoms.collect()
}

/// A Service's address can only be as good as its backends: what fails with all of them failing says
/// nothing about the proxy.
fn judge(siblings: &[&Path<'_>], attempts: &Attempts) -> Status {
    let any_works = siblings.iter().any(|path| answers(path));
    match (attempts.none_open(), attempts.are_fine()) {
        (_, true) => Status::Pass,
        (true, _) if any_works => Status::Fail,
        _ => Status::Warn,
    }
}

/// Whether a backend does not answer as it should by itself: the Service's address cannot either.
fn has_ailing_backend(
    siblings: &[&Path<'_>],
    vantage: &Vantage,
    observations: &Observations,
) -> bool {
    let mut backends = siblings.iter().flat_map(|path| &path.backends);
    let fails = siblings.iter().any(|path| path.outcome() == Outcome::Fails);
    fails
        || backends.any(|backend| {
            let to = backend.address.map(|ip| SocketAddr::new(ip, backend.port));
            let attempts = to.and_then(|to| observations.attempts(vantage, to));
            attempts.is_some_and(|attempts| !attempts.are_fine())
        })
}

fn add_hop(path: &mut Path<'_>, address: SocketAddr, attempts: &Attempts, status: Status) {
    let text = format!("{address}: {}", attempts.words());
    if let Some(hop) = path.hops.iter_mut().find(|hop| hop.stage == Stage::Nat) {
        hop.observed = Some(text);
        if status == Status::Fail {
            hop.status = Status::Fail;
        }
        return;
    }
    let mut hop = Hop::new(Stage::Nat, status, text.clone());
    hop.observed = Some(text);
    path.hops.push(hop);
    path.hops.sort_by_key(|hop| hop.stage);
}

/// Whether other Services' addresses answer this pod; none if none was asked.
pub(super) fn others_answer(
    view: &ClusterView,
    vantage: &Vantage,
    own: &[SocketAddr],
    observations: &Observations,
) -> Option<bool> {
    let is_service = |to: &SocketAddr| {
        let mut services = view.services.iter();
        services.any(|service| service.cluster_ips().contains(&to.ip()))
    };
    let answers: Vec<bool> = observations
        .seen
        .iter()
        .filter(|seen| seen.vantage == *vantage)
        .filter_map(|seen| match &seen.task {
            Task::Connect { to, .. } if !own.contains(to) && is_service(to) => {
                Some(!observations.attempts(vantage, *to)?.none_open())
            }
            _ => None,
        })
        .collect();
    (!answers.is_empty()).then(|| answers.iter().any(|answer| *answer))
}
