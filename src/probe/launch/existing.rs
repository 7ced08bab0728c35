//! A pod that is in the node's network already: kube-proxy, or the agent of the CNI plugin.

use kube::Client;
use kube::api::ListParams;

use crate::cluster::{Container, Named, Pod};
use crate::probe::pods::Pods;

/// A container that can be borrowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Existing {
    pub namespace: String,
    pub pod: String,
    pub container: String,
}

/// Names of the usual ones, the likeliest to hold a shell and tools first.
const KNOWN: [&str; 9] = [
    "calico-node",
    "cilium",
    "canal",
    "kindnet",
    "kube-flannel",
    "antrea-agent",
    "weave",
    "kube-router",
    "kube-proxy",
];

/// Looks for one on a node. None also where pods may not be listed: a debug pod is the other way.
pub async fn find(client: &Client, node: &str) -> Option<Existing> {
    let parameters = ListParams::default().fields(&format!("spec.nodeName={node}"));
    let page = Pods::new(client, None).list(&parameters).await.ok()?;
    choose(&page.pods)
}

/// The best of a node's pods: in the node's network, running, and allowed to read its rules.
fn choose(pods: &[Pod]) -> Option<Existing> {
    let rank = |pod: &Pod| KNOWN.iter().position(|known| pod.name().starts_with(known));
    let fitting = pods
        .iter()
        .filter(|pod| pod.is_host_network() && pod.phase() == "Running" && !pod.is_terminating())
        .filter_map(|pod| Some((rank(pod)?, pod, privileged(pod)?)));
    let (_, pod, container) = fitting.min_by_key(|(rank, ..)| *rank)?;
    Some(Existing {
        namespace: pod.namespace().to_owned(),
        pod: pod.name().to_owned(),
        container: container.name.clone(),
    })
}

fn privileged(pod: &Pod) -> Option<&Container> {
    pod.running_containers().into_iter().find(|container| {
        let Some(context) = &container.security_context else {
            return false;
        };
        let added = context
            .capabilities
            .as_ref()
            .and_then(|capabilities| capabilities.add.as_ref());
        context.privileged == Some(true)
            || added.is_some_and(|added| {
                added
                    .iter()
                    .any(|name| name == "NET_ADMIN" || name == "ALL")
            })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str, host: bool, security: &serde_json::Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": name, "namespace": "kube-system"},
            "spec": {"hostNetwork": host, "containers": [{"name": "c", "securityContext": security}]},
            "status": {"phase": "Running"},
        }))
        .expect("a pod")
    }

    #[test]
    fn only_privileged_pods_of_the_node_are_borrowed() {
        let pods = [
            pod("kube-proxy-x", true, &json!({"privileged": true})),
            pod(
                "calico-node-x",
                true,
                &json!({"capabilities": {"add": ["NET_ADMIN"]}}),
            ),
            pod("canal-x", true, &json!({})),
            pod("cilium-x", false, &json!({"privileged": true})),
            pod("etcd-x", true, &json!({"privileged": true})),
        ];
        assert_eq!(
            choose(&pods).map(|found| found.pod).as_deref(),
            Some("calico-node-x")
        );
        assert_eq!(choose(&pods[2..]), None);
    }
}
