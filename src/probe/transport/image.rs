//! Image: a container whose image holds the agent; the plan is in its environment, the answers are
//! in its log. No websocket, no upload: plain requests that any proxy lets through.

use std::time::Duration;

use futures::{AsyncBufReadExt, TryStreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, LogParams};

use super::{Transport, read_lines};
use crate::probe::ProbeError;
use crate::probe::launch::{Content, OnStart, create_debug_pod, refused, start_image};
use crate::probe::pods::Pods;
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

/// A node that takes a pod with an image of ours.
pub struct NodeImage<'a> {
    pub client: Client,
    pub namespace: String,
    pub node: String,
    pub image: String,
    /// The label of the run's pods, and how long they live at most.
    pub run: (&'a str, u64),
}

impl Transport for Image<'_> {
    async fn run(&self, plan: &Plan) -> Result<Vec<Line>, ProbeError> {
        let (client, image) = (&self.client, &self.image);
        let pods = Pods::new(client, Some(&self.namespace));
        // Every plan takes a container of its own, with a name that none has yet.
        let pod = pods.get(&self.pod).await.map_err(|error| {
            let what = format!("ephemeral container in pod {}", self.pod);
            refused(&what, &format!("get pods in {}", self.namespace), &error)
        })?;
        let own = start_image(client, &pod, image, environment(plan), self.on_start).await?;
        heard(client, (&own.namespace, &own.pod, &own.container), plan).await
    }
}

impl Transport for NodeImage<'_> {
    async fn run(&self, plan: &Plan) -> Result<Vec<Line>, ProbeError> {
        let (client, namespace) = (&self.client, &self.namespace);
        let content = Content::own(&self.image, environment(plan));
        let own = create_debug_pod(client, namespace, &self.node, &content, self.run).await?;
        heard(client, (&own.namespace, &own.name, &own.container), plan).await
    }
}

fn environment(plan: &Plan) -> Vec<(String, String)> {
    let text = serde_json::to_string(plan).unwrap_or_default();
    vec![(PLAN_VARIABLE.to_owned(), text)]
}

/// What the agent in a container of a pod wrote, to its end.
async fn heard(
    client: &Client,
    (namespace, pod, container): (&str, &str, &str),
    plan: &Plan,
) -> Result<Vec<Line>, ProbeError> {
    let what = format!("log of container {container} in pod {namespace}/{pod}");
    let parameters = LogParams {
        container: Some(container.to_owned()),
        follow: true,
        ..LogParams::default()
    };
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let grant = format!("get pods/log in {namespace}");
    let stream = api.log_stream(pod, &parameters).await;
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
