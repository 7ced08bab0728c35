//! The verdict over all paths, and the findings in the order that matters.

use std::net::SocketAddr;

use serde::Serialize;

use super::objects::{beside, dns, dst, eps, ext, gateway, ing, mc, mesh, pol, rte, src, svc};
use super::{Case, Confidence, Finding, Severity};
use super::{hints, keeper, nodes, probes};
use crate::cluster::access::ServiceExt;
use crate::confirm::Symptom;
use crate::path::{
    Basis, Break, DoorTrouble, Fault, NameTrouble, Outcome, Path, ProxyFault, Status,
};

/// Does traffic reach the destination?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Verdict {
    Reachable,
    /// Some of it, or badly.
    Degraded,
    Unreachable,
    /// What was asked could not be read or understood, and could change the answer.
    Undetermined,
}

/// The answer.
#[derive(Debug, Clone)]
pub struct Diagnosis {
    pub verdict: Verdict,
    /// What it rests on.
    pub basis: Vec<Basis>,
    /// What breaks the path first, the deciding cause at the top.
    pub findings: Vec<Finding>,
}

/// Names the causes and gives the verdict.
#[must_use]
pub fn diagnose(case: &Case<'_, '_>) -> Diagnosis {
    let mut findings = Vec::new();
    for path in case.paths() {
        for seen in path
            .breaks
            .iter()
            .filter(|seen| !is_consequence(path, seen))
        {
            let mut finding = confirmed(name(case, path, seen), path, seen);
            if is_partial(case, path, seen) && finding.severity == Severity::Broken {
                finding.severity = Severity::Degraded;
            }
            merge(&mut findings, finding);
        }
    }
    for symptom in &case.symptoms {
        if let Symptom::WorksAnyway { seen, address, .. } = symptom {
            if let Some(finding) = works_anyway(case, seen, *address) {
                merge(&mut findings, finding);
            }
            continue;
        }
        let Some(mut finding) = probes::cause(case, symptom) else {
            continue;
        };
        let any_works = case.paths().any(|path| path.outcome() == Outcome::Works);
        if any_works && finding.severity == Severity::Broken {
            finding.severity = Severity::Degraded;
        }
        merge(&mut findings, finding);
    }
    probes::located(case, &mut findings);
    let beside = beside::findings(case).into_iter();
    for finding in beside.chain(hints::findings(case)) {
        if !is_told(&findings, &finding) {
            merge(&mut findings, finding);
        }
    }
    for finding in &mut findings {
        let object = finding.blame.as_ref().map(|blame| &blame.object);
        finding.fix.managed_by = object.and_then(|object| keeper::keeper(case.view, object));
    }
    findings.sort_by_key(|finding| {
        (
            finding.severity,
            finding.confidence == Confidence::Suspected,
            finding.stage,
        )
    });
    Diagnosis {
        verdict: verdict(case, &findings),
        basis: case.basis.clone(),
        findings,
    }
}

/// A cause that was predicted and then seen at work is measured.
fn confirmed(finding: Finding, path: &Path<'_>, seen: &Break<'_>) -> Finding {
    let stage = seen.stage();
    let observed = path
        .hops
        .iter()
        .filter(|hop| hop.status == Status::Fail && hop.stage >= stage)
        .find_map(|hop| hop.observed.clone());
    let Some(observed) = observed else {
        return finding;
    };
    // What ought to make it limp, and is alone: that is what stops it altogether.
    let severity = match finding.severity {
        Severity::Degraded if path.breaks.len() == 1 => Severity::Broken,
        severity => severity,
    };
    let finding = Finding {
        severity,
        ..finding
    };
    match finding.confidence {
        Confidence::Proved => Finding {
            confidence: Confidence::Measured,
            ..finding.because(format!("seen: {observed}"))
        },
        // It could be this or nothing, and it was not nothing.
        _ if leaves_open(seen) => Finding {
            confidence: Confidence::Measured,
            ..finding.because(format!("seen: {observed}"))
        },
        _ => finding,
    }
}

/// Whether a break says what is there, and not whether it stops traffic.
const fn leaves_open(seen: &Break<'_>) -> bool {
    match seen {
        Break::Node(fault) => matches!(
            fault.kind,
            Fault::Proxy(ProxyFault::Ambiguous { .. } | ProxyFault::Contested { .. })
        ),
        Break::ClusterSet(trouble) => trouble.leaves_open(),
        _ => false,
    }
}

/// What ought to stop traffic and does not: the rules are wrong, and something lets it pass all the
/// same, an established connection or a faster way around them, say. It may end at any time.
fn works_anyway(case: &Case<'_, '_>, seen: &Break<'_>, address: SocketAddr) -> Option<Finding> {
    let leads_there = |path: &&Path<'_>| {
        let mut backends = path.backends.iter();
        backends.any(|backend| backend.address == Some(address.ip()))
    };
    let mut paths = case.paths();
    let path = paths.clone().find(leads_there).or_else(|| paths.next())?;
    let finding = name(case, path, seen).notice();
    let finding = Finding {
        summary: format!("works now, although {}", finding.summary),
        ..finding
    };
    Some(finding.because(format!("{address} is open nevertheless")))
}

