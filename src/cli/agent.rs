//! `kubectl netpath agent`: hidden, since the program starts it by itself inside the cluster.

use clap::Args;

/// `kubectl netpath agent`.
#[derive(Debug, Args)]
pub struct AgentArgs {
    /// What to probe, as JSON, or - to read it from standard input.
    #[arg(
        long,
        value_name = "JSON",
        env = "NETPATH_PLAN",
        hide_env_values = true
    )]
    pub plan: Option<String>,
}
