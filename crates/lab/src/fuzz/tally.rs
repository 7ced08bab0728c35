//! What all seeds came to, in one table.

use std::collections::BTreeMap;

use anyhow::Result;

use super::answer::{Judgement, Way};
use super::ground::Outcome;
use super::spec::Case;
use super::truth::Truth;

/// The sums, and every disagreement by itself.
#[derive(Debug, Default)]
pub struct Tally {
    pub seeds: usize,
    pub works: usize,
    pub partly: usize,
    pub fails: usize,
    pub skipped: usize,
    pub judged: BTreeMap<(Way, Judgement), usize>,
    pub repaired: usize,
    pub unrepaired: usize,
    /// Broken, and the deciding cause has no command.
    pub uncommanded: usize,
    pub wrong: Vec<String>,
    pub failed: Vec<String>,
    pub bad_fixes: Vec<String>,
}

// === impl Tally ===

impl Tally {
    pub(super) fn take(&mut self, case: &Case, played: &Result<Option<Outcome>>) {
        self.seeds += 1;
        let outcome = match played {
            Ok(Some(outcome)) => outcome,
            Ok(None) => {
                self.skipped += 1;
                return;
            }
            Err(error) => {
                eprintln!("{case}: {error:#}");
                self.failed.push(format!("{case}: {error:#}"));
                return;
            }
        };
        match outcome.truth {
            Truth::Works => self.works += 1,
            Truth::Partly => self.partly += 1,
            Truth::Fails => self.fails += 1,
        }
        for (answer, judgement) in &outcome.answers {
            *self.judged.entry((answer.way, *judgement)).or_default() += 1;
            if *judgement > Judgement::Undetermined
                || (*judgement == Judgement::Undetermined && answer.way != Way::Objects)
            {
                let cause = answer.cause.as_deref().unwrap_or("no cause");
                let line = format!(
                    "{case}: {} says {} ({cause}), the kernel {:?}: {judgement:?}",
                    answer.way.word(),
                    answer.verdict,
                    outcome.truth
                );
                eprintln!("{line}");
                if *judgement > Judgement::Undetermined {
                    self.wrong.push(line);
                }
            }
        }
        match outcome.repaired {
            Some(true) => self.repaired += 1,
            Some(false) => {
                self.unrepaired += 1;
                let line = format!("{case}: not repaired by {}", outcome.fixes.join(", "));
                eprintln!("{line}");
                self.bad_fixes.push(line);
            }
            None if outcome.truth != Truth::Works => self.uncommanded += 1,
            None => {}
        }
    }

    /// How many answers of a way were judged so.
    pub fn count(&self, way: Way, judgement: Judgement) -> usize {
        self.judged
            .get(&(way, judgement))
            .copied()
            .unwrap_or_default()
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            seeds,
            works,
            partly,
            fails,
            skipped,
            ..
        } = self;
        writeln!(
            f,
            "{seeds} seeds: {works} work, {partly} partly, {fails} fail, {skipped} skipped, {} could not be played",
            self.failed.len()
        )?;
        writeln!(
            f,
            "{:<10}{:>8}{:>14}{:>17}{:>13}{:>14}",
            "asked", "right", "undetermined", "false reachable", "false alarm", "wrong degree"
        )?;
        for way in [Way::Capture, Way::Objects, Way::Live, Way::Deep] {
            let counts = [
                Judgement::Right,
                Judgement::Undetermined,
                Judgement::FalseReachable,
                Judgement::FalseAlarm,
                Judgement::WrongDegree,
            ]
            .map(|judgement| self.count(way, judgement));
            if counts.iter().sum::<usize>() > 0 {
                let [right, open, reachable, alarm, degree] = counts;
                writeln!(
                    f,
                    "{:<10}{right:>8}{open:>14}{reachable:>17}{alarm:>13}{degree:>14}",
                    way.word()
                )?;
            }
        }
        let Self {
            repaired,
            unrepaired,
            uncommanded,
            ..
        } = self;
        write!(
            f,
            "first fixes: {repaired} of {} work; {uncommanded} only say what to look at",
            repaired + unrepaired
        )
    }
}
