//! A sweep finds what is planted without being told where, and nothing in what is healthy.

use std::collections::BTreeSet;

use libtest_mimic::Trial;
use netpath::cluster::ClusterView;
use netpath::sweep::{Problem, sweep};
use netpath::world::World;

use super::api::scenarios;
use super::harness::trial;
use super::oddities::oddities;
use super::scenario::Scenario;

/// Families whose causes lie with a Service, its endpoints, its doors or its policies.
const OWN: [&str; 6] = ["SVC", "EPS", "EXT", "ING", "POL", "MESH"];

/// The share of planted causes that has to be found.
const RECALL: f64 = 0.95;

/// Scenarios whose cause lies with who asks or with what is asked: no Service has it.
const OF_THE_ASKER: [(&str, &str); 31] = [
    ("EGR-05-metadata-excepted", "asks the metadata service"),
    ("EXT-02-no-such-node-port", "asks a port that nobody has"),
    (
        "EXT-03-local-policy",
        "asks the one node without an endpoint, which is by design",
    ),
    (
        "EXT-05-nodes-excluded",
        "the API cannot prove it: undetermined",
    ),
    (
        "EXT-07-client-inside",
        "asks from an address that the Service excludes",
    ),
    (
        "EXT-07-source-ranges",
        "asks from an address that the Service excludes",
    ),
    (
        "EXT-07-source-ranges-of-a-gateway",
        "asks from an address that the Service excludes",
    ),
    ("EXT-10-host-port-taken", "asks a port of a node"),
    (
        "EXT-15-cluster-ip-from-outside",
        "asks a cluster IP from outside",
    ),
    ("ING-04-header-missing", "asks without a header"),
    ("ING-04-no-rule-for-the-method", "asks by another method"),
    ("ING-04-other-path", "asks for a path of nobody"),
    ("ING-09-redirect-hides-the-backend", "asks for one URL"),
    ("ING-16-redirect-to-itself", "asks for one URL"),
    ("MESH-03-method-denied", "asks by a method that is denied"),
    ("MESH-07-egress-network-denies", "asks a host outside"),
    (
        "MESH-07-not-imported",
        "asks a host that this client does not import",
    ),
    ("MESH-07-not-registered", "asks a host outside"),
    (
        "POL-02-isolated",
        "the client is a stranger, and others are let in",
    ),
    (
        "POL-02-other-namespace",
        "the client is a stranger, and others are let in",
    ),
    ("POL-03-egress-default-deny", "the client may send nowhere"),
    (
        "POL-09-balancer-address",
        "asks the address of a load balancer",
    ),
    (
        "POL-09-block-of-pods-under-cilium",
        "the block means no Service",
    ),
    (
        "POL-13-node-port-hides-the-client",
        "asks from the one address that is let in",
    ),
    (
        "POL-14-host-network-client",
        "the client has the network of its node",
    ),
    (
        "POL-17-calico-by-its-own-api",
        "the client is a stranger, and others are let in",
    ),
    ("POL-19-empty-egress", "the client may send nowhere"),
    ("POL-20-api-server", "asks the API server"),
    ("POL-20-block-of-nodes-under-cilium", "asks a node"),
    ("SVC-15-node-address-captured", "asks an address of a node"),
    (
        "SVC-11-internal-policy-local",
        "the client's node has no endpoint, which is by design",
    ),
];

/// Causes that are told beside what a healthy scenario asks, and rightly so.
const RIGHTLY_TOLD: [(&str, &str); 5] = [
    // The Ingress leads to the same Service, from a node without an endpoint.
    ("ok-balancer-address-from-inside", "SVC-11"),
    // Nobody wrote pods for these.
    ("open-clusterset-name", "SVC-01"),
    ("open-own-nameserver-in-the-cluster", "SVC-01"),
    ("open-import-by-submariner", "EPS-05"),
    // From inside it works; from outside it does not.
    ("H-28-balancer-pending-asked-inside", "EXT-04"),
];

/// Codes that say something of what was asked, and of no Service.
const OF_THE_QUESTION: [&str; 3] = ["SVC-06", "SVC-07", "SRC-07"];

pub fn trials() -> Vec<Trial> {
    vec![
        trial("sweep/names-what-is-planted", names_what_is_planted),
        trial(
            "sweep/is-silent-where-all-is-well",
            is_silent_where_all_is_well,
        ),
    ]
}

fn names_what_is_planted() -> Vec<String> {
    let (mut asked, mut missed) = (0_u32, Vec::new());
    let exceptions: BTreeSet<&str> = OF_THE_ASKER.iter().map(|(name, _)| *name).collect();
    for scenario in scenarios() {
        if !is_own(scenario) || exceptions.contains(scenario.name.as_str()) {
            continue;
        }
        asked += 1;
        let found = found(&scenario.view());
        let codes = scenario.expected.codes.iter();
        let mut named = codes.chain(scenario.expected.findings.iter().flat_map(|one| &one.code));
        if !named.any(|code| found.iter().any(|one| one.starts_with(code.as_str()))) {
            missed.push(format!(
                "{}: {:?} is not in {found:?}",
                scenario.name, scenario.expected.codes
            ));
        }
    }
    let named = asked - u32::try_from(missed.len()).expect("a few");
    let recall = f64::from(named) / f64::from(asked);
    println!("sweep: {named} of {asked} planted causes ({recall:.3})");
    for one in &missed {
        println!("sweep misses {one}");
    }
    if recall < RECALL { missed } else { Vec::new() }
}

fn is_silent_where_all_is_well() -> Vec<String> {
    let healthy = scenarios()
        .iter()
        .filter(|scenario| scenario.name.starts_with("ok-") || scenario.name.starts_with("open-"));
    let oddities = oddities();
    let all = healthy.chain(&oddities);
    let alarms = all.flat_map(|scenario| {
        let mut found = found(&scenario.view());
        found.retain(|one| !one.contains(" Notice ") && !is_right(&scenario.name, one));
        found
            .into_iter()
            .map(|one| format!("{}: {one}", scenario.name))
    });
    alarms.collect()
}

/// Whether the planted cause is a Service's own.
fn is_own(scenario: &Scenario) -> bool {
    let mut codes = scenario.expected.codes.iter();
    codes.any(|code| {
        let is_own = OWN.iter().any(|family| code.starts_with(family));
        is_own && !OF_THE_QUESTION.contains(&code.as_str())
    })
}

fn is_right(scenario: &str, told: &str) -> bool {
    let mut all = RIGHTLY_TOLD.iter();
    all.any(|(name, code)| *name == scenario && told.starts_with(code))
}

fn found(view: &ClusterView) -> Vec<String> {
    let world = World::of(view);
    sweep(&world, None).problems.iter().map(told).collect()
}

fn told(problem: &Problem) -> String {
    let finding = &problem.finding;
    format!(
        "{} {:?} {} ({})",
        finding.code,
        finding.severity,
        finding.summary,
        problem.question.command()
    )
}
