//! A machine that finds what nobody thought of: worlds by chance, the kernel's word against netpath's.
//!
//! ```text
//!  seed ─► Case { world, question, changes }      grammar.yaml
//!            │
//!            ▼            ┌─► truth    a real exchange, small and large, both directions
//!  Ground (a lab) ─ broken┤
//!            ▲            ├─► answer   netpath, of a capture, of objects alone, live, --deep
//!            │            └─► repair   the first fix, then the exchange again
//!            └── mended ◄─┘
//!
//!  a disagreement ─► shrink (change by change, then the world) ─► a scenario
//! ```

pub mod answer;
pub mod grammar;
mod ground;
mod repair;
mod scenario;
pub mod spec;
mod tally;
pub mod truth;

use std::collections::VecDeque;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Mutex;

use anyhow::Result;

pub use answer::{Programs, Way};
pub use ground::{Ground, Outcome};
pub use spec::{Case, World};
pub use tally::Tally;

/// How the fuzzer runs.
#[derive(Debug, Clone)]
pub struct Settings {
    pub seeds: Range<u64>,
    pub ways: Vec<Way>,
    /// Whether a disagreement is made as small as it goes.
    pub shrink: bool,
    /// Where disagreements are kept, each as a scenario with its capture.
    pub keep: Option<PathBuf>,
    /// How many labs at a time.
    pub side_by_side: usize,
}

/// Plays all seeds, those of one world in one lab.
pub fn run(settings: &Settings, programs: &Programs) -> Result<Tally> {
    let mut groups: VecDeque<(World, Vec<Case>)> = VecDeque::new();
    for case in settings.seeds.clone().map(Case::of) {
        match groups.iter_mut().find(|(world, _)| *world == case.world) {
            Some((_, cases)) => cases.push(case),
            None => groups.push_back((case.world, vec![case])),
        }
    }
    let (groups, tally) = (Mutex::new(groups), Mutex::new(Tally::default()));
    std::thread::scope(|scope| {
        for worker in 0..settings.side_by_side {
            let (groups, tally) = (&groups, &tally);
            scope.spawn(move || {
                while let Some((world, cases)) =
                    groups.lock().ok().and_then(|mut all| all.pop_front())
                {
                    let mut ground = Ground::new(
                        world,
                        programs,
                        settings.keep.as_deref(),
                        &worker.to_string(),
                    );
                    for case in cases {
                        let played = ground.play(&case, &settings.ways);
                        if let Ok(mut tally) = tally.lock() {
                            tally.take(&case, &played);
                        }
                        if let Ok(Some(outcome)) = played
                            && settings.shrink
                            && outcome.wrong().is_some()
                        {
                            let smallest = shrink(&mut ground, programs, settings, case, &outcome);
                            eprintln!("  smallest: {smallest}");
                        }
                    }
                }
            });
        }
    });
    Ok(tally.into_inner().unwrap_or_default())
}

/// Drops changes one by one, then tries the plainest world, as long as the same is wrong.
fn shrink(
    ground: &mut Ground,
    programs: &Programs,
    settings: &Settings,
    mut case: Case,
    outcome: &Outcome,
) -> Case {
    let kind = |outcome: &Outcome| {
        let wrong = outcome.wrong();
        wrong.map(|(answer, judgement)| (answer.way, *judgement))
    };
    let is_same = |ground: &mut Ground, smaller: &Case| {
        let played = ground.play(smaller, &settings.ways).ok().flatten();
        played.is_some_and(|played| kind(&played) == kind(outcome))
    };
    let mut at = 0;
    while at < case.changes.len() {
        let mut smaller = case.clone();
        smaller.changes.remove(at);
        if is_same(ground, &smaller) {
            case = smaller;
        } else {
            at += 1;
        }
    }
    let plain = Case {
        world: World {
            transport: case.world.transport,
            ..World::default()
        },
        ..case.clone()
    };
    let name = format!("plain-{}", case.seed);
    let mut fresh = Ground::new(plain.world, programs, settings.keep.as_deref(), &name);
    if plain.world != case.world && is_same(&mut fresh, &plain) {
        return plain;
    }
    // What is kept is what was played last.
    is_same(ground, &case);
    case
}
