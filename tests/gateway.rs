//! Every Gateway and route of the corpus `gateway` (the Gateway API's own conformance tests, and Istio's):
//! what must be blamed is, and nothing else of the family.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use netpath::cluster::{ClusterView, snapshot};
use netpath::commands::examine;
use netpath::diagnose::Severity;
use netpath::observe::Observations;
use netpath::target::{HttpAsked, Request};
use netpath::world::World;
use serde_json::Value;

use crate::support::corpus;

/// The causes that only a door can have.
const OF_DOORS: [&str; 3] = ["ING-11", "ING-12", "ING-13"];

/// Kind, namespace and name, with the codes that are expected and those that are right, too.
type Questions = BTreeMap<(String, String, String), (BTreeSet<String>, BTreeSet<String>)>;

#[test]
fn what_a_door_refuses_is_blamed_on_it() {
    let Some(folder) = corpus("gateway") else {
        return;
    };
    let (mut asked, mut wrong) = (0, Vec::new());
    for case in cases(&folder) {
        for field in ["manifests", "manifestsWithStatus"] {
            let Some(file) = case[field][0].as_str() else {
                continue;
            };
            let view = snapshot::load(&folder.join("manifests").join(file)).expect("a snapshot");
            for (question, (expected, also)) in questions(&case) {
                // Without an address a Gateway is not programmed: its status says so, its manifest cannot.
                let is_pending = field == "manifestsWithStatus" && expected.is_empty();
                asked += 1;
                let found = codes(&view, &question);
                let of_doors = found
                    .iter()
                    .filter(|code| OF_DOORS.contains(&code.as_str()));
                let is_allowed = |code: &String| {
                    expected.contains(code) || also.contains(code) || is_pending && code == "ING-13"
                };
                let is_named = expected.is_empty() || !found.is_disjoint(&expected);
                if !is_named || !of_doors.clone().all(is_allowed) {
                    wrong.push(format!(
                        "{file} {question:?}: expected {expected:?}, found {found:?}"
                    ));
                }
            }
        }
    }
    assert!(asked > 0, "the corpus has no question");
    assert!(
        wrong.is_empty(),
        "{} of {asked} are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

fn cases(folder: &Path) -> Vec<Value> {
    let entries = std::fs::read_dir(folder.join("cases")).expect("cases");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    let read =
        |path| serde_json::from_str(&std::fs::read_to_string(path).expect("a case")).expect("JSON");
    let cases = paths.into_iter().map(read);
    cases
        .filter(|case: &Value| case["istioOnly"] != true)
        .collect()
}

fn questions(case: &Value) -> Questions {
    let mut questions = Questions::new();
    for (section, kind) in [
        ("routes", ""),
        ("gateways", "Gateway"),
        ("listenerSets", "ListenerSet"),
    ] {
        for item in case[section].as_array().into_iter().flatten() {
            if item["istioOnly"] == true || item["unscored"] == true {
                continue;
            }
            let text = |field: &str| item[field].as_str().unwrap_or_default().to_owned();
            let kind = item["kind"].as_str().unwrap_or(kind).to_owned();
            let codes = |field: &str| {
                let listed = item[field].as_array().into_iter().flatten();
                listed
                    .filter_map(|code| Some(code.as_str()?.to_owned()))
                    .collect::<BTreeSet<_>>()
            };
            let known = questions
                .entry((kind, text("namespace"), text("name")))
                .or_default();
            known.0.extend(codes("expect"));
            known.1.extend(codes("alsoRight"));
        }
    }
    questions
}

/// The causes that are found, notices left out.
fn codes(
    view: &ClusterView,
    (kind, namespace, name): &(String, String, String),
) -> BTreeSet<String> {
    let destination = format!("{namespace}/{}/{name}", kind.to_lowercase());
    let request = Request {
        source: "external".parse().expect("a source"),
        destination: destination.parse().expect("a destination"),
        source_namespace: namespace.clone(),
        destination_namespace: namespace.clone(),
        protocol: None,
        http: HttpAsked::default(),
    };
    let report = examine(&World::of(view), &request, &Observations::default()).expect("an answer");
    let faults = report
        .findings
        .iter()
        .filter(|finding| finding.severity != Severity::Notice);
    faults.map(|finding| finding.code.clone()).collect()
}
