//! `kubectl netpath SRC DST`.

use std::io::Write;
use std::time::Instant;

use k8s_openapi::jiff::Timestamp;

use super::known::{Known, Question, TapWhen};
use super::{packets, probe, runtime, watch};
use crate::cli::TraceArgs;
use crate::cluster::live::{self, Connection};
use crate::cluster::{ClusterView, snapshot};
use crate::diagnose::{Case, Verdict, diagnose};
use crate::error::{Error, Exit};
use crate::observe::{Depth, Observations};
use crate::report::Format;
use crate::report::{self, PathReport};
use crate::target::Target;
use crate::target::{HttpAsked, Request};
use crate::terminal::Terminal;
use crate::world::World;

pub(super) fn run(
    args: &TraceArgs,
    terminal: Terminal,
    out: &mut dyn Write,
) -> Result<Exit, Error> {
    let ask = |request| Question::new(request, args.probe.launch.timeout);
    if let Some(path) = &args.view.snapshot {
        let namespace = args.view.kube.namespace.as_deref().unwrap_or("default");
        let request = question(args, namespace)?;
        let view = snapshot::load(path)?;
        let known = Known::of(vec![ask(request)], &view);
        return answer(&known, args.output, terminal, out);
    }
    let runtime = runtime()?;
    if let Some(rounds) = args.again.rounds() {
        return runtime.block_on(watch::run(args, rounds, terminal, out));
    }
    let mut file = args.pcap.as_deref().map(packets::create).transpose()?;
    let since = Instant::now();
    let (connection, request, view) = runtime.block_on(read(args))?;
    let mut known = Known::of(vec![ask(request)], &view);
    let depth = Depth::of(args.probe.no_probe, args.probe.deep);
    known.tap = TapWhen::of(&args.probe);
    known.capture = file.is_some();
    let probed = probe::run(&connection.client, depth, &args.probe.launch, &mut known);
    runtime.block_on(probed)?;
    if let (Some(file), Some(path)) = (&mut file, &args.pcap) {
        packets::write(file, path, &known.observations.taps)?;
    }
    known.context = connection.context;
    known.since = Some(since);
    answer(&known, args.output, terminal, out)
}

/// Asks the cluster for what the question needs.
async fn read(args: &TraceArgs) -> Result<(Connection, Request, ClusterView), Error> {
    let connection = live::connect(&args.view.kube).await?;
    let request = question(args, &connection.namespace)?;
    let view = live::read(&connection.client, &request).await?;
    Ok((connection, request, view))
}

/// Answers from what is known.
pub(super) fn answer(
    known: &Known<'_>,
    format: Format,
    terminal: Terminal,
    out: &mut dyn Write,
) -> Result<Exit, Error> {
    let [question] = known.questions.as_slice() else {
        return Ok(Exit::Fine);
    };
    let seen = known.seen_for(question);
    let mut report = examine(&known.world, &question.request, &seen)?;
    report.left.clone_from(&known.left);
    report.context.clone_from(&known.context);
    let elapsed = known.since.map(|since| since.elapsed().as_millis());
    report.elapsed_ms = elapsed.and_then(|elapsed| u64::try_from(elapsed).ok());
    report.at = Some(Timestamp::now().to_string());
    report::print(&report, format, terminal, out)?;
    Ok(match report.verdict {
        Verdict::Reachable => Exit::Fine,
        Verdict::Degraded | Verdict::Unreachable => Exit::Broken,
        Verdict::Undetermined => Exit::Undetermined,
    })
}

/// The pure part, from resolving to the report: the same for a live cluster, a snapshot and a test.
///
/// # Errors
/// When an end of the question cannot be found in the view.
pub fn examine(
    world: &World<'_>,
    request: &Request,
    observations: &Observations,
) -> Result<PathReport, Error> {
    let case = Case::of(world, request, observations)?;
    let mut report = report::build(&case, &diagnose(&case));
    report.measurements = report::measure(&case, observations);
    Ok(report)
}

/// What was typed, made into a question; `namespace` is where a name without one lives.
///
/// # Errors
/// When a target or the port makes no sense.
pub fn question(args: &TraceArgs, namespace: &str) -> Result<Request, Error> {
    let mut request = request(
        args.source.as_deref().unwrap_or_default(),
        args.destination.as_deref().unwrap_or_default(),
        namespace,
        args.to_namespace.as_deref(),
    )?;
    if let Some(port) = &args.port {
        request.destination = request.destination.with_port(port)?;
    }
    request.protocol = args.protocol;
    request.http = HttpAsked {
        method: args.http.method.clone(),
        path: args.http.path.clone(),
        headers: args.http.headers.clone(),
    };
    Ok(request)
}

/// What was typed, made into a question.
pub(super) fn request(
    source: &str,
    destination: &str,
    namespace: &str,
    to_namespace: Option<&str>,
) -> Result<Request, Error> {
    let source: Target = source.parse()?;
    let destination: Target = destination.parse()?;
    Ok(Request {
        source,
        destination,
        source_namespace: namespace.to_owned(),
        destination_namespace: to_namespace.unwrap_or(namespace).to_owned(),
        protocol: None,
        http: HttpAsked::default(),
    })
}
