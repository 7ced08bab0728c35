//! The report: one model, and one file per form it is printed in.
//!
//! ```text
//!  Case + Diagnosis ─► build ─► PathReport ─► text · wide · json · yaml
//! ```

mod answer;
mod build;
mod cause;
mod format;
mod gaps;
pub mod json;
pub mod matrix;
mod measurement;
mod model;
pub mod policy;
pub mod sweep;
mod tap;
mod text;
pub mod watch;

use std::io::{self, Write};

pub use build::build;
pub use cause::print_cause;
pub use format::Format;
pub use gaps::{Gaps, NotUnderstood};
pub use measurement::{Aim, Measurement, measure};
pub use model::{
    Left, PathReport, ReportBackend, ReportEnd, ReportFinding, ReportHop, ReportPath, ReportSource,
    Tool,
};

pub use tap::{ReportPoint, ReportTap};
pub(crate) use text::Style;

use crate::terminal::Terminal;

/// Prints a report in a form.
///
/// # Errors
/// When `out` does.
pub fn print(
    report: &PathReport,
    format: Format,
    terminal: Terminal,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        Format::Text => text::print(report, terminal, text::Detail::Normal, out),
        Format::Wide => text::print(report, terminal, text::Detail::Wide, out),
        Format::Json => json::print(report, out),
        Format::Yaml => json::print_yaml(report, out),
    }
}
