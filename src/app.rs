//! The shell around the pure core, in running order.

use std::io::Write;

use crate::cli::{Cli, Command, Terminal, TraceArgs};
use crate::cluster::{ClusterView, live, snapshot};
use crate::diagnose::{Case, Verdict, diagnose};
use crate::error::{Error, Exit};
use crate::path::walk;
use crate::report;
use crate::resolve::{Request, resolve};
use crate::target::Target;

/// Does what the command line asks for; the report goes to `out`.
///
/// # Errors
/// When the request makes no sense, or what it needs cannot be read.
pub fn run(cli: Cli, out: &mut dyn Write) -> Result<Exit, Error> {
    let terminal = Terminal::detect(cli.color);
    match cli.command {
        None => trace(&cli.trace, terminal, out),
        Some(Command::Rules(args)) => crate::rules::run(&args, terminal, out),
    }
}

/// `kubectl netpath SRC DST`.
fn trace(args: &TraceArgs, terminal: Terminal, out: &mut dyn Write) -> Result<Exit, Error> {
    let (request, view) = read(args)?;
    let flow = resolve(&view, &request)?;
    let walk = walk(&view, &flow);
    let case = Case {
        view: &view,
        flow: &flow,
        walk: &walk,
    };
    let diagnosis = diagnose(case);
    let report = report::build(case, &diagnosis);
    report::print(&report, args.output, terminal, out)?;
    Ok(match report.verdict {
        Verdict::Reachable => Exit::Fine,
        Verdict::Degraded | Verdict::Unreachable => Exit::Broken,
        Verdict::Undetermined => Exit::Undetermined,
    })
}

/// The question, and the view that answers it.
fn read(args: &TraceArgs) -> Result<(Request, ClusterView), Error> {
    if let Some(path) = &args.view.snapshot {
        let namespace = args.view.kube.namespace.as_deref().unwrap_or("default");
        let request = request(args, namespace)?;
        return Ok((request, snapshot::load(path)?));
    }
    runtime()?.block_on(async {
        let connection = live::connect(&args.view.kube).await?;
        let request = request(args, &connection.namespace)?;
        let view = live::read(&connection.client, &request).await?;
        Ok((request, view))
    })
}

fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    Ok(builder.worker_threads(2).enable_all().build()?)
}

/// What was typed, made into a question.
fn request(args: &TraceArgs, namespace: &str) -> Result<Request, Error> {
    let source: Target = args.source.as_deref().unwrap_or_default().parse()?;
    let mut destination: Target = args.destination.as_deref().unwrap_or_default().parse()?;
    if let Some(port) = &args.port {
        destination = destination.with_port(port)?;
    }
    let elsewhere = args.to_namespace.as_deref().unwrap_or(namespace);
    Ok(Request {
        source,
        destination,
        source_namespace: namespace.to_owned(),
        destination_namespace: elsewhere.to_owned(),
        protocol: args.protocol,
    })
}
