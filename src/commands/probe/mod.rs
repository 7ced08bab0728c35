//! Probing in rounds: plan, ask, put what was learned beside what was known; until nothing is left
//! to ask, the time is over, or somebody interrupts.

mod confirm;
mod learn;

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::Client;

pub(super) use self::confirm::is_confirmed;
use self::confirm::{agreement, asks_to_go_on};
use self::learn::{blind, learn, remember};
use super::interrupt::Interrupts;
use super::known::Known;
use crate::cli::LaunchArgs;
use crate::cluster::{ClusterView, Unread};
use crate::dataplane::installed;
use crate::error::Error;
use crate::nat::dataplane::Dataplane;
use crate::observe::{Depth, Step, Vantage};
use crate::probe::dataplane::Agents;
use crate::probe::{Plain, Progress, Quiet, Session, Settings, Spinner};
use crate::report::Left;
use crate::text::count;

/// All of the probing ends after so many times the time for one answer.
const ROUNDS_OF_WAITING: u32 = 12;
/// What is started for one answer ends by itself so much later: for what is still being said and removed.
const LAST_MINUTE: Duration = Duration::from_secs(60);
/// What is started to answer again and again ends by itself after this long.
const LIFETIME_OF_WATCHING: Duration = Duration::from_secs(3600);

/// Looks at what is known whenever nothing is left to ask, and may open questions again.
pub(super) type IsDone<'a, 'v> = &'a mut dyn FnMut(&mut Known<'v>) -> bool;

/// Asks a cluster, with what it starts there once.
pub(super) struct Prober<'a> {
    client: &'a Client,
    args: &'a LaunchArgs,
    depth: Depth,
    session: Session,
    progress: Arc<dyn Progress + Send>,
    consent: Consent,
}

/// Whether something may be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Consent {
    ToBeAsked,
    Given,
    Declined,
}

/// Asks what the depth allows; what was learned is added to what is known.
pub(super) async fn run(
    client: &Client,
    depth: Depth,
    args: &LaunchArgs,
    known: &mut Known<'_>,
) -> Result<(), Error> {
    run_until(client, depth, args, known, &mut |_| true).await
}

/// The same; `is_done` may open questions again.
pub(super) async fn run_until<'v>(
    client: &Client,
    depth: Depth,
    args: &LaunchArgs,
    known: &mut Known<'v>,
    is_done: IsDone<'_, 'v>,
) -> Result<(), Error> {
    if depth == Depth::Api {
        is_done(known);
        return Ok(());
    }
    // From here on there is something to tidy up.
    let mut interrupts = Interrupts::new();
    let mut prober = Prober::new(client, depth, args, known.patience(args.timeout));
    prober.guard(&interrupts);
    let outcome = tokio::select! {
        outcome = prober.ask(known, is_done) => outcome,
        () = interrupts.next() => Err(Error::Interrupted),
    };
    let left = prober.close(&mut interrupts).await;
    if outcome.is_err() {
        // There will be no report to say it.
        for left in &left {
            prober
                .progress
                .say(&format!("left: {} ({})", left.what, left.why));
        }
    }
    prober.progress.finish();
    known.left.extend(left);
    outcome
}

// === impl Consent ===

impl Consent {
    const fn of(args: &LaunchArgs) -> Self {
        if args.confirm {
            Self::ToBeAsked
        } else {
            Self::Given
        }
    }
}

// === impl Prober ===

impl<'a> Prober<'a> {
    /// A prober for one answer, which shows what it does; nothing is started yet.
    pub(super) fn new(
        client: &'a Client,
        depth: Depth,
        args: &'a LaunchArgs,
        timeout: Duration,
    ) -> Self {
        let progress = progress();
        let lifetime = timeout * ROUNDS_OF_WAITING + LAST_MINUTE;
        let settings = settings(client, (args, &progress), timeout, lifetime);
        Self {
            client,
            args,
            depth,
            session: Session::new(settings),
            progress,
            consent: Consent::of(args),
        }
    }

    /// A prober that is asked again and again, and only says what it creates.
    pub(super) fn watching(client: &'a Client, depth: Depth, args: &'a LaunchArgs) -> Self {
        let progress: Arc<dyn Progress + Send> = Arc::new(Quiet);
        let settings = settings(
            client,
            (args, &progress),
            args.timeout,
            LIFETIME_OF_WATCHING,
        );
        Self {
            client,
            args,
            depth,
            session: Session::new(settings),
            progress,
            consent: Consent::of(args),
        }
    }

    /// From now on an interrupt is heard while it thinks, too.
    pub(super) fn guard(&self, interrupts: &Interrupts) {
        interrupts.guard(self.session.tidy(), Arc::clone(&self.progress));
    }

