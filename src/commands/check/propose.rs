//! `kubectl netpath check --write`: a suite from what holds now.

use std::io::Write;

use super::{Answered, answer, from_view, namespace};
use crate::cli::CheckArgs;
use crate::cluster::{live, snapshot};
use crate::commands::runtime;
use crate::error::{Error, Exit};
use crate::suite::propose::{candidates, proposal};

/// Asks about every pair of the namespace, and prints what was found as a suite.
pub(super) fn run(args: &CheckArgs, out: &mut dyn Write) -> Result<Exit, Error> {
    let ((reports, unread), namespace) = match &args.view.snapshot {
        Some(path) => {
            let (view, namespace) = (snapshot::load(path)?, namespace(args));
            let answered = from_view(&candidates(&view, namespace), &view, namespace, args);
            (answered, namespace.to_owned())
        }
        None => runtime()?.block_on(live(args))?,
    };
    if reports.is_empty() {
        return Err(Error::usage(
            format!("namespace {namespace} has no pair of a workload and a Service"),
            "name another one with -n",
        ));
    }
    for unread in &unread {
        eprintln!("warning: not read: {} ({})", unread.what, unread.why);
    }
    out.write_all(proposal(&reports, &namespace).as_bytes())?;
    Ok(Exit::Fine)
}

async fn live(args: &CheckArgs) -> Result<(Answered, String), Error> {
    let connection = live::connect(&args.view.kube).await?;
    let view = live::read_whole(&connection.client).await?;
    let suite = candidates(&view, &connection.namespace);
    let answered = answer(&suite, &connection, &view, args).await?;
    Ok((answered, connection.namespace))
}
