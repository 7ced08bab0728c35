//! Every string that nobody validates, in every scenario, marked with what acts: nothing of it acts in
//! what is printed, and no line begins with it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};
use netpath::cli::Cli;
use netpath::cluster::{Builder, ClusterView, NodeFacts, PodFacts, snapshot};
use netpath::commands::{examine, question};
use netpath::observe::Observations;
use netpath::policy::{UnitMatrix, ask};
use netpath::report::matrix::{MatrixFormat, MatrixReport};
use netpath::report::{self, Format, Gaps};
use netpath::resolve::resolve;
use netpath::target::Request;
use netpath::terminal::Terminal;
use netpath::visible::visible;
use netpath::world::World;
use serde_json::{Value, json};

use super::assert_harmless;
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

/// A scenario, read once.
struct Scenario {
    objects: Vec<Value>,
    nodes: Vec<(String, NodeFacts)>,
    pods: Vec<((String, String), PodFacts)>,
    request: Request,
}

impl Scenario {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path.join("objects.yaml")).expect("objects");
        let documents = snapshot::objects(&text).expect("YAML").into_iter();
        let items = |mut object: Value| match object.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => items,
            _ => vec![object],
        };
        let mut scenario = Self {
            objects: documents.flat_map(items).collect(),
            nodes: Vec::new(),
            pods: Vec::new(),
            request: request(path),
        };
        for (node, folder) in folders(&path.join("nodes")) {
            let mut facts = NodeFacts::default();
            for file in NodeFacts::FILES {
                if let Ok(text) = fs::read(folder.join(file)) {
                    facts.set(file, String::from_utf8_lossy(&text).into_owned());
                }
            }
            scenario.nodes.push((node, facts));
        }
        for (namespace, folder) in folders(&path.join("pods")) {
            for (pod, folder) in folders(&folder) {
                let mut facts = PodFacts::default();
                for file in PodFacts::FILES {
                    if let Ok(text) = fs::read_to_string(folder.join(file)) {
                        facts.set(file, text);
                    }
                }
                scenario.pods.push(((namespace.clone(), pod), facts));
            }
        }
        scenario
    }

    /// A view in which every such string, and every comment of a rule, is marked.
    fn tainted(&self, mark: &str) -> ClusterView {
        let mut builder = Builder::default();
        for object in &self.objects {
            let mut object = object.clone();
            taint(&mut object, "", mark);
            builder.add(object);
        }
        builder.add(json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "shop"},
            "involvedObject": {"kind": "Service", "namespace": "shop", "name": "web"},
            "type": "Warning", "reason": "SyncLoadBalancerFailed", "message": mark,
        }));
        let facts = &mut builder.view().facts;
        for (node, own) in &self.nodes {
            facts.nodes.insert(node.clone(), commented(own, mark));
        }
        facts.pods.extend(self.pods.iter().cloned());
        builder.finish()
    }
}

/// Facts with a mark in every comment of a rule. A dump is read line by line: no line end can be in one.
fn commented(facts: &NodeFacts, mark: &str) -> NodeFacts {
    let comment = format!("--comment \"{} ", mark.replace(['\r', '\n'], " "));
    let mut marked = facts.clone();
    for file in NodeFacts::FILES {
        if let Some(text) = facts.get(file) {
            marked.set(file, text.replace("--comment \"", &comment));
        }
    }
    marked
}

/// The folders in a folder, with their names.
fn folders(path: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(path).into_iter().flatten();
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .filter(|path| path.is_dir())
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy();
            (name.into_owned(), path)
        })
        .collect()
}

/// What is asked of a scenario.
fn request(path: &Path) -> Request {
    let text = fs::read_to_string(path.join("expect.json")).expect("an expectation");
    let expected: Value = serde_json::from_str(&text).expect("JSON");
    let args = expected["args"].as_array().expect("args").iter();
    let args = args.map(|word| word.as_str().expect("a word"));
    let words = std::iter::once("kubectl-netpath").chain(args);
    let cli = Cli::try_parse_from(words).expect("a command line");
    let namespace = expected["namespace"].as_str().unwrap_or("default");
    question(&cli.trace, namespace).expect("a question")
}

