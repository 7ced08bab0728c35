//! `kubectl netpath check`.

use std::path::PathBuf;

use clap::Args;

use super::{ProbeArgs, ViewArgs};
use crate::suite::Shard;
use crate::suite::report::CheckFormat;

/// `kubectl netpath check SUITE.yaml`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The suite: paths with what is expected of each; - for standard input.
    #[arg(value_name = "SUITE", required_unless_present = "write")]
    pub suite: Option<PathBuf>,
    /// Only checks with this tag, or of this name.
    #[arg(long, value_name = "TAG", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Only a share of the checks, as 0/4: the pods of an Indexed Job take one each.
    #[arg(long, value_name = "INDEX/COUNT")]
    pub shard: Option<Shard>,
    /// Propose a suite instead, from what holds now between the workloads and Services of the namespace.
    #[arg(long, conflicts_with_all = ["suite", "only", "shard", "metrics", "in_cluster", "output"])]
    pub write: bool,
    /// Write metrics for Prometheus to this file, too.
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,
    #[command(flatten)]
    pub job: JobArgs,
    #[command(flatten)]
    pub view: ViewArgs,
    #[command(flatten)]
    pub probe: ProbeArgs,
    /// How to print the results.
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: CheckFormat,
}

/// The suite as a Job.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "In the cluster")]
pub struct JobArgs {
    /// Print a Job that checks the suite from inside the cluster, with its ServiceAccount and rights.
    #[arg(long, conflicts_with_all = ["snapshot", "shard", "metrics"])]
    pub in_cluster: bool,
    /// Create these objects, or update them, instead of printing them.
    #[arg(long, requires = "in_cluster")]
    pub apply: bool,
    /// Make it a CronJob with this schedule.
    #[arg(long, value_name = "CRON", requires = "in_cluster")]
    pub schedule: Option<String>,
    /// Image that holds kubectl-netpath (see the Dockerfile).
    #[arg(long, value_name = "IMAGE", requires = "in_cluster",
        default_value = concat!("ghcr.io/kubectl-netpath/kubectl-netpath:", env!("CARGO_PKG_VERSION")))]
    pub job_image: String,
    /// Name of the Job and of what belongs to it.
    #[arg(
        long,
        value_name = "NAME",
        requires = "in_cluster",
        default_value = "netpath-check"
    )]
    pub job_name: String,
}
