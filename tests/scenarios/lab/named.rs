//! What is broken in the lab is named, and what is not broken is not blamed.

use std::path::Path;

use netpath_lab::proxy::{Backend, Mode};
use netpath_lab::scenario::Scenario;
use netpath_lab::{Lab, Options};
use serde_json::Value;

use super::ask::{ask, expectation, filled, options};
use super::{load, ways};
use crate::answer::Answer;
use crate::expectation::{Expectation, ExpectedFinding};
use crate::name_of;

/// Scenarios of every kind, which run unasked.
pub const USUAL: [&str; 12] = [
    "ok-pod-to-service",
    "ok-servers-of-every-kind",
    "nothing-listens",
    "listens-on-loopback-only",
    "one-endpoint-dead",
    "route-to-peer-missing",
    "forward-policy-drop",
    "kube-proxy-dead",
    "policy-destination-isolated",
    "mtu-black-hole",
    "accepts-and-hangs",
    "dual-ok",
];

/// A lab to build and to ask about.
#[derive(Clone)]
struct Case {
    name: String,
    mode: Mode,
    backend: Backend,
    dual: bool,
    /// One of several faults, which is not injected.
    without: Option<String>,
}

/// What is wrong with what is said of a scenario: with all its faults together, and with each of them away in
/// turn, when exactly that cause is away.
pub fn complaints(path: &Path, at: usize) -> Vec<String> {
    let scenario = load(path, None);
    let named = scenario.inject.iter().map(|one| one.name.clone());
    let named = named.filter(|name| !name.is_empty()).map(Some);
    let without: Vec<Option<String>> = std::iter::once(None).chain(named).collect();
    let mut wrong = Vec::new();
    for (mode, backend) in ways(&scenario.settings, at) {
        for without in &without {
            let case = Case {
                name: name_of(path),
                mode,
                backend,
                dual: std::env::var_os("NETPATH_LAB_DUAL").is_some(),
                without: without.clone(),
            };
            wrong.extend(diagnose(&case).err().map(|why| format!("{case}: {why}")));
        }
    }
    wrong
}

/// Asks with what every probe can see; where that does not suffice, with what the nodes hold.
fn diagnose(case: &Case) -> Result<(), String> {
    let options = Options {
        proxy: Some(case.mode),
        iptables: Some(case.backend),
        dual: case.dual,
        without: case.without.iter().cloned().collect(),
        ..options(&case.name)
    };
    let scenario = super::ask::load(&options)?;
    let Some(lab) = Lab::start_or_skip(&options) else {
        return Ok(());
    };
    let expected = expected(case, &scenario, &lab)?;
    let is_healthy = expected.codes.is_empty() && expected.findings.is_empty();
    let mut said = String::new();
    for flags in [&[][..], &["--deep"]] {
        let output = ask(&lab, &expected, flags)?;
        let report: Value = serde_json::from_slice(&output.stdout)
            .map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())?;
        let complaints = expected.complaints(&Answer::of(&report));
        if complaints.is_empty() {
            return Ok(());
        }
        said = format!("{said}with {flags:?} {}; ", complaints.join(", "));
        // What is healthy must be found so without looking deeper, and stay so.
        if is_healthy {
            break;
        }
    }
    Err(said)
}

/// What the report of a case must say: what is expected of the scenario, and each fault that is injected by a
/// name must be found by it.
fn expected(case: &Case, scenario: &Scenario, lab: &Lab) -> Result<Expectation, String> {
    let mut expected = expectation(&case.name);
    let named = scenario.inject.iter().filter(|one| !one.name.is_empty());
    let findings: Vec<ExpectedFinding> = named.map(|one| finding(&one.name)).collect();
    if case.without.is_some() {
        let decides = |code: &String| findings.iter().any(|one| one.code.contains(code));
        expected.codes.retain(decides);
        expected.object = Vec::new();
        expected.verdict = vec!["Unreachable".to_owned(), "Degraded".to_owned()];
        if findings.is_empty() {
            expected.verdict = vec!["Reachable".to_owned()];
        }
    } else if case.dual && !expected.codes.is_empty() {
        // Most faults are of one family, and the other still works.
        expected.verdict.push("Degraded".to_owned());
    }
    if expected.codes.is_empty() {
        expected.codes = findings.iter().flat_map(|one| one.code.clone()).collect();
    }
    expected.findings = findings;
    for object in &mut expected.object {
        *object = filled(lab, object)?;
    }
    Ok(expected)
}

/// A fault's name lists the codes it may be found by: `KPX-02|KPX-09`.
fn finding(name: &str) -> ExpectedFinding {
    ExpectedFinding {
        code: name.split('|').map(str::to_owned).collect(),
        severity: None,
        confidence: None,
        object: None,
    }
}

// === impl Case ===

impl std::fmt::Display for Case {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            name,
            mode,
            backend,
            dual,
            without,
        } = self;
        let families = if *dual { "dual stack" } else { "IPv4" };
        write!(out, "{name} ({mode:?} {backend:?} {families})")?;
        match without {
            Some(without) => write!(out, " without {without}"),
            None => Ok(()),
        }
    }
}
