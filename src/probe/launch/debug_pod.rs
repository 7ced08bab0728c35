//! A short-lived pod in a node's own namespaces, for what only the node can tell.

use kube::Client;
use serde_json::{Value, json};

use super::program::Program;
use super::refusal::refused;
use super::wait;
use crate::observe::ProbeError;
use crate::probe::pods::Pods;
use crate::probe::{LABEL, RUN};

/// A debug pod that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebugPod {
    pub namespace: String,
    pub name: String,
    pub container: String,
}

const CONTAINER: &str = "netpath";

/// Creates a debug pod on a node and waits until it runs. The caller deletes all pods of its run;
/// their deadline ends them in any case.
///
/// # Errors
/// When the server refuses it, or it does not start.
pub async fn create(
    client: &Client,
    namespace: &str,
    node: &str,
    program: &Program,
    (run, seconds): (&str, u64),
) -> Result<DebugPod, ProbeError> {
    let pods = Pods::new(client, Some(namespace));
    let what = format!("debug pod on node {node}");
    let grant = format!("create pods in {namespace} (Pod Security level privileged)");
    let created = pods.create(&object(node, program, run, seconds)).await;
    let created = created.map_err(|error| refused(&what, &grant, &error))?;
    let pod = DebugPod {
        namespace: namespace.to_owned(),
        name: created,
        container: CONTAINER.to_owned(),
    };
    // One that does not start is found by its label when the run ends.
    wait::for_pod(&pods, &pod.name).await?;
    Ok(pod)
}

/// The pod: the node's network and processes, and enough rights to run the node's own tools in the
/// node's mount namespace (nsenter needs `SYS_ADMIN` and `SYS_PTRACE`, the tools `NET_ADMIN`).
fn object(node: &str, program: &Program, run: &str, seconds: u64) -> Value {
    let security = json!({"privileged": true, "runAsUser": 0});
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "netpath-", "labels": {LABEL.0: LABEL.1, RUN: run}},
        "spec": {
            "nodeName": node,
            "hostNetwork": true,
            "hostPID": true,
            "restartPolicy": "Never",
            "activeDeadlineSeconds": seconds,
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "tolerations": [{"operator": "Exists"}],
            "containers": [program.container(CONTAINER, &security)],
        },
    })
}
