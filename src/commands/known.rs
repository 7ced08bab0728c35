//! Everything that answers rest on, and which questions are still open.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::cli::ProbeArgs;
use crate::cluster::ClusterView;
use crate::diagnose::Case;
use crate::observe::{Depth, Observations, ProbeError, Step, Tapping, Vantage};
use crate::plan::{plan, tapping};
use crate::report::Left;
use crate::target::Request;
use crate::world::World;

/// One question, and where it was asked so far.
pub(super) struct Question {
    pub request: Request,
    /// How long to wait for one answer.
    pub timeout: Duration,
    /// What was seen from other places belongs to other questions.
    pub vantages: BTreeSet<Vantage>,
    /// Whether it is to be asked at all.
    pub is_open: bool,
}

/// Everything that answers rest on.
pub(super) struct Known<'v> {
    pub world: World<'v>,
    pub observations: Observations,
    pub questions: Vec<Question>,
    /// The cluster that was asked, as the kubeconfig calls it.
    pub context: Option<String>,
    /// When asking it began.
    pub since: Option<Instant>,
    /// What was created and is still there.
    pub left: Vec<Left>,
    /// When probes are tapped.
    pub tap: TapWhen,
    /// Whether to keep the packets that taps see.
    pub capture: bool,
}

/// When a probe is watched on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum TapWhen {
    #[default]
    Never,
    /// Where one failed, and nothing explains it.
    Unexplained,
    Always,
}

// === impl TapWhen ===

impl TapWhen {
    /// What the flags say.
    pub(super) const fn of(args: &ProbeArgs) -> Self {
        match (args.tap, args.deep) {
            (true, _) => Self::Always,
            (false, true) => Self::Unexplained,
            (false, false) => Self::Never,
        }
    }
}

// === impl Question ===

impl Question {
    /// A question that was not asked yet.
    pub(super) const fn new(request: Request, timeout: Duration) -> Self {
        Self {
            request,
            timeout,
            vantages: BTreeSet::new(),
            is_open: true,
        }
    }
}

// === impl Known ===

impl<'v> Known<'v> {
    /// What a view alone tells.
    pub(super) fn of(questions: Vec<Question>, view: &'v ClusterView) -> Self {
        Self {
            world: World::of(view),
            observations: Observations::default(),
            questions,
            context: None,
            since: None,
            left: Vec::new(),
            tap: TapWhen::default(),
            capture: false,
        }
    }

    /// How long to wait for one answer, whoever asks.
    pub(super) fn patience(&self, otherwise: Duration) -> Duration {
        let timeouts = self.questions.iter().map(|question| question.timeout);
        timeouts.max().unwrap_or(otherwise)
    }

    /// Nobody wants these steps to be taken: nothing will be known from there.
    pub(super) fn decline(&mut self, steps: &[Step]) {
        let vantages = steps.iter().map(|step| step.vantage.clone());
        let declined = vantages.map(|vantage| (vantage, ProbeError::Declined));
        self.observations.failed.extend(declined);
    }

    /// What was seen that concerns a question.
    pub(super) fn seen_for(&self, question: &Question) -> Observations {
        self.observations.from_vantages(&question.vantages)
    }

    /// The next steps of all questions that are open: one for every vantage, whoever wants to know. A question
    /// whose ends do not exist asks nothing; its answer says so.
    pub(super) fn next(&mut self, depth: Depth) -> Vec<Step> {
        let mut steps: BTreeMap<Vantage, Step> = BTreeMap::new();
        loop {
            let mut has_grown = false;
            for position in 0..self.questions.len() {
                for step in self.wanted(position, depth) {
                    let question = &mut self.questions[position];
                    has_grown |= question.vantages.insert(step.vantage.clone());
                    self.add(&mut steps, step);
                }
            }
            // Where another question has asked already, the answers may lead to new questions.
            if !steps.is_empty() || !has_grown {
                return steps.into_values().collect();
            }
        }
    }

    fn wanted(&self, position: usize, depth: Depth) -> Vec<Step> {
        let question = &self.questions[position];
        if !question.is_open {
            return Vec::new();
        }
        let seen = self.seen_for(question);
        let case = Case::of(&self.world, &question.request, &seen);
        case.map_or_else(
            |_| Vec::new(),
            |case| plan(&case, &seen, depth, question.timeout),
        )
    }

    /// What is to be tapped next, if anything.
    pub(super) fn next_tap(&self) -> Option<Tapping> {
        if self.tap == TapWhen::Never {
            return None;
        }
        let always = self.tap == TapWhen::Always;
        let open = self.questions.iter().filter(|question| question.is_open);
        open.into_iter().find_map(|question| {
            let seen = self.seen_for(question);
            let case = Case::of(&self.world, &question.request, &seen).ok()?;
            let tapping = tapping(&case, &seen, always)?;
            Some(Tapping {
                capture: self.capture,
                ..tapping
            })
        })
    }

    /// Puts what is not known yet into the step of its vantage.
    fn add(&self, steps: &mut BTreeMap<Vantage, Step>, mut step: Step) {
        let Step { vantage, tasks, .. } = &mut step;
        tasks.retain(|task| !self.observations.settles(vantage, task));
        if tasks.is_empty() {
            return;
        }
        match steps.get_mut(vantage) {
            Some(known) => {
                known.takes_twin |= step.takes_twin;
                let tasks = step.tasks.into_iter();
                let new: Vec<_> = tasks.filter(|task| !known.tasks.contains(task)).collect();
                known.tasks.extend(new);
            }
            None => {
                steps.insert(step.vantage.clone(), step);
            }
        }
    }
}
