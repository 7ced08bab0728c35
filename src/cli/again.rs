//! Flags for asking again and again.

use std::num::NonZeroU32;
use std::time::Duration;

use clap::Args;

use crate::duration::duration;

/// The time between two rounds, unless `--interval` says otherwise.
const INTERVAL: Duration = Duration::from_secs(2);

/// How often to ask.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Watching")]
pub struct AgainArgs {
    /// Ask again and again, print only what changes, and a summary on Ctrl-C.
    #[arg(long, group = "again", conflicts_with = "snapshot")]
    pub watch: bool,
    /// The same, but end after so many rounds; exits with the worst answer.
    #[arg(long, group = "again", conflicts_with = "snapshot", value_name = "N")]
    pub count: Option<NonZeroU32>,
    /// Time between two rounds (2s by default).
    #[arg(long, requires = "again", value_name = "TIME", value_parser = duration)]
    pub interval: Option<Duration>,
}

// === impl AgainArgs ===

impl AgainArgs {
    /// How many rounds, where there is to be more than an answer.
    #[must_use]
    pub fn rounds(&self) -> Option<u32> {
        match self.count {
            Some(count) => Some(count.get()),
            None => self.watch.then_some(u32::MAX),
        }
    }

    /// The time between the beginnings of two rounds.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.interval.unwrap_or(INTERVAL)
    }
}
