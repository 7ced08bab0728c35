//! The command line: what was typed, before anything is made of it.
//!
//! ```text
//!  argv ─► Cli (clap) ─► commands picks the command ─► a request of plain data
//! ```

mod again;
mod agent;
mod causes_page;
mod check;
mod complete;
mod examples;
mod http;
mod matrix;
mod policy;
mod probe;
mod rules;
mod schema;
mod shell;
mod sweep;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use self::probe::DEBUG_NAMESPACE;
use crate::cluster::live::KubeArgs;
use crate::net::{Protocol, UnknownProtocol};
use crate::report::Format;
use crate::terminal::ColorChoice;

pub use again::AgainArgs;
pub use agent::{AgentArgs, AgentCommand, AgentImageArgs};
pub use check::{CheckArgs, JobArgs};
pub use complete::{Candidate, Wanted, cluster_of, wanted};
pub use http::HttpArgs;
pub use matrix::MatrixArgs;
pub use policy::PolicyArgs;
pub use probe::{LaunchArgs, ProbeArgs};
pub use rules::{RulesArgs, RulesFormat};
pub use schema::SchemaOf;
pub use shell::{completion, help, manual};
pub use sweep::SweepArgs;

/// Find where traffic breaks between a source and a destination in a Kubernetes cluster.
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-netpath",
    bin_name = "kubectl netpath",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    disable_help_subcommand = true,
    before_help = examples::TRACE,
    after_help = examples::EXIT_CODES
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub trace: TraceArgs,
    /// When to colour the report.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: ColorChoice,
    /// Log requests and rounds on standard error; twice for every question and answer. `NETPATH_LOG` takes a filter.
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// Everything but the trace itself.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Capture what a diagnosis needs, to analyse elsewhere or compare later.
    #[command(before_help = examples::SNAPSHOT)]
    Snapshot(Box<SnapshotArgs>),
    /// Diagnose a cluster that is built into the program: no cluster needed.
    #[command(before_help = examples::DEMO)]
    Demo(DemoArgs),
    /// Check many paths against what is expected of each, for CI.
    #[command(before_help = examples::CHECK, after_help = examples::SUITE)]
    Check(Box<CheckArgs>),
    /// Everything that is broken, without naming a pair: predictions from what the API says.
    #[command(before_help = examples::SWEEP, after_help = examples::SWEEP_CODES)]
    Sweep(Box<SweepArgs>),
    /// What a cause means, how it is recognised, how it is fixed.
    #[command(before_help = examples::EXPLAIN)]
    Explain(ExplainArgs),
    /// The policy verdict alone, explained; or many at once.
    #[command(before_help = examples::POLICY)]
    Policy(Box<PolicyArgs>),
    /// Who may talk to whom: all pairs of workloads.
    #[command(before_help = examples::MATRIX)]
    Matrix(Box<MatrixArgs>),
    /// Walk packets through a rule dump, offline.
    #[command(before_help = examples::RULES)]
    Rules(Box<RulesArgs>),
    /// Remove everything that was ever left behind.
    #[command(before_help = examples::CLEANUP)]
    Cleanup(Box<CleanupArgs>),
    /// Print the least rights that each depth needs, with bindings for --user and --serviceaccount.
    #[command(before_help = examples::RBAC)]
    Rbac(RbacArgs),
    /// Print the JSON schema of suites, or of reports.
    #[command(before_help = examples::SCHEMA)]
    Schema {
        /// Of what.
        #[arg(value_enum, default_value_t)]
        of: SchemaOf,
    },
    /// Print this help, or that of a command.
    Help {
        /// The command.
        command: Option<String>,
    },
    /// Print the version.
    Version,
    /// Print the completion script of a shell.
    #[command(before_help = examples::COMPLETION)]
    Completion {
        /// The shell it is for.
        shell: clap_complete::Shell,
    },
    /// Probe from here: what runs inside the cluster.
    #[command(hide = true)]
    Agent(AgentArgs),
    /// What fits at the cursor, for kubectl.
    #[command(hide = true, name = "__complete")]
    Complete(CompleteArgs),
}

/// `kubectl netpath __complete WORD…`.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct CompleteArgs {
    /// The words behind `kubectl netpath`; the last one is being typed.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<String>,
}

