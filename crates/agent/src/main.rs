//! `netpath-agent --plan JSON | --plan -`, or the plan in `NETPATH_PLAN`: answers it, and ends by itself
//! whatever happens.

use std::io::{Read, Write, stdin, stdout};
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use netpath_agent::Order;

/// How long a plan may take to arrive on standard input.
const ARRIVAL: Duration = Duration::from_secs(30);
/// How long after its deadline an agent may still wait for its reader.
const GRACE: Duration = Duration::from_millis(500);

const USAGE: &str = "netpath-agent --plan JSON, --plan - for standard input, or the plan in NETPATH_PLAN; \
                     kubectl netpath starts it by itself";

fn main() -> ExitCode {
    match order() {
        Ok(order) => {
            // Nothing else ends a write to a reader that went to sleep.
            let _armed = Fuse::lit(order.deadline + GRACE);
            // A reader that went away wants no more: the work is over, not failed.
            let _ = netpath_agent::run(order, &mut stdout().lock());
            ExitCode::SUCCESS
        }
        Err(why) => {
            let _ = writeln!(std::io::stderr(), "error: {why}\nhint: {USAGE}");
            ExitCode::from(2)
        }
    }
}

fn order() -> Result<Order, String> {
    let mut words = std::env::args().skip(1);
    let plan = match words.next().as_deref() {
        Some("--plan") => words.next(),
        Some(other) => return Err(format!("unknown argument {other:?}")),
        None => std::env::var("NETPATH_PLAN").ok(),
    };
    match plan.as_deref() {
        Some("-") => {
            let arrived = Fuse::lit(ARRIVAL);
            let order = read(&mut stdin().lock())?;
            arrived.put_out();
            Ok(order)
        }
        Some(text) => read(&mut text.as_bytes()),
        None => Err("no plan was given".to_owned()),
    }
}

fn read(text: &mut dyn Read) -> Result<Order, String> {
    Order::read(text).map_err(|why| format!("the plan cannot be read: {why}"))
}

/// Ends the process after some time, unless it is put out or dropped.
struct Fuse(mpsc::Sender<()>);

// === impl Fuse ===

impl Fuse {
    fn lit(time: Duration) -> Self {
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            if receiver.recv_timeout(time) == Err(mpsc::RecvTimeoutError::Timeout) {
                std::process::exit(0);
            }
        });
        Self(sender)
    }

    fn put_out(self) {
        // The thread may have ended already.
        let _ = self.0.send(());
    }
}
