//! A lab that is broken and mended again and again.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::answer::{Answer, IMAGE, Judgement, Programs, Way, ask, capture};
use super::repair::{Repair, repair};
use super::scenario;
use super::spec::{Case, World};
use super::truth::{Truth, truth};
use crate::control::Request;
use crate::{Lab, StartError};

/// How often the first fix is done, one cause after the other.
const ROUNDS: usize = 4;

/// One world, and the lab that it is.
pub struct Ground {
    world: World,
    programs: Programs,
    folder: PathBuf,
    /// Where captures stay that were not answered rightly.
    keep: Option<PathBuf>,
    lab: Option<Lab>,
}

/// What a case came to.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub truth: Truth,
    pub answers: Vec<(Answer, Judgement)>,
    /// Where the deciding cause had commands: whether they took it away.
    pub repaired: Option<bool>,
    /// The causes whose fixes were done.
    pub fixes: Vec<String>,
}

// === impl Ground ===

impl Ground {
    pub fn new(world: World, programs: &Programs, keep: Option<&Path>, name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("netpath-fuzz-{}-{name}", std::process::id()));
        Self {
            world,
            programs: programs.clone(),
            folder,
            keep: keep.map(Path::to_owned),
            lab: None,
        }
    }

    /// Breaks, asks, mends. None where no lab can be here.
    pub fn play(&mut self, case: &Case, ways: &[Way]) -> Result<Option<Outcome>> {
        if !self.stands(case)? {
            return Ok(None);
        }
        let outcome = self.broken(case, ways);
        let lives = ways.iter().any(|way| matches!(way, Way::Live | Way::Deep));
        let mended = self.mend(case);
        if outcome.is_err() || mended.is_err() || lives {
            self.lab = None;
        }
        outcome.map(Some)
    }

    /// Whether there is a lab in which the way works: the one that is here, or else a fresh one.
    fn stands(&mut self, case: &Case) -> Result<bool> {
        for _ in 0..2 {
            if let Some(lab) = &self.lab
                && truth(lab, case)? == Truth::Works
            {
                return Ok(true);
            }
            let mut options = self.world.options();
            options.images.insert(
                IMAGE.to_owned(),
                vec![self.programs.agent.display().to_string()],
            );
            self.lab = match Lab::start(&options) {
                Ok(lab) => Some(lab),
                Err(StartError::Unavailable(why)) => {
                    eprintln!("SKIPPED: no lab here: {why}");
                    return Ok(false);
                }
                Err(StartError::Failed(error)) => return Err(error),
            };
            self.lab()?.ask(&Request::Keep)?;
        }
        bail!(
            "{} does not work before anything is changed",
            case.question.name
        )
    }

    fn lab(&self) -> Result<&Lab> {
        self.lab.as_ref().context("no lab")
    }

    fn broken(&self, case: &Case, ways: &[Way]) -> Result<Outcome> {
        let lab = self.lab()?;
        for step in case.does() {
            match lab.inject(std::slice::from_ref(&step)) {
                // An earlier change has removed what this one is about.
                Err(error) if format!("{error:#}").contains("no Service/") => {}
                done => done.with_context(|| format!("{step:?}"))?,
            }
        }
        let mut told = truth(lab, case)?;
        let mut answers = Vec::new();
        for way in ways {
            let answer = self.ask(case, *way, "first")?;
            let mut judgement = answer.judge(told);
            // Readiness probes notice a fault after a while: then it is another world that was recorded.
            if judgement > Judgement::Undetermined {
                told = truth(lab, case)?;
                judgement = answer.judge(told);
            }
            answers.push((answer, judgement));
        }
        let truth = told;
        let mut outcome = Outcome {
            truth,
            answers,
            repaired: None,
            fixes: Vec::new(),
        };
        if truth != Truth::Works && ways.contains(&Way::Capture) {
            // A fix that takes away who asks mends nothing.
            if let Err(error) = self.repair(case, &mut outcome) {
                outcome.repaired = Some(false);
                outcome.fixes.push(format!("({error:#})"));
            }
        }
        if let Some(keep) = self.keep.as_ref().filter(|_| !outcome.is_clean()) {
            scenario::write(keep, case, &outcome)?;
            let taken = scenario::folder(keep, case).join("capture");
            let _ = std::fs::remove_dir_all(&taken);
            std::fs::rename(self.folder.join("first"), taken)?;
        }
        Ok(outcome)
    }

    fn ask(&self, case: &Case, way: Way, name: &str) -> Result<Answer> {
        let lab = self.lab()?;
        let (full, objects) = (self.folder.join(name), self.folder.join("objects"));
        match way {
            Way::Capture => capture(lab, &self.programs, case.question, &full)?,
            Way::Objects => {
                std::fs::create_dir_all(&objects)?;
                for held in ["objects.yaml", "snapshot.json"] {
                    std::fs::copy(full.join(held), objects.join(held))?;
                }
            }
            Way::Live | Way::Deep => {}
        }
        let folder = if way == Way::Objects { objects } else { full };
        ask(lab, &self.programs, case.question, way, &folder)
    }

    /// Does the first fix of the deciding cause, and that of the next, until the way works.
    fn repair(&self, case: &Case, outcome: &mut Outcome) -> Result<()> {
        let lab = self.lab()?;
        let first = outcome.answers.iter().map(|(answer, _)| answer);
        let Some(mut answer) = first
            .clone()
            .find(|answer| answer.way == Way::Capture)
            .cloned()
        else {
            return Ok(());
        };
        for _ in 0..ROUNDS {
            if repair(lab, &answer)? == Repair::NoCommand {
                return Ok(());
            }
            outcome.fixes.extend(answer.cause.clone());
            let works = truth(lab, case)? == Truth::Works;
            if works {
                outcome.repaired = Some(true);
                return Ok(());
            }
            // What else is broken comes next; the same cause again was not mended.
            let next = self.ask(case, Way::Capture, "next")?;
            outcome.repaired = Some(next.cause != answer.cause);
            if next.cause == answer.cause {
                return Ok(());
            }
            answer = next;
        }
        Ok(())
    }

    fn mend(&self, case: &Case) -> Result<()> {
        let lab = self.lab()?;
        // Pods that objects made are there again before anything is done to them.
        lab.ask(&Request::Restore)?;
        for step in case.undo() {
            // A fix may have done it already.
            let _ = lab.inject(&[step]);
        }
        Ok(())
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

// === impl Outcome ===

impl Outcome {
    /// Whether every answer was right, and the fixes worked.
    fn is_clean(&self) -> bool {
        let mut judgements = self.answers.iter().map(|(_, judgement)| *judgement);
        judgements.all(|one| one == Judgement::Right) && self.repaired != Some(false)
    }

    /// What is false about it.
    pub fn wrong(&self) -> Option<&(Answer, Judgement)> {
        self.answers
            .iter()
            .find(|(_, judgement)| *judgement > Judgement::Undetermined)
    }
}
