//! The shell around the pure core, in running order.

use std::io::Write;

use crate::cli::{Cli, ViewArgs};
use crate::cluster::{ClusterView, snapshot};
use crate::error::{Error, Exit};

/// Does what the command line asks for; the report goes to `out`.
///
/// # Errors
/// When the request makes no sense, or what it needs cannot be read.
pub fn run(cli: Cli, out: &mut dyn Write) -> Result<Exit, Error> {
    match cli.command {
        None => {
            let view = view(&cli.trace.view)?;
            writeln!(out, "{} pods", view.pods.len())?;
            Ok(Exit::Fine)
        }
        Some(command) => match command {},
    }
}

/// Reads the view that the arguments name.
fn view(args: &ViewArgs) -> Result<ClusterView, Error> {
    match &args.snapshot {
        Some(path) => Ok(snapshot::load(path)?),
        None => Err(Error::usage("no cluster", "use --snapshot PATH")),
    }
}
