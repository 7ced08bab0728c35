//! `kubectl netpath agent`: hidden, since the program uploads its agent by itself.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `kubectl netpath agent`.
#[derive(Debug, Args)]
pub struct AgentArgs {
    #[command(subcommand)]
    pub command: AgentCommand,
}

/// What is done about agents.
#[derive(Debug, Subcommand)]
pub enum AgentCommand {
    /// Write an image that holds the probe, as an OCI archive, for --agent-image.
    Image(AgentImageArgs),
}

/// `kubectl netpath agent image FILE`.
#[derive(Debug, Args)]
pub struct AgentImageArgs {
    /// File to write; load it with `ctr -n k8s.io images import FILE`, `kind load image-archive FILE` or
    /// `crane push FILE NAME`.
    pub file: PathBuf,
    /// Name of the image.
    #[arg(long, value_name = "NAME", default_value = concat!("localhost/netpath:", env!("CARGO_PKG_VERSION")))]
    pub name: String,
    /// Program to put into it, for nodes of another architecture; it must be static.
    #[arg(long, value_name = "PATH")]
    pub agent_binary: Option<PathBuf>,
}
