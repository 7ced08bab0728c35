//! The shell around the pure core: one file per command, each in running order.

// Everything waits on one thread.
#![allow(clippy::future_not_send)]

mod agent;
mod capture;
mod check;
mod cleanup;
mod complete;
mod demo;
mod explain;
mod interrupt;
mod known;
mod matrix;
mod packets;
mod policy;
mod probe;
mod rules;
mod sweep;
mod trace;
mod watch;

use std::io::Write;

use crate::cli::{Cli, Command, ViewArgs};
use crate::cluster::{ClusterView, live, snapshot};
use crate::error::{Error, Exit};
use crate::log;
use crate::observe::Depth;
use crate::probe::rights::{Subjects, Wanted, roles};
use crate::report;
use crate::terminal::Terminal;

pub use trace::{examine, question};

/// Does what the command line asks for; the report goes to `out`.
///
/// # Errors
/// When the request makes no sense, or what it needs cannot be read.
pub fn run(cli: Cli, out: &mut dyn Write) -> Result<Exit, Error> {
    log::init(cli.verbose);
    let terminal = Terminal::detect(cli.color);
    match cli.command {
        None => trace::run(&cli.trace, terminal, out),
        Some(Command::Snapshot(args)) => capture::run(&args, out),
        Some(Command::Demo(args)) => demo::run(&args, terminal, out),
        Some(Command::Check(args)) => check::run(&args, terminal, out),
        Some(Command::Sweep(args)) => sweep::run(&args, terminal, out),
        Some(Command::Explain(args)) => explain::run(&args, terminal, out),
        Some(Command::Policy(args)) => policy::run(&args, terminal, out),
        Some(Command::Matrix(args)) => matrix::run(&args, terminal, out),
        Some(Command::Rules(args)) => rules::run(&args, terminal, out),
        Some(Command::Cleanup(args)) => cleanup::run(&args, out),
        Some(Command::Rbac(args)) => {
            let wanted = Wanted {
                // What is created for either differs by its pods, not by rights in the API.
                depth: Depth::of(args.no_probe, args.deep || args.tap),
                namespace: args.namespace.as_deref(),
                debug_namespace: &args.debug_namespace,
                with_twins: args.allow_twin,
            };
            let subjects = Subjects {
                users: &args.user,
                accounts: &args.serviceaccount,
            };
            for (position, object) in roles(wanted, subjects).iter().enumerate() {
                if position > 0 {
                    writeln!(out, "---")?;
                }
                report::json::print_yaml(object, out)?;
            }
            Ok(Exit::Fine)
        }
        Some(Command::Schema { of }) => {
            out.write_all(of.text().as_bytes())?;
            Ok(Exit::Fine)
        }
        Some(Command::Help { command }) => {
            let text = crate::cli::help(command.as_deref()).ok_or_else(|| {
                let name = command.unwrap_or_default();
                let hint = "list the commands with: kubectl netpath help";
                Error::usage(format!("there is no command {name:?}"), hint)
            })?;
            out.write_all(text.as_bytes())?;
            Ok(Exit::Fine)
        }
        Some(Command::Version) => {
            writeln!(
                out,
                "{} {}",
                report::Tool::OWN.name,
                report::Tool::OWN.version
            )?;
            Ok(Exit::Fine)
        }
        Some(Command::Agent(args)) => agent::run(&args, out),
        Some(Command::Complete(args)) => complete::run(&args, out),
        Some(Command::Completion { shell }) => {
            crate::cli::completion(shell, out);
            Ok(Exit::Fine)
        }
    }
}

/// A view of everything: the snapshot, or the whole cluster.
fn whole(args: &ViewArgs) -> Result<ClusterView, Error> {
    whole_and_namespace(args).map(|(view, _)| view)
}

/// The same, with the namespace where names without one live.
fn whole_and_namespace(args: &ViewArgs) -> Result<(ClusterView, String), Error> {
    if let Some(path) = &args.snapshot {
        let namespace = args.kube.namespace.as_deref().unwrap_or("default");
        return Ok((snapshot::load(path)?, namespace.to_owned()));
    }
    runtime()?.block_on(async {
        let connection = live::connect(&args.kube).await?;
        let view = live::read_whole(&connection.client).await?;
        Ok((view, connection.namespace))
    })
}

/// The runtime of the two edges that wait for a network. What is spawned there goes on while the caller thinks.
/// Whoever probes keeps it until the report is printed: with it goes the hearing of signals.
fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    Ok(builder.worker_threads(1).enable_all().build()?)
}
