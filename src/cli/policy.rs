//! `kubectl netpath policy`.

use std::path::PathBuf;

use clap::Args;

use super::{ViewArgs, protocol};
use crate::net::Protocol;
use crate::report::Format;

/// `kubectl netpath policy SRC DST[:PORT]`.
#[derive(Debug, Args)]
pub struct PolicyArgs {
    /// Where traffic starts: a pod, KIND/NAME, NAMESPACE/KIND/NAME, ip/ADDR or external.
    #[arg(required_unless_present = "queries", value_name = "SRC")]
    pub source: Option<String>,
    /// Where it should arrive: as SRC, with :PORT behind it.
    #[arg(required_unless_present = "queries", value_name = "DST")]
    pub destination: Option<String>,
    /// Namespace of the destination, if not that of the source.
    #[arg(long, value_name = "NAMESPACE")]
    pub to_namespace: Option<String>,
    /// Protocol to ask for; without it, what the destination's port declares.
    #[arg(long, value_name = "PROTOCOL", value_parser = clap::builder::ValueParser::new(protocol))]
    pub protocol: Option<Protocol>,
    /// Port of the destination, same as appending :PORT.
    #[arg(long, value_name = "PORT")]
    pub port: Option<String>,
    /// Answer many questions: a file of JSON lines, or - for standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["source", "destination"])]
    pub queries: Option<PathBuf>,
    #[command(flatten)]
    pub view: ViewArgs,
    /// How to print the report.
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}
