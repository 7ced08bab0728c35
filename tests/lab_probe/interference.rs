//! The API server fails at every single step of a diagnosis. What comes out is late, or less, and never
//! false; and nothing stays behind but what the report names.
//!
//! ```text
//!  a diagnosis that goes well ─► the requests it made, n of them
//!  for each of them, for each way to fail ─► the same diagnosis, with that request failing
//! ```

use std::collections::VecDeque;
use std::process::{Command, Output};
use std::sync::Mutex;

use serde_json::Value;

use super::{PROGRAM, ask, load, options};
use crate::lab_api::client::Client;
use crate::lab_api::runtime;
use netpath_lab::Lab;
use netpath_lab::api::Fault;
use netpath_lab::control::{Answer, Request};
use netpath_lab::scenario::Question;

/// How many labs at a time.
const AT_A_TIME: usize = 2;

/// A path that works, and one that does not: neither may ever look like the other.
const PATHS: [&str; 2] = ["ok-pod-to-service", "listens-on-loopback-only"];

/// Ways to fail; `true`: all requests from that one on.
fn ways() -> Vec<(&'static str, bool, Fault)> {
    let status = |status| Fault {
        status: Some(status),
        ..Fault::default()
    };
    let cut = |bytes| Fault {
        cut_after: Some(bytes),
        ..Fault::default()
    };
    let busy = Fault {
        retry_after: Some(1),
        ..status(429)
    };
    let slow = Fault {
        delay_ms: 1500,
        ..Fault::default()
    };
    vec![
        ("500", false, status(500)),
        ("429", false, busy.clone()),
        ("410", false, status(410)),
        ("no answer", false, cut(0)),
        ("half an answer", false, cut(40)),
        ("slow", false, slow),
        ("500 from here on", true, status(500)),
        ("429 from here on", true, busy),
        ("no answer from here on", true, cut(0)),
    ]
}

