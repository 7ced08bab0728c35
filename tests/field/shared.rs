//! The reports beside the project, rebuilt from what people wrote in public.

use std::process::Command;

use crate::support::project;

#[test]
fn every_report_of_nodes_gets_its_answer() {
    let folder = project().join("../shared/field");
    if !folder.join("run.py").exists() {
        eprintln!("SKIPPED: {} is not there", folder.display());
        return;
    }
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
