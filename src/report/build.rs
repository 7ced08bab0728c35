//! From a diagnosis to the report: walks that look alike are told once.

use std::collections::BTreeSet;

use super::model::{
    PathReport, Rejection, ReportBackend, ReportDataplane, ReportEnd, ReportFinding, ReportHop,
    ReportPacket, ReportPath, ReportSource, Tool,
};
use super::{answer, tap};
use crate::cluster::{ClusterView, Named, ObjectRef, Pod};
use crate::dataplane::installed;
use crate::diagnose::{Case, Diagnosis, Finding, Verdict};
use crate::net::Family;
use crate::path::{Backend, Basis, Hop, Outcome, Path, Stage, Status};
use crate::resolve::Site;
use crate::text::{count, list};

/// Makes the report of a diagnosis.
#[must_use]
pub fn build(case: &Case<'_, '_>, diagnosis: &Diagnosis) -> PathReport {
    let mut paths: Vec<ReportPath> = Vec::new();
    for path in case.paths() {
        let next = report_path(path);
        match paths.iter_mut().find(|other| are_alike(other, &next)) {
            Some(other) => join(other, next),
            None => paths.push(next),
        }
    }
    let paths = gathered(paths);
    let view = case.view;
    let mut report = PathReport {
        api_version: "netpath/v1",
        kind: "PathReport",
        verdict: diagnosis.verdict,
        answer: String::new(),
        measured: diagnosis.basis.contains(&Basis::Probe),
        basis: diagnosis.basis.clone(),
        source: ReportEnd {
            object: case.flow.source.object.clone(),
            port: None,
            protocol: None,
            url: None,
        },
        destination: ReportEnd {
            object: case.flow.destination.object.clone(),
            port: case.walk.port,
            protocol: Some(case.walk.protocol.to_string()),
            url: url_asked(case),
        },
        context: None,
        elapsed_ms: None,
        tool: Tool::OWN,
        at: None,
        measurements: Vec::new(),
        paths,
        findings: diagnosis.findings.iter().map(report_finding).collect(),
        tap: tap::report(case),
        dataplanes: dataplanes(view),
        not_looked_at: not_looked_at(case, diagnosis),
        unread: case
            .world
            .unread()
            .chain(&case.walk.unread)
            .chain(&case.unheard)
            .cloned()
            .collect(),
        left: Vec::new(),
        rejected: view
            .rejected
            .iter()
            .map(|rejected| Rejection {
                object: rejected.object.to_string(),
                why: rejected.why.clone(),
            })
            .collect(),
    };
    report.answer = answer::sentence(&report);
    report
}

/// The URL as it was asked for; a port that its scheme implies is left out.
fn url_asked(case: &Case<'_, '_>) -> Option<String> {
    let destination = &case.flow.destination;
    let url = destination.url.as_ref()?;
    let implied = match url.scheme.as_str() {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    };
    let port = case.walk.port.filter(|port| Some(*port) != implied);
    let port = port.map_or_else(String::new, |port| format!(":{port}"));
    let host = &destination.object.name;
    Some(format!("{}://{host}{port}{}", url.scheme, url.path))
}

fn dataplanes(view: &ClusterView) -> Vec<ReportDataplane> {
    let all = installed(view).into_iter();
    all.map(|one| ReportDataplane {
        name: one.dataplane.name(),
        role: one.replaces.words(),
        evidence: one.evidence,
    })
    .collect()
}

