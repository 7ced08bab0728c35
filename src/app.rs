//! The shell around the pure core, in running order.

use std::io::Write;

use crate::cli::{Cli, Terminal, TraceArgs, ViewArgs};
use crate::cluster::{ClusterView, snapshot};
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
        Some(command) => match command {},
    }
}

/// `kubectl netpath SRC DST`.
fn trace(args: &TraceArgs, terminal: Terminal, out: &mut dyn Write) -> Result<Exit, Error> {
    let request = request(args)?;
    let view = view(&args.view)?;
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

/// What was typed, made into a question.
fn request(args: &TraceArgs) -> Result<Request, Error> {
    let source: Target = args.source.as_deref().unwrap_or_default().parse()?;
    let mut destination: Target = args.destination.as_deref().unwrap_or_default().parse()?;
    if let Some(port) = &args.port {
        destination = destination.with_port(port)?;
    }
    let namespace = args
        .view
        .kube
        .namespace
        .clone()
        .unwrap_or_else(|| "default".to_owned());
    Ok(Request {
        source,
        destination,
        destination_namespace: args
            .to_namespace
            .clone()
            .unwrap_or_else(|| namespace.clone()),
        source_namespace: namespace,
        protocol: args.protocol,
    })
}

/// Reads the view that the arguments name.
fn view(args: &ViewArgs) -> Result<ClusterView, Error> {
    match &args.snapshot {
        Some(path) => Ok(snapshot::load(path)?),
        None => Err(Error::usage("no cluster", "use --snapshot PATH")),
    }
}
