//! What is found is found every time: the same lab asked again and again. `NETPATH_LAB_RUNS` says how often.

use serde_json::Value;

use libtest_mimic::Trial;

use super::ask::{ask, expectation, options};
use crate::harness::check;
use netpath_lab::Lab;

/// Runs without the variable: enough to notice what goes wrong in one run of five.
const RUNS: usize = 8;

pub fn trials() -> Vec<Trial> {
    vec![
        check(
            "lab/a-fault-of-one-endpoint-in-five-is-found-every-time",
            a_fault_of_one_endpoint_in_five_is_found_every_time,
        ),
        check(
            "lab/what-answers-is-measured-well",
            what_answers_is_measured_well,
        ),
        check(
            "lab/own-connections-are-no-evidence",
            own_connections_are_no_evidence,
        ),
    ]
}

/// Asks a scenario's question again and again.
fn reports(name: &str, flags: &[&str]) -> Vec<Value> {
    let Some(lab) = Lab::start_or_skip(&options(name)) else {
        return Vec::new();
    };
    let question = expectation(name);
    let runs = std::env::var("NETPATH_LAB_RUNS").ok();
    let runs = runs.and_then(|text| text.parse().ok()).unwrap_or(RUNS);
    let reports = (0..runs).map(|_| {
        let output = ask(&lab, &question, flags).expect("the program runs");
        serde_json::from_slice(&output.stdout).expect("a report")
    });
    reports.collect()
}

fn codes(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().into_iter().flatten();
    let faults = findings.filter(|one| one["severity"] != "notice");
    faults.filter_map(|one| one["code"].as_str()).collect()
}

/// A rule that leads a fifth of the connections nowhere: only connects over the Service's address meet it.
fn a_fault_of_one_endpoint_in_five_is_found_every_time() {
    let reports = reports("one-endpoint-of-five-rule-wrong", &["--timeout", "2s"]);
    let is_found = |report: &&Value| report["verdict"] == "Degraded" && !codes(report).is_empty();
    let found = reports.iter().filter(is_found).count();
    eprintln!("found in {found} of {}", reports.len());
    assert_eq!(found, reports.len());
}

/// Thirty connects at least, ten for every endpoint, and each backend by itself; with numbers.
fn what_answers_is_measured_well() {
    for report in reports("ok-pod-to-service", &[]).iter().take(1) {
        let all = report["measurements"].as_array().expect("measurements");
        let of = |aim: &'static str| all.iter().filter(move |one| one["aim"] == aim);
        let tries = |one: &Value| one["tries"].as_u64().unwrap_or_default();
        assert!(of("service").all(|one| tries(one) >= 30), "{report:#}");
        assert_eq!(of("backend").count(), 3);
        assert!(of("backend").all(|one| tries(one) >= 10), "{report:#}");
        assert!(all.iter().all(|one| one["p95Us"].is_u64()), "{report:#}");
    }
}

/// The entries that our own questions leave in the node's connection table are no evidence.
fn own_connections_are_no_evidence() {
    for report in reports("kube-proxy-dead", &["--deep"]) {
        let codes = codes(&report);
        assert_eq!(codes.first(), Some(&"KPX-01"), "{report:#}");
        assert!(!codes.contains(&"DNS-19"), "{report:#}");
    }
}
