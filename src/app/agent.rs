//! `kubectl netpath agent`: runs inside the cluster, and ends by itself whatever happens.

use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

use crate::agent::{self, Order};
use crate::cli::AgentArgs;
use crate::error::{Error, Exit};

/// How long a plan may take to arrive on standard input.
const ARRIVAL: Duration = Duration::from_secs(30);
/// How long after its deadline an agent may still wait for its reader.
const GRACE: Duration = Duration::from_millis(500);

pub(super) fn run(args: &AgentArgs, out: &mut dyn Write) -> Result<Exit, Error> {
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
