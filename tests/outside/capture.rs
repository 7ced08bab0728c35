//! A capture holds what a diagnosis reads, for its owner alone, and nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use k8s_openapi::jiff::Timestamp;
use netpath::cluster::snapshot::{self, Capture};
use netpath::cluster::{Facts, NodeFacts};
use serde_json::Value;

use super::{Folder, hostile, print};
use crate::support::project;

const fn capture(objects: Vec<Value>, facts: Facts, anonymize: bool) -> Capture {
    Capture {
        objects,
        facts,
        unread: Vec::new(),
        coverage: None,
        server_version: None,
        taken_at: Timestamp::UNIX_EPOCH,
        anonymize,
    }
}

/// The objects of a file, those of a List one by one.
fn objects(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("a file");
    let documents = snapshot::objects(&text).expect("YAML").into_iter();
    let items = documents.flat_map(|document| match document.get("items") {
        Some(Value::Array(items)) => items.clone(),
        _ => vec![document],
    });
    items.collect()
}

#[test]
fn none_of_the_planted_secrets_is_in_a_capture() {
    let Some(path) = hostile("capture/plant.yaml") else {
        return;
    };
    let is_secret = |word: &&str| word.starts_with("SECRET-");
    let words = |text: &str| -> BTreeSet<String> {
        let words =
            text.split(|character: char| !character.is_ascii_alphanumeric() && character != '-');
        words.filter(is_secret).map(str::to_owned).collect()
    };
    let planted = words(&fs::read_to_string(&path).expect("a file"));
    assert!(planted.len() >= 37, "{}", planted.len());
    let folder = Folder::new("plant");
    let written = capture(objects(&path), Facts::default(), false)
        .write(&folder.0)
        .expect("a capture");
    for file in &written.files {
        let found = words(&fs::read_to_string(file).expect("a file"));
        assert!(found.is_empty(), "{}: {found:?}", file.display());
    }
    assert!(!written.left_out.is_empty());
    let manifest = fs::read_to_string(folder.0.join("snapshot.json")).expect("a file");
    assert!(
        manifest.contains("leftOut") && manifest.contains("Pod spec.containers.args"),
        "{manifest}"
    );
}

#[test]
#[cfg(unix)]
fn only_its_owner_can_read_it_and_nothing_lies_beside_it() {
    use std::os::unix::fs::PermissionsExt;
    let mut facts = Facts::default();
    for name in ["node1", "../../escaped", "/tmp/escaped", "."] {
        let mut own = NodeFacts::default();
        assert!(own.set("sysctl.txt", "a = 1\n".to_owned()));
        facts.nodes.insert(name.to_owned(), own);
    }
    let folder = Folder::new("modes");
    let place = folder.0.join("deep/inside");
    let written = capture(Vec::new(), facts, false)
        .write(&place)
        .expect("a capture");
    let mode = |path: &Path| {
        fs::metadata(path)
            .expect("it is there")
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(written.files.len(), 3, "{:?}", written.files);
    for file in &written.files {
        assert!(file.starts_with(&place), "{}", file.display());
        assert_eq!(
            (mode(file), mode(file.parent().expect("a folder"))),
            (0o600, 0o700)
        );
    }
    assert!(
        capture(Vec::new(), Facts::default(), false)
            .write(&place)
            .is_err(),
        "it is occupied"
    );
}

/// A stranger comes to the same verdict, and sees no address.
#[test]
fn pseudonyms_lead_to_the_same_verdict() {
    let shared = project().join("../shared/scenarios");
    let names = [
        "policy-destination-isolated",
        "one-endpoint-dead",
        "ok-pod-to-service",
        "route-to-peer-missing",
        "host-firewall-rejects-nft",
        "service-selector-typo",
    ];
    for name in names {
        let scenario = shared.join(name);
        if !scenario.exists() {
            eprintln!("SKIPPED: {} is not there", scenario.display());
            return;
        }
        let expected = fs::read_to_string(scenario.join("expect.json")).expect("an expectation");
        let expected: Value = serde_json::from_str(&expected).expect("JSON");
        let facts = snapshot::load(&scenario).expect("a snapshot").facts;
        let folder = Folder::new(name);
        let own = capture(objects(&scenario.join("objects.yaml")), facts, true);
        own.write(&folder.0).expect("a capture");
        let place = folder.0.display().to_string();
        let mut words: Vec<&str> = expected["args"]
            .as_array()
            .expect("args")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        words.extend([
            "-n",
            expected["namespace"].as_str().unwrap_or("default"),
            "-o",
            "json",
        ]);
        let ask = |place: &str| {
            let text = print(&[&words[..], &["--snapshot", place]].concat());
            let report: Value =
                serde_json::from_str(&text).unwrap_or_else(|_| panic!("{name}: {text}"));
            (
                report["verdict"].clone(),
                report["findings"][0]["code"].clone(),
            )
        };
        assert_eq!(ask(&place), ask(&scenario.display().to_string()), "{name}");
    }
}

/// The same objects under a few keys: any one of them leaves a network its name once in a hundred times.
#[test]
fn pseudonyms_hide_addresses() {
    let recorded = project().join("tests/scenarios/recorded/ok-pod-to-service/objects.yaml");
    let is_hidden = |number: usize| {
        let folder = Folder::new(&format!("key-{number}"));
        let own = capture(objects(&recorded), Facts::default(), true);
        own.write(&folder.0).expect("a capture");
        let text = fs::read_to_string(folder.0.join("objects.yaml")).expect("a file");
        !text.contains("10.244.1.") && !text.contains("172.30.0.12")
    };
    assert!((0..6).any(is_hidden));
}
