//! The forms of a matrix.

use clap::ValueEnum;

/// The forms of a matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum MatrixFormat {
    /// A grid for people; a summary where there are many workloads.
    #[default]
    Text,
    Json,
    /// A line for each pair of workloads.
    Csv,
    /// A flow chart in Mermaid's language.
    Mermaid,
    /// A picture of the grid.
    Svg,
}
