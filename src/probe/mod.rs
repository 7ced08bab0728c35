//! Probing: ask the real source pod, then find the hop.
//!
//! ```text
//!  Case + Observations ─► plan (pure) ─► Steps ─► run (async) ─► Observations + facts ─► plan …
//!                                                  launch: ephemeral container · debug pod
//!                                                  transport: upload over exec · image and log
//! ```
//!
//! Everything that is created carries one label and ends by itself; what Kubernetes cannot remove is
//! listed.

pub mod archive;
pub mod binary;
pub mod cleanup;
pub mod launch;
mod observations;
mod plan;
mod pods;
mod progress;
pub mod protocol;
pub mod rights;
mod run;
mod speech;
pub mod transport;
mod vantage;

pub use observations::{Attempts, Observations, Seen, time};
pub(crate) use plan::service_address;
pub use plan::{Depth, Step, plan};
pub use progress::{Plain, Progress, Silent, Spinner};
pub use run::{Answers, Session, Settings};
pub use vantage::Vantage;

/// The label everything carries that netpath creates.
pub const LABEL: (&str, &str) = ("app.kubernetes.io/managed-by", "kubectl-netpath");

/// The label that tells one run's pods from another's.
pub const RUN: &str = "netpath/run";

/// Why a probe could not be made. Never an answer about the path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// The API server said no: rights, admission, quota, a pod that takes no such container.
    #[error("{what}: {why}")]
    Refused {
        what: String,
        why: String,
        /// The grant or step that would help.
        grant: String,
    },
    /// The container was accepted and does not start.
    #[error("{what} does not start: {why}")]
    NotStarted { what: String, why: String },
    /// The agent could not be brought there, or did not answer.
    #[error("{what}: {why}")]
    Transport { what: String, why: String },
    /// The program itself cannot be used as the agent there.
    #[error("{why}")]
    Binary { why: String, hint: String },
}

// === impl ProbeError ===

impl ProbeError {
    /// The same, and why the second best way did not work either.
    #[must_use]
    pub fn and(self, second: &Self) -> Self {
        match self {
            Self::Refused { what, why, grant } => Self::Refused {
                what,
                why: format!("{why}; {second}"),
                grant,
            },
            other => other,
        }
    }
}