/// A headless Service with nothing ready has no name, and for the same reason no endpoint.
fn is_consequence(path: &Path<'_>, seen: &Break<'_>) -> bool {
    let Break::NoEndpoints { service, .. } = seen else {
        return false;
    };
    path.breaks.iter().any(|other| {
        matches!(other, Break::Name(NameTrouble::NothingReady(nameless))
            if nameless.reference() == service.reference())
    })
}

/// The cause of a break, by the family of the stage that saw it.
fn name(case: &Case<'_, '_>, path: &Path<'_>, seen: &Break<'_>) -> Finding {
    match seen {
        Break::SourceWithoutNetwork(pod) => src::without_network(case, pod),
        Break::NoSourcePod(object) => src::no_pod(case, object),
        Break::NoCommonFamily { source, wanted } => svc::no_common_family(case, source, wanted),
        Break::NodeDown { node, stage } => rte::node_down(node, *stage),
        Break::Name(trouble) => dns::name(case, trouble),
        Break::Dns(trouble) => dns::servers(case, path, trouble),
        Break::Port(trouble) => svc::port(case, trouble),
        Break::NoEndpoints {
            service,
            port,
            family,
        } => eps::none(case, service, port, *family),
        Break::NoLocalEndpoints {
            service,
            node,
            elsewhere,
            from_outside,
        } => ext::no_local_endpoint(service, node, elsewhere, *from_outside),
        Break::NoEntry(object) => ext::no_entry(case, object),
        Break::NoBalancerAddress(service) => ext::no_balancer_address(case, service),
        Break::SourceRange { service, client } => ext::source_range(case, service, *client),
        Break::NobodyAnnounces { service } => ext::nobody_announces(case, service),
        Break::NoSuchNodePort { node, port } => ext::no_such_node_port(case, node, *port),
        Break::Ingress(trouble) => ing::trouble(case, trouble),
        Break::Door(trouble) => match trouble.as_ref() {
            DoorTrouble::PartOfFront(inner) => name(case, path, inner),
            trouble => gateway::trouble(case, trouble),
        },
        Break::NoDestinationPod(object) => eps::no_pod(case, object),
        Break::DestinationDown(pod) => dst::down(case, pod),
        Break::StaleEndpoint {
            service,
            slice,
            address,
        } => eps::stale(case, service, slice, *address),
        Break::ClusterSet(trouble) => mc::trouble(case, trouble),
        Break::Policy(denied) => pol::denied(case, denied),
        Break::Mesh {
            stop,
            stage,
            is_notice: false,
        } => mesh::cause(case.view, stop, *stage),
        Break::Mesh {
            stop,
            stage,
            is_notice: true,
        } => mesh::cause(case.view, stop, *stage).notice(),
        Break::Node(fault) => nodes::cause(case, path, fault),
    }
}

/// Whether traffic still gets through in spite of a break: on another path, or by a weaker way.
fn is_partial(case: &Case<'_, '_>, path: &Path<'_>, seen: &Break<'_>) -> bool {
    let others_work = case
        .paths()
        .any(|other| other.outcome() == Outcome::Works && !std::ptr::eq(other, path));
    others_work
        || matches!(seen, Break::Dns(trouble) if trouble.is_partial())
        || matches!(seen, Break::Door(trouble) if trouble.is_partial())
}

/// Whether a notice only repeats what breaks the path.
fn is_told(findings: &[Finding], notice: &Finding) -> bool {
    let object = |finding: &Finding| finding.blame.as_ref().map(|blame| blame.object.clone());
    let mut findings = findings.iter();
    notice.severity == Severity::Notice
        && findings.any(|other| other.code == notice.code && object(other) == object(notice))
}

/// The same cause, seen on several paths, is one finding.
fn merge(findings: &mut Vec<Finding>, finding: Finding) {
    let same = findings
        .iter_mut()
        .find(|other| other.code == finding.code && other.blame == finding.blame);
    let Some(other) = same else {
        return findings.push(finding);
    };
    for fact in finding.evidence {
        if !other.evidence.contains(&fact) {
            other.evidence.push(fact);
        }
    }
    other.severity = other.severity.min(finding.severity);
}

/// Over all paths: what works and what fails together are Degraded. A failing path beside one that
/// could not be told is Degraded, too: it is proved that not all works.
fn verdict(case: &Case<'_, '_>, findings: &[Finding]) -> Verdict {
    let is = |outcome| case.paths().any(|path| path.outcome() == outcome);
    let degraded = findings.iter().any(|finding| {
        finding.severity == Severity::Degraded && finding.confidence != Confidence::Suspected
    });
    let degraded = degraded || case.symptoms.iter().any(Symptom::is_harmful);
    match (is(Outcome::Works), is(Outcome::Fails), is(Outcome::Unknown)) {
        (false, true, false) => Verdict::Unreachable,
        (_, true, _) => Verdict::Degraded,
        (_, false, true) => Verdict::Undetermined,
        (_, false, false) if degraded => Verdict::Degraded,
        // Who asked for a probe asked for more than a prediction.
        (_, false, false) if case.lacks_probe => Verdict::Undetermined,
        (_, false, false) => Verdict::Reachable,
    }
}
