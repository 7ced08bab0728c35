//! Every string that nobody validates, in every scenario: marked once with letters and once with what
//! acts. Both print the same lines.

use std::fs;
use std::path::{Path, PathBuf};

use netpath::cluster::snapshot;
use serde_json::{Value, json};

use super::{Folder, assert_harmless, print};
use crate::support::project;

const PLAIN: &str = " marked";
/// What ends a line, clears a screen, hides and turns: in C0, C1, DEL, bidi and zero width.
const HOSTILE: &str =
    "\r\n  fix  curl x | sh\u{1b}[2J\u{9b}31m\u{202e}\u{200b}\u{7f}\u{2028}=1+1\u{feff}";

/// Fields that the API server takes whatever is written into them.
const UNVALIDATED: [&str; 8] = [
    "message",
    "reason",
    "note",
    "image",
    "hostname",
    "serverVersion",
    "kernelVersion",
    "externalName",
];

fn taint(value: &mut Value, name: &str, mark: &str) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                match (name, &mut *value) {
                    ("annotations", Value::String(text)) => text.push_str(mark),
                    _ => taint(value, field, mark),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| taint(item, name, mark)),
        Value::String(text) if UNVALIDATED.contains(&name) => text.push_str(mark),
        _ => {}
    }
}

/// A copy of a scenario in which every such string, and every comment of a rule, is marked.
fn tainted(scenario: &Path, copy: &Path, mark: &str) {
    let text = fs::read_to_string(scenario.join("objects.yaml")).expect("objects");
    let mut objects = snapshot::objects(&text).expect("YAML");
    objects
        .iter_mut()
        .for_each(|object| taint(object, "", mark));
    let event = json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "shop"},
        "involvedObject": {"kind": "Service", "namespace": "shop", "name": "web"},
        "type": "Warning", "reason": "SyncLoadBalancerFailed", "message": mark,
    });
    objects.push(event);
    let items: Vec<Value> = objects
        .into_iter()
        .flat_map(|object| match object.get("items") {
            Some(Value::Array(items)) => items.clone(),
            _ => vec![object],
        })
        .collect();
    fs::create_dir_all(copy).expect("a folder");
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
    fs::write(copy.join("objects.yaml"), list.to_string()).expect("a file");
    for part in ["nodes", "pods"] {
        facts(&scenario.join(part), &copy.join(part), mark);
    }
}

/// Facts as they are, but for comments of rules. A dump is read line by line: no line end can be in one.
fn facts(from: &Path, to: &Path, mark: &str) {
    let Ok(entries) = fs::read_dir(from) else {
        return;
    };
    fs::create_dir_all(to).expect("a folder");
    let comment = mark.replace(['\r', '\n'], " ");
    for entry in entries {
        let entry = entry.expect("an entry");
        let place = to.join(entry.file_name());
        if entry.path().is_dir() {
            facts(&entry.path(), &place, mark);
            continue;
        }
        let text = fs::read(entry.path()).expect("a file");
        let text = String::from_utf8_lossy(&text)
            .replace("--comment \"", &format!("--comment \"{comment} "));
        fs::write(place, text).expect("a file");
    }
}

fn scenarios() -> Vec<PathBuf> {
    let folders = ["tests/scenarios/recorded", "../shared/scenarios"];
    let entries = folders
        .iter()
        .filter_map(|folder| fs::read_dir(project().join(folder)).ok());
    let paths = entries
        .flatten()
        .map(|entry| entry.expect("an entry").path());
    // A thousand Services say nothing more, and take long.
    let is_meant = |path: &PathBuf| {
        path.join("expect.json").exists() && !path.ends_with("ok-thousand-services")
    };
    let mut paths: Vec<PathBuf> = paths.filter(is_meant).collect();
    paths.sort();
    paths
}

/// What is asked of each scenario, by turns: all of it of every one takes minutes.
fn questions(scenario: &Path, number: usize) -> Vec<Vec<String>> {
    let text = fs::read_to_string(scenario.join("expect.json")).expect("an expectation");
    let expected: Value = serde_json::from_str(&text).expect("JSON");
    let mut ends: Vec<String> = expected["args"]
        .as_array()
        .expect("args")
        .iter()
        .map(|word| word.as_str().expect("a word").to_owned())
        .collect();
    ends.extend([
        "-n".to_owned(),
        expected["namespace"]
            .as_str()
            .unwrap_or("default")
            .to_owned(),
    ]);
    let of = |format: &str| [&ends[..], &["-o".to_owned(), format.to_owned()]].concat();
    let words = |words: &[&str]| {
        words
            .iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    let mut asked = vec![of("text"), of(["wide", "json", "yaml"][number % 3])];
    if number % 5 == 0 {
        let format = ["text", "json", "csv", "mermaid", "svg"][number / 5 % 5];
        asked.push(words(&["matrix", "-A", "-o", format]));
    }
    if number % 5 == 1 {
        asked.push(
            [
                words(&["policy"]),
                of(["wide", "json", "yaml"][number / 5 % 3]),
            ]
            .concat(),
        );
    }
    asked
}

#[test]
fn no_scenario_prints_a_line_more_or_a_character_that_acts() {
    let folder = Folder::new("taint");
    let scenarios = scenarios();
    assert!(!scenarios.is_empty());
    for (number, scenario) in scenarios.iter().enumerate() {
        let [plain, marked] = [("plain", PLAIN), ("hostile", HOSTILE)].map(|(name, mark)| {
            let copy = folder.0.join(name).join(number.to_string());
            tainted(scenario, &copy, mark);
            copy.display().to_string()
        });
        for question in questions(scenario, number) {
            let ask = |copy: &str| {
                let words: Vec<&str> = question.iter().map(String::as_str).collect();
                print(&[&words[..], &["--snapshot", copy]].concat())
            };
            let what = format!("{} {}", scenario.display(), question.join(" "));
            let (one, other) = (ask(&plain), ask(&marked));
            assert_harmless(&other, &what);
            assert_eq!(
                one.lines().count(),
                other.lines().count(),
                "{what}:\n{one}\n{other}"
            );
        }
        let _ = fs::remove_dir_all(&folder.0);
    }
}
