//! The forms of a suite's report.

use clap::ValueEnum;

/// The forms of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum CheckFormat {
    /// For people.
    #[default]
    Text,
    /// For what shows the results of CI.
    Junit,
    Json,
    Yaml,
}
