//! Somebody wants us to end: signals where there are any, Ctrl-C everywhere.

/// Interrupts, heard from the moment this is made.
pub(super) struct Interrupts(Heard);

// === impl Interrupts ===

impl Interrupts {
    pub(super) fn new() -> Self {
        Self(Heard::new())
    }

    /// Resolves on the next of them.
    pub(super) async fn next(&mut self) {
        self.0.next().await;
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
