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
    /// For code scanning: where in the suite or in the manifests.
    Sarif,
    /// Annotations of GitHub Actions.
    Github,
    Json,
    Yaml,
}
