//! Recordings of a real cluster.

use std::path::{Path, PathBuf};

use libtest_mimic::Trial;
use netpath::cluster::snapshot;

use super::expectation::Expectation;
use super::harness::trial;
use super::{entries, folder, name_of, words};
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

/// Every recording gets its answer; those in both proxy modes and the large ones lie beside the project.
pub fn trials() -> Vec<Trial> {
    let of = |folder: PathBuf| {
        trial(format!("recorded/{}", name_of(&folder)), move || {
            complaints(&folder)
        })
    };
    let beside = |folder: PathBuf| {
        trial(format!("recorded-beside/{}", name_of(&folder)), move || {
            complaints(&folder)
        })
    };
    let own = entries(&folder("recorded")).into_iter().map(of);
    own.chain(beside_the_project().into_iter().map(beside))
        .collect()
}

fn beside_the_project() -> Vec<PathBuf> {
    let shared = project().join("../shared/scenarios");
    if !shared.exists() {
        eprintln!("SKIPPED: {} is not there", shared.display());
        return Vec::new();
    }
    let folders = entries(&shared).into_iter();
    folders.filter(|folder| is_scenario(folder)).collect()
}

/// In `one-endpoint-rule-wrong` the planted rule stands behind the right one and never acts: the copy
/// here expects what is so.
fn is_scenario(folder: &Path) -> bool {
    folder.join("expect.json").exists() && name_of(folder) != "one-endpoint-rule-wrong"
}

/// What is wrong with the answer that a recording gets.
pub fn complaints(folder: &Path) -> Vec<String> {
    let expected = Expectation::read(folder);
    let view =
        snapshot::load(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    match expected.ask(&view) {
        Ok(answer) => expected.complaints(&answer),
        Err(error) => vec![error],
    }
}
