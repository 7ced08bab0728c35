//! What netpath says: of a capture, of the objects alone, or live.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use netpath_protocol::{Line, Plan, Task, VERSION};
use serde_json::Value;

use super::grammar::Question;
use super::spec::Node;
use super::truth::Truth;
use crate::Lab;

/// The image by which a lab has the agent.
pub const IMAGE: &str = "localhost/kubectl-netpath:dev";

/// The programs that are tried.
#[derive(Debug, Clone)]
pub struct Programs {
    pub netpath: PathBuf,
    pub agent: PathBuf,
}

/// How netpath is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// A capture of objects, nodes and pods.
    Capture,
    /// The objects of that capture alone.
    Objects,
    Live,
    Deep,
}

/// What it said.
#[derive(Debug, Clone)]
pub struct Answer {
    pub way: Way,
    pub verdict: String,
    /// Whether a part of the way could not be told.
    pub is_open: bool,
    /// The deciding cause: `SVC-01 Service/shop/api`.
    pub cause: Option<String>,
    /// What it would run to repair that.
    pub commands: Vec<String>,
    pub blamed: Option<String>,
}

/// An answer beside the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Judgement {
    Right,
    Undetermined,
    /// Reachable, and it is not.
    FalseReachable,
    /// Something is broken, and nothing is.
    FalseAlarm,
    /// Degraded for Unreachable, or the other way round.
    WrongDegree,
}

// === impl Way ===

impl Way {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Objects => "objects",
            Self::Live => "live",
            Self::Deep => "--deep",
        }
    }
}

// === impl Answer ===

impl Answer {
    pub fn judge(&self, truth: Truth) -> Judgement {
        match (self.verdict.as_str(), truth) {
            ("Undetermined", _) => Judgement::Undetermined,
            // Not all works is what it says; how much, it leaves open.
            ("Degraded", Truth::Fails) if self.is_open => Judgement::Undetermined,
            // Objects say what ought to be: that a node does otherwise they cannot know.
            ("Reachable", Truth::Works)
            | ("Degraded", Truth::Partly)
            | ("Unreachable", Truth::Fails) => Judgement::Right,
            ("Reachable" | "Degraded", Truth::Fails | Truth::Partly)
                if self.way == Way::Objects =>
            {
                Judgement::Right
            }
            ("Reachable", _) => Judgement::FalseReachable,
            (_, Truth::Works) => Judgement::FalseAlarm,
            _ => Judgement::WrongDegree,
        }
    }
}

/// Records the cluster as `snapshot --deep` does, without a container for it: the agent runs in place.
pub fn capture(lab: &Lab, programs: &Programs, question: &Question, folder: &Path) -> Result<()> {
    let _ = std::fs::remove_dir_all(folder);
    let mut snapshot = Command::new(&programs.netpath);
    snapshot
        .arg("snapshot")
        .arg(folder)
        .args(words(lab, question)?);
    let output = snapshot.env("KUBECONFIG", lab.kubeconfig()).output()?;
    if !output.status.success() {
        bail!("snapshot: {}", String::from_utf8_lossy(&output.stderr));
    }
    let mut places: Vec<(String, PathBuf, Task)> = Vec::new();
    let addresses = lab.run(
        "node1",
        &format!("echo @(pods {} app={})", question.ns, question.app),
    )?;
    let addresses: Vec<_> = addresses
        .stdout
        .split_whitespace()
        .filter_map(|ip| ip.parse().ok())
        .collect();
    for node in Node::ALL {
        let addresses = addresses.clone();
        places.push((
            node.name().to_owned(),
            folder.join("nodes").join(node.name()),
            Task::NodeFacts { addresses },
        ));
    }
    let names = lab.run(
        "node1",
        &format!("echo @(podnames {} app={})", question.ns, question.app),
    )?;
    let mut pods: Vec<String> = names
        .stdout
        .split_whitespace()
        .map(|name| format!("{}/{name}", question.ns))
        .collect();
    pods.extend(question.at.contains('/').then(|| question.at.clone()));
    for pod in pods {
        let into = folder.join("pods").join(&pod);
        places.push((pod, into, Task::PodFacts));
    }
    std::thread::scope(|scope| {
        let jobs: Vec<_> = places
            .into_iter()
            .map(|(place, into, task)| {
                scope.spawn(move || gather(lab, &programs.agent, &place, &into, task))
            })
            .collect();
        for job in jobs {
            job.join().map_err(|_| anyhow::anyhow!("panicked"))??;
        }
        Ok(())
    })
}

