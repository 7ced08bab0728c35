//! `kubectl netpath check SUITE.yaml`: one view is read, and every path is walked in it.

use std::io::{Read, Write};
use std::path::Path;

use super::{trace, whole_and_namespace};
use crate::cli::CheckArgs;
use crate::error::{Error, Exit};
use crate::observe::Observations;
use crate::report::PathReport;
use crate::suite::report::{self, CheckReport, SuiteReport};
use crate::suite::{Check, Suite, Tally};
use crate::terminal::Terminal;
use crate::world::World;

pub(super) fn run(
    args: &CheckArgs,
    terminal: Terminal,
    out: &mut dyn Write,
) -> Result<Exit, Error> {
    let suite = read(args)?;
    let (view, namespace) = whole_and_namespace(&args.view)?;
    let world = World::of(&view);
    let checks: Vec<CheckReport> = suite
        .checks
        .iter()
        .map(|check| CheckReport::new(check, walk(check, &world, &namespace)))
        .collect();
    let tally = Tally::of(checks.iter().map(|check| check.outcome));
    let report = SuiteReport {
        api_version: "netpath/v1",
        kind: "SuiteReport",
        name: suite.name,
        tally,
        checks,
        unread: view.unread.clone(),
    };
    report::print(&report, args.output, terminal, out)?;
    Ok(tally.exit())
}

fn read(args: &CheckArgs) -> Result<Suite, Error> {
    let from_stdin = args.suite == Path::new("-");
    if from_stdin && args.view.snapshot.as_deref() == Some(args.suite.as_path()) {
        return Err(Error::usage(
            "standard input cannot be both the snapshot and the suite",
            "give one of them as a file",
        ));
    }
    let name = args.suite.display().to_string();
    let text = if from_stdin {
        let mut text = String::new();
        let read = std::io::stdin().lock().read_to_string(&mut text);
        read.map(|_| text)
    } else {
        std::fs::read_to_string(&args.suite)
    };
    let text = text.map_err(|error| Error::usage(format!("cannot read {name}: {error}"), ""))?;
    Suite::read(&text, &name).map_err(|bad| Error::usage(bad.message, bad.hint))
}

/// Walks one path; `namespace` is where names live that neither the check nor the suite places.
fn walk(check: &Check, world: &World<'_>, namespace: &str) -> Result<PathReport, String> {
    let namespace = check.namespace.as_deref().unwrap_or(namespace);
    let asked = trace::request(
        &check.source,
        &check.destination,
        namespace,
        check.to_namespace.as_deref(),
    );
    let answer = asked.and_then(|mut request| {
        if let Some(port) = &check.port {
            request.destination = request.destination.with_port(port)?;
        }
        request.protocol = check.protocol;
        trace::examine(world, &request, &Observations::default())
    });
    answer.map_err(|error| match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    })
}
