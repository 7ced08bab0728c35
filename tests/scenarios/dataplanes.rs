//! Recordings of real dataplanes, with what their agents answered in `nodes/NODE/cilium/`. What only such an answer can
//! show is planted in overlays on `recorded/ok-cilium`; here is what needs the larger recordings beside the project.

use std::path::{Path, PathBuf};

use libtest_mimic::Trial;
use netpath::cluster::{ClusterView, snapshot};
use netpath::world::World;
use serde_json::{Value, json};

use super::expectation::{Expectation, codes};
use super::harness::check;
use super::scenario::{Scenario, trials_beside};
use super::{entries, name_of, report};
use crate::support::beside;

const LB_MAP: &str = "cilium/bpf-lb-list.json";
const SERVICES: &str = "cilium/service-list.json";
const ENDPOINTS: &str = "cilium/endpoint-list.json";
const POLICIES: &str = "cilium/bpf-policy-get-all.json";
const IPCACHE: &str = "cilium/bpf-ipcache-list.json";

/// The recordings lie beside the project.
fn recordings() -> Vec<PathBuf> {
    let Some(shared) = beside("scenarios-cilium") else {
        return Vec::new();
    };
    let folders = entries(&shared).into_iter();
    folders
        .filter(|folder| folder.join("expect.json").exists())
        .collect()
}

fn load(folder: &Path) -> ClusterView {
    snapshot::load(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}

/// Every recording gets its answer, and what is said of all of them.
pub fn trials() -> Vec<Trial> {
    let further = [
        check(
            "cilium/drift-says-the-same-as-the-path",
            drift_says_the_same_as_the_path,
        ),
        check(
            "cilium/every-cause-is-found-where-it-was-planted",
            every_cause_is_found_where_it_was_planted,
        ),
        check(
            "cilium/what-is-no-answer-makes-nothing-red",
            what_is_no_answer_makes_nothing_red,
        ),
    ];
    let recordings = trials_beside("cilium", "scenarios-cilium").into_iter();
    recordings.chain(further).collect()
}

/// Only the recording with a hole in a map differs from its Services, and only there.
fn drift_says_the_same_as_the_path() {
    for folder in recordings() {
        let view = load(&folder);
        let world = World::of(&view);
        for node in ["node1", "node2"] {
            let site = world.nodes().node(node).expect("a node of the recording");
            let is_planted = name_of(&folder) == "service-map-entry-deleted" && node == "node1";
            let found = site.drift(&view);
            assert!(found.entries > 5, "{node} of {}", folder.display());
            let shown = format!("{node} of {}: {:?}", folder.display(), found.differences);
            assert_eq!(found.differences.len(), usize::from(is_planted), "{shown}");
        }
    }
}

/// A change of one agent's answer.
type Plant = fn(&mut ClusterView);

/// Edits a JSON answer of a node.
fn edit(view: &mut ClusterView, node: &str, file: &str, change: impl FnOnce(&mut Value)) {
    let facts = view.facts.nodes.get_mut(node).expect("a node");
    let text = facts.get(file).expect("an answer");
    let mut value = serde_json::from_str(text).expect("JSON");
    change(&mut value);
    facts.set(file, value.to_string());
}

/// The entries of the policy maps of the API's endpoints.
fn maps_of(view: &mut ClusterView, node: &str, ids: &[&str], change: impl Fn(&mut Vec<Value>)) {
    edit(view, node, POLICIES, |maps| {
        for map in maps.as_array_mut().into_iter().flatten() {
            if ids.contains(&map["EndpointID"].as_str().unwrap_or_default()) {
                change(map["Content"].as_array_mut().expect("entries"));
            }
        }
    });
}

fn entry(identity: u32, direction: u8, proxy: u16) -> Value {
    json!({"ProxyPortNetwork": proxy, "Flags": 0, "Packets": 0, "Bytes": 0, "Key": {
        "Prefixlen": 40, "Identity": identity, "TrafficDirection": direction, "Nexthdr": 0, "DestPortNetwork": 0}})
}

/// Causes that need one of these recordings, planted: verdict, and what is found where. The others are overlays on
/// `recorded/ok-cilium`.
const PLANTED: &[(&str, &str, Plant, &str, &[&str])] = &[
    (
        "a policy map admits what is denied",
        "cnp-denies-by-default",
        |view| {
            maps_of(view, "node1", &["1145"], |entries| {
                entries.push(entry(0, 0, 0));
            });
            maps_of(view, "node2", &["770", "1184"], |entries| {
                entries.push(entry(0, 0, 0));
            });
        },
        "Degraded",
        &["POL-16 Node/node2"],
    ),
    (
        "a proxy decides",
        "l7-policy-envoy-missing",
        |view| {
            for (node, ids) in [("node1", &["1145"][..]), ("node2", &["770", "1184"])] {
                maps_of(view, node, ids, |entries| {
                    entries.retain(|one| {
                        one["Key"]["Identity"] != 0 || one["Key"]["TrafficDirection"] == 1
                    });
                    entries.push(entry(22446, 0, 10_000));
                });
            }
        },
        "Undetermined",
        &[],
    ),
];

fn every_cause_is_found_where_it_was_planted() {
    let folders = recordings();
    let mut complaints = Vec::new();
    for (what, recording, plant, verdict, wanted) in PLANTED {
        let Some(folder) = folders.iter().find(|folder| name_of(folder) == *recording) else {
            return;
        };
        let mut view = load(folder);
        plant(&mut view);
        let answer = Expectation::read(folder).ask(&view).expect("an answer");
        let found = (format!("{:?}", answer.verdict), codes(&answer));
        let wanted = (
            (*verdict).to_owned(),
            wanted
                .iter()
                .map(|one| (*one).to_owned())
                .collect::<Vec<_>>(),
        );
        if found != wanted {
            complaints.push(format!("{what}: {found:?}, not {wanted:?}"));
        }
    }
    report(&complaints, PLANTED.len());
}

/// Help in place of an answer, an error with exit code 0, half an answer: unread, and never red.
fn what_is_no_answer_makes_nothing_red() {
    let scenario = Scenario::read(&super::folder("recorded/ok-cilium"));
    for file in [
        LB_MAP,
        SERVICES,
        ENDPOINTS,
        POLICIES,
        IPCACHE,
        "cilium/status.json",
    ] {
        for text in [
            "Direct access to local BPF maps\n\nUsage:\n",
            "<stdin>:0: unknown command",
            "{\"10.96.1",
        ] {
            let mut view = scenario.view();
            for facts in view.facts.nodes.values_mut() {
                facts.set(file, text.to_owned());
            }
            let answer = scenario.expected.ask(&view).expect("an answer");
            let shown = format!("{file} {text:?}: {:?} {:?}", answer.verdict, codes(&answer));
            assert!(codes(&answer).is_empty(), "{shown}");
            assert!(
                answer.unread.iter().any(|one| one.what.contains(file)),
                "{shown}"
            );
        }
    }
}
