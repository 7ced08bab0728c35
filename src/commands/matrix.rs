//! `kubectl netpath matrix`.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use super::whole_and_namespace;
use crate::cli::MatrixArgs;
use crate::cluster::{ClusterView, snapshot};
use crate::error::{Error, Exit};
use crate::policy::matrix::diff;
use crate::policy::{Policies, UnitMatrix};
use crate::report::Gaps;
use crate::report::matrix::MatrixFormat;
use crate::report::matrix::{DiffReport, MatrixReport, print, print_difference};
use crate::terminal::Terminal;
use crate::world::World;

pub(super) fn run(
    args: &MatrixArgs,
    terminal: Terminal,
    out: &mut dyn Write,
) -> Result<Exit, Error> {
    let (view, namespace) = whole_and_namespace(&args.view)?;
    let namespace = (!args.all_namespaces).then_some(namespace);
    let world = World::of(&view);
    let policies = world.policies();
    if let Some(other) = &args.diff {
        return difference(args, other, (&view, policies), namespace, terminal, out);
    }
    let matrix = UnitMatrix::new(&view, policies);
    if let Some(namespace) = &namespace {
        has_workloads(&matrix, namespace)?;
    }
    let gaps = Gaps::of(&view, policies, |unread| unread.resource.is_some());
    let report = MatrixReport {
        matrix,
        policies,
        namespace,
        port: args.port.map(|port| (args.protocol, port)),
        gaps,
    };
    print(&report, args.output, terminal, out)?;
    Ok(Exit::Fine)
}

/// An empty namespace is more often a forgotten `-n` or `-A` than a question.
fn has_workloads(matrix: &UnitMatrix, namespace: &str) -> Result<(), Error> {
    const NAMED: usize = 8;
    let units = matrix.units.iter().filter(|unit| !unit.is_outside());
    let names: BTreeSet<&str> = units.map(|unit| unit.object.namespace.as_str()).collect();
    if names.contains(namespace) {
        return Ok(());
    }
    let hint = if names.is_empty() {
        "there are no workloads in any namespace".to_owned()
    } else {
        let shown: Vec<&str> = names.iter().copied().take(NAMED).collect();
        let more = if names.len() > NAMED { ", …" } else { "" };
        format!(
            "use -A for all namespaces, or -n with one of {}{more}",
            shown.join(", ")
        )
    };
    Err(Error::usage(
        format!("there is no workload in namespace {namespace}"),
        hint,
    ))
}

/// What opens and closes from here to another snapshot, as `kubectl diff` would tell it.
fn difference(
    args: &MatrixArgs,
    other: &Path,
    (view, policies): (&ClusterView, &Policies),
    namespace: Option<String>,
    terminal: Terminal,
    out: &mut dyn Write,
) -> Result<Exit, Error> {
    if matches!(args.output, MatrixFormat::Mermaid | MatrixFormat::Svg) {
        return Err(Error::usage(
            "a difference has no picture",
            "use -o text, json or csv with --diff",
        ));
    }
    let after_view = snapshot::load(other)?;
    let after = World::of(&after_view);
    let after_policies = after.policies();
    let matrix = UnitMatrix::beside(view, policies, after_policies);
    let after_matrix = UnitMatrix::beside(&after_view, after_policies, policies);
    let found = diff::difference(
        &diff::Side {
            view,
            policies,
            matrix: &matrix,
        },
        &diff::Side {
            view: &after_view,
            policies: after_policies,
            matrix: &after_matrix,
        },
    );
    let before = args.view.snapshot.as_deref().map_or_else(
        || "the cluster".to_owned(),
        |path| path.display().to_string(),
    );
    let report = DiffReport::new(before, other.display().to_string(), namespace, found);
    print_difference(&report, args.output, terminal, out)?;
    Ok(if report.difference.pairs.is_empty() {
        Exit::Fine
    } else {
        Exit::Broken
    })
}
