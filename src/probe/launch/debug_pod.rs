//! A short-lived pod in a node's own namespaces, for what only the node can tell.

use kube::Client;
use serde_json::{Value, json};

use super::Order;
use super::own::{CONTAINER, PREFIX};
use super::program::{Program, small};
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
    order: Order<'_>,
) -> Result<DebugPod, ProbeError> {
    let pods = Pods::new(client, Some(namespace));
    let what = format!("debug pod on node {node}");
    let grant = format!("create pods in {namespace} (Pod Security level privileged)");
    let object = object(node, (program, rights), order);
    let created = pods.create(order.gate, object).await;
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

/// Where the agent is uploaded to: the root is read-only.
const SCRATCH: &str = "tmp";

/// The pod: the node's network, and the rights it needs there.
fn object(
    node: &str,
    (program, rights): (&Program, NodeRights),
    Order { run, seconds, .. }: Order<'_>,
) -> Value {
    let mut container = program.container(CONTAINER, &rights.security());
    container["resources"] = small();
    container["volumeMounts"] = json!([{"name": SCRATCH, "mountPath": "/tmp"}]);
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": PREFIX,
            "labels": {LABEL.0: LABEL.1, RUN: run},
            "annotations": {RUN: run},
        },
        "spec": {
            // It is bound already: only what evicts pods has to be tolerated.
            "nodeName": node,
            "tolerations": [{"operator": "Exists", "effect": "NoExecute"}],
            "hostNetwork": true,
            "hostPID": rights == NodeRights::Everything,
            "restartPolicy": "Never",
            "activeDeadlineSeconds": seconds,
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "containers": [container],
            "volumes": [{"name": SCRATCH, "emptyDir": {"sizeLimit": "64Mi"}}],
        },
    })
}

// === impl NodeRights ===

impl NodeRights {
    /// The capabilities, and no more.
    ///
    /// For a tap: packets (`NET_RAW`) and traces of rules (`NET_ADMIN`), both of the node's network alone.
    /// For everything: entering the mount namespace of the node's first process (setns(2): `SYS_ADMIN`,
    /// `SYS_CHROOT`; opening it, ptrace(2): `SYS_PTRACE`), where the node's tools read rules, sets and
    /// connections (`NET_ADMIN`; iptables-legacy opens a raw socket, `NET_RAW`).
    const fn capabilities(self) -> &'static [&'static str] {
        match self {
            Self::Tap => &["NET_RAW", "NET_ADMIN"],
            Self::Everything => &[
                "NET_RAW",
                "NET_ADMIN",
                "SYS_ADMIN",
                "SYS_CHROOT",
                "SYS_PTRACE",
            ],
        }
    }

    fn security(self) -> Value {
        let mut security = json!({
            "runAsUser": 0,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"], "add": self.capabilities()},
            "seccompProfile": {"type": "RuntimeDefault"},
        });
        match self {
            Self::Tap => security["allowPrivilegeEscalation"] = json!(false),
            // The profiles that runtimes load into AppArmor and SELinux keep a container from the node's
            // processes whatever its capabilities; and `SYS_ADMIN` forbids to forbid escalation.
            Self::Everything => {
                security["appArmorProfile"] = json!({"type": "Unconfined"});
                security["seLinuxOptions"] = json!({"type": "spc_t"});
            }
        }
        security
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::gate::Gate;

    #[test]
    fn it_asks_for_what_it_needs_and_no_more() {
        let order = Order {
            run: "run",
            seconds: 60,
            gate: &Gate::default(),
        };
        let idle = Program::idle("busybox", 60);
        for rights in [NodeRights::Everything, NodeRights::Tap] {
            let pod = object("node1", (&idle, rights), order);
            let container = &pod["spec"]["containers"][0];
            let security = &container["securityContext"];
            assert!(security.get("privileged").is_none());
            let wanted = json!({"drop": ["ALL"], "add": rights.capabilities()});
            assert_eq!(security["capabilities"], wanted);
            assert_eq!(security["readOnlyRootFilesystem"], json!(true));
            assert_eq!(security["seccompProfile"]["type"], json!("RuntimeDefault"));
            assert_eq!(pod["spec"]["automountServiceAccountToken"], json!(false));
            assert_eq!(pod["spec"]["tolerations"][0]["effect"], json!("NoExecute"));
            assert!(container["resources"]["limits"].is_object());
        }
    }
}
