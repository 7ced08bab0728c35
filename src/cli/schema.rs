//! `kubectl netpath schema`.

use clap::ValueEnum;

/// What has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum SchemaOf {
    /// The file that `check` takes.
    #[default]
    Suite,
    /// What `-o json` prints for a path.
    Report,
    /// What `check -o json` prints.
    SuiteReport,
}

// === impl SchemaOf ===

impl SchemaOf {
    /// The schema (JSON Schema, draft 2020-12).
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Suite => include_str!("../../schemas/suite.json"),
            Self::Report => include_str!("../../schemas/report.json"),
            Self::SuiteReport => include_str!("../../schemas/suite-report.json"),
        }
    }
}
