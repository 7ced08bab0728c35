//! Recordings of real dataplanes, with what their agents answered in `nodes/NODE/cilium/`: as they are, and with one
//! thing planted in an answer for each cause that only such an answer can show.

use std::path::{Path, PathBuf};

use netpath::cluster::{ClusterView, snapshot};
use netpath::world::World;
use serde_json::{Value, json};

use super::expectation::{Expectation, codes};
use super::{entries, name_of, report};
use crate::support::project;

const LB_MAP: &str = "cilium/bpf-lb-list.json";
const SERVICES: &str = "cilium/service-list.json";
const ENDPOINTS: &str = "cilium/endpoint-list.json";
const POLICIES: &str = "cilium/bpf-policy-get-all.json";
const IPCACHE: &str = "cilium/bpf-ipcache-list.json";
const API: &str = "10.96.170.219:8080/TCP";

/// The recordings lie beside the project.
fn recordings() -> Vec<PathBuf> {
    let shared = project().join("../shared/scenarios-cilium");
    if !shared.exists() {
        eprintln!("SKIPPED: {} is not there", shared.display());
        return Vec::new();
    }
    let folders = entries(&shared).into_iter();
    folders
        .filter(|folder| folder.join("expect.json").exists())
        .collect()
}

fn load(folder: &Path) -> ClusterView {
    snapshot::load(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}

#[test]
fn every_recording_of_cilium_gets_its_answer() {
    let folders = recordings();
    let mut complaints = Vec::new();
    for folder in &folders {
        let expected = Expectation::read(folder);
        let wrong = match expected.ask(&load(folder)) {
            Ok(answer) => expected.complaints(&answer),
            Err(error) => vec![error],
        };
        let named = |wrong: &String| format!("{}: {wrong}", name_of(folder));
        complaints.extend(wrong.iter().map(named));
    }
    if !folders.is_empty() {
        report(&complaints, folders.len());
    }
}

/// Only the recording with a hole in a map differs from its Services, and only there.
#[test]
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

fn without(map: &mut Value, key: &str) {
    let gone = map.as_object_mut().and_then(|map| map.remove(key));
    assert!(gone.is_some(), "{key}");
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

/// Every cause, planted into a recording: verdict, and what is found where.
const PLANTED: &[(&str, &str, Plant, &str, &[&str])] = &[
    (
        "a backend is missing",
        "ok-pod-to-service",
        |view| {
            edit(view, "node1", LB_MAP, |map| {
                without(map, &format!("{API} (3)"));
            });
        },
        "Degraded",
        &["KPX-09 Node/node1"],
    ),
    (
        "a slot leads nowhere",
        "ok-pod-to-service",
        |view| {
            edit(view, "node1", LB_MAP, |map| {
                map[format!("{API} (2)")] = json!(["backend 17 not found"]);
            });
        },
        "Degraded",
        &["KPX-09 Node/node1"],
    ),
    (
        "the whole table is old",
        "ok-pod-to-service",
        |view| {
            edit(view, "node1", LB_MAP, |map| *map = json!({}));
            edit(view, "node1", SERVICES, |list| *list = json!([]));
        },
        "Unreachable",
        &["KPX-02 Node/node1"],
    ),
    (
        "a backend is kept back",
        "ok-pod-to-service",
        |view| {
            edit(view, "node1", LB_MAP, |map| {
                without(map, &format!("{API} (3)"));
            });
            edit(view, "node1", SERVICES, |list| {
                let backends = list.as_array_mut().into_iter().flatten();
                let backends = backends.filter_map(|one| {
                    one["status"]["realized"]["backend-addresses"].as_array_mut()
                });
                for backend in backends.flatten().filter(|one| one["ip"] == "10.244.2.239") {
                    backend["state"] = json!("quarantined");
                }
            });
        },
        "Degraded",
        &["KPX-21 Node/node1"],
    ),
    (
        "a policy map denies",
        "ok-pod-to-service",
        |view| {
            maps_of(view, "node2", &["770", "1184"], |entries| {
                entries.retain(|one| one["Key"]["Identity"] != 0);
            });
        },
        "Degraded",
        &["POL-16 Node/node2"],
    ),
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
    (
        "an address is somebody else's",
        "ok-pod-to-service",
        |view| {
            maps_of(view, "node1", &["650"], |entries| {
                entries.retain(|one| one["Key"]["TrafficDirection"] == 0);
                entries.push(entry(61861, 1, 0));
            });
            edit(view, "node1", IPCACHE, |map| {
                map["10.244.2.239/32"] =
                    json!(["identity=2 encryptkey=0 tunnelendpoint=172.30.0.12 flags=hastunnel"]);
            });
        },
        "Degraded",
        &["POL-24 Node/node1"],
    ),
    (
        "a pod is not managed",
        "ok-pod-to-service",
        |view| {
            edit(view, "node1", ENDPOINTS, |list| {
                let list = list.as_array_mut().expect("endpoints");
                list.retain(|one| one["id"] != 650);
            });
        },
        "Undetermined",
        &["RTE-35 Node/node1"],
    ),
    (
        "a program is gone",
        "ok-pod-to-service",
        |view| {
            let facts = view.facts.nodes.get_mut("node1").expect("node1");
            let pins = facts.get("bpf-pins.txt").expect("pins").lines();
            let pins: Vec<&str> = pins
                .filter(|line| !line.contains("/endpoints/650/links/"))
                .collect();
            let pins = pins.join("\n");
            facts.set("bpf-pins.txt", pins);
        },
        "Undetermined",
        &["RTE-36 Node/node1"],
    ),
    (
        "the tunnel leads elsewhere",
        "ok-pod-to-service",
        |view| {
            edit(view, "node1", IPCACHE, |map| {
                map["10.244.2.239/32"] = json!([
                    "identity=61861 encryptkey=0 tunnelendpoint=172.30.0.99 flags=hastunnel"
                ]);
            });
        },
        "Degraded",
        &["RTE-06 Node/node1"],
    ),
    (
        "no tunnel leads there",
        "ok-pod-to-service",
        |view| {
            edit(view, "node1", IPCACHE, |map| {
                without(map, "10.244.2.239/32");
                without(map, "10.244.2.0/24");
            });
        },
        "Degraded",
        &["RTE-05 Node/node1"],
    ),
    (
        "it was seen being dropped",
        "ok-pod-to-service",
        |view| {
            let drop = r#"{"type":"drop","reason":"Stale or unroutable IP","summary":{"l3":{"src":"10.244.1.157","dst":"10.244.2.239"},"l4":{"src":"1","dst":"9090"}}}"#;
            let facts = view.facts.nodes.get_mut("node1").expect("node1");
            facts.set("cilium/monitor-drop.jsonl", drop.to_owned());
        },
        "Degraded",
        &["RTE-31 Node/node1"],
    ),
];

#[test]
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
#[test]
fn what_is_no_answer_makes_nothing_red() {
    for folder in recordings()
        .iter()
        .filter(|folder| name_of(folder) == "ok-pod-to-service")
    {
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
                let mut view = load(folder);
                for facts in view.facts.nodes.values_mut() {
                    facts.set(file, text.to_owned());
                }
                let answer = Expectation::read(folder).ask(&view).expect("an answer");
                let shown = format!("{file} {text:?}: {:?} {:?}", answer.verdict, codes(&answer));
                assert!(codes(&answer).is_empty(), "{shown}");
                assert!(
                    answer.unread.iter().any(|one| one.what.contains(file)),
                    "{shown}"
                );
            }
        }
    }
}