    /// Asks all questions that are open.
    pub(super) async fn ask<'v>(
        &mut self,
        known: &mut Known<'v>,
        is_done: IsDone<'_, 'v>,
    ) -> Result<(), Error> {
        if self.depth == Depth::Api {
            is_done(known);
            return Ok(());
        }
        let until = Instant::now() + known.patience(self.args.timeout) * ROUNDS_OF_WAITING;
        let mut agents = Agents::default();
        let outcome = self.ask_all(known, &mut agents, until, is_done).await;
        remember(known, agents.ask_again().await);
        outcome
    }

    /// Tidies up, and says what is left; who interrupts once more does not want to wait even for that.
    pub(super) async fn close(&self, interrupts: &mut Interrupts) -> Vec<Left> {
        self.progress.doing("tidying up");
        let tidy = self.session.tidy();
        let closed = tokio::select! {
            left = tidy.up() => Some(left),
            () = interrupts.next() => None,
        };
        let left = closed.unwrap_or_else(|| tidy.unfinished());
        left.into_iter()
            .map(|(what, why)| Left { what, why })
            .collect()
    }

    async fn ask_all<'v>(
        &mut self,
        known: &mut Known<'v>,
        agents: &mut Agents,
        until: Instant,
        is_done: IsDone<'_, 'v>,
    ) -> Result<(), Error> {
        loop {
            let steps = known.next(self.depth);
            log(&steps);
            if steps.is_empty() {
                if !self.tap(known, until).await && is_done(known) {
                    return Ok(());
                }
                continue;
            }
            if Instant::now() >= until {
                self.out_of_time(known);
                is_done(known);
                return Ok(());
            }
            if self.depth == Depth::Deep && has_cilium(known.world.view) {
                let nodes = steps.iter().filter_map(|step| match &step.vantage {
                    Vantage::Node(node) => Some(node.as_str()),
                    Vantage::Pod { .. } => None,
                });
                let said = agents.ask(self.client, nodes, self.progress.as_ref()).await;
                remember(known, said);
            }
            if !self.may_create(known.world.view, &steps).await {
                known.decline(&steps);
                continue;
            }
            let progress = self.progress.as_ref();
            let view = known.world.view;
            let answers = self.session.ask(view, &steps, until, progress).await;
            learn(known, answers, &steps);
        }
    }

    /// Taps one probe, if one is to be tapped.
    async fn tap(&mut self, known: &mut Known<'_>, until: Instant) -> bool {
        let Some(tapping) = known.next_tap().filter(|_| Instant::now() < until) else {
            return false;
        };
        let view = known.world.view;
        if !self.may_create(view, &tapping.steps(0, &[], 0)).await {
            return false;
        }
        let tap = self
            .session
            .tap(view, &tapping, until, self.progress.as_ref());
        let tapped = tap.await;
        tracing::debug!("tapped {tapped:?}");
        known.world.miss(blind(&tapped));
        known.observations.taps.push(tapped);
        true
    }

    /// Says what would be created; asks for it once, if that was wished.
    async fn may_create(&mut self, view: &ClusterView, steps: &[Step]) -> bool {
        if self.consent == Consent::Declined {
            return false;
        }
        let creations = self.session.announce(view, steps);
        for creation in &creations {
            self.progress.say(&format!("creates {creation}"));
        }
        if self.consent == Consent::ToBeAsked && !creations.is_empty() {
            self.consent = if asks_to_go_on(self.progress.as_ref()).await {
                Consent::Given
            } else {
                self.progress
                    .say("nothing is created; --no-probe predicts from the API");
                Consent::Declined
            };
        }
        self.consent != Consent::Declined
    }

    fn out_of_time(&self, known: &mut Known<'_>) {
        self.progress
            .say("the time for probing is over; what was learned so far counts");
        known.world.miss([Unread {
            what: "further probes".to_owned(),
            why: "the time for probing is over".to_owned(),
            grant: "a longer --timeout".to_owned(),
            resource: None,
            namespace: String::new(),
        }]);
    }
}

fn settings(
    client: &Client,
    (args, progress): (&LaunchArgs, &Arc<dyn Progress + Send>),
    timeout: Duration,
    lifetime: Duration,
) -> Settings {
    Settings {
        client: client.clone(),
        image: args.image.clone(),
        agent_image: args.agent_image.clone(),
        agent_binary: args.agent_binary.clone(),
        debug_namespace: args.debug_namespace.clone(),
        deadline: timeout * 4,
        lifetime,
        agrees: agreement(args, progress),
    }
}

fn log(steps: &[Step]) {
    for step in steps {
        let questions = count(step.tasks.len(), "question");
        tracing::debug!("asks {} {questions}", step.vantage);
        for task in &step.tasks {
            tracing::trace!("  {task:?}");
        }
    }
}

/// Whether agents of Cilium can be asked; nothing is asked for their sake elsewhere.
fn has_cilium(view: &ClusterView) -> bool {
    let mut of_objects = installed(view).into_iter();
    view.api_groups.contains_key("cilium.io")
        || of_objects.any(|one| one.dataplane == Dataplane::Cilium)
}

fn progress() -> Arc<dyn Progress + Send> {
    if std::io::stderr().is_terminal() {
        Arc::new(Spinner::new())
    } else {
        Arc::new(Plain)
    }
}
