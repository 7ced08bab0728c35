//! A short-lived pod in a node's own namespaces, for what only the node can tell.

use kube::Client;
use serde_json::{Value, json};

use super::own::{CONTAINER, PREFIX};
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

/// What a pod in a node's network may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeRights {
    /// Run the node's own tools.
    Everything,
    /// Look at packets, and ask which rules they meet.
    Tap,
}

/// Creates a debug pod on a node and waits until it runs. The caller deletes all pods of its run;
/// their deadline ends them in any case.
///
/// # Errors
/// When the server refuses it, or it does not start.
pub async fn create(
    client: &Client,
    namespace: &str,
    node: &str,
    (program, rights): (&Program, NodeRights),
    (run, seconds): (&str, u64),
) -> Result<DebugPod, ProbeError> {
    let pods = Pods::new(client, Some(namespace));
    let what = format!("debug pod on node {node}");
    let grant = format!("create pods in {namespace} (Pod Security level privileged)");
    let created = pods
        .create(&object(node, (program, rights), run, seconds))
        .await;
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

/// The pod: the node's network, and the rights it needs there.
fn object(node: &str, (program, rights): (&Program, NodeRights), run: &str, seconds: u64) -> Value {
    let mut container = program.container(CONTAINER, &rights.security());
    // Nothing can be uploaded to a root that is read-only.
    let volumes = if rights == NodeRights::Tap && program.is_idle() {
        container["volumeMounts"] = json!([{"name": "tmp", "mountPath": "/tmp"}]);
        json!([{"name": "tmp", "emptyDir": {"sizeLimit": "16Mi"}}])
    } else {
        json!([])
    };
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": PREFIX,
            "labels": {LABEL.0: LABEL.1, RUN: run},
            "annotations": {RUN: run},
        },
        "spec": {
            "nodeName": node,
            "hostNetwork": true,
            "hostPID": rights == NodeRights::Everything,
            "restartPolicy": "Never",
            "activeDeadlineSeconds": seconds,
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "tolerations": [{"operator": "Exists"}],
            "containers": [container],
            "volumes": volumes,
        },
    })
}

// === impl NodeRights ===

impl NodeRights {
    /// Everything: enough to run the node's own tools in the node's mount namespace (nsenter needs `SYS_ADMIN`
    /// and `SYS_PTRACE`, the tools `NET_ADMIN`). For a tap: packets (`NET_RAW`) and traces of rules
    /// (`NET_ADMIN`), both of the node's network alone.
    fn security(self) -> Value {
        match self {
            Self::Everything => json!({"privileged": true, "runAsUser": 0}),
            Self::Tap => json!({
                "runAsUser": 0,
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": {"drop": ["ALL"], "add": ["NET_RAW", "NET_ADMIN"]},
                "seccompProfile": {"type": "RuntimeDefault"},
            }),
        }
    }
}
