//! The forms of a sweep's report.

use clap::ValueEnum;

/// The forms of a sweep's report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum SweepFormat {
    /// One line for each cause.
    #[default]
    Text,
    Json,
    Yaml,
}
