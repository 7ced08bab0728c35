//! Probing: ask the real source pod, then find the hop.
//!
//! ```text
//!  Steps ─► run (async) ─► Observations + facts
//!            launch: ephemeral container · debug pod
//!            transport: upload over exec · image and log
//! ```
//!
//! Everything that is created carries one label and ends by itself; what Kubernetes cannot remove is
//! listed.

pub mod archive;
pub mod binary;
pub mod cleanup;
pub mod dataplane;
mod gate;
pub mod launch;
mod pods;
mod progress;
pub mod rights;
mod run;
pub mod transport;

pub use progress::{Plain, Progress, Quiet, Silent, Spinner};
pub use run::{Agrees, Answers, Session, Settings, Tidy};

/// The label everything carries that netpath creates.
pub const LABEL: (&str, &str) = ("app.kubernetes.io/managed-by", "kubectl-netpath");

/// The label that tells one run's pods from another's.
pub const RUN: &str = "netpath/run";
