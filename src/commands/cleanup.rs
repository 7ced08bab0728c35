//! `kubectl netpath cleanup`.

use std::io::{IsTerminal, Write};

use kube::Client;

use super::probe::is_confirmed;
use super::runtime;
use crate::cli::CleanupArgs;
use crate::cluster::live;
use crate::error::{Error, Exit};
use crate::probe::cleanup::{Leftover, containers, delete, end, find};
use crate::visible::field;

/// Lists every pod that netpath made and every container of ours that still idles, in the namespace of `-n`
/// or else in all of them; then removes and ends them, if that is agreed to.
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
        let stay = containers(&connection.client, namespace).await;
        let mut stay = stay.map_err(refused)?;
        for pod in &found {
            let state = if pod.is_running { "runs" } else { "has ended" };
            let (namespace, name) = (&pod.namespace, &pod.name);
            writeln!(out, "would remove pod {namespace}/{name}, which {state}")?;
        }
        let is_idle = found.is_empty() && !stay.iter().any(|own| own.is_running);
        let mut exit = Exit::Fine;
        if !args.dry_run && !is_idle {
            if !args.yes {
                is_agreed(out).await?;
            }
            exit = remove(&connection.client, &found, out).await?;
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

async fn remove(client: &Client, found: &[Leftover], out: &mut dyn Write) -> Result<Exit, Error> {
    let mut exit = Exit::Fine;
    for pod in found {
        let name = format!("pod {}/{}", pod.namespace, pod.name);
        match delete(client, pod).await {
            Ok(()) => writeln!(out, "removed {name}")?,
            Err(why) => {
                writeln!(out, "could not remove {name}: {}", field(&why))?;
                exit = Exit::Broken;
            }
        }
    }
    Ok(exit)
}

/// Asks whether what was listed is to go.
///
/// # Errors
/// When it is not, or nobody can be asked.
async fn is_agreed(out: &mut dyn Write) -> Result<(), Error> {
    if !std::io::stdin().is_terminal() {
        let hint = "look at the list, then use --yes";
        return Err(Error::usage(
            "nothing was removed: nobody can be asked",
            hint,
        ));
    }
    out.flush()?;
    if is_confirmed("Remove these?").await {
        return Ok(());
    }
    Err(Error::usage("nothing was removed", ""))
}
