//! What is broken in the lab is named, and what is not broken is not blamed.

use std::collections::VecDeque;
use std::sync::Mutex;

use serde_json::Value;

use super::judge::{Expected, judge};
use super::{ask, filled, load, options};
use crate::support::project;
use netpath_lab::proxy::{Backend, Mode, WAYS};
use netpath_lab::scenario::Scenario;
use netpath_lab::{Lab, Options};

/// How many labs at a time: they wait more than they work.
const AT_A_TIME: usize = 2;

/// Scenarios of every kind; `NETPATH_LAB_ONLY` picks others by their names, `NETPATH_LAB_ALL=1` takes all, in
/// every way kube-proxy has.
const USUAL: [&str; 12] = [
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

#[test]
fn what_is_broken_in_the_lab_is_named() {
    let all = std::env::var_os("NETPATH_LAB_ALL").is_some();
    let dual = std::env::var_os("NETPATH_LAB_DUAL").is_some();
    let names: Vec<String> = match std::env::var("NETPATH_LAB_ONLY") {
        Ok(only) => only.split(',').map(str::to_owned).collect(),
        Err(_) if all => every(),
        Err(_) => USUAL.map(str::to_owned).to_vec(),
    };
    let mut work = VecDeque::new();
    for (at, name) in names.iter().enumerate() {
        let scenario = load(&options(name)).expect("a scenario");
        let fixed = &scenario.settings;
        let fits = |way: &&(Mode, Backend)| {
            fixed.proxy.is_none_or(|one| one == way.0)
                && fixed.iptables.is_none_or(|one| one == way.1)
        };
        let ways: Vec<_> = WAYS.iter().filter(fits).collect();
        let chosen = if all {
            &ways[..]
        } else {
            &ways[at % ways.len()..][..1]
        };
        // All its faults together, and each of them away in turn: then exactly that cause is.
        let named = scenario.inject.iter().map(|one| one.name.clone());
        let named = named.filter(|name| !name.is_empty()).map(Some);
        let without: Vec<Option<String>> = std::iter::once(None).chain(named).collect();
        for (mode, backend) in chosen {
            work.extend(without.iter().map(|without| Case {
                name: name.clone(),
                mode: *mode,
                backend: *backend,
                dual,
                without: without.clone(),
            }));
        }
    }
    let work = Mutex::new(work);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let next = work.lock().map(|mut work| work.pop_front());
                    let Ok(Some(case)) = next else { return };
                    let found = diagnose(&case);
                    let told = found
                        .as_ref()
                        .map_or_else(Clone::clone, |()| "right".to_owned());
                    eprintln!("{case}: {told}");
                    if let (Err(why), Ok(mut wrong)) = (found, wrong.lock()) {
                        wrong.push(format!("{case}: {why}"));
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

/// Every scenario that asks something.
fn every() -> Vec<String> {
    let folder = project().join("crates/lab/scenarios");
    let entries = std::fs::read_dir(folder).expect("the scenarios can be read");
    let mut names: Vec<String> = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| load(&options(name)).is_ok_and(|scenario| !scenario.question.ask.is_empty()))
        .collect();
    names.sort();
    names
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
    let scenario = load(&options)?;
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
