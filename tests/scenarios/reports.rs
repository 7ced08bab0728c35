//! Reports of people, rebuilt from what they wrote in public.

use std::process::Command;

use libtest_mimic::Trial;

use crate::harness::check;
use crate::support::collection;

pub fn trials() -> Vec<Trial> {
    vec![check(
        "reports/every-report-of-nodes-gets-its-answer",
        every_report_of_nodes_gets_its_answer,
    )]
}

fn every_report_of_nodes_gets_its_answer() {
    let folder = collection("field", "field");
    let run = Command::new("python3")
        .arg(folder.join("run.py"))
        .arg(env!("CARGO_BIN_EXE_kubectl-netpath"))
        .arg(folder.join("nodes"))
        .output();
    let Ok(run) = run else {
        eprintln!("SKIPPED: no python3");
        return;
    };
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}");
}
