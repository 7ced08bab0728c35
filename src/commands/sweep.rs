//! `kubectl netpath sweep`.

use std::io::Write;

use super::whole_and_namespace;
use crate::cli::SweepArgs;
use crate::error::{Error, Exit};
use crate::report::sweep::{SweepReport, print};
use crate::sweep::{Sweep, sweep};
use crate::terminal::Terminal;
use crate::world::World;

pub(super) fn run(
    args: &SweepArgs,
    terminal: Terminal,
    out: &mut dyn Write,
) -> Result<Exit, Error> {
    let (view, namespace) = whole_and_namespace(&args.view)?;
    let namespace = (!args.all_namespaces).then_some(namespace);
    let world = World::of(&view);
    let found = sweep(&world, namespace.as_deref());
    has_something(&found, namespace.as_deref())?;
    let unread = world.unread().cloned().collect();
    let report = SweepReport::new(&found, namespace, unread, &again(args));
    print(&report, args.output, terminal, out)?;
    Ok(report.exit())
}

/// The flags with which the commands that are proposed ask the same cluster.
fn again(args: &SweepArgs) -> Vec<String> {
    let snapshot = args.view.snapshot.as_ref();
    let snapshot = snapshot.map(|path| ["--snapshot".to_owned(), path.display().to_string()]);
    let context = args.view.kube.context.as_ref();
    let context = context.map(|name| ["--context".to_owned(), name.clone()]);
    snapshot.into_iter().chain(context).flatten().collect()
}

/// An empty namespace is more often a forgotten `-n` or `-A` than a question.
fn has_something(found: &Sweep, namespace: Option<&str>) -> Result<(), Error> {
    if found.services + found.doors > 0 {
        return Ok(());
    }
    let (place, hint) = match namespace {
        Some(namespace) => (
            format!("namespace {namespace}"),
            "use -A for all namespaces, or -n with another one",
        ),
        None => ("any namespace".to_owned(), ""),
    };
    Err(Error::usage(
        format!("there is no Service, Ingress, Gateway or route in {place}"),
        hint,
    ))
}
