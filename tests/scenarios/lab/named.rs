//! What is broken in the lab is named, and what is not broken is not blamed.

use std::path::Path;

use netpath_lab::proxy::{Backend, Mode};
use netpath_lab::scenario::Scenario;
use netpath_lab::{Lab, Options};
use serde_json::Value;

use super::ask::{ask, filled, options};
use super::judge::{Expected, judge};
use super::{load, ways};
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
    let question = &scenario.question;
    let Some(lab) = Lab::start_or_skip(&options) else {
        return Ok(());
    };
    let expected = expected(case, &scenario, &lab)?;
    let mut said = String::new();
    for flags in [&[][..], &["--deep"]] {
        let output = ask(&lab, question, flags)?;
        let report: Value = serde_json::from_slice(&output.stdout)
            .map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())?;
        match judge(&expected, &report) {
            Ok(()) => return Ok(()),
            Err(why) => said = format!("{said}with {flags:?} {why}; "),
        }
        // What is healthy must be found so without looking deeper, and stay so.
        if expected.causes.is_empty() {
            break;
        }
    }
    Err(said)
}

/// What the report of a case must say.
fn expected(case: &Case, scenario: &Scenario, lab: &Lab) -> Result<Expected, String> {
    let question = &scenario.question;
    let words = |text: &str| text.split('|').map(str::to_owned).collect::<Vec<_>>();
    let named = scenario.inject.iter().map(|one| one.name.as_str());
    let mut causes: Vec<Vec<String>> = named.filter(|name| !name.is_empty()).map(words).collect();
    if causes.is_empty() && !question.codes.is_empty() && case.without.is_none() {
        causes.push(question.codes.clone());
    }
    let by_default = match (causes.is_empty(), case.dual || case.without.is_some()) {
        (true, _) => "Reachable",
        (false, false) => "Unreachable",
        // Most faults are of one family, and the other still works.
        (false, true) => "Unreachable|Degraded",
    };
    let verdict = question
        .verdict
        .as_deref()
        .filter(|_| case.without.is_none());
    let object = question.object.as_ref().filter(|_| case.without.is_none());
    Ok(Expected {
        first: causes
            .iter()
            .flatten()
            .filter(|code| question.codes.contains(code))
            .cloned()
            .collect(),
        causes,
        object: object.map(|word| filled(lab, word)).transpose()?,
        verdicts: words(verdict.unwrap_or(by_default)),
    })
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
