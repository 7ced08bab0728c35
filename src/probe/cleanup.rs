//! Removing what was created, now or later.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, ListParams};
use kube::{Client, ResourceExt};

use super::{LABEL, RUN};

/// Something netpath created that is still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    pub namespace: String,
    pub name: String,
    pub is_running: bool,
}

/// Deletes one pod at once, and tries again while the server stumbles.
///
/// # Errors
/// The last refusal. A pod that is gone already is a success.
pub async fn delete(client: &Client, namespace: &str, name: &str) -> Result<(), String> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let parameters = DeleteParams::default().grace_period(0);
    let mut last = String::new();
    for attempt in 0..4_u32 {
        match api.delete(name, &parameters).await {
            Ok(_) => return Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
            Err(kube::Error::Api(status)) if status.code == 403 => {
                return Err(status.message.clone());
            }
            Err(error) => last = error.to_string(),
        }
        tokio::time::sleep(Duration::from_millis(250 << attempt)).await;
    }
    Err(last)
}

/// Every pod that carries our label (and that of one run), in one namespace or in all.
///
/// # Errors
/// When they may not be listed.
pub async fn find(
    client: &Client,
    namespace: Option<&str>,
    run: Option<&str>,
) -> Result<Vec<Leftover>, kube::Error> {
    let api: Api<Pod> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let mut labels = format!("{}={}", LABEL.0, LABEL.1);
    if let Some(run) = run {
        labels = format!("{labels},{RUN}={run}");
    }
    let pods = api.list(&ListParams::default().labels(&labels)).await?;
    let leftovers = pods.into_iter().map(|pod| Leftover {
        namespace: pod.namespace().unwrap_or_default(),
        name: pod.name_any(),
        is_running: pod.status.and_then(|status| status.phase).as_deref() == Some("Running"),
    });
    Ok(leftovers.collect())
}
