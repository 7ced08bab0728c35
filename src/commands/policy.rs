//! `kubectl netpath policy`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use super::{trace, whole};
use crate::cli::PolicyArgs;
use crate::cluster::{ClusterView, live, snapshot};
use crate::error::{Error, Exit};
use crate::policy::{Bulk, PolicyVerdict, ask};
use crate::report;
use crate::resolve::resolve;
use crate::target::Request;
use crate::terminal::Terminal;
use crate::world::World;

pub(super) fn run(
    args: &PolicyArgs,
    terminal: Terminal,
    out: &mut dyn Write,
) -> Result<Exit, Error> {
    if let Some(queries) = &args.queries {
        return bulk(args, queries, out);
    }
    let (request, view) = read(args)?;
    let flow = resolve(&view, &request)?;
    let world = World::of(&view);
    let policies = world.policies();
    let asked = ask(&view, policies, world.ends(), &flow)?;
    let report = report::policy::build(&world, &flow, &asked);
    report::policy::print(&report, args.output, terminal, out)?;
    Ok(match report.verdict {
        PolicyVerdict::Allow => Exit::Fine,
        PolicyVerdict::Deny => Exit::Broken,
        PolicyVerdict::Unknown => Exit::Undetermined,
    })
}

fn read(args: &PolicyArgs) -> Result<(Request, ClusterView), Error> {
    if let Some(path) = &args.view.snapshot {
        let namespace = args.view.kube.namespace.as_deref().unwrap_or("default");
        return Ok((typed(args, namespace)?, snapshot::load(path)?));
    }
    super::runtime()?.block_on(async {
        let connection = live::connect(&args.view.kube).await?;
        let request = typed(args, &connection.namespace)?;
        let view = live::read(&connection.client, &request).await?;
        Ok((request, view))
    })
}

fn typed(args: &PolicyArgs, namespace: &str) -> Result<Request, Error> {
    let mut request = trace::request(
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

/// One answer for each line that is not blank, in order.
fn bulk(args: &PolicyArgs, queries: &Path, out: &mut dyn Write) -> Result<Exit, Error> {
    let from_stdin = queries == Path::new("-");
    if from_stdin && args.view.snapshot.as_deref() == Some(queries) {
        return Err(Error::usage(
            "standard input cannot be both the snapshot and the questions",
            "give one of them as a file",
        ));
    }
    let lines: Box<dyn BufRead> = if from_stdin {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(queries).map_err(|error| {
            Error::usage(format!("cannot read {}: {error}", queries.display()), "")
        })?;
        Box::new(BufReader::new(file))
    };
    let view = whole(&args.view)?;
    let world = World::of(&view);
    let mut bulk = Bulk::new(world.policies(), world.ends());
    for problem in world.policies().problems() {
        let field = if problem.field.is_empty() { "" } else { " " };
        eprintln!(
            "warning: {}{field}{}: {}",
            problem.policy, problem.field, problem.why
        );
    }
    let mut out = BufWriter::new(out);
    let mut exit = Exit::Fine;
    for line in lines.split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        if line.trim().is_empty() {
            continue;
        }
        let answer = bulk.answer(&line);
        if answer.error {
            exit = Exit::Undetermined;
        }
        report::json::print_line(&answer, &mut out)?;
        if from_stdin {
            // Somebody may wait for this answer before asking the next question.
            out.flush()?;
        }
    }
    out.flush()?;
    Ok(exit)
}
