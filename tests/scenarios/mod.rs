//! Scenarios as data: worlds with a known answer, asked through the engine the program uses.
//!
//! ```text
//!  recorded/NAME/          a snapshot of a real cluster while the fault in its name was in force
//!  base.yaml               a healthy world …
//!  api/CODE-slug/          … and what somebody changed in it: one cause each
//!  oddities/H-NN-slug.yaml … and what looks odd in it and is healthy
//! ```
//!
//! Each of them is asked of a live server, of a capture of its path and of everything: one answer.
//!
//! To see a failing one as a user would: `cargo test --test integration scenarios::print -- --ignored
//! --nocapture` with `SCENARIO=CODE-slug` in the environment.

mod api;
mod dataplanes;
mod doors;
mod expectation;
mod oddities;
mod pairs;
mod print;
mod recorded;
mod repairs;
mod slices;
mod world;

use std::path::{Path, PathBuf};

use netpath::report::PathReport;

use crate::findings::{Said, of_report};
use crate::support::project;

/// What every scenario of these folders is told.
pub fn said() -> Vec<Said> {
    [api::said(), oddities::said(), recorded::said()].concat()
}

/// The words of one answer.
fn words(scenario: String, answer: Result<PathReport, String>) -> Said {
    let findings = match answer {
        Ok(report) => report.findings.iter().map(of_report).collect(),
        Err(error) => vec![format!("  {error}\n")],
    };
    Said { scenario, findings }
}

/// The folder of this module.
fn folder(name: &str) -> PathBuf {
    project().join("tests/scenarios").join(name)
}

/// What a folder holds, by name.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    paths
}

/// The last part of a path, without its ending.
fn name_of(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Fails with every complaint at once, so that one run shows all there is to repair.
fn report(complaints: &[String], asked: usize) {
    assert!(asked > 0, "no scenario was found");
    assert!(
        complaints.is_empty(),
        "{} of {asked} went wrong:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
}
