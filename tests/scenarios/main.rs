//! Scenarios as data: worlds with a known answer, each a test of its own by its name.
//!
//! ```text
//!  api/CODE-slug/      base.yaml, a healthy world, and what somebody changed in it: one cause each
//!  oddities/H-NN-slug/ … and what looks odd in it and is healthy
//!  recorded/NAME/      a snapshot of a real cluster while the fault in its name was in force
//!  nodes/, field/      a recording in which a file of a node or pod is another
//!  probe/NAME/         what probes saw of a recorded world, and what must be concluded
//!  pinned/             a part of larger collections that lie beside the project
//!  ../../crates/lab/scenarios/NAME   the same with real packets
//! ```
//!
//! Each has an `expect.json` ([`expectation`]); all but the lab's stand on a world that is read once, and say what is
//! another in it ([`overlay`]).
//!
//! ```sh
//! cargo test policy-egress-forgets-dns             # every scenario of that name, in whatever folder
//! cargo test --test scenarios api/SVC-01           # some of one folder
//! cargo test --test scenarios -- --list            # all of them
//! UPDATE=1 cargo test --test scenarios findings    # writes tests/golden/findings.txt
//! SCENARIO=api/CODE-slug cargo test --test scenarios print -- --ignored    # one as a user would see it
//! ```
//!
//! Plain checks of the engines are in the other test program, `tests/main.rs`.

mod agreement;
mod answer;
mod api;
mod dataplanes;
mod doors;
mod edit;
mod expectation;
mod findings;
mod harness;
mod lab;
mod nodes;
mod oddities;
mod openings;
mod overlay;
mod pairs;
mod print;
mod recorded;
mod repairs;
mod reports;
mod scenario;
mod slices;
#[path = "../live/stub.rs"]
#[allow(dead_code, reason = "the other test program uses all of it")]
mod stub;
#[path = "../support.rs"]
#[allow(dead_code, reason = "the other test program uses all of it")]
mod support;
mod sweep;
mod world;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use support::project;

fn main() -> ExitCode {
    // The inside of a lab: `Lab::start` runs this program once more, in namespaces of its own.
    netpath_lab::supervisor::run_if_told();
    let arguments = harness::Asked::of(std::env::args());
    let trials = [
        scenario::trials("api"),
        scenario::trials_without_change("api"),
        scenario::trials("oddities"),
        oddities::trials(),
        pairs::trials(),
        repairs::trials(),
        sweep::trials(),
        openings::trials(),
        doors::trials(),
        scenario::trials("recorded"),
        recorded::trials(),
        dataplanes::trials(),
        scenario::trials("nodes"),
        scenario::trials_without_change("nodes"),
        nodes::trials(),
        scenario::trials("field"),
        agreement::trials(),
        reports::trials(),
        scenario::trials("probe"),
        findings::trials(),
        lab::trials(&arguments),
        print::trials(),
    ];
    arguments.run(trials.into_iter().flatten().collect())
}

/// The folder of this program.
fn folder(name: &str) -> PathBuf {
    project().join("tests/scenarios").join(name)
}

/// Fails over a file that cannot be read or makes no sense.
fn broken(path: &Path, why: &dyn std::fmt::Display) -> ! {
    panic!("{}: {why}", path.display())
}

/// What a folder holds, by name.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| broken(folder, &error));
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
