//! The same snapshot gives the same answer through every door: the path, and the comparison of a node's
//! rules with the Services.

use std::fs;
use std::path::PathBuf;

use netpath::cli::Cli;
use netpath::cluster::{Named, snapshot};
use netpath::commands::{examine, question};
use netpath::diagnose::{Severity, Verdict};
use netpath::nat::proxy::{Difference, DifferenceKind, EntryKind, OriginKind};
use netpath::observe::Observations;
use netpath::report::PathReport;
use netpath::world::{Nodes, World};

use crate::support::project;

/// Every recording with facts of nodes.
fn recordings() -> Vec<PathBuf> {
    let roots = [
        "tests/scenarios/recorded",
        "../shared/scenarios",
        "../shared/field/nodes",
    ];
    let folders = roots
        .iter()
        .filter_map(|root| fs::read_dir(project().join(root)).ok());
    let entries = folders.flatten().filter_map(Result::ok);
    let mut all: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.join("nodes").is_dir())
        .collect();
    all.sort();
    all
}

fn ask(world: &World<'_>, source: &str, service: &str) -> Option<PathReport> {
    use clap::Parser;
    let args = Cli::parse_from(["netpath", source, service]).trace;
    let request = question(&args, "default").ok()?;
    examine(world, &request, &Observations::default()).ok()
}

/// A difference that keeps pods of the node from a Service's cluster IP altogether.
fn stops_pods(one: &Difference) -> bool {
    let is_whole = matches!(
        one.kind,
        DifferenceKind::ServiceMissing | DifferenceKind::Refused
    );
    is_whole
        && one.entry_kind == Some(EntryKind::ClusterIp)
        && (one.origins.is_empty() || one.origins.contains(&OriginKind::Pod))
}

/// Codes of the family that only rules of Services can show.
const OF_RULES: [&str; 5] = ["KPX-01", "KPX-02", "KPX-03", "KPX-06", "KPX-09"];

#[test]
fn the_path_and_the_drift_agree() {
    let (mut wrong, mut asked) = (Vec::new(), 0);
    for folder in recordings() {
        let name = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.contains("thousand") {
            continue;
        }
        let Ok(view) = snapshot::load(&folder) else {
            continue;
        };
        let world = World::of(&view);
        let nodes: &Nodes<'_> = world.nodes();
        let names: Vec<String> = view.facts.nodes.keys().cloned().collect();
        for node in &names {
            let Some(site) = nodes.node(node).filter(|site| site.state.rules.is_some()) else {
                continue;
            };
            let drift = site.drift(&view);
            let on_node = |pod: &&netpath::cluster::Pod| {
                pod.node_name() == Some(node.as_str())
                    && !pod.is_host_network()
                    && pod.phase() == "Running"
            };
            let Some(client) = view.pods.iter().find(on_node) else {
                continue;
            };
            let source = format!("{}/pod/{}", client.namespace(), client.name());
            for service in view.services.iter() {
                let target = format!("{}/svc/{}", service.namespace(), service.name());
                let Some(report) = ask(&world, &source, &target) else {
                    continue;
                };
                asked += 1;
                let of_service = |one: &&Difference| {
                    one.service.as_ref().is_some_and(|of| {
                        of.name == service.name() && of.namespace == service.namespace()
                    })
                };
                let stopped = drift
                    .differences
                    .iter()
                    .filter(of_service)
                    .find(|one| stops_pods(one));
                if let Some(difference) = stopped
                    && report.verdict == Verdict::Reachable
                {
                    wrong.push(format!(
                        "{name} {node}: {target} Reachable, drift says {} {}",
                        difference.kind.name(),
                        difference.entry
                    ));
                }
                let blamed = report.findings.iter().find(|finding| {
                    finding.severity != Severity::Notice
                        && OF_RULES.contains(&finding.code.as_str())
                        && finding
                            .object
                            .as_ref()
                            .is_some_and(|blame| blame.object.name == *node)
                });
                if let Some(finding) = blamed
                    && drift.differences.is_empty()
                {
                    wrong.push(format!(
                        "{name} {node}: {target} {} {}, drift sees none ({:?})",
                        finding.code, finding.summary, drift.open
                    ));
                }
            }
        }
    }
    println!("{asked} questions");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