/// What one agent brings, a file for each fact; long ones come in pieces.
fn gather(lab: &Lab, agent: &Path, place: &str, into: &Path, task: Task) -> Result<()> {
    std::fs::create_dir_all(into)?;
    let plan = Plan {
        version: VERSION,
        deadline_ms: 5_000,
        tasks: vec![task],
    };
    let plan = serde_json::to_string(&plan)?;
    let said = lab.run(place, &format!("{} --plan '{plan}'", agent.display()))?;
    let mut files: BTreeMap<String, Option<String>> = BTreeMap::new();
    for line in said.stdout.lines() {
        if let Ok(Line::Fact(fact)) = serde_json::from_str(line) {
            let text = files
                .entry(fact.file)
                .or_insert_with(|| Some(String::new()));
            match text {
                Some(text) if fact.missing.is_none() => text.push_str(&fact.text),
                _ => *text = None,
            }
        }
    }
    for (file, text) in files {
        if let Some(text) = text {
            std::fs::write(into.join(file), text)?;
        }
    }
    Ok(())
}

/// Asks netpath.
pub fn ask(
    lab: &Lab,
    programs: &Programs,
    question: &Question,
    way: Way,
    folder: &Path,
) -> Result<Answer> {
    let mut command = Command::new(&programs.netpath);
    command.args(words(lab, question)?).args(["-o", "json"]);
    match way {
        Way::Capture | Way::Objects => command.arg("--snapshot").arg(folder),
        Way::Live => command.args(["--agent-image", IMAGE]),
        Way::Deep => command.args(["--agent-image", IMAGE, "--deep"]),
    };
    let output = command.env("KUBECONFIG", lab.kubeconfig()).output()?;
    let report: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    Ok(read(&report, way))
}

fn read(report: &Value, way: Way) -> Answer {
    let first = report["findings"]
        .as_array()
        .and_then(|all| all.iter().find(|one| one["severity"] != "notice"));
    let object = |finding: &Value| {
        let words = ["kind", "namespace", "name"].map(|field| finding["object"][field].as_str());
        words
            .into_iter()
            .flatten()
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join("/")
    };
    let paths = report["paths"].as_array();
    let commands = first.and_then(|finding| finding["fix"]["commands"].as_array());
    Answer {
        way,
        verdict: report["verdict"].as_str().unwrap_or_default().to_owned(),
        is_open: paths.is_some_and(|all| all.iter().any(|one| one["verdict"] == "Undetermined")),
        cause: first.map(|finding| {
            format!(
                "{} {}",
                finding["code"].as_str().unwrap_or_default(),
                object(finding)
            )
        }),
        commands: commands
            .into_iter()
            .flatten()
            .filter_map(|command| command.as_str().map(str::to_owned))
            .collect(),
        blamed: first.map(object),
    }
}

/// The question in netpath's words, with the names the lab has given.
fn words(lab: &Lab, question: &Question) -> Result<Vec<String>> {
    let mut words = Vec::new();
    for word in &question.ask {
        words.push(if word.contains("@(") {
            lab.run("node1", &format!("printf %s '{word}'"))?.stdout
        } else {
            word.clone()
        });
    }
    words.extend(["-n".to_owned(), question.namespace.clone()]);
    Ok(words)
}
