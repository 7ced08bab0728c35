//! `kubectl netpath check SUITE.yaml`: one view is read, one probe started in each source, and every path is
//! walked in what they tell.

mod job;
mod propose;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;

use super::known::{Known, Question};
use super::{probe, runtime, trace};
use crate::cli::CheckArgs;
use crate::cluster::live::{self, Connection};
use crate::cluster::{ClusterView, snapshot};
use crate::error::{Error, Exit};
use crate::observe::Depth;
use crate::report::{PathReport, Tool};
use crate::suite::report::{self, CheckReport, Manifests, SuiteReport};
use crate::suite::{Check, Outcome, Suite, Tally};
use crate::target::Request;
use crate::terminal::Terminal;

/// A check that is asked, and what became of it.
struct CheckRun<'s> {
    check: &'s Check,
    /// The place of its question, or why it is none.
    question: Result<usize, String>,
    attempts: u32,
    report: Option<CheckReport>,
    /// Why it did not pass at first.
    first: Option<String>,
}

pub(super) fn run(
    args: &CheckArgs,
    terminal: Terminal,
    out: &mut dyn Write,
) -> Result<Exit, Error> {
    let Some(file) = &args.suite else {
        return propose::run(args, out);
    };
    let since = Instant::now();
    let text = text(args, file)?;
    let suite = read(args, &text, file)?;
    if args.job.in_cluster {
        return job::run(args, &suite, &text, out);
    }
    let runtime = runtime()?;
    let (checks, unread) = match &args.view.snapshot {
        Some(path) => from_view(&suite, &snapshot::load(path)?, namespace(args), args),
        None => runtime.block_on(live(&suite, args))?,
    };
    let tally = Tally::of(checks.iter().map(|check| check.outcome));
    let report = SuiteReport {
        api_version: "netpath/v1",
        kind: "SuiteReport",
        tool: Tool::OWN,
        at: Timestamp::now().to_string(),
        elapsed_ms: milliseconds(since.elapsed()),
        name: suite.name,
        file: file.display().to_string(),
        tally,
        checks,
        unread,
    };
    if let Some(file) = &args.metrics {
        write_metrics(file, &report)?;
    }
    let manifests = Manifests::of(args.view.snapshot.as_deref());
    report::print(&report, &manifests, args.output, terminal, out)?;
    Ok(tally.exit())
}

/// The namespace of names without one, in a snapshot.
fn namespace(args: &CheckArgs) -> &str {
    args.view.kube.namespace.as_deref().unwrap_or("default")
}

fn text(args: &CheckArgs, file: &Path) -> Result<String, Error> {
    let from_stdin = file == Path::new("-");
    if from_stdin && args.view.snapshot.as_deref() == Some(file) {
        return Err(Error::usage(
            "standard input cannot be both the snapshot and the suite",
            "give one of them as a file",
        ));
    }
    let read = if from_stdin {
        let mut text = String::new();
        let read = std::io::stdin().lock().read_to_string(&mut text);
        read.map(|_| text)
    } else {
        std::fs::read_to_string(file)
    };
    read.map_err(|error| Error::usage(format!("cannot read {}: {error}", file.display()), ""))
}

fn read(args: &CheckArgs, text: &str, file: &Path) -> Result<Suite, Error> {
    let suite = Suite::read(text, &file.display().to_string());
    let suite = suite.and_then(|suite| suite.only(&args.only));
    let suite = suite.map_err(|bad| Error::usage(bad.message, bad.hint))?;
    Ok(suite.shard(args.shard))
}

/// Whole or not at all: who collects the file may read it at any time.
fn write_metrics(file: &Path, report: &SuiteReport) -> Result<(), Error> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let written = std::fs::write(&beside, report::metrics(report));
    let written = written.and_then(|()| std::fs::rename(&beside, file));
    written.map_err(|error| Error::usage(format!("cannot write {}: {error}", file.display()), ""))
}

type Answered = (Vec<CheckReport>, Vec<crate::cluster::Unread>);

/// What a view alone answers.
fn from_view(suite: &Suite, view: &ClusterView, namespace: &str, args: &CheckArgs) -> Answered {
    let (mut asked, questions) = ask(suite, namespace, args);
    let mut known = Known::of(questions, view);
    judge(&mut asked, &mut known, Depth::Api);
    reports(asked, &known)
}

