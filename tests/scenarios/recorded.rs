//! Recordings of a real cluster.

use std::path::{Path, PathBuf};

use netpath::cluster::snapshot;

use super::expectation::Expectation;
use super::{entries, folder, name_of, report, words};
use crate::findings::Said;
use crate::support::project;

/// What each recording of the project is told.
pub fn said() -> Vec<Said> {
    let said = |folder: PathBuf| {
        let expected = Expectation::read(&folder);
        let view = snapshot::load(&folder).expect("a recording");
        words(
            format!("recorded/{}", name_of(&folder)),
            expected.ask(&view),
        )
    };
    entries(&folder("recorded")).into_iter().map(said).collect()
}

#[test]
fn every_recording_gets_its_answer() {
    check(&entries(&folder("recorded")));
}

/// The recordings in both proxy modes and the large ones lie beside the project.
#[test]
fn every_recording_beside_the_project_gets_its_answer() {
    let shared = project().join("../shared/scenarios");
    if !shared.exists() {
        eprintln!("SKIPPED: {} is not there", shared.display());
        return;
    }
    let folders = entries(&shared).into_iter();
    check(
        &folders
            .filter(|folder| is_scenario(folder))
            .collect::<Vec<_>>(),
    );
}

/// In `one-endpoint-rule-wrong` the planted rule stands behind the right one and never acts: the copy
/// here expects what is so.
fn is_scenario(folder: &Path) -> bool {
    folder.join("expect.json").exists() && name_of(folder) != "one-endpoint-rule-wrong"
}

fn check(folders: &[PathBuf]) {
    let mut complaints = Vec::new();
    for folder in folders {
        let expected = Expectation::read(folder);
        let view =
            snapshot::load(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let wrong = match expected.ask(&view) {
            Ok(answer) => expected.complaints(&answer),
            Err(error) => vec![error],
        };
        complaints.extend(
            wrong
                .iter()
                .map(|wrong| format!("{}: {wrong}", name_of(folder))),
        );
    }
    report(&complaints, folders.len());
}
