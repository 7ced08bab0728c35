//! The whole way in the lab: the program as a user runs it, probes and all, on networks that are really
//! broken.
//!
//! What is uploaded must be a static program; `NETPATH_STATIC` names one (see README, "Install"). Without
//! it these tests skip.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use serde_json::Value;

use crate::lab::proxy::Mode;
use crate::lab::scenario::Scenario;
use crate::lab::{Lab, Options};
use crate::support::project;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kubectl-netpath");

/// How many labs at a time: they wait more than they work.
const AT_A_TIME: usize = 2;

/// Scenarios of every kind, in both modes of kube-proxy; `NETPATH_LAB_ONLY` picks others.
const USUAL: [&str; 10] = [
    "ok-pod-to-service",
    "nothing-listens",
    "listens-on-loopback-only",
    "one-endpoint-dead",
    "route-to-peer-missing",
    "forward-policy-drop",
    "kube-proxy-dead",
    "policy-destination-isolated",
    "mtu-black-hole",
    "accepts-and-hangs",
];

fn static_program() -> Option<PathBuf> {
    let path = std::env::var_os("NETPATH_STATIC").map(PathBuf::from);
    if path.is_none() {
        eprintln!("SKIPPED: NETPATH_STATIC names no static program to upload");
    }
    path
}

#[test]
fn what_is_broken_in_the_lab_is_named() {
    let Some(agent) = static_program() else {
        return;
    };
    let only = std::env::var("NETPATH_LAB_ONLY");
    let names: Vec<String> = match &only {
        Ok(only) => only.split(',').map(str::to_owned).collect(),
        Err(_) => USUAL.map(str::to_owned).to_vec(),
    };
    let modes = [Mode::Iptables, Mode::Nftables];
    let work = names
        .iter()
        .flat_map(|name| modes.map(|mode| (name.clone(), mode)));
    let work = Mutex::new(work.collect::<VecDeque<_>>());
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let next = work.lock().map(|mut work| work.pop_front());
                    let Ok(Some((name, mode))) = next else { return };
                    if let (Err(why), Ok(mut wrong)) = (diagnose(&name, mode, &agent), wrong.lock())
                    {
                        wrong.push(format!("{name} ({mode:?}): {why}"));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap_or_default();
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Asks with what every probe can see; where that does not suffice, with what the nodes hold.
fn diagnose(name: &str, mode: Mode, agent: &Path) -> Result<(), String> {
    let path = project().join("tests/lab/scenarios").join(name);
    let options = Options {
        scenario: Some(path),
        proxy: Some(mode),
        ..Options::default()
    };
    let scenario = Scenario::load(&options).map_err(|error| format!("{error:#}"))?;
    let Some(lab) = Lab::start_or_skip(&options) else {
        return Ok(());
    };
    let mut said = String::new();
    for flags in [&[][..], &["--deep"]] {
        let report = ask(&lab, &scenario, agent, flags)?;
        match judge(&scenario, &report) {
            Ok(()) => return Ok(()),
            Err(why) => said = format!("{why} with {flags:?}; {said}"),
        }
    }
    Err(said)
}

fn ask(lab: &Lab, scenario: &Scenario, agent: &Path, flags: &[&str]) -> Result<Value, String> {
    let words = scenario.question.ask.iter().map(|word| filled(lab, word));
    let words = words.collect::<Result<Vec<_>, _>>()?;
    let output = Command::new(PROGRAM)
        .args(words)
        .args(["-n", &scenario.question.namespace, "-o", "json"])
        .arg("--agent-binary")
        .arg(agent)
        .args(flags)
        .env("KUBECONFIG", lab.kubeconfig())
        .output()
        .map_err(|error| error.to_string())?;
    serde_json::from_slice(&output.stdout)
        .map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())
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

fn judge(scenario: &Scenario, report: &Value) -> Result<(), String> {
    let question = &scenario.question;
    let findings = report["findings"].as_array().ok_or("no findings")?;
    let faults: Vec<&str> = findings
        .iter()
        .filter(|found| found["severity"] != "notice")
        .filter_map(|found| found["code"].as_str())
        .collect();
    let verdict = report["verdict"].as_str().unwrap_or_default();
    let is_right = match faults.first() {
        None => question.codes.is_empty() && verdict == "Reachable",
        Some(first) => question.codes.iter().any(|code| code == first),
    };
    let fits = question
        .verdict
        .as_ref()
        .is_none_or(|want| want == verdict || want == "any");
    if is_right && fits {
        return Ok(());
    }
    Err(format!("{verdict} {faults:?}, wanted {:?}", question.codes))
}
