//! What looks odd and is healthy: alone, and beside every planted cause.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Deserialize;

use super::api::{Scenario, scenarios};
use super::expectation::{Expectation, codes};
use super::world::{Overlay, World};
use super::{entries, folder, name_of, report, words};
use crate::findings::Said;

pub struct Oddity {
    pub name: String,
    pub expected: Expectation,
    pub overlay: Overlay,
    /// Names of scenarios whose answer it rightly changes.
    changes: BTreeSet<String>,
}

/// Every oddity of the folder.
pub fn oddities() -> Vec<Oddity> {
    #[derive(Deserialize)]
    struct Extra {
        #[serde(default)]
        changes: BTreeSet<String>,
    }
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(path.join("expect.json")).expect("expect.json");
        let extra: Extra = serde_json::from_str(&text).expect("expect.json");
        Oddity {
            name: name_of(&path),
            expected: Expectation::read(&path),
            overlay: Overlay::folder(&path),
            changes: extra.changes,
        }
    };
    entries(&folder("oddities")).into_iter().map(read).collect()
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

#[test]
fn an_oddity_alone_is_no_fault() {
    let all = oddities();
    let mut complaints = Vec::new();
    for oddity in &all {
        let view = World::base().with(&oddity.overlay).view();
        let wrong = match oddity.expected.ask(&view) {
            Ok(answer) => oddity.expected.complaints(&answer),
            Err(error) => vec![error],
        };
        complaints.extend(
            wrong
                .iter()
                .map(|wrong| format!("{}: {wrong}", oddity.name)),
        );
    }
    report(&complaints, all.len());
}

/// Beside an oddity every cause is found as if the oddity were not there.
#[test]
fn an_oddity_beside_a_cause_changes_nothing() {
    let (oddities, causes) = (oddities(), one_of_each_kind());
    let alone: Vec<_> = causes
        .iter()
        .map(|cause| answer(&World::base().with(&cause.overlay), cause))
        .collect();
    let beside = |oddity: &Oddity| {
        let odd = World::base().with(&oddity.overlay).settle();
        let pairs = causes.iter().zip(&alone).filter(|(cause, _)| {
            !oddity.changes.contains(&cause.name) && !oddity.overlay.collides(&cause.overlay)
        });
        let asked = pairs.map(|(cause, alone)| {
            let beside = answer(&odd.with(&cause.overlay), cause);
            (beside != *alone).then(|| {
                format!(
                    "{} beside {}: {beside:?}, alone {alone:?}",
                    cause.name, oddity.name
                )
            })
        });
        asked.collect::<Vec<Option<String>>>()
    };
    // Thousands of worlds: on every core.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = oddities.len().div_ceil(cores);
    let answers: Vec<Option<String>> = std::thread::scope(|scope| {
        #[expect(
            clippy::needless_collect,
            reason = "all of them start before one is waited for"
        )]
        let workers: Vec<_> = oddities
            .chunks(share)
            .map(|mine| scope.spawn(|| mine.iter().flat_map(&beside).collect::<Vec<_>>()))
            .collect();
        let joined = workers
            .into_iter()
            .map(|worker| worker.join().expect("no panic"));
        joined.flatten().collect()
    });
    println!("{} pairs asked", answers.len());
    let asked = answers.len();
    report(&answers.into_iter().flatten().collect::<Vec<_>>(), asked);
}

/// The first scenario of every code: the others differ in what is odd about the cause, not in where
/// it is found.
fn one_of_each_kind() -> Vec<Scenario> {
    let mut seen = BTreeSet::new();
    let mut all = scenarios();
    all.retain(|scenario| {
        let code: Vec<&str> = scenario.name.splitn(3, '-').take(2).collect();
        seen.insert(code.join("-"))
    });
    all
}

/// Verdict, causes and whom they blame.
fn answer(world: &World, cause: &Scenario) -> Result<(String, Vec<String>), String> {
    let answer = cause.expected.ask(&world.view())?;
    Ok((format!("{:?}", answer.verdict), codes(&answer)))
}
