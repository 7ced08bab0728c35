//! A fix opens what was asked, and nothing else: pasted into the world, it makes the path work, and of all other
//! pairs of workloads none opens.
//!
//! A policy is changed for every pod that it selects, so one side of what opens is the policy's; the other side
//! has to be alike what was asked.

use std::collections::BTreeMap;

use libtest_mimic::Trial;
use netpath::cluster::{ClusterView, Named, ObjectRef};
use netpath::path::Stage;
use netpath::policy::UnitMatrix;
use netpath::policy::matrix::diff::{Side, difference};
use netpath::report::{PathReport, ReportFinding};

use super::api::scenarios;
use super::expectation::faults;
use super::harness::check;
use super::repairs::repaired;
use super::report;
use super::scenario::Scenario;

/// Scenarios whose fix opens more, and why that is what it has to do.
const OPENS_MORE: [(&str, &str); 2] = [
    (
        "POL-14-host-network-client",
        "pods in the network of a node share its address",
    ),
    (
        "POL-21-node-local-dns",
        "the cache on the node is no workload: its address is what was asked",
    ),
];
/// Scenarios whose fix does not make the path work by itself, and why.
const NEEDS_MORE: [(&str, &str); 1] = [(
    "POL-19-empty-egress",
    "names resolve then, and the next rule is missing for the destination",
)];

pub fn trials() -> Vec<Trial> {
    vec![check(
        "openings/every-fix-opens-the-path-and-nothing-else",
        every_fix_opens_the_path_and_nothing_else,
    )]
}

fn every_fix_opens_the_path_and_nothing_else() {
    let (mut complaints, mut tried) = (Vec::new(), 0);
    for scenario in scenarios() {
        let world = scenario.world();
        let view = world.view();
        let Ok(before) = scenario.expected.ask(&view) else {
            continue;
        };
        let found = faults(&before);
        let Some(first) = found.first() else {
            continue;
        };
        for command in &first.fix.commands {
            let Some(after) = repaired(&world, command.as_str()) else {
                continue;
            };
            tried += 1;
            let mended = after.view();
            let wrong = judge(scenario, (&view, &before), &mended, first);
            complaints.extend(
                wrong
                    .into_iter()
                    .map(|wrong| format!("{}: {wrong}: {command}", scenario.name)),
            );
        }
    }
    println!("{tried} commands tried");
    report(&complaints, tried);
}

fn judge(
    scenario: &Scenario,
    (view, before): (&ClusterView, &PathReport),
    mended: &ClusterView,
    first: &ReportFinding,
) -> Vec<String> {
    let is_listed = |list: &[(&str, &str)]| list.iter().any(|(name, _)| *name == scenario.name);
    let mut wrong = Vec::new();
    let after = scenario.expected.ask(mended).expect("an answer");
    let left = faults(&after);
    let is_alone = faults(before).len() == 1;
    if is_alone && !left.is_empty() && !is_listed(&NEEDS_MORE) {
        let codes: Vec<&str> = left.iter().map(|one| one.code.as_str()).collect();
        wrong.push(format!("still {:?} with {codes:?}", after.verdict));
    }
    if is_listed(&OPENS_MORE) {
        return wrong;
    }
    let asked = Asked::of(view, before);
    for (source, destination) in opened(view, mended) {
        let is_meant = match first.stage {
            Stage::EgressPolicy | Stage::Dns => asked.is_destination(view, &destination),
            _ => asked.is_source(view, &source),
        };
        if !is_meant {
            wrong.push(format!("opens {source} → {destination}"));
        }
    }
    wrong.truncate(3);
    wrong
}

/// The pairs of workloads that are open afterwards and were not.
fn opened(before: &ClusterView, after: &ClusterView) -> Vec<(ObjectRef, ObjectRef)> {
    let worlds = [before, after].map(netpath::world::World::of);
    let [old, new] = worlds.each_ref().map(netpath::world::World::policies);
    let matrices = [
        UnitMatrix::beside(before, old, new),
        UnitMatrix::beside(after, new, old),
    ];
    let side = |view, policies, matrix| Side {
        view,
        policies,
        matrix,
    };
    let [was, is] = &matrices;
    let changed = difference(&side(before, old, was), &side(after, new, is));
    let opened = changed.pairs.into_iter();
    opened
        .filter(|pair| !pair.opened.intervals().is_empty())
        .map(|pair| (pair.source, pair.destination))
        .collect()
}

/// The pods of a question, by namespace and labels.
struct Asked {
    sources: Vec<Alike>,
    destinations: Vec<Alike>,
}

/// What policies may tell pods apart by.
type Alike = (String, BTreeMap<String, String>);

// === impl Asked ===

impl Asked {
    fn of(view: &ClusterView, report: &PathReport) -> Self {
        let pods = |names: Vec<&str>| {
            let all = view.pods.iter();
            let named = all.filter(|pod| names.contains(&pod.name()));
            named.map(alike).collect()
        };
        let paths = || report.paths.iter();
        let backends = paths().flat_map(|path| &path.backends);
        Self {
            sources: pods(
                paths()
                    .flat_map(|path| &path.sources)
                    .filter_map(|one| one.pod.as_deref())
                    .map(last)
                    .collect(),
            ),
            destinations: pods(
                backends
                    .filter_map(|one| one.pod.as_deref())
                    .map(last)
                    .collect(),
            ),
        }
    }

    fn is_source(&self, view: &ClusterView, unit: &ObjectRef) -> bool {
        self.sources.is_empty() || is_among(&self.sources, view, unit)
    }

    /// Names are looked up on the way.
    fn is_destination(&self, view: &ClusterView, unit: &ObjectRef) -> bool {
        let is_dns = unit.namespace == "kube-system";
        self.destinations.is_empty() || is_dns || is_among(&self.destinations, view, unit)
    }
}

fn is_among(known: &[Alike], view: &ClusterView, unit: &ObjectRef) -> bool {
    let of_unit = view.pods.in_namespace(&unit.namespace);
    let mut of_unit = of_unit.filter(|pod| pod.name().starts_with(&unit.name));
    of_unit.any(|pod| known.contains(&alike(pod)))
}

fn alike(pod: &netpath::cluster::Pod) -> Alike {
    let labels = pod.labels().iter();
    let own = labels.filter(|(key, _)| !key.contains("hash") && !key.contains("kubernetes.io/"));
    let own = own.map(|(key, value)| (key.clone(), value.clone()));
    (pod.namespace().to_owned(), own.collect())
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
