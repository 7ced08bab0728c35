//! `kubectl netpath agent`: runs inside the cluster, and ends by itself whatever happens.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::thread;
use std::time::Duration;

use crate::agent::{self, Order};
use crate::cli::{AgentArgs, AgentCommand, AgentImageArgs};
use crate::error::{Error, Exit};
use crate::probe::binary::Binary;
use crate::probe::{ProbeError, archive};

/// How long a plan may take to arrive on standard input.
const ARRIVAL: Duration = Duration::from_secs(30);
/// How long after its deadline an agent may still wait for its reader.
const GRACE: Duration = Duration::from_millis(500);

pub(super) fn run(args: &AgentArgs, out: &mut dyn Write) -> Result<Exit, Error> {
    if let Some(AgentCommand::Image(args)) = &args.command {
        return image(args, out);
    }
    let order = match args.plan.as_deref() {
        Some("-") => {
            let arrived = end_after(ARRIVAL);
            let order = read(&mut std::io::stdin().lock())?;
            arrived.disarm();
            order
        }
        Some(text) => read(&mut text.as_bytes())?,
        None => return Err(bad("no plan was given")),
    };
    // Nothing else ends a write to a reader that went to sleep.
    let _armed = end_after(order.deadline + GRACE);
    // A reader that went away wants no more: the work is over, not failed.
    let _ = agent::run(order, out);
    Ok(Exit::Fine)
}

/// Writes the image, and says how it is used.
fn image(args: &AgentImageArgs, out: &mut dyn Write) -> Result<Exit, Error> {
    let binary = Binary::load(args.agent_binary.as_deref()).map_err(|error| match error {
        ProbeError::Binary { why, hint } => Error::usage(why, hint),
        other => Error::usage(other.to_string(), ""),
    })?;
    let written = File::create(&args.file)
        .map(BufWriter::new)
        .and_then(|mut file| {
            archive::write(&binary, &args.name, &mut file)?;
            file.flush()
        });
    written.map_err(|error| {
        let file = args.file.display();
        Error::usage(format!("cannot write {file}: {error}"), "")
    })?;
    let (name, file) = (&args.name, args.file.display());
    writeln!(
        out,
        "{name} (linux/{}) written to {file}; load it on the nodes, then probe with --agent-image {name}",
        binary.arch
    )?;
    Ok(Exit::Fine)
}

fn read(text: &mut dyn Read) -> Result<Order, Error> {
    Order::read(text).map_err(|message| bad(format!("the plan cannot be read: {message}")))
}

fn bad(message: impl Into<String>) -> Error {
    Error::usage(
        message,
        "the program starts its agent by itself; by hand, give a plan as JSON: --plan JSON, --plan - or NETPATH_PLAN",
    )
}

/// Ends the process after some time unless it is disarmed.
fn end_after(time: Duration) -> Fuse {
    let (sender, receiver) = std::sync::mpsc::channel();
    thread::spawn(move || {
        if receiver.recv_timeout(time) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            std::process::exit(0);
        }
    });
    Fuse(sender)
}

struct Fuse(std::sync::mpsc::Sender<()>);

// === impl Fuse ===

impl Fuse {
    fn disarm(self) {
        // The thread may have ended already.
        let _ = self.0.send(());
    }
}
