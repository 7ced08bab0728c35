//! The report of `kubectl netpath matrix`: who may talk to whom.
//!
//! ```text
//!  UnitMatrix ─► Grid (workloads, what is alike together, or whole namespaces) ─► text · mermaid · svg
//!             ─► every pair                                                    ─► json · csv
//! ```

mod csv;
mod diff;
mod format;
mod grid;
mod json;
mod listing;
mod mermaid;
mod names;
mod reasons;
mod svg;
mod text;

use std::io::{self, Write};

use super::Gaps;
use crate::net::Protocol;
use crate::policy::{Policies, UnitMatrix};
use crate::terminal::Terminal;

pub use diff::{DiffReport, print_difference};
pub use format::MatrixFormat;

/// A matrix, and what of it was asked for.
#[derive(Debug)]
pub struct MatrixReport<'w> {
    pub matrix: UnitMatrix,
    /// What it was made of, to be asked why something is not known.
    pub policies: &'w Policies,
    /// The namespace in focus; none for all of them.
    pub namespace: Option<String>,
    /// The one port that counts; none for all of them.
    pub port: Option<(Protocol, u16)>,
    pub gaps: Gaps,
}

/// Prints a matrix in a form.
///
/// # Errors
/// When `out` does.
pub fn print(
    report: &MatrixReport<'_>,
    format: MatrixFormat,
    terminal: Terminal,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        MatrixFormat::Text => text::print(report, terminal, out),
        MatrixFormat::Json => json::print(report, out),
        MatrixFormat::Csv => csv::print(report, out),
        MatrixFormat::Mermaid => mermaid::print(report, out),
        MatrixFormat::Svg => svg::print(report, out),
    }
}
