//! What looks odd and is healthy: alone, and beside every planted cause.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use libtest_mimic::Trial;
use serde::Deserialize;

use super::api::{Scenario, scenarios};
use super::expectation::{Expectation, codes};
use super::harness::trial;
use super::world::{Overlay, World};
use super::{entries, folder, name_of, words};
use crate::findings::Said;

pub struct Oddity {
    pub name: String,
    pub expected: Expectation,
    pub overlay: Overlay,
    /// Names of scenarios whose answer it rightly changes.
    changes: BTreeSet<String>,
}

/// Two tests of every oddity: alone it is no fault, and beside a cause it changes nothing.
pub fn trials() -> Vec<Trial> {
    let of = |path: PathBuf| {
        let (name, own) = (format!("oddities/{}", name_of(&path)), path.clone());
        [
            trial(name.clone(), move || alone(&Oddity::read(&own))),
            trial(format!("{name}/beside-every-cause"), move || {
                beside(&Oddity::read(&path))
            }),
        ]
    };
    let folders = entries(&folder("oddities")).into_iter();
    folders.flat_map(of).collect()
}

/// Every oddity of the folder.
pub fn oddities() -> Vec<Oddity> {
    let folders = entries(&folder("oddities"));
    folders.iter().map(|path| Oddity::read(path)).collect()
}

/// What each of them is told.
pub fn said() -> Vec<Said> {
    let said = |oddity: Oddity| {
        let view = World::base().with(&oddity.overlay).view();
        words(
            format!("oddities/{}", oddity.name),
            oddity.expected.ask(&view),
        )
    };
    oddities().into_iter().map(said).collect()
}

fn alone(oddity: &Oddity) -> Vec<String> {
    let view = World::base().with(&oddity.overlay).view();
    match oddity.expected.ask(&view) {
        Ok(answer) => oddity.expected.complaints(&answer),
        Err(error) => vec![error],
    }
}

/// Beside an oddity every cause is found as if the oddity were not there.
fn beside(oddity: &Oddity) -> Vec<String> {
    let odd = World::base().with(&oddity.overlay).settle();
    let pairs = causes_alone().iter().filter(|(cause, _)| {
        !oddity.changes.contains(&cause.name) && !oddity.overlay.collides(&cause.overlay)
    });
    let differs = pairs.filter_map(|(cause, alone)| {
        let beside = answer(&odd.with(&cause.overlay), cause);
        (beside != *alone).then(|| format!("{}: {beside:?}, alone {alone:?}", cause.name))
    });
    differs.collect()
}

/// Verdict, causes and whom they blame.
type Answer = Result<(String, Vec<String>), String>;

/// One cause of each kind, with the answer it gets alone.
fn causes_alone() -> &'static [(&'static Scenario, Answer)] {
    static ALONE: OnceLock<Vec<(&Scenario, Answer)>> = OnceLock::new();
    ALONE.get_or_init(|| {
        let causes = one_of_each_kind().into_iter();
        let alone = causes.map(|cause| {
            let answer = answer(&World::base().with(&cause.overlay), cause);
            (cause, answer)
        });
        alone.collect()
    })
}

/// The first scenario of every code: the others differ in what is odd about the cause, not in where
/// it is found.
fn one_of_each_kind() -> Vec<&'static Scenario> {
    let mut seen = BTreeSet::new();
    let mut all: Vec<_> = scenarios().iter().collect();
    all.retain(|scenario| {
        let code: Vec<&str> = scenario.name.splitn(3, '-').take(2).collect();
        seen.insert(code.join("-"))
    });
    all
}

fn answer(world: &World, cause: &Scenario) -> Answer {
    let answer = cause.expected.ask(&world.view())?;
    Ok((format!("{:?}", answer.verdict), codes(&answer)))
}

// === impl Oddity ===

impl Oddity {
    fn read(folder: &Path) -> Self {
        #[derive(Deserialize)]
        struct Extra {
            #[serde(default)]
            changes: BTreeSet<String>,
        }
        let text = std::fs::read_to_string(folder.join("expect.json")).expect("expect.json");
        let extra: Extra = serde_json::from_str(&text).expect("expect.json");
        Self {
            name: name_of(folder),
            expected: Expectation::read(folder),
            overlay: Overlay::folder(folder),
            changes: extra.changes,
        }
    }
}
