//! Flags of probing.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::duration::duration;

/// How deep to look.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Probing")]
pub struct ProbeArgs {
    /// Create nothing: say what the API says.
    #[arg(long)]
    pub no_probe: bool,
    /// Look into the nodes of the path, too: rules, routes, sysctls, sockets (a privileged pod on
    /// each, deleted afterwards).
    #[arg(long, conflicts_with = "no_probe")]
    pub deep: bool,
    #[command(flatten)]
    pub launch: LaunchArgs,
}

/// How probes are made.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Probing")]
pub struct LaunchArgs {
    /// How long to wait for one answer; all of the probing ends after twelve times as long.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    pub timeout: Duration,
    /// Ask before anything is created.
    #[arg(long)]
    pub confirm: bool,
    /// Small image for the container that the probe is uploaded to.
    #[arg(
        long,
        value_name = "IMAGE",
        default_value = "docker.io/library/busybox:1.36"
    )]
    pub image: String,
    /// Image that holds the probe itself (see: kubectl netpath agent image); nothing is uploaded.
    #[arg(long, value_name = "IMAGE", conflicts_with = "agent_upload")]
    pub agent_image: Option<String>,
    /// Upload the probe over exec (the default).
    #[arg(long)]
    pub agent_upload: bool,
    /// Program to upload as the probe, for nodes of another architecture.
    #[arg(long, value_name = "PATH")]
    pub agent_binary: Option<PathBuf>,
    /// Namespace for the pods of --deep.
    #[arg(long, value_name = "NAMESPACE", default_value = "default")]
    pub debug_namespace: String,
}
