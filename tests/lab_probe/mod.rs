//! The whole way in the lab: the program as a user runs it, probes and all, on networks that are really
//! broken.
//!
//! ```text
//!  scenarios/NAME ─► Lab ─► kubectl-netpath, probes from an image ─► report ─► judge
//! ```
//!
//! With `NETPATH_STATIC` naming a static program (see README, "Install"), that one is uploaded instead.

mod interference;
mod judge;
mod scenarios;

use std::path::PathBuf;
use std::process::{Command, Output};

use crate::support::project;
use netpath_lab::scenario::{Question, Scenario};
use netpath_lab::{Lab, Options};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kubectl-netpath");

/// The image by which the lab has the probe.
const IMAGE: &str = "localhost/kubectl-netpath:dev";

/// The options of a scenario's lab, which has the probe's image.
fn options(name: &str) -> Options {
    let words = vec![env!("NETPATH_AGENT").to_owned()];
    Options {
        scenario: Some(project().join("crates/lab/scenarios").join(name)),
        images: [(IMAGE.to_owned(), words)].into(),
        ..Options::default()
    }
}

fn load(options: &Options) -> Result<Scenario, String> {
    Scenario::load(options).map_err(|error| format!("{error:#}"))
}

/// Runs the program with a scenario's question.
fn ask(lab: &Lab, question: &Question, flags: &[&str]) -> Result<Output, String> {
    let words = question.ask.iter().map(|word| filled(lab, word));
    let words = words.collect::<Result<Vec<_>, _>>()?;
    let agent = match std::env::var_os("NETPATH_STATIC").map(PathBuf::from) {
        Some(path) => ["--agent-binary".into(), path],
        None => ["--agent-image".into(), IMAGE.into()],
    };
    Command::new(PROGRAM)
        .args(words)
        .args(["-n", &question.namespace, "-o", "json"])
        .args(agent)
        .args(flags)
        .env("KUBECONFIG", lab.kubeconfig())
        .output()
        .map_err(|error| error.to_string())
}

/// A word of the question with the names that the lab has given: `pod/@(podname shop app=web node2):8080`.
fn filled(lab: &Lab, word: &str) -> Result<String, String> {
    if !word.contains("@(") {
        return Ok(word.to_owned());
    }
    let said = lab.run("node1", &format!("printf %s '{word}'"));
    said.map(|outcome| outcome.stdout)
        .map_err(|error| format!("{error:#}"))
}
