//! From kubeconfig and flags to a client, as kubectl does it.

use std::path::PathBuf;

use http::{HeaderName, HeaderValue};
use kube::Client;
use kube::client::ClientBuilder;
use kube::config::{Config, KubeConfigOptions};

use super::requests::RequestLog;
use super::{KubeArgs, LiveError, kubeconfig};

/// A client with what the kubeconfig says beside it.
#[derive(Clone)]
pub struct Connection {
    pub client: Client,
    /// The namespace of `-n`, else of the context, else `default`.
    pub namespace: String,
    /// The context's name, where there is one.
    pub context: Option<String>,
}

/// Reads the kubeconfig (exec plugins and proxies work) and applies the flags.
///
/// # Errors
/// When no kubeconfig can be read, or the flags contradict it.
pub async fn connect(args: &KubeArgs) -> Result<Connection, LiveError> {
    let options = KubeConfigOptions {
        context: args.context.clone(),
        cluster: args.cluster.clone(),
        user: args.user.clone(),
    };
    let (mut config, context) = configuration(args, &options).await?;
    apply(args, &mut config)?;
    let namespace = args
        .namespace
        .clone()
        .unwrap_or_else(|| config.default_namespace.clone());
    let client = ClientBuilder::try_from(config).map_err(|error| LiveError::config(&error))?;
    let client = client.with_layer(&RequestLog).build();
    Ok(Connection {
        client,
        namespace,
        context,
    })
}

async fn configuration(
    args: &KubeArgs,
    options: &KubeConfigOptions,
) -> Result<(Config, Option<String>), LiveError> {
    match kubeconfig::read(args.kubeconfig.as_deref()) {
        Ok(kubeconfig) => {
            let context = args
                .context
                .clone()
                .or_else(|| kubeconfig.current_context.clone());
            let config = Config::from_custom_kubeconfig(kubeconfig, options).await;
            Ok((config.map_err(|error| LiveError::config(&error))?, context))
        }
        // In a pod without a kubeconfig the service account is who we are.
        Err(_) if args.kubeconfig.is_none() && in_cluster() => {
            let config = Config::incluster().map_err(|error| LiveError::config(&error))?;
            Ok((config, None))
        }
        Err(_) if args.server.is_some() => {
            let url = args.server.as_deref().unwrap_or_default();
            Ok((Config::new(uri(url)?), None))
        }
        Err(error) => Err(error),
    }
}

fn in_cluster() -> bool {
    std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
}

fn apply(args: &KubeArgs, config: &mut Config) -> Result<(), LiveError> {
    if let Some(server) = &args.server {
        config.cluster_url = uri(server)?;
    }
    if let Some(token) = &args.token {
        config.auth_info.token = Some(token.clone().into());
        config.auth_info.token_file = None;
    }
    if let Some(name) = &args.tls_server_name {
        config.tls_server_name = Some(name.clone());
    }
    if args.insecure_skip_tls_verify {
        config.accept_invalid_certs = true;
    }
    if let Some(file) = &args.certificate_authority {
        config.root_cert = None;
        config.root_cert_file = Some(file.clone());
    }
    let text = |path: &PathBuf| path.display().to_string();
    if let Some(file) = &args.client_certificate {
        config.auth_info.client_certificate = Some(text(file));
        config.auth_info.client_certificate_data = None;
    }
    if let Some(file) = &args.client_key {
        config.auth_info.client_key = Some(text(file));
        config.auth_info.client_key_data = None;
    }
    if let Some(user) = &args.as_user {
        config.auth_info.impersonate = Some(user.clone());
    }
    if !args.as_group.is_empty() {
        config.auth_info.impersonate_groups = Some(args.as_group.clone());
    }
    if let Some(uid) = &args.as_uid {
        config.auth_info.impersonate_uid = Some(uid.clone());
    }
    config.read_timeout = Some(args.request_timeout).filter(|time| !time.is_zero());
    config.connect_timeout = config.read_timeout.or(config.connect_timeout);
    // Its own fifteen tries may take longer than anybody waits.
    config.default_retry = false;
    config.headers.push((
        HeaderName::from_static("user-agent"),
        HeaderValue::from_static(concat!("kubectl-netpath/", env!("CARGO_PKG_VERSION"))),
    ));
    Ok(())
}

fn uri(text: &str) -> Result<http::Uri, LiveError> {
    text.parse()
        .map_err(|error| LiveError::Config(format!("--server {text:?}: {error}")))
}
