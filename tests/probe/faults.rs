//! Every folder is a fault as probes see it: the codes, the blame, the confidence and the verdict that
//! must come of it, and nothing beside.

use std::fs;
use std::path::Path;

use netpath::cluster::{Named, Unread};
use netpath::diagnose::{Case, Diagnosis, Finding, diagnose};
use netpath::observe::{Observations, Seen};
use netpath::world::World;
use serde::Deserialize;

use super::{request, world};
use crate::findings::{Said, of_diagnosis};
use crate::support::project;

#[derive(Deserialize)]
struct Expected {
    args: Vec<String>,
    verdict: String,
    findings: Vec<ExpectedFinding>,
    /// Codes that must not be there, beside every broken or degraded one that is not expected.
    #[serde(default)]
    absent: Vec<String>,
    /// Lists that may not be read, `networkpolicies.networking.k8s.io`; the world has none of them.
    #[serde(default)]
    unread: Vec<String>,
}

#[derive(Deserialize, Debug)]
struct ExpectedFinding {
    code: String,
    severity: String,
    confidence: Option<String>,
    /// `Kind/namespace/name`.
    object: Option<String>,
}

#[derive(Deserialize)]
struct RecordedFact {
    pod: PodName,
    file: String,
    text: String,
}

#[derive(Deserialize)]
struct PodName {
    namespace: String,
    name: String,
}

/// What each of them is told.
pub fn said() -> Vec<Said> {
    let folder = project().join("tests/probe/faults");
    let entries = fs::read_dir(folder).expect("the faults");
    let mut folders: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    folders.sort();
    let said = folders.iter().map(|folder| {
        let expected: Expected = json(folder, "expect.json").expect("expect.json");
        let findings = diagnosis(folder, &expected).findings;
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        Said {
            scenario: format!("probe/{name}"),
            findings: findings.iter().map(of_diagnosis).collect(),
        }
    });
    said.collect()
}

#[test]
fn every_fault_is_named_and_blamed() {
    let folder = project().join("tests/probe/faults");
    let mut wrong = Vec::new();
    let mut count = 0;
    for entry in fs::read_dir(folder).expect("the faults") {
        let folder = entry.expect("an entry").path();
        let name = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        count += 1;
        wrong.extend(
            judge(&folder)
                .into_iter()
                .map(|why| format!("{name}: {why}")),
        );
    }
    assert!(count > 30, "only {count} faults were found");
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// What is wrong about the diagnosis of a fault.
fn judge(folder: &Path) -> Vec<String> {
    let expected: Expected = json(folder, "expect.json").expect("expect.json");
    let diagnosis = diagnosis(folder, &expected);
    let mut wrong = Vec::new();
    if format!("{:?}", diagnosis.verdict) != expected.verdict {
        wrong.push(format!("verdict {:?}", diagnosis.verdict));
    }
    for want in &expected.findings {
        if !diagnosis.findings.iter().any(|found| fits(want, found)) {
            wrong.push(format!("lacks {want:?}"));
        }
    }
    let is_fault = |found: &&Finding| lower(&found.severity) != "notice";
    for found in diagnosis.findings.iter().filter(is_fault) {
        if !expected.findings.iter().any(|want| fits(want, found)) {
            wrong.push(format!("has {}", words(found)));
        }
    }
    for found in &diagnosis.findings {
        if expected
            .absent
            .iter()
            .any(|code| code == found.code.as_str())
        {
            wrong.push(format!("has {}", words(found)));
        }
    }
    if let (Some(first), Some(want)) = (diagnosis.findings.first(), expected.findings.first())
        && !fits(want, first)
    {
        wrong.push(format!("begins with {}", words(first)));
    }
    wrong
}

fn diagnosis(folder: &Path, expected: &Expected) -> Diagnosis {
    let objects = fs::read_to_string(folder.join("objects.yaml")).unwrap_or_default();
    let mut view = world(&objects);
    for what in &expected.unread {
        let (why, grant) = ("forbidden".to_owned(), format!("get,list {what}"));
        let unread = Unread::recorded(what.clone(), why, grant);
        view.unread.push(unread);
    }
    let facts: Vec<RecordedFact> = json(folder, "facts.json").unwrap_or_default();
    for fact in facts {
        let PodName { namespace, name } = fact.pod;
        assert!(view.pods.get(&namespace, &name).is_some(), "no pod {name}");
        let pod = view.facts.pods.entry((namespace, name)).or_default();
        assert!(pod.set(&fact.file, fact.text), "no fact {}", fact.file);
    }
    let observations = Observations {
        seen: json::<Vec<Seen>>(folder, "observations.json").expect("observations.json"),
        failed: Vec::new(),
    };
    let world = World::of(&view);
    let case = Case::of(&world, &request(&expected.args), &observations).expect("both ends");
    diagnose(&case)
}

fn json<T: for<'d> Deserialize<'d>>(folder: &Path, file: &str) -> Option<T> {
    let text = fs::read_to_string(folder.join(file)).ok()?;
    let value = serde_json::from_str(&text);
    Some(value.unwrap_or_else(|error| panic!("{}/{file}: {error}", folder.display())))
}

fn fits(want: &ExpectedFinding, found: &Finding) -> bool {
    let is = |want: &Option<String>, found: &str| want.as_ref().is_none_or(|want| want == found);
    want.code == found.code.as_str()
        && want.severity == lower(&found.severity)
        && is(&want.confidence, &lower(&found.confidence))
        && is(&want.object, &object(found))
}

fn object(found: &Finding) -> String {
    found.blame.as_ref().map_or_else(String::new, |blame| {
        let object = &blame.object;
        format!("{}/{}/{}", object.kind, object.namespace, object.name)
    })
}

fn words(found: &Finding) -> String {
    let (code, summary) = (found.code, &found.summary);
    let (severity, confidence) = (lower(&found.severity), lower(&found.confidence));
    format!(
        "{code} {severity} {confidence} {}: {summary}",
        object(found)
    )
}

fn lower(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}").to_lowercase()
}

/// The names of the world that the folders use.
#[test]
fn the_world_has_both_clients() {
    let view = world("");
    for name in ["client-1", "client-2"] {
        assert_eq!(view.pods.get("shop", name).map(Named::name), Some(name));
    }
}
