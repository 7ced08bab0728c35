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
    /// Where disagreements are kept as scenarios.
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
                    let mut ground = Ground::new(world, programs, &worker.to_string());
                    for case in cases {
                        let played = ground.play(&case, &settings.ways);
                        if let Ok(mut tally) = tally.lock() {
                            tally.take(&case, &played);
                        }
                        if let Ok(Some(outcome)) = played
                            && outcome.wrong().is_some()
                        {
                            keep(settings, programs, &mut ground, case, outcome);
                        }
                    }
                }
            });
        }
    });
    Ok(tally.into_inner().unwrap_or_default())
}

/// Shrinks and writes down a disagreement.
fn keep(
    settings: &Settings,
    programs: &Programs,
    ground: &mut Ground,
    case: Case,
    outcome: Outcome,
) {
    let (case, outcome) = if settings.shrink {
        shrink(ground, programs, &settings.ways, case, outcome)
    } else {
        (case, outcome)
    };
    eprintln!("  smallest: {case}");
    if let Some(folder) = &settings.keep
        && let Err(error) = scenario::write(folder, &case, &outcome)
    {
        eprintln!("lab: {error:#}");
    }
}

/// Drops changes one by one, then tries the plainest world, as long as the same is wrong.
fn shrink(
    ground: &mut Ground,
    programs: &Programs,
    ways: &[Way],
    mut case: Case,
    mut outcome: Outcome,
) -> (Case, Outcome) {
    let kind = |outcome: &Outcome| {
        outcome
            .wrong()
            .map(|(answer, judgement)| (answer.way, *judgement))
    };
    let is_same = |ground: &mut Ground, smaller: &Case| {
        let played = ground.play(smaller, ways).ok().flatten();
        played.filter(|played| kind(played) == kind(&outcome))
    };
    let mut at = 0;
    while at < case.changes.len() {
        let mut smaller = case.clone();
        smaller.changes.remove(at);
        match is_same(ground, &smaller) {
            Some(_) => case = smaller,
            None => at += 1,
        }
    }
    let plain = World {
        transport: case.world.transport,
        ..World::default()
    };
    if case.world != plain {
        let smaller = Case {
            world: plain,
            ..case.clone()
        };
        let mut fresh = Ground::new(plain, programs, &format!("shrink-{}", case.seed));
        if let Some(played) = is_same(&mut fresh, &smaller) {
            return (smaller, played);
        }
    }
    if let Ok(Some(last)) = ground.play(&case, ways) {
        outcome = last;
    }
    (case, outcome)
}