/// One request in five fails in one way, the ways taking turns; `NETPATH_LAB_STRIDE=1` takes every one, and
/// `NETPATH_LAB_ALL=1` every one in every way, which takes an hour.
#[test]
fn the_api_may_fail_at_every_step() {
    let all = std::env::var_os("NETPATH_LAB_ALL").is_some();
    let stride = std::env::var("NETPATH_LAB_STRIDE").ok();
    let stride = stride.and_then(|text| text.parse().ok());
    let stride = stride.unwrap_or(if all { 1 } else { 5 });
    let mut work = VecDeque::new();
    for name in PATHS {
        for flags in [&[][..], &["--deep"]] {
            let Some(lab) = Lab::start_or_skip(&options(name)) else {
                return;
            };
            let question = load(&options(name)).expect("a scenario").question;
            let output = ask(&lab, &question, flags).expect("the program runs");
            let steps = calls(&lab).len();
            eprintln!("{name} {flags:?}: {steps} requests");
            assert!(steps > 10, "{}", text(&output.stderr));
            for step in (0..steps).step_by(stride) {
                let ways = ways().into_iter().enumerate();
                let chosen = ways.filter(|(at, _)| all || step / stride % 9 == *at);
                work.extend(chosen.map(|(_, way)| (name, flags, step, way)));
            }
        }
    }
    let work = Mutex::new(work);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let next = work.lock().map(|mut work| work.pop_front());
                    let Ok(Some((name, flags, step, way))) = next else {
                        return;
                    };
                    let (how, on, fault) = way;
                    let fault = Fault {
                        after: step,
                        times: (!on).then_some(1),
                        ..fault
                    };
                    let found = suffer(name, flags, fault);
                    if let (Err(why), Ok(mut wrong)) = (found, wrong.lock()) {
                        wrong.push(format!("{name} {flags:?} request {step}: {how}: {why}"));
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

/// One diagnosis that the fault hits.
fn suffer(name: &str, flags: &[&str], fault: Fault) -> Result<(), String> {
    let lab = Lab::start(&options(name)).map_err(|error| error.to_string())?;
    let question = load(&options(name))?.question;
    let before = pods(&lab)?;
    lab.ask(&Request::NoFaults)
        .map_err(|error| format!("{error:#}"))?;
    lab.ask(&Request::Fault { fault })
        .map_err(|error| format!("{error:#}"))?;
    let output = ask(&lab, &question, &[flags, &["--timeout", "2s"]].concat())?;
    let asked = calls(&lab);
    lab.ask(&Request::NoFaults)
        .map_err(|error| format!("{error:#}"))?;
    let left = said(&question, &output)
        .map_err(|why| format!("{why}\n{}\n{}", asked.join("\n"), text(&output.stderr)))?;
    nothing_stays(&lab, &before, &left)
}

/// Whether what was said may be said; what it names as left behind.
fn said(question: &Question, output: &Output) -> Result<String, String> {
    let (code, stderr) = (output.status.code(), text(&output.stderr));
    if code.is_none() || stderr.contains("panicked") {
        return Err(format!("it crashed, {code:?}"));
    }
    if code == Some(2) {
        // The cluster could not be asked: there is no report, and the reason is told.
        let told = output.stdout.is_empty() && !stderr.trim().is_empty();
        return told.then_some(stderr).ok_or_else(|| "no reason".to_owned());
    }
    let report: Value =
        serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    let verdict = report["verdict"].as_str().unwrap_or_default();
    let fits = match verdict {
        "Reachable" => 0,
        "Undetermined" => 3,
        _ => 1,
    };
    if code != Some(fits) {
        return Err(format!("{verdict} with exit code {code:?}"));
    }
    let findings = report["findings"].as_array().cloned().unwrap_or_default();
    // What is only suspected is not claimed.
    let faults = findings
        .iter()
        .filter(|one| one["severity"] != "notice" && one["confidence"] != "suspected");
    let faults: Vec<&str> = faults.filter_map(|one| one["code"].as_str()).collect();
    let healthy = question.codes.is_empty();
    let named = |code: &&str| question.codes.iter().any(|one| one == code);
    let probed = report["basis"].to_string().contains("probe");
    let is_false = match verdict {
        "Unreachable" | "Degraded" => healthy || !faults.iter().all(named),
        // What a probe did not see is a prediction, and says so.
        "Reachable" => !faults.is_empty() || (!healthy && probed),
        _ => !faults.iter().all(named),
    };
    if is_false {
        return Err(format!("false: {verdict} {faults:?}"));
    }
    Ok(format!("{}{stderr}", report["left"]))
}

/// Nothing is there that was not there before, but what was named and what `cleanup` finds.
fn nothing_stays(lab: &Lab, before: &[String], left: &str) -> Result<(), String> {
    let fresh = |now: Vec<String>| -> Vec<String> {
        now.into_iter()
            .filter(|one| !before.contains(one))
            .collect()
    };
    let unnamed: Vec<String> = fresh(pods(lab)?)
        .into_iter()
        .filter(|one| !is_named(one, left))
        .collect();
    if !unnamed.is_empty() {
        return Err(format!("not named: {unnamed:?} in {left}"));
    }
    let cleaned = Command::new(PROGRAM)
        .arg("cleanup")
        .env("KUBECONFIG", lab.kubeconfig())
        .output()
        .map_err(|error| error.to_string())?;
    let still: Vec<String> = fresh(pods(lab)?)
        .into_iter()
        .filter(|one| !one.starts_with("ephemeral/"))
        .collect();
    if cleaned.status.success() && still.is_empty() {
        return Ok(());
    }
    Err(format!(
        "after cleanup: {still:?} {}",
        text(&cleaned.stderr)
    ))
}

/// By its own name; pods also by the label of their run and their namespace, where nobody could look.
fn is_named(one: &str, left: &str) -> bool {
    let mut words = one.split('/');
    let is_pod = words.next() == Some("pod");
    let namespace = words.next().unwrap_or_default();
    let by_label = left.contains("pods with label netpath/run=")
        && left.contains(&format!("in namespace {namespace}"));
    left.contains(one.rsplit('/').next().unwrap_or_default()) || is_pod && by_label
}

/// Pods and ephemeral containers: `pod/NAMESPACE/NAME`, `ephemeral/NAMESPACE/POD/NAME`.
fn pods(lab: &Lab) -> Result<Vec<String>, String> {
    let list = runtime().block_on(async {
        let client = Client::of(lab, true)?;
        client.get("/api/v1/pods").await?.json()
    });
    let list = list.map_err(|error| format!("{error:#}"))?;
    let mut names = Vec::new();
    for pod in list["items"].as_array().into_iter().flatten() {
        let own = ["namespace", "name"].map(|field| pod["metadata"][field].as_str());
        let [Some(namespace), Some(name)] = own else {
            continue;
        };
        names.push(format!("pod/{namespace}/{name}"));
        let containers = pod["spec"]["ephemeralContainers"].as_array();
        let containers = containers.into_iter().flatten();
        names.extend(
            containers
                .filter_map(|one| one["name"].as_str())
                .map(|one| format!("ephemeral/{namespace}/{name}/{one}")),
        );
    }
    Ok(names)
}

/// What the API server was asked.
fn calls(lab: &Lab) -> Vec<String> {
    match lab.ask(&Request::Calls) {
        Ok(Answer::Called(calls)) => calls,
        _ => Vec::new(),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
