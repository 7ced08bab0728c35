//! The forms of a report.

use clap::ValueEnum;

/// The forms of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For people, with everything that was looked at.
    Wide,
    Json,
    Yaml,
}
