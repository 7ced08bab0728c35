//! Somebody wants us to end: signals where there are any, Ctrl-C everywhere.
//!
//! ```text
//!  main thread   waits for answers ─► takes the interrupt, tidies up, reports
//!                thinks            ─► takes nothing
//!  worker        hears a signal ─► whoever did not take it thinks: tidies up in its place, ends the program
//! ```
//!
//! Thinking cannot be broken off, and may take long.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use crate::error::Error;
use crate::probe::{Progress, Tidy};
use crate::visible::say;

/// Who waits takes an interrupt at once; who has not by then thinks.
const GRACE: Duration = Duration::from_millis(300);

/// Interrupts, heard from the moment this is made.
pub(super) struct Interrupts {
    /// How many there were.
    heard: watch::Receiver<u32>,
    /// How many of them somebody acts on.
    taken: Arc<AtomicU32>,
}

// === impl Interrupts ===

impl Interrupts {
    /// Hears on the runtime, until it ends.
    pub(super) fn new() -> Self {
        let mut signals = Heard::new();
        let (told, heard) = watch::channel(0);
        tokio::spawn(async move {
            loop {
                signals.next().await;
                told.send_modify(|count| *count += 1);
            }
        });
        Self {
            heard,
            taken: Arc::default(),
        }
    }

    /// Resolves on the next of them, for somebody who acts on it.
    pub(super) async fn next(&mut self) {
        if self.heard.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        let count = *self.heard.borrow_and_update();
        self.taken.store(count, Ordering::Relaxed);
    }

    /// From now on an interrupt that nobody takes ends the program, after tidying up; a second one does at
    /// once.
    pub(super) fn guard(&self, tidy: Arc<Tidy>, progress: Arc<dyn Progress + Send>) {
        let (mut heard, taken) = (self.heard.clone(), Arc::clone(&self.taken));
        tokio::spawn(async move {
            let count = loop {
                if heard.changed().await.is_err() {
                    return;
                }
                let count = *heard.borrow_and_update();
                sleep(GRACE).await;
                if taken.load(Ordering::Relaxed) < count {
                    break count;
                }
            };
            progress.doing("tidying up");
            let left = tokio::select! {
                left = tidy.up(), if count == 1 => left,
                _ = heard.changed(), if count == 1 => tidy.unfinished(),
                else => tidy.unfinished(),
            };
            for (what, why) in left {
                progress.say(&format!("left: {what} ({why})"));
            }
            progress.finish();
            say(format_args!("error: {}", Error::Interrupted));
            std::process::exit(Error::INTERRUPTED.into());
        });
    }
}

#[cfg(not(unix))]
use other::Heard;
#[cfg(unix)]
use unix::Heard;

#[cfg(unix)]
mod unix {
    use futures::future::select_all;
    use tokio::signal::unix::{Signal, SignalKind, signal};

    /// INT and TERM; HUP, which a lost terminal sends; QUIT.
    pub(super) struct Heard(Vec<Signal>);

    impl Heard {
        pub(super) fn new() -> Self {
            let kinds = [
                SignalKind::interrupt(),
                SignalKind::terminate(),
                SignalKind::hangup(),
                SignalKind::quit(),
            ];
            Self(
                kinds
                    .into_iter()
                    .filter_map(|kind| signal(kind).ok())
                    .collect(),
            )
        }

        pub(super) async fn next(&mut self) {
            if self.0.is_empty() {
                std::future::pending::<()>().await;
            }
            let signals = self.0.iter_mut();
            select_all(signals.map(|signal| Box::pin(signal.recv()))).await;
        }
    }
}

#[cfg(not(unix))]
mod other {
    pub(super) struct Heard;

    impl Heard {
        pub(super) const fn new() -> Self {
            Self
        }

        pub(super) async fn next(&mut self) {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
