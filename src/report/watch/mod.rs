//! A path that is asked again and again: what changed, and what is told at the end.
//!
//! ```text
//!  PathReport, round after round ─► History ─► Change (printed as it happens)
//!                                           └► WatchReport (printed at the end)
//! ```

mod change;
mod history;
mod text;
mod track;

use std::io::{self, Write};

pub use change::{Change, Kind};
pub use history::{History, VerdictTally, WatchReport};
pub use track::Track;

use super::{Format, Style, json};
use crate::terminal::Terminal;

/// Prints changes while they happen, and the summary.
#[derive(Debug, Clone, Copy)]
pub struct Printer {
    pub format: Format,
    pub terminal: Terminal,
}

// === impl Printer ===

impl Printer {
    /// Prints one change: a line or two for people, a line of JSON, or a YAML document.
    ///
    /// # Errors
    /// When `out` does.
    pub fn change(self, change: &Change, out: &mut dyn Write) -> io::Result<()> {
        match self.format {
            Format::Text | Format::Wide => text::change(change, Style::new(self.terminal), out),
            Format::Json => json::print_line(change, out),
            Format::Yaml => document(change, out),
        }?;
        // Somebody watches.
        out.flush()
    }

    /// Prints the summary in the same form.
    ///
    /// # Errors
    /// When `out` does.
    pub fn summary(self, report: &WatchReport, out: &mut dyn Write) -> io::Result<()> {
        match self.format {
            Format::Text | Format::Wide => text::summary(report, Style::new(self.terminal), out),
            Format::Json => json::print_line(report, out),
            Format::Yaml => document(report, out),
        }?;
        out.flush()
    }
}

fn document<T: serde::Serialize>(value: &T, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "---")?;
    json::print_yaml(value, out)
}
