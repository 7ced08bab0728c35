//! Scenarios as data: worlds with a known answer, each a test of its own by its name.
//!
//! ```text
//!  api/CODE-slug/      base.yaml, a healthy world, and what somebody changed in it: one cause each
//!  oddities/H-NN-slug/ … and what looks odd in it and is healthy
//!  recorded/NAME/      a snapshot of a real cluster while the fault in its name was in force
//!  nodes/, field/      a recording in which a file of a node or pod is another
//!  probe/NAME/         what probes saw, and what must be concluded
//!  lab/NAME            the scenarios of crates/lab, with real packets
//! ```
//!
//! ```sh
//! cargo test policy-egress-forgets-dns             # every scenario of that name, in whatever folder
//! cargo test --test scenarios api/SVC-01           # some of one folder
//! cargo test --test scenarios -- --list            # all of them
//! UPDATE=1 cargo test --test scenarios findings    # writes tests/golden/findings.txt
//! SCENARIO=CODE-slug cargo test --test scenarios print -- --ignored    # one of them as a user would see it
//! ```
//!
//! Plain checks of the engines are in the other test program, `tests/main.rs`.

mod api;
mod dataplanes;
mod doors;
mod expectation;
mod field;
mod findings;
mod harness;
mod lab;
mod nodes;
mod oddities;
mod openings;
mod pairs;
mod print;
mod probe;
mod recorded;
mod repairs;
#[path = "../probe/shop.rs"]
mod shop;
mod slices;
#[path = "../live/stub.rs"]
#[allow(dead_code, reason = "the other test program uses all of it")]
mod stub;
#[path = "../support.rs"]
#[allow(dead_code, reason = "the other test program uses all of it")]
mod support;
mod world;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use netpath::report::PathReport;

use findings::{Said, of_report};
use support::project;

fn main() -> ExitCode {
    // The inside of a lab: `Lab::start` runs this program once more, in namespaces of its own.
    netpath_lab::supervisor::run_if_told();
    let arguments = harness::Asked::of(std::env::args());
    let trials = [
        api::trials(),
        oddities::trials(),
        pairs::trials(),
        repairs::trials(),
        openings::trials(),
        doors::trials(),
        recorded::trials(),
        dataplanes::trials(),
        nodes::trials(),
        field::trials(),
        probe::trials(),
        findings::trials(),
        lab::trials(&arguments),
        print::trials(),
    ];
    arguments.run(trials.into_iter().flatten().collect())
}

/// The words of one answer.
fn words(scenario: String, answer: Result<PathReport, String>) -> Said {
    let findings = match answer {
        Ok(report) => report.findings.iter().map(of_report).collect(),
        Err(error) => vec![format!("  {error}\n")],
    };
    Said { scenario, findings }
}

/// The folder of this program.
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
