//! `kubectl netpath SRC DST --watch` and `--count N`: the same question again and again.

use std::io::Write;

use k8s_openapi::jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval};

use super::interrupt::Interrupts;
use super::known::{Known, Question, TapWhen};
use super::probe::Prober;
use super::trace;
use crate::cli::TraceArgs;
use crate::cluster::ClusterView;
use crate::cluster::live::{self, Connection};
use crate::diagnose::Verdict;
use crate::error::{Error, Exit};
use crate::observe::{Depth, Observations};
use crate::report::PathReport;
use crate::report::watch::{History, Printer};
use crate::target::Request;
use crate::terminal::Terminal;
use crate::world::World;

/// Asks for so many rounds, prints what changes and at the end a summary.
///
/// # Errors
/// When the first round cannot be asked, or somebody interrupts.
pub(super) async fn run(
    args: &TraceArgs,
    rounds: u32,
    terminal: Terminal,
    out: &mut dyn Write,
) -> Result<Exit, Error> {
    let mut interrupts = Interrupts::new();
    let connection = live::connect(&args.view.kube).await?;
    let depth = Depth::of(args.probe.no_probe, args.probe.deep);
    let mut watch = Watch {
        request: trace::question(args, &connection.namespace)?,
        prober: Prober::watching(&connection.client, depth, &args.probe.launch),
        connection: &connection,
        args,
        history: History::default(),
    };
    watch.prober.guard(&interrupts);
    let format = args.output;
    let printer = Printer { format, terminal };
    let outcome = tokio::select! {
        outcome = watch.rounds(rounds, printer, out) => outcome,
        () = interrupts.next() => Err(Error::Interrupted),
    };
    let left = watch.prober.close(&mut interrupts).await;
    let summary = watch.history.summary(&now(), left);
    if summary.rounds > 0 {
        printer.summary(&summary, out)?;
    }
    outcome.map(|()| summary.verdicts.exit())
}

/// What is kept from round to round.
struct Watch<'a> {
    request: Request,
    prober: Prober<'a>,
    connection: &'a Connection,
    args: &'a TraceArgs,
    history: History,
}

// === impl Watch ===

impl Watch<'_> {
    async fn rounds(
        &mut self,
        rounds: u32,
        printer: Printer,
        out: &mut dyn Write,
    ) -> Result<(), Error> {
        let mut clock = interval(self.args.again.interval().max(MOMENT));
        // After a round that took longer the next one keeps its distance.
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for round in 0..rounds {
            clock.tick().await;
            let answer = match self.ask().await {
                // What can never be asked is wrong usage; what fails later is part of what is watched.
                Err(error) if round == 0 => return Err(error),
                answer => answer.map_err(|error| error.to_string()),
            };
            for change in self.history.add(&now(), &answer) {
                printer.change(&change, out)?;
            }
        }
        Ok(())
    }

    /// One round: the cluster as it is now, and what the probes see.
    async fn ask(&mut self) -> Result<PathReport, Error> {
        let view = live::read(&self.connection.client, &self.request).await?;
        let timeout = self.args.probe.launch.timeout;
        let question = Question::new(self.request.clone(), timeout);
        let mut known = Known::of(vec![question], &view);
        known.tap = TapWhen::of(&self.args.probe);
        self.prober.ask(&mut known, &mut |_| true).await?;
        let question = known.questions.first();
        let seen = question.map(|question| known.seen_for(question));
        let seen = seen.unwrap_or_default();
        let report = trace::examine(&known.world, &self.request, &seen)?;
        match report.verdict {
            Verdict::Reachable => Ok(report),
            _ => Ok(self.explained(report, &view, &seen).await),
        }
    }

    /// What was seen may come of a change that was made while it was asked: where the objects as they are now
    /// predict it and those that were read before did not, it is told by them.
    async fn explained(
        &self,
        report: PathReport,
        before: &ClusterView,
        seen: &Observations,
    ) -> PathReport {
        let predict = |view: &ClusterView, seen: &Observations| {
            trace::examine(&World::of(view), &self.request, seen).ok()
        };
        let breaks = |report: &PathReport| {
            matches!(report.verdict, Verdict::Unreachable | Verdict::Degraded)
        };
        let nothing = Observations::default();
        if predict(before, &nothing).is_none_or(|report| breaks(&report)) {
            return report;
        }
        let Ok(now) = live::read(&self.connection.client, &self.request).await else {
            return report;
        };
        let is_explained = predict(&now, &nothing).is_some_and(|report| breaks(&report));
        let explained = is_explained.then(|| predict(&now, seen)).flatten();
        explained.unwrap_or(report)
    }
}

/// The shortest interval.
const MOMENT: std::time::Duration = std::time::Duration::from_millis(1);

fn now() -> String {
    Timestamp::now().to_string()
}