/// What the kinds of evidence leave open: on which nodes, and behind which addresses.
fn not_looked_at(case: &Case<'_, '_>, diagnosis: &Diagnosis) -> Vec<String> {
    let has = |basis| diagnosis.basis.contains(&basis);
    let mut open = Vec::new();
    let is_seen = |name: &String| has(Basis::Node) && case.world.node_facts(name).is_some();
    let mut nodes = nodes_of_path(case);
    nodes.retain(|name| !is_seen(name));
    if !has(Basis::Node) || !nodes.is_empty() {
        let where_ = if nodes.is_empty() || nodes.len() > 3 {
            "the nodes".to_owned()
        } else {
            list(&nodes)
        };
        open.push(format!("rules, routes and sysctls on {where_}"));
    }
    if !has(Basis::Probe) {
        let unseen = case.paths().filter(|path| !shows_sockets(path));
        let backends = unseen.clone().flat_map(|path| &path.backends);
        let addresses: BTreeSet<String> = backends.map(Backend::display).collect();
        let addresses: Vec<String> = addresses.into_iter().collect();
        open.extend((unseen.count() > 0).then(|| match addresses.as_slice() {
            [] => "what listens on the backends".to_owned(),
            some @ [_, ..] if some.len() <= 3 => format!("what listens on {}", list(some)),
            some => format!("what listens on {} and {} more", some[0], some.len() - 1),
        }));
    }
    open
}

/// Whether the sockets at the end of a path were read.
fn shows_sockets(path: &Path<'_>) -> bool {
    let mut hops = path.hops.iter();
    hops.any(|hop| {
        let mut evidence = hop.evidence.iter();
        evidence.any(|one| one.source == Basis::Node && one.reference.ends_with("sockets"))
    })
}

/// The nodes that a packet passes, by name.
fn nodes_of_path(case: &Case<'_, '_>) -> Vec<String> {
    let sources = case.paths().flat_map(|path| &path.sources);
    let sources = sources.filter_map(Site::node_name);
    let backends = case.paths().flat_map(|path| &path.backends);
    let backends = backends.filter_map(|backend| backend.node.or_else(|| backend.pod?.node_name()));
    let nodes: BTreeSet<&str> = sources.chain(backends).collect();
    nodes.into_iter().map(str::to_owned).collect()
}

fn report_path(path: &Path<'_>) -> ReportPath {
    ReportPath {
        sources: path
            .sources
            .iter()
            .map(|site| report_source(site, path.family))
            .collect(),
        backends: path.backends.iter().map(report_backend).collect(),
        family: path.family.map(|family| family.to_string()),
        mode: path.mode,
        verdict: match path.outcome() {
            Outcome::Works => Verdict::Reachable,
            Outcome::Unknown => Verdict::Undetermined,
            Outcome::Fails => Verdict::Unreachable,
        },
        hops: path.hops_as_met().iter().map(report_hop).collect(),
    }
}

fn report_source(site: &Site<'_>, family: Option<Family>) -> ReportSource {
    let ip = match family {
        Some(family) => site.ip(family),
        None => site.ip(Family::V4).or_else(|| site.ip(Family::V6)),
    };
    ReportSource {
        pod: site.pod().map(pod_name),
        node: site.node_name().map(str::to_owned),
        ip: ip.map(|ip| ip.to_string()),
    }
}

fn report_backend(backend: &Backend<'_>) -> ReportBackend {
    ReportBackend {
        pod: backend.pod.map(pod_name),
        node: backend
            .node
            .or_else(|| backend.pod?.node_name())
            .map(str::to_owned),
        address: backend.display(),
        cluster: backend.cluster.map(str::to_owned),
        hypothetical: backend.is_hypothetical,
    }
}

fn pod_name(pod: &Pod) -> String {
    format!("{}/{}", pod.namespace(), pod.name())
}

fn report_hop(hop: &Hop) -> ReportHop {
    ReportHop {
        stage: hop.stage,
        status: hop.status,
        at: hop.at.clone(),
        summary: hop.summary.clone(),
        boundary: hop.boundary,
        packet: hop.packet.as_ref().map(|packet| ReportPacket {
            before: packet.before.to_string(),
            after: packet.after.to_string(),
        }),
        predicted: hop.predicted.clone(),
        observed: hop.observed.clone(),
        evidence: hop.evidence.clone(),
    }
}

pub(super) fn report_finding(finding: &Finding) -> ReportFinding {
    ReportFinding {
        code: finding.code.to_string(),
        title: finding.code.title().to_owned(),
        severity: finding.severity,
        confidence: finding.confidence,
        stage: finding.stage,
        object: finding.blame.clone(),
        summary: finding.summary.clone(),
        evidence: finding.evidence.clone(),
        fix: finding.fix.clone(),
    }
}