/// `kubectl netpath snapshot DIR [SRC DST]`.
#[derive(Debug, Args)]
pub struct SnapshotArgs {
    /// Folder to write; it must not hold anything yet.
    pub dir: PathBuf,
    /// Capture only what a diagnosis from here …
    #[arg(requires = "destination", value_name = "SRC")]
    pub source: Option<String>,
    /// … to here needs, instead of the whole cluster.
    #[arg(value_name = "DST")]
    pub destination: Option<String>,
    /// Namespace of the destination, if not that of the source.
    #[arg(long, value_name = "NAMESPACE")]
    pub to_namespace: Option<String>,
    /// Look into the nodes and pods of the path, too: rules, routes, sysctls, sockets (what a diagnosis
    /// with --deep creates, and removes afterwards).
    #[arg(long, requires = "source", help_heading = "Probing")]
    pub deep: bool,
    /// Give addresses pseudonyms, the same everywhere and within their networks, so that a stranger may
    /// see the capture.
    #[arg(long)]
    pub anonymize: bool,
    #[command(flatten)]
    pub launch: LaunchArgs,
    #[command(flatten)]
    pub kube: KubeArgs,
}

/// `kubectl netpath demo [NAME]`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Which demonstration; see --list.
    pub name: Option<String>,
    /// List the demonstrations.
    #[arg(long)]
    pub list: bool,
    /// How to print the report.
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

/// `kubectl netpath explain CODE`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The code of a cause, as SVC-01, or of a family, as SVC; without it the families are listed.
    pub code: Option<String>,
}

/// `kubectl netpath cleanup`.
#[derive(Debug, Args)]
pub struct CleanupArgs {
    /// Only list what would be removed.
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask: remove what is listed.
    #[arg(long, short, conflicts_with = "dry_run")]
    pub yes: bool,
    #[command(flatten)]
    pub kube: KubeArgs,
}

/// `kubectl netpath rbac`.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "one for each flag")]
pub struct RbacArgs {
    /// For answers from the API alone.
    #[arg(long, conflicts_with = "deep")]
    pub no_probe: bool,
    /// For looks into the nodes, too.
    #[arg(long)]
    pub deep: bool,
    /// For taps on the nodes, too.
    #[arg(long, conflicts_with = "no_probe")]
    pub tap: bool,
    /// Bind the rights to this user, too.
    #[arg(long, value_name = "NAME")]
    pub user: Vec<String>,
    /// Bind the rights to this ServiceAccount, too.
    #[arg(long, value_name = "NAMESPACE:NAME", value_parser = service_account)]
    pub serviceaccount: Vec<(String, String)>,
    /// Grant probing in this namespace alone: a Role there, beside the ClusterRole for reading.
    #[arg(long, short, value_name = "NAMESPACE", conflicts_with = "no_probe")]
    pub namespace: Option<String>,
    /// Grant the pods of --deep in this namespace.
    #[arg(long, value_name = "NAMESPACE", default_value = DEBUG_NAMESPACE)]
    pub debug_namespace: String,
    /// Grant twins of pods that do not accept an ephemeral container, too.
    #[arg(long, conflicts_with = "no_probe")]
    pub allow_twin: bool,
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
    /// Port of the destination, same as appending :PORT.
    #[arg(long, value_name = "PORT")]
    pub port: Option<String>,
    #[command(flatten)]
    pub http: HttpArgs,
    #[command(flatten)]
    pub view: ViewArgs,
    #[command(flatten)]
    pub probe: ProbeArgs,
    /// Write the packets that --tap sees to a new file, as pcapng with an interface for every point of the path.
    #[arg(
        long,
        value_name = "FILE",
        value_hint = clap::ValueHint::FilePath,
        requires = "tap",
        conflicts_with_all = ["snapshot", "watch", "count"],
        help_heading = "Probing"
    )]
    pub pcap: Option<PathBuf>,
    #[command(flatten)]
    pub again: AgainArgs,
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

/// `ci:netpath`, as in kubectl's `create rolebinding`.
fn service_account(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
            Ok((namespace.to_owned(), name.to_owned()))
        }
        _ => Err("write NAMESPACE:NAME".to_owned()),
    }
}

fn protocol(text: &str) -> Result<Protocol, UnknownProtocol> {
    text.parse()
}
