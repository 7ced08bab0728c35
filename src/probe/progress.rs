//! Telling what is being done, on stderr; the engine itself never prints.

use std::io::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often a spinner turns.
const TICK: Duration = Duration::from_millis(100);

/// Somebody who wants to know.
pub trait Progress: Sync {
    /// What is being done now.
    fn doing(&self, what: &str);
    /// Something that the user should read, whatever comes after.
    fn say(&self, what: &str);
    /// Something else writes now, and waits for an answer.
    fn pause(&self) {}
    /// It has its answer.
    fn resume(&self) {}
    /// Nothing more comes.
    fn finish(&self);
}

/// Nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

/// A line for everything, for pipes and CI.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plain;

/// A spinner on a terminal.
#[derive(Debug)]
pub struct Spinner {
    bar: ProgressBar,
}

// === impl Silent ===

impl Progress for Silent {
    fn doing(&self, _what: &str) {}
    fn say(&self, _what: &str) {}
    fn finish(&self) {}
}

// === impl Plain ===

impl Progress for Plain {
    fn doing(&self, what: &str) {
        // A closed stderr takes nothing from the answer.
        let _ = writeln!(std::io::stderr(), "netpath: {what}");
    }

    fn say(&self, what: &str) {
        self.doing(what);
    }

    fn finish(&self) {}
}

// === impl Spinner ===

impl Spinner {
    /// A spinner that turns by itself.
    #[must_use]
    pub fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(TICK);
        Self { bar }
    }
}

impl Default for Spinner {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress for Spinner {
    fn doing(&self, what: &str) {
        self.bar.set_message(what.to_owned());
    }

    fn say(&self, what: &str) {
        self.bar.println(format!("netpath: {what}"));
    }

    /// A spinner that turns would overwrite the question.
    fn pause(&self) {
        self.bar.disable_steady_tick();
        self.bar.set_draw_target(ProgressDrawTarget::hidden());
    }

    fn resume(&self) {
        self.bar.set_draw_target(ProgressDrawTarget::stderr());
        self.bar.enable_steady_tick(TICK);
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
