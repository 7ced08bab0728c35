//! Image: a container whose image holds the agent; its plan was in its environment from the start, the
//! answers are in its log. No websocket, no upload: plain requests that any proxy lets through.

use std::time::Duration;

use futures::{AsyncBufReadExt, TryStreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, LogParams};

use super::{Transport, read_lines};
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

impl Transport for Image {
    async fn run(&self, plan: &Plan) -> Result<Vec<Line>, ProbeError> {
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
        let mut lines = stream.lines();
        let mut log = String::new();
        // The log ends when the container does; what was read when it breaks off counts.
        let reading = async {
            while let Ok(Some(line)) = lines.try_next().await {
                let is_last = line.starts_with("{\"done\"");
                log.push_str(&line);
                log.push('\n');
                if is_last {
                    break;
                }
            }
        };
        let patience = Duration::from_millis(plan.deadline_ms) + PATIENCE;
        let _ = tokio::time::timeout(patience, reading).await;
        read_lines(&what, &log, "")
    }
}
