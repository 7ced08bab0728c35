//! `kubectl netpath matrix`.

use std::path::PathBuf;

use clap::Args;

use super::{ViewArgs, protocol};
use crate::net::Protocol;
use crate::report::matrix::MatrixFormat;

/// `kubectl netpath matrix [-n NS | -A]`.
#[derive(Debug, Args)]
pub struct MatrixArgs {
    /// The workloads of all namespaces, not of one.
    #[arg(long, short = 'A', conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// Only what may pass at one port: a number, as the pods listen to it.
    #[arg(long, value_name = "PORT", conflicts_with = "diff")]
    pub port: Option<u16>,
    /// The protocol of that port.
    #[arg(long, value_name = "PROTOCOL", requires = "port", default_value = "tcp", value_parser = clap::builder::ValueParser::new(protocol))]
    pub protocol: Protocol,
    /// What opens and what closes on the way to this snapshot, and because of which object. Exit code
    /// 1 if anything does.
    #[arg(long, value_name = "PATH")]
    pub diff: Option<PathBuf>,
    #[command(flatten)]
    pub view: ViewArgs,
    /// How to print the matrix.
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: MatrixFormat,
}
