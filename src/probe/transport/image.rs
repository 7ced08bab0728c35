//! Image: a container whose image holds the agent; the plan is in its environment, the answers are
//! in its log. No websocket, no upload: plain requests that any proxy lets through.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, LogParams};

use super::{Transport, read_lines};
use crate::probe::ProbeError;
use crate::probe::launch::{refused, start_image};
use crate::probe::protocol::{Line, Plan};

/// A pod that takes a container with an image of ours.
pub struct Image {
    pub client: Client,
    pub pod: Pod,
    pub image: String,
}

/// The variable the agent reads its plan from.
pub const PLAN_VARIABLE: &str = "NETPATH_PLAN";

impl Transport for Image {
    async fn run(&self, plan: &Plan) -> Result<Vec<Line>, ProbeError> {
        let text = serde_json::to_string(plan).unwrap_or_default();
        let environment = vec![(PLAN_VARIABLE.to_owned(), text)];
        let container = start_image(&self.client, &self.pod, &self.image, environment).await?;
        let what = format!(
            "log of container {} in pod {}/{}",
            container.container, container.namespace, container.pod
        );
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &container.namespace);
        let parameters = LogParams {
            container: Some(container.container.clone()),
            ..LogParams::default()
        };
        let grant = format!("get pods/log in {}", container.namespace);
        let deadline =
            tokio::time::Instant::now() + Duration::from_millis(plan.deadline_ms + 5_000);
        loop {
            let log = api.logs(&container.pod, &parameters).await;
            let log = log.map_err(|error| refused(&what, &grant, &error))?;
            let is_over = log.lines().any(|line| line.starts_with("{\"done\""));
            if is_over || tokio::time::Instant::now() > deadline {
                return read_lines(&what, &log, "");
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }
}
