//! kubectl's shared flags, spelt and meant as in kubectl.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::duration::duration;

/// How to reach the API server, and as whom.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Cluster")]
pub struct KubeArgs {
    /// Namespace of the source, and of the destination unless it names its own.
    #[arg(long, short, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Kubeconfig file to use instead of $KUBECONFIG and ~/.kube/config.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Kubeconfig context to use.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Kubeconfig cluster to use.
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
    /// Kubeconfig user to use.
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Address of the API server.
    #[arg(long, short = 's', value_name = "URL")]
    pub server: Option<String>,
    /// Bearer token for the API server.
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// User to impersonate.
    #[arg(long = "as", value_name = "USER")]
    pub as_user: Option<String>,
    /// Group to impersonate; may be repeated.
    #[arg(long, value_name = "GROUP")]
    pub as_group: Vec<String>,
    /// UID to impersonate.
    #[arg(long, value_name = "UID")]
    pub as_uid: Option<String>,
    /// Certificate authority of the API server.
    #[arg(long, value_name = "FILE")]
    pub certificate_authority: Option<PathBuf>,
    /// Client certificate for TLS.
    #[arg(long, value_name = "FILE")]
    pub client_certificate: Option<PathBuf>,
    /// Client key for TLS.
    #[arg(long, value_name = "FILE")]
    pub client_key: Option<PathBuf>,
    /// Do not check the API server's certificate.
    #[arg(long)]
    pub insecure_skip_tls_verify: bool,
    /// Name the API server's certificate must carry, if not the address.
    #[arg(long, value_name = "NAME")]
    pub tls_server_name: Option<String>,
    /// Give up on a single API request after this time (1s, 2m, 3h; 0 waits for ever).
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = duration)]
    pub request_timeout: Duration,
}
