//! `kubectl netpath sweep`.

use clap::Args;

use super::ViewArgs;
use crate::report::sweep::SweepFormat;

/// `kubectl netpath sweep [-n NS | -A]`.
#[derive(Debug, Args)]
pub struct SweepArgs {
    /// The Services, Ingresses, Gateways and routes of all namespaces, not of one.
    #[arg(long, short = 'A', conflicts_with = "namespace")]
    pub all_namespaces: bool,
    #[command(flatten)]
    pub view: ViewArgs,
    /// How to print what was found.
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: SweepFormat,
}
