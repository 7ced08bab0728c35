//! `kubectl netpath cleanup`.

use std::io::Write;

use super::runtime;
use crate::cli::CleanupArgs;
use crate::cluster::live;
use crate::error::{Error, Exit};
use crate::probe::cleanup::{containers, delete, end, find};

/// Removes every pod that carries our label, and ends every container of ours that still idles: in the
/// namespace of `-n`, else in all of them.
pub(super) fn run(args: &CleanupArgs, out: &mut dyn Write) -> Result<Exit, Error> {
    runtime()?.block_on(async {
        let connection = live::connect(&args.kube).await?;
        let namespace = args.kube.namespace.as_deref();
        let refused = |error: kube::Error| {
            let place = namespace.map_or_else(
                || "all namespaces".to_owned(),
                |name| format!("namespace {name}"),
            );
            Error::usage(
                format!("cannot list pods in {place}: {error}"),
                "needs list pods there; -n NAMESPACE limits it to one",
            )
        };
        let found = find(&connection.client, namespace, None).await;
        let found = found.map_err(refused)?;
        let mut exit = Exit::Fine;
        for pod in &found {
            let name = format!("pod {}/{}", pod.namespace, pod.name);
            if args.dry_run {
                let state = if pod.is_running { "runs" } else { "has ended" };
                writeln!(out, "would remove {name}, which {state}")?;
                continue;
            }
            match delete(&connection.client, &pod.namespace, &pod.name).await {
                Ok(()) => writeln!(out, "removed {name}")?,
                Err(why) => {
                    writeln!(out, "could not remove {name}: {why}")?;
                    exit = Exit::Broken;
                }
            }
        }
        let stay = containers(&connection.client, namespace).await;
        let mut stay = stay.map_err(refused)?;
        if !args.dry_run && stay.iter().any(|own| own.is_running) {
            end(&connection.client, stay.iter().filter(|own| own.is_running)).await;
            stay = containers(&connection.client, namespace).await.unwrap_or(stay);
        }
        for own in &stay {
            let state = match (own.is_running, args.dry_run) {
                (false, _) => "it has ended",
                (true, true) => "it would be ended",
                (true, false) => "it ends by itself",
            };
            writeln!(
                out,
                "ephemeral container {} in pod {}/{} stays listed until the pod goes: Kubernetes cannot remove it; {state}",
                own.name, own.namespace, own.pod
            )?;
        }
        if found.is_empty() && stay.is_empty() {
            writeln!(out, "nothing was left behind")?;
        } else if found.is_empty() {
            writeln!(out, "nothing is left that could be removed")?;
        }
        Ok(exit)
    })
}
