//! Why a command could not do its work.

use std::process::ExitCode;

use crate::cluster::live::LiveError;
use crate::cluster::snapshot::SnapshotError;
use crate::policy::Unaskable;
use crate::resolve::Unresolved;
use crate::target::BadTarget;

pub use crate::exit::Exit;

/// What ends a command early: wrong usage, or a cluster or file that could not be asked. Exit code 2,
/// but 130 when interrupted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request itself makes no sense.
    #[error("{message}")]
    Usage {
        message: String,
        /// The way out.
        hint: String,
    },
    #[error(transparent)]
    Target(#[from] BadTarget),
    #[error(transparent)]
    Unresolved(#[from] Unresolved),
    #[error(transparent)]
    Unaskable(#[from] Unaskable),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Live(#[from] LiveError),
    #[error("interrupted")]
    Interrupted,
    #[error("cannot write the report: {0}")]
    Output(#[from] std::io::Error),
}

// === impl Error ===

impl Error {
    /// The exit code after an interrupt: 128 and the number of SIGINT, as shells have it.
    pub const INTERRUPTED: u8 = 130;

    /// Wrong usage with the way out.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage {
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Usage { hint, .. } => Some(hint.as_str()),
            Self::Target(bad) => Some(bad.hint.as_str()),
            Self::Live(error) => Some(error.hint()),
            Self::Unresolved(unresolved) => Some(unresolved.hint.as_str()),
            Self::Unaskable(unaskable) => Some(unaskable.hint.as_str()),
            _ => None,
        }
        .filter(|hint| !hint.is_empty())
    }

    /// Whether the reader of our output went away, which is no error of ours (`netpath … | head`).
    #[must_use]
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe)
    }

    /// The exit code of this error.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            _ if self.is_broken_pipe() => ExitCode::SUCCESS,
            Self::Interrupted => ExitCode::from(Self::INTERRUPTED),
            _ => ExitCode::from(2),
        }
    }
}