/// Reads the cluster once, asks for all checks together, and again for those that did not pass and may be flaky.
async fn live(suite: &Suite, args: &CheckArgs) -> Result<Answered, Error> {
    let connection = live::connect(&args.view.kube).await?;
    let view = live::read_whole(&connection.client).await?;
    answer(suite, &connection, &view, args).await
}

/// Asks all checks together.
async fn answer(
    suite: &Suite,
    connection: &Connection,
    view: &ClusterView,
    args: &CheckArgs,
) -> Result<Answered, Error> {
    let (mut asked, questions) = ask(suite, &connection.namespace, args);
    let mut known = Known::of(questions, view);
    let depth = Depth::of(args.probe.no_probe, args.probe.deep);
    let launch = &args.probe.launch;
    let mut is_done = |known: &mut Known<'_>| judge(&mut asked, known, depth);
    probe::run_until(&connection.client, depth, launch, &mut known, &mut is_done).await?;
    for left in &known.left {
        tracing::info!("left: {} ({})", left.what, left.why);
    }
    Ok(reports(asked, &known))
}

/// A question for every check that is one.
fn ask<'s>(
    suite: &'s Suite,
    namespace: &str,
    args: &CheckArgs,
) -> (Vec<CheckRun<'s>>, Vec<Question>) {
    let mut questions = Vec::new();
    let asked = suite.checks.iter().map(|check| {
        let request = request(check, namespace).map_err(|error| in_words(&error));
        let question = request.map(|request| {
            let timeout = check.timeout.unwrap_or(args.probe.launch.timeout);
            questions.push(Question::new(request, timeout));
            questions.len() - 1
        });
        CheckRun {
            check,
            question,
            attempts: 0,
            report: None,
            first: None,
        }
    });
    (asked.collect(), questions)
}

/// `namespace` is where names live that neither the check nor the suite places.
fn request(check: &Check, namespace: &str) -> Result<Request, Error> {
    let namespace = check.namespace.as_deref().unwrap_or(namespace);
    let to_namespace = check.to_namespace.as_deref();
    let mut request = trace::request(&check.source, &check.destination, namespace, to_namespace)?;
    if let Some(port) = &check.port {
        request.destination = request.destination.with_port(port)?;
    }
    request.protocol = check.protocol;
    Ok(request)
}

/// Judges every check that has no report yet; whether all have one. A probe may tell something else the next time,
/// so that a check with retries is asked again.
fn judge(asked: &mut [CheckRun<'_>], known: &mut Known<'_>, depth: Depth) -> bool {
    let mut again = Vec::new();
    for one in asked.iter_mut().filter(|one| one.report.is_none()) {
        one.attempts += 1;
        let answer = match &one.question {
            Ok(position) => walk(*position, known),
            Err(why) => Err(why.clone()),
        };
        let mut report = CheckReport::new(one.check, answer);
        let may_be_flaky = matches!(report.outcome, Outcome::Failed | Outcome::Undetermined);
        if let Ok(position) = one.question {
            known.questions[position].is_open = false;
            if may_be_flaky && depth != Depth::Api && one.attempts <= one.check.retries {
                one.first.get_or_insert(report.why);
                again.push(position);
                continue;
            }
        }
        if let (Outcome::Passed, Some(first)) = (report.outcome, &one.first) {
            report.outcome = Outcome::Flaky;
            report.why = format!("at first: {first}");
        }
        report.attempts = one.attempts;
        one.report = Some(report);
    }
    for position in &again {
        let question = &mut known.questions[*position];
        question.is_open = true;
        let vantages = std::mem::take(&mut question.vantages);
        known.observations.forget(&vantages);
    }
    again.is_empty()
}

fn walk(position: usize, known: &Known<'_>) -> Result<PathReport, String> {
    let question = &known.questions[position];
    let seen = known.seen_for(question);
    trace::examine(&known.world, &question.request, &seen).map_err(|error| in_words(&error))
}

fn in_words(error: &Error) -> String {
    match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    }
}

/// Every report, and what could not be read over all of them.
fn reports(asked: Vec<CheckRun<'_>>, known: &Known<'_>) -> Answered {
    let failed = known.observations.failed.iter();
    let unheard = failed.map(|(vantage, error)| error.unread(vantage));
    let unread = known.world.unread().cloned().chain(unheard).collect();
    let reports = asked.into_iter().filter_map(|one| one.report);
    (reports.collect(), unread)
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
