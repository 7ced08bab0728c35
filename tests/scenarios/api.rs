//! Every cause the API shows, alone in an otherwise healthy world.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use libtest_mimic::Trial;

use super::expectation::{Expectation, faults, told};
use super::harness::trial;
use super::world::{Overlay, World};
use super::{entries, folder, name_of, words};
use crate::findings::Said;

/// One cause, planted.
#[derive(Clone)]
pub struct Scenario {
    pub name: String,
    pub expected: Expectation,
    pub overlay: Overlay,
}

/// Scenarios whose question is wrong in any world, and whose change only alters the words.
const WRONG_QUESTIONS: [&str; 1] = ["SVC-06-undeclared-port-nftables"];

/// Two tests of every scenario: its cause is named, and is not there without its change.
pub fn trials() -> Vec<Trial> {
    let of = |path: PathBuf| {
        let (name, own) = (format!("api/{}", name_of(&path)), path.clone());
        [
            trial(name.clone(), move || named(&Scenario::read(&own))),
            trial(format!("{name}/without-its-change"), move || {
                healthy_without(&Scenario::read(&path))
            }),
        ]
    };
    entries(&folder("api")).into_iter().flat_map(of).collect()
}

/// Every scenario of the folder.
pub fn scenarios() -> &'static [Scenario] {
    static ALL: OnceLock<Vec<Scenario>> = OnceLock::new();
    ALL.get_or_init(|| {
        let folders = entries(&folder("api"));
        folders.iter().map(|path| Scenario::read(path)).collect()
    })
}

/// What each of them is told.
pub fn said() -> Vec<Said> {
    let said = |scenario: &Scenario| {
        let view = World::base().with(&scenario.overlay).view();
        words(
            format!("api/{}", scenario.name),
            scenario.expected.ask(&view),
        )
    };
    scenarios().iter().map(said).collect()
}

fn named(scenario: &Scenario) -> Vec<String> {
    let view = World::base().with(&scenario.overlay).view();
    match scenario.expected.ask(&view) {
        Ok(answer) => scenario.expected.complaints(&answer),
        Err(error) => vec![error],
    }
}

/// The question of a scenario, asked of the healthy world: what is found there was not planted.
fn healthy_without(scenario: &Scenario) -> Vec<String> {
    let is_wrong_anyway = scenario.overlay.touched().is_empty()
        || is_about_a_new_object(scenario)
        || WRONG_QUESTIONS.contains(&scenario.name.as_str());
    match scenario.expected.ask(&World::base().view()) {
        Ok(answer) if !is_wrong_anyway => faults(&answer).into_iter().map(told).collect(),
        _ => Vec::new(),
    }
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

// === impl Scenario ===

impl Scenario {
    fn read(folder: &Path) -> Self {
        Self {
            name: name_of(folder),
            expected: Expectation::read(folder),
            overlay: Overlay::folder(folder),
        }
    }
}
