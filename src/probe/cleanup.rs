//! Removing what was created, now or later.

use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::api::core::v1;
use kube::Client;
use kube::api::{Api, AttachParams, ListParams};

use super::launch::{is_ours, is_running};
use super::pods::Pods;
use super::{LABEL, RUN};
use crate::cluster::{Named, Pod};

/// Something netpath created that is still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    pub namespace: String,
    pub name: String,
    pub is_running: bool,
}

/// An ephemeral container of ours in somebody's pod: it goes when the pod goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftContainer {
    pub namespace: String,
    pub pod: String,
    pub name: String,
    pub is_running: bool,
}

/// Deletes one pod at once, and tries again while the server stumbles.
///
/// # Errors
/// The last refusal. A pod that is gone already is a success.
pub async fn delete(client: &Client, namespace: &str, name: &str) -> Result<(), String> {
    let pods = Pods::new(client, Some(namespace));
    let mut last = String::new();
    for attempt in 0..4_u32 {
        match pods.delete(name).await {
            Ok(()) => return Ok(()),
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
    let mut labels = format!("{}={}", LABEL.0, LABEL.1);
    if let Some(run) = run {
        labels = format!("{labels},{RUN}={run}");
    }
    let ours = ListParams::default().labels(&labels);
    let page = Pods::new(client, namespace).list(&ours).await?;
    let leftovers = page.pods.into_iter().map(|pod| Leftover {
        namespace: pod.namespace().to_owned(),
        name: pod.name().to_owned(),
        is_running: pod.status.and_then(|status| status.phase).as_deref() == Some("Running"),
    });
    Ok(leftovers.collect())
}

/// How long a container may take to hear that it is to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a kubelet takes to say that a container has ended.
const SETTLING: Duration = Duration::from_millis(1_500);

/// Pods are listed so many at a time.
const PAGE: u32 = 500;

/// Every ephemeral container of ours, in one namespace or in all. They carry no label, so that every
/// pod is looked at.
///
/// # Errors
/// When pods may not be listed.
pub async fn containers(
    client: &Client,
    namespace: Option<&str>,
) -> Result<Vec<LeftContainer>, kube::Error> {
    let pods = Pods::new(client, namespace);
    let mut found = Vec::new();
    let mut parameters = ListParams::default().limit(PAGE);
    loop {
        let page = pods.list(&parameters).await?;
        found.extend(page.pods.iter().flat_map(of_pod));
        match page.token {
            Some(token) => parameters = parameters.continue_token(&token),
            None => return Ok(found),
        }
    }
}

/// Ends containers of ours before their time, as well as it goes, and gives the kubelets a moment to say
/// that they ended. They stay listed in their pods.
pub async fn end(client: &Client, all: impl Iterator<Item = &LeftContainer>) {
    let endings: Vec<_> = all.map(|own| end_one(client, own)).collect();
    if endings.is_empty() {
        return;
    }
    join_all(endings).await;
    tokio::time::sleep(SETTLING).await;
}

/// Which of the two processes ends first, the container's or the one that ends it, nobody knows: what
/// comes back says nothing.
async fn end_one(client: &Client, own: &LeftContainer) {
    let api: Api<v1::Pod> = Api::namespaced(client.clone(), &own.namespace);
    let parameters = AttachParams::default().container(&own.name).stderr(false);
    let ending = async {
        let process = api
            .exec(&own.pod, ["sh", "-c", "kill 1"], &parameters)
            .await;
        if let Ok(process) = process {
            let _ = process.join().await;
        }
    };
    let _ = tokio::time::timeout(PATIENCE, ending).await;
}

fn of_pod(pod: &Pod) -> impl Iterator<Item = LeftContainer> + '_ {
    let spec = pod.spec.as_ref();
    let all = spec.and_then(|spec| spec.ephemeral_containers.as_ref());
    let ours = all.into_iter().flatten().filter(|own| is_ours(&own.name));
    ours.map(|own| LeftContainer {
        namespace: pod.namespace().to_owned(),
        pod: pod.name().to_owned(),
        name: own.name.clone(),
        is_running: is_running(pod.status.as_ref(), &own.name),
    })
}
