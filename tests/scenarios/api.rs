//! Every cause the API shows, alone in an otherwise healthy world.

use std::path::PathBuf;

use super::expectation::{Expectation, faults, told};
use super::world::{Overlay, World};
use super::{entries, folder, name_of, report, words};
use crate::findings::Said;

/// One cause, planted.
pub struct Scenario {
    pub name: String,
    pub expected: Expectation,
    pub overlay: Overlay,
}

/// Scenarios whose question is wrong in any world, and whose change only alters the words.
const WRONG_QUESTIONS: [&str; 1] = ["SVC-06-undeclared-port-nftables"];

/// Every scenario of the folder.
pub fn scenarios() -> Vec<Scenario> {
    let read = |path: PathBuf| Scenario {
        name: name_of(&path),
        expected: Expectation::read(&path),
        overlay: Overlay::folder(&path),
    };
    entries(&folder("api")).into_iter().map(read).collect()
}

/// What each of them is told.
pub fn said() -> Vec<Said> {
    let said = |scenario: Scenario| {
        let view = World::base().with(&scenario.overlay).view();
        words(
            format!("api/{}", scenario.name),
            scenario.expected.ask(&view),
        )
    };
    scenarios().into_iter().map(said).collect()
}

#[test]
fn every_planted_cause_is_named() {
    let all = scenarios();
    let mut complaints = Vec::new();
    for scenario in &all {
        let view = World::base().with(&scenario.overlay).view();
        let wrong = match scenario.expected.ask(&view) {
            Ok(answer) => scenario.expected.complaints(&answer),
            Err(error) => vec![error],
        };
        complaints.extend(
            wrong
                .iter()
                .map(|wrong| format!("{}: {wrong}", scenario.name)),
        );
    }
    report(&complaints, all.len());
}

/// The question of every scenario, asked of the healthy world: what is found there was not planted.
#[test]
fn without_its_change_every_path_is_healthy() {
    let all = scenarios();
    let mut complaints = Vec::new();
    for scenario in &all {
        if scenario.overlay.touched().is_empty() {
            continue;
        }
        let Ok(answer) = scenario.expected.ask(&World::base().view()) else {
            continue;
        };
        if is_about_a_new_object(scenario) || WRONG_QUESTIONS.contains(&scenario.name.as_str()) {
            continue;
        }
        let found = faults(&answer).into_iter();
        complaints.extend(found.map(|finding| format!("{}: {}", scenario.name, told(finding))));
    }
    report(&complaints, all.len());
}

/// Whether the question names an object that only the change adds.
fn is_about_a_new_object(scenario: &Scenario) -> bool {
    let base = World::base();
    let is_new = |key: &super::world::Key| !base.keys().any(|own| own == key);
    scenario.overlay.touched().iter().any(|key| {
        is_new(key)
            && scenario
                .expected
                .args
                .iter()
                .any(|word| word.contains(&key.2))
    })
}
