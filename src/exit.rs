//! How a command ends.

use std::process::ExitCode;

/// How a command ended (a contract: scripts rely on the numbers).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Reachable, or the work was done.
    Fine,
    /// Unreachable or Degraded.
    Broken,
    /// What was asked could not be read or understood, and could change the answer.
    Undetermined,
    /// Part of what was asked makes no sense, or could not be asked.
    NotAsked,
}

// === impl Exit ===

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Fine => 0,
            Exit::Broken => 1,
            Exit::NotAsked => 2,
            Exit::Undetermined => 3,
        })
    }
}