/// Whether two walks tell the same story: the same way, hop for hop, up to who answers.
fn are_alike(left: &ReportPath, right: &ReportPath) -> bool {
    let same_hop = |left: &ReportHop, right: &ReportHop| {
        let is_end = left.stage == Stage::Destination;
        left.stage == right.stage
            && left.status == right.status
            && (is_end || left.summary == right.summary)
    };
    left.sources == right.sources
        && left.family == right.family
        && left.mode == right.mode
        && left.verdict == right.verdict
        && left.hops.len() == right.hops.len()
        && left
            .hops
            .iter()
            .zip(&right.hops)
            .all(|(left, right)| same_hop(left, right))
}

/// Walks that differ in nothing but where they start are told once, too.
fn gathered(paths: Vec<ReportPath>) -> Vec<ReportPath> {
    let mut gathered: Vec<ReportPath> = Vec::new();
    for path in paths {
        match gathered
            .iter_mut()
            .find(|other| differ_in_start(other, &path))
        {
            Some(other) => other.sources.extend(path.sources),
            None => gathered.push(path),
        }
    }
    for path in gathered.iter_mut().filter(|path| path.sources.len() > 1) {
        let text = sources_text(&path.sources);
        let is_start = |hop: &&mut ReportHop| hop.stage == Stage::Source;
        if let Some(hop) = path.hops.iter_mut().find(is_start) {
            hop.summary = match hop.status {
                Status::Pass => text,
                _ => format!("{} (so are all of {text})", hop.summary),
            };
        }
    }
    gathered
}

fn differ_in_start(left: &ReportPath, right: &ReportPath) -> bool {
    let is_same_hop = |(left, right): (&ReportHop, &ReportHop)| {
        let is_start = left.stage == Stage::Source && left.status == Status::Pass;
        left.stage == right.stage
            && left.status == right.status
            && (is_start || left.summary == right.summary)
    };
    left.backends == right.backends
        && left.family == right.family
        && left.mode == right.mode
        && left.verdict == right.verdict
        && left.hops.len() == right.hops.len()
        && left.hops.iter().zip(&right.hops).all(is_same_hop)
}

/// `3 pods on node1 and node2: api-1, api-2, api-3`
fn sources_text(sources: &[ReportSource]) -> String {
    let mut nodes: Vec<&str> = sources
        .iter()
        .filter_map(|source| source.node.as_deref())
        .collect();
    nodes.sort_unstable();
    nodes.dedup();
    let place = match nodes.as_slice() {
        [] => String::new(),
        few @ ([_] | [_, _] | [_, _, _]) => format!(" on {}", list(few)),
        many => format!(" on {}", count(many.len(), "node")),
    };
    let names: Vec<&str> = sources
        .iter()
        .filter_map(|source| source.pod.as_deref()?.rsplit('/').next())
        .collect();
    format!("{}{place}: {}", count(sources.len(), "pod"), named(&names))
}

/// The names of a few, or the first of many.
fn named(names: &[&str]) -> String {
    match names {
        few if few.len() <= 4 => few.join(", "),
        many => format!("{} …", many[..3].join(", ")),
    }
}

fn join(into: &mut ReportPath, path: ReportPath) {
    into.backends.extend(path.backends);
    let pods: Vec<&str> = into
        .backends
        .iter()
        .filter_map(|backend| backend.pod.as_deref()?.rsplit('/').next())
        .collect();
    let text = match pods.len() {
        0 => count(into.backends.len(), "backend"),
        some => format!("{}: {}", count(some, "pod"), named(&pods)),
    };
    let is_plain =
        |hop: &&mut ReportHop| hop.stage == Stage::Destination && hop.summary != "not reached";
    if let Some(hop) = into.hops.iter_mut().find(is_plain) {
        hop.summary = text;
        hop.at = into.backends.first().and_then(|backend| {
            let (namespace, name) = backend.pod.as_deref()?.split_once('/')?;
            Some(ObjectRef::new("Pod", namespace, name))
        });
    }
}
