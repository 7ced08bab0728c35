//! Image: a container whose image holds the agent; its plan was in its environment from the start, the
//! answers are in its log. No websocket, no upload: plain requests that any proxy lets through.

use std::time::Duration;

use futures::AsyncReadExt;
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, LogParams};

use super::listener::Listener;
use super::{Transport, broken, heard};
use crate::observe::ProbeError;
use crate::probe::launch::refused;
use netpath_protocol::{Line, Plan};

/// A container that was started with a plan.
pub struct Image {
    pub client: Client,
    pub namespace: String,
    pub pod: String,
    pub container: String,
}

/// How much longer than its deadline an agent may take to be heard.
const PATIENCE: Duration = Duration::from_secs(5);
/// How much is read at a time.
const CHUNK: usize = 64 << 10;

impl Transport for Image {
    async fn listen(&self, plan: &Plan, mut listener: Listener) -> Result<Vec<Line>, ProbeError> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let what = format!(
            "log of container {} in pod {}/{}",
            self.container, self.namespace, self.pod
        );
        let parameters = LogParams {
            container: Some(self.container.clone()),
            follow: true,
            ..LogParams::default()
        };
        let grant = format!("get pods/log in {}", self.namespace);
        let stream = api.log_stream(&self.pod, &parameters).await;
        let stream = stream.map_err(|error| refused(&what, &grant, &error))?;
        let mut stream = Box::pin(stream);
        // The log ends when the container does; what was read when it breaks off counts.
        let reading = async {
            let mut chunk = vec![0; CHUNK];
            while !listener.is_done() {
                match stream.read(&mut chunk).await {
                    Ok(0) | Err(_) => break,
                    Ok(read) => listener.hear(&chunk[..read])?,
                }
            }
            Ok(())
        };
        let patience = Duration::from_millis(plan.deadline_ms) + PATIENCE;
        let outcome = tokio::time::timeout(patience, reading).await;
        outcome
            .unwrap_or(Ok(()))
            .map_err(|bound: String| broken(&what, bound))?;
        heard(&what, listener, "")
    }
}
