//! What looks odd and is healthy, beside every planted cause.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::OnceLock;

use libtest_mimic::Trial;

use super::api::scenarios;
use super::expectation::codes;
use super::harness::trial;
use super::name_of;
use super::scenario::{Scenario, folders};
use super::world::World;

/// Beside an oddity nothing is found differently. (Alone it is a scenario as any other.)
pub fn trials() -> Vec<Trial> {
    let of = |path: PathBuf| {
        let name = format!("oddities/{}/beside-every-cause", name_of(&path));
        trial(name, move || beside(&Scenario::read(&path)))
    };
    folders("oddities").into_iter().map(of).collect()
}

/// Every oddity of the folder.
pub fn oddities() -> Vec<Scenario> {
    let folders = folders("oddities");
    folders.iter().map(|path| Scenario::read(path)).collect()
}

/// Beside an oddity every cause is found as if the oddity were not there.
fn beside(oddity: &Scenario) -> Vec<String> {
    let odd = oddity.world().settle();
    let pairs = causes_alone().iter().filter(|(cause, _)| {
        !oddity.expected.changes.contains(&cause.name) && !oddity.overlay.collides(&cause.overlay)
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
            let answer = answer(&cause.world(), cause);
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
