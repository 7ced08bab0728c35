//! A lab that is broken and mended again and again.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use super::answer::{Answer, IMAGE, Judgement, Programs, Way, ask, capture};
use super::repair::{Repair, repair};
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
    lab: Option<Lab>,
}

/// What a case came to.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub truth: Truth,
    pub answers: Vec<(Answer, Judgement)>,
    /// Whether the way works after the fixes, where it was broken and the deciding cause had commands.
    pub repaired: Option<bool>,
    /// The causes whose fixes were done.
    pub fixes: Vec<String>,
}

// === impl Ground ===

impl Ground {
    pub fn new(world: World, programs: &Programs, name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("netpath-fuzz-{}-{name}", std::process::id()));
        Self {
            world,
            programs: programs.clone(),
            folder,
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
                && truth(lab, case.question, self.world.dual)? == Truth::Works
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
        lab.inject(&case.does()).context("the changes")?;
        let truth = truth(lab, case.question, self.world.dual)?;
        let mut answers = Vec::new();
        for way in ways {
            let answer = self.ask(case, *way)?;
            let judgement = answer.judge(truth);
            answers.push((answer, judgement));
        }
        let mut outcome = Outcome {
            truth,
            answers,
            repaired: None,
            fixes: Vec::new(),
        };
        if truth != Truth::Works && ways.contains(&Way::Capture) {
            self.repair(case, &mut outcome)?;
        }
        Ok(outcome)
    }

    fn ask(&self, case: &Case, way: Way) -> Result<Answer> {
        let lab = self.lab()?;
        match way {
            Way::Capture => capture(lab, &self.programs, case.question, &self.folder)?,
            Way::Objects => {
                for held in ["nodes", "pods"] {
                    let _ = std::fs::remove_dir_all(self.folder.join(held));
                }
            }
            Way::Live | Way::Deep => {}
        }
        ask(lab, &self.programs, case.question, way, &self.folder)
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
            let works = truth(lab, case.question, self.world.dual)? == Truth::Works;
            outcome.repaired = Some(works);
            if works {
                return Ok(());
            }
            let next = self.ask(case, Way::Capture)?;
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
    /// What is false about it.
    pub fn wrong(&self) -> Option<&(Answer, Judgement)> {
        self.answers
            .iter()
            .find(|(_, judgement)| *judgement > Judgement::Undetermined)
    }
}
