//! `kubectl netpath check`.

use std::path::PathBuf;

use clap::Args;

use super::{ProbeArgs, ViewArgs};
use crate::suite::report::CheckFormat;

/// `kubectl netpath check SUITE.yaml`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The suite: paths with what is expected of each; - for standard input.
    #[arg(value_name = "SUITE")]
    pub suite: PathBuf,
    /// Only checks with this tag, or of this name.
    #[arg(long, value_name = "TAG", value_delimiter = ',')]
    pub only: Vec<String>,
    #[command(flatten)]
    pub view: ViewArgs,
    #[command(flatten)]
    pub probe: ProbeArgs,
    /// How to print the results.
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: CheckFormat,
}
