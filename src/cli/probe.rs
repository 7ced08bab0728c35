//! Flags of probing.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::duration::duration;

/// Whose users are root on nodes in any case.
pub(super) const DEBUG_NAMESPACE: &str = "kube-system";

/// How deep to look.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Probing")]
pub struct ProbeArgs {
    /// Create nothing: say what the API says.
    #[arg(long)]
    pub no_probe: bool,
    /// Look into the nodes of the path, too: rules, routes, sysctls, sockets (a pod with root on
    /// each, deleted afterwards).
    #[arg(long, conflicts_with = "no_probe")]
    pub deep: bool,
    /// Watch one packet pass every interface of the nodes of the path, and say where it disappears (a Pod with
    /// hostNetwork and NET_RAW on each, deleted afterwards). --deep does so by itself where a probe fails and
    /// nothing explains it.
    #[arg(long, conflicts_with = "no_probe")]
    pub tap: bool,
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
    /// Where the source pod does not accept an ephemeral container, probe from a twin without asking: a pod
    /// with those of its labels that policies select, deleted afterwards.
    #[arg(long)]
    pub allow_twin: bool,
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
    /// Namespace for the pods of --deep and --tap: who may create pods or run commands in pods there is root on nodes.
    #[arg(long, value_name = "NAMESPACE", default_value = DEBUG_NAMESPACE)]
    pub debug_namespace: String,
}
