//! The report of a sweep: one line a cause, what is broken first.

mod format;
mod model;
mod text;

use std::io::{self, Write};

pub use format::SweepFormat;
pub use model::{ReportOpen, ReportProblem, SweepReport};

use super::json;
use crate::terminal::Terminal;

/// Prints a report in a form.
///
/// # Errors
/// When `out` does.
pub fn print(
    report: &SweepReport,
    format: SweepFormat,
    terminal: Terminal,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        SweepFormat::Text => text::print(report, terminal, out),
        SweepFormat::Json => json::print(report, out),
        SweepFormat::Yaml => json::print_yaml(report, out),
    }
}
