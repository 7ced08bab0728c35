//! `kubectl netpath SRC DST`.

use std::io::Write;

use super::runtime;
use crate::cli::{Format, Terminal, TraceArgs};
use crate::cluster::{ClusterView, live, snapshot};
use crate::diagnose::{Case, Verdict, diagnose};
use crate::error::{Error, Exit};
use crate::path::walk;
use crate::report;
use crate::resolve::{Request, resolve};
use crate::target::Target;

pub(super) fn run(
    args: &TraceArgs,
    terminal: Terminal,
    out: &mut dyn Write,
) -> Result<Exit, Error> {
    let (request, view) = read(args)?;
    answer(&view, &request, args.output, terminal, out)
}

/// Answers a request from a view: the pure part, from resolving to the report.
pub(super) fn answer(
    view: &ClusterView,
    request: &Request,
    format: Format,
    terminal: Terminal,
    out: &mut dyn Write,
) -> Result<Exit, Error> {
    let flow = resolve(view, request)?;
    let walk = walk(view, &flow);
    let case = Case {
        view,
        flow: &flow,
        walk: &walk,
    };
    let report = report::build(case, &diagnose(case));
    report::print(&report, format, terminal, out)?;
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
        let request = typed(args, namespace)?;
        return Ok((request, snapshot::load(path)?));
    }
    runtime()?.block_on(async {
        let connection = live::connect(&args.view.kube).await?;
        let request = typed(args, &connection.namespace)?;
        let view = live::read(&connection.client, &request).await?;
        Ok((request, view))
    })
}

fn typed(args: &TraceArgs, namespace: &str) -> Result<Request, Error> {
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
    })
}