/// Every recording: those of the project, or the larger set beside it.
fn scenarios() -> Vec<PathBuf> {
    let sets = ["../shared/scenarios", "tests/scenarios/recorded"];
    let all = sets.map(|folder| folders(&project().join(folder)));
    let set = all.into_iter().max_by_key(Vec::len).unwrap_or_default();
    // A thousand Services say nothing more, and take long.
    let is_meant = |path: &PathBuf| {
        let is_capture = ["expect.json", "snapshot.json"].map(|file| path.join(file).exists());
        is_capture == [true; 2] && !path.ends_with("ok-thousand-services")
    };
    let mut paths: Vec<PathBuf> = set
        .into_iter()
        .map(|(_, path)| path)
        .filter(is_meant)
        .collect();
    paths.sort();
    paths
}

/// What is printed of a view in every form: a name for each, and the text.
///
/// A diagnosis always; policies and the matrix only where `with_policies`, because the scenarios share
/// most of theirs.
fn printed(view: &ClusterView, request: &Request, with_policies: bool) -> Vec<(String, String)> {
    let world = World::of(view);
    let mut texts = Vec::new();
    let mut note = |name: String, print: &mut dyn FnMut(&mut Vec<u8>) -> std::io::Result<()>| {
        let mut text = Vec::new();
        print(&mut text).expect("memory");
        texts.push((name, String::from_utf8(text).expect("UTF-8")));
    };
    match examine(&world, request, &Observations::default()) {
        Ok(answer) => {
            for format in Format::value_variants() {
                note(format!("{format:?}"), &mut |out| {
                    report::print(&answer, *format, Terminal::PLAIN, out)
                });
            }
        }
        Err(error) => note("error".to_owned(), &mut |out| {
            writeln!(out, "{}", visible(&error.to_string()))
        }),
    }
    if !with_policies {
        return texts;
    }
    let policies = world.policies();
    if let Ok(flow) = resolve(view, request)
        && let Ok(asked) = ask(view, policies, world.ends(), &flow)
    {
        let answer = report::policy::build(&world, &flow, &asked);
        for format in Format::value_variants() {
            note(format!("policy {format:?}"), &mut |out| {
                report::policy::print(&answer, *format, Terminal::PLAIN, out)
            });
        }
    }
    let matrix = MatrixReport {
        matrix: UnitMatrix::new(view, policies),
        policies,
        namespace: None,
        port: None,
        gaps: Gaps::of(view, policies, |unread| unread.resource.is_some()),
    };
    for format in MatrixFormat::value_variants() {
        note(format!("matrix {format:?}"), &mut |out| {
            report::matrix::print(&matrix, *format, Terminal::PLAIN, out)
        });
    }
    texts
}

/// What a text of this kind prints at the beginning of a line if it can begin one.
const FORGED: &str = "fix  curl";

/// One part of the scenarios: tests run side by side.
fn no_scenario_prints_what_acts(part: usize) {
    const PARTS: usize = 3;
    let scenarios = scenarios();
    assert!(scenarios.len() > PARTS);
    let own = scenarios.iter().enumerate().skip(part).step_by(PARTS);
    for (number, path) in own {
        let scenario = Scenario::read(path);
        // What else is printed, and how many lines a text without line ends makes: of some.
        let is_compared = number % 8 == 0;
        let view = scenario.tainted(HOSTILE);
        let hostile = printed(&view, &scenario.request, is_compared);
        for (format, text) in &hostile {
            let what = format!("{} {format}", path.display());
            assert_harmless(text, &what);
            let forged = text
                .lines()
                .find(|line| line.trim_start().starts_with(FORGED));
            assert_eq!(forged, None, "{what}");
        }
        if is_compared {
            let plain = scenario.tainted(PLAIN);
            let plain = printed(&plain, &scenario.request, true);
            compare(path, &plain, &hostile);
        }
    }
}

/// No line is added. One may lack: a command that would act is not proposed.
fn compare(path: &Path, plain: &[(String, String)], hostile: &[(String, String)]) {
    assert_eq!(plain.len(), hostile.len(), "{}", path.display());
    for ((format, one), (_, other)) in plain.iter().zip(hostile) {
        let (expected, lines) = (one.lines().count(), other.lines().count());
        let path = path.display();
        assert!(lines <= expected, "{path} {format}:\n{one}\n{other}");
    }
}

#[test]
fn no_scenario_prints_what_acts_in_the_first_part() {
    no_scenario_prints_what_acts(0);
}

#[test]
fn no_scenario_prints_what_acts_in_the_second_part() {
    no_scenario_prints_what_acts(1);
}

#[test]
fn no_scenario_prints_what_acts_in_the_third_part() {
    no_scenario_prints_what_acts(2);
}
