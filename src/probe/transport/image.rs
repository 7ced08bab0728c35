//! Image: a container whose image holds the agent; the plan is in its environment, the answers are
//! in its log. No websocket, no upload: plain requests that any proxy lets through.

use std::time::Duration;

use futures::{AsyncBufReadExt, TryStreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, LogParams};

use super::{Transport, read_lines};
use crate::probe::ProbeError;
use crate::probe::launch::{OnStart, refused, start_image};
use crate::probe::protocol::{Line, Plan};

/// A pod that takes a container with an image of ours.
pub struct Image<'a> {
    pub client: Client,
    pub namespace: String,
    pub pod: String,
    pub image: String,
    pub on_start: OnStart<'a>,
}

/// The variable the agent reads its plan from.
pub const PLAN_VARIABLE: &str = "NETPATH_PLAN";

/// How much longer than its deadline an agent may take to be heard.
const PATIENCE: Duration = Duration::from_secs(5);

impl Transport for Image<'_> {
    async fn run(&self, plan: &Plan) -> Result<Vec<Line>, ProbeError> {
        let text = serde_json::to_string(plan).unwrap_or_default();
        let environment = vec![(PLAN_VARIABLE.to_owned(), text)];
        let (client, image) = (&self.client, &self.image);
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        // Every plan takes a container of its own, with a name that none has yet.
        let pod = api.get(&self.pod).await.map_err(|error| {
            let what = format!("ephemeral container in pod {}", self.pod);
            refused(&what, &format!("get pods in {}", self.namespace), &error)
        })?;
        let own = start_image(client, &pod, image, environment, self.on_start).await?;
        let what = format!(
            "log of container {} in pod {}/{}",
            own.container, own.namespace, own.pod
        );
        let parameters = LogParams {
            container: Some(own.container),
            follow: true,
            ..LogParams::default()
        };
        let grant = format!("get pods/log in {}", own.namespace);
        let stream = api.log_stream(&own.pod, &parameters).await;
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
