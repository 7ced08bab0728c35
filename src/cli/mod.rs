//! The command line: what was typed, before anything is made of it.
//!
//! ```text
//!  argv ─► Cli (clap) ─► app picks the command ─► a request of plain data
//! ```

mod kube;
mod rules;
mod terminal;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::net::{Protocol, UnknownProtocol};

pub use kube::KubeArgs;
pub use rules::RulesArgs;
pub use terminal::{ColorChoice, Terminal};

/// Find where traffic breaks between a source and a destination in a Kubernetes cluster.
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-netpath",
    bin_name = "kubectl netpath",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    disable_help_subcommand = true
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub trace: TraceArgs,
    /// When to colour the report.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: ColorChoice,
}

/// Everything but the trace itself.
#[derive(Debug, Subcommand)]
pub enum Command {
    Rules(Box<RulesArgs>),
}

/// `kubectl netpath SRC DST`.
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// Where traffic starts: a pod, KIND/NAME, NAMESPACE/KIND/NAME, ip/ADDR or external.
    #[arg(required = true, value_name = "SRC")]
    pub source: Option<String>,
    /// Where it should arrive: as SRC, or dns/NAME or a URL, with :PORT after any of them.
    #[arg(required = true, value_name = "DST")]
    pub destination: Option<String>,
    /// Namespace of the destination, if not that of the source.
    #[arg(long, value_name = "NAMESPACE")]
    pub to_namespace: Option<String>,
    /// Protocol to ask for; without it, what the destination's port declares.
    #[arg(long, value_name = "PROTOCOL", value_parser = clap::builder::ValueParser::new(protocol))]
    pub protocol: Option<Protocol>,
    /// Port of the destination, as :PORT behind its name.
    #[arg(long, value_name = "PORT")]
    pub port: Option<String>,
    #[command(flatten)]
    pub view: ViewArgs,
    /// How to print the report.
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

/// Where the cluster view comes from: the API server, or a snapshot instead of it.
#[derive(Debug, Clone, Default, Args)]
pub struct ViewArgs {
    /// Look at a snapshot instead of a cluster: a folder, a file of objects, or - for standard input.
    #[arg(long, value_name = "PATH")]
    pub snapshot: Option<PathBuf>,
    #[command(flatten)]
    pub kube: KubeArgs,
}

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

fn protocol(text: &str) -> Result<Protocol, UnknownProtocol> {
    text.parse()
}
