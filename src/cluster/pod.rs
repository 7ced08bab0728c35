//! A pod, as far as anything here asks about it.
//!
//! The generated type goes on for some 170 types more: every kind of volume, probe and constraint, to be
//! read for each of ten thousand pods, and a fiftieth of the whole program.

use k8s_openapi::api::core::v1::{
    Capabilities, ContainerPort, ContainerState, HostAlias, PodCondition, PodDNSConfig, PodIP,
    PodReadinessGate, Probe,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Deserializer};

use super::Named;

/// A pod; also the template that a workload makes its pods from, which has no status.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Pod {
    #[serde(deserialize_with = "or_default")]
    pub metadata: ObjectMeta,
    /// None where only the metadata was read.
    pub spec: Option<PodSpec>,
    pub status: Option<PodStatus>,
}

/// What somebody wants.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PodSpec {
    #[serde(deserialize_with = "or_default")]
    pub containers: Vec<Container>,
    pub init_containers: Option<Vec<Container>>,
    pub ephemeral_containers: Option<Vec<Container>>,
    pub node_name: Option<String>,
    pub host_network: Option<bool>,
    pub service_account_name: Option<String>,
    pub dns_policy: Option<String>,
    pub dns_config: Option<PodDNSConfig>,
    pub hostname: Option<String>,
    pub subdomain: Option<String>,
    pub enable_service_links: Option<bool>,
    pub host_aliases: Option<Vec<HostAlias>>,
    pub readiness_gates: Option<Vec<PodReadinessGate>>,
}

/// A container of any of the three lists.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Container {
    pub name: String,
    pub image: Option<String>,
    pub command: Option<Vec<String>>,
    pub args: Option<Vec<String>>,
    pub env: Option<Vec<EnvVar>>,
    pub ports: Option<Vec<ContainerPort>>,
    /// `Always` makes a sidecar of an init container (KEP-753).
    pub restart_policy: Option<String>,
    pub readiness_probe: Option<Probe>,
    pub security_context: Option<SecurityContext>,
}

/// A variable of a container's environment.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct EnvVar {
    pub name: String,
    /// None where it comes from elsewhere.
    pub value: Option<String>,
}

/// What a container may do.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct SecurityContext {
    pub privileged: Option<bool>,
    pub capabilities: Option<Capabilities>,
}

/// What the kubelet says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PodStatus {
    pub phase: Option<String>,
    pub message: Option<String>,
    pub conditions: Option<Vec<PodCondition>>,
    #[serde(rename = "podIP")]
    pub pod_ip: Option<String>,
    #[serde(rename = "podIPs")]
    pub pod_ips: Option<Vec<PodIP>>,
    pub container_statuses: Option<Vec<ContainerStatus>>,
    pub init_container_statuses: Option<Vec<ContainerStatus>>,
    pub ephemeral_container_statuses: Option<Vec<ContainerStatus>>,
}

/// What it says of one container.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerStatus {
    pub name: String,
    /// None where it was left out, as in an old recording.
    pub ready: Option<bool>,
    pub restart_count: i32,
    pub state: Option<ContainerState>,
    pub last_state: Option<ContainerState>,
}

// === impl Pod ===

impl Named for Pod {
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// A manifest may say `metadata:` and nothing after it.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_says_nothing_is_what_is_missing() {
        let template =
            json!({"metadata": null, "spec": {"containers": null, "volumes": [{"name": 1}]}});
        let pod: Pod = serde_json::from_value(template).unwrap();
        assert_eq!((pod.name(), pod.is_unread()), ("", false));
        assert!(pod.running_containers().is_empty() && pod.status.is_none());
    }

    #[test]
    fn fields_have_the_names_of_the_generated_type() {
        let written = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
            "spec": {
                "containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80, "protocol": "TCP"}],
                    "env": [{"name": "E", "value": "v"}], "securityContext": {"privileged": true},
                    "readinessProbe": {"tcpSocket": {"port": 80}}}],
                "initContainers": [{"name": "s", "restartPolicy": "Always"}],
                "ephemeralContainers": [{"name": "e"}],
                "nodeName": "node1", "hostNetwork": true, "serviceAccountName": "s",
                "dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.0.0.1"]},
                "hostname": "h", "subdomain": "d", "enableServiceLinks": false,
                "hostAliases": [{"ip": "10.0.0.2", "hostnames": ["b"]}],
                "readinessGates": [{"conditionType": "g"}],
            },
            "status": {
                "phase": "Running", "message": "m", "podIP": "10.1.1.1", "podIPs": [{"ip": "10.1.1.1"}],
                "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [{"name": "c", "restartCount": 3, "image": "i", "imageID": "",
                    "ready": true, "state": {"running": {}}, "lastState": {"terminated": {"exitCode": 1}}}],
                "initContainerStatuses": [], "ephemeralContainerStatuses": [],
            },
        });
        let generated: v1::Pod = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(
            serde_json::to_value(generated).unwrap(),
            written,
            "Kubernetes knows them all"
        );
        let pod: Pod = serde_json::from_value(written).unwrap();
        let (spec, status) = (pod.spec.as_ref().unwrap(), pod.status.as_ref().unwrap());
        let is_read = [
            spec.node_name.is_some(),
            spec.host_network.is_some(),
            spec.service_account_name.is_some(),
            spec.dns_policy.is_some(),
            spec.dns_config.is_some(),
            spec.hostname.is_some(),
            spec.subdomain.is_some(),
            spec.enable_service_links.is_some(),
            spec.host_aliases.is_some(),
            spec.readiness_gates.is_some(),
            spec.ephemeral_containers.is_some(),
            status.phase.is_some(),
            status.message.is_some(),
            status.conditions.is_some(),
            status.pod_ip.is_some(),
            status.pod_ips.is_some(),
            status.init_container_statuses.is_some(),
            status.ephemeral_container_statuses.is_some(),
        ];
        assert_eq!(is_read, [true; 18]);
        let [container, sidecar] = pod.running_containers()[..] else {
            panic!("{spec:?}")
        };
        assert_eq!(sidecar.restart_policy.as_deref(), Some("Always"));
        let is_read = [
            container.image.is_some(),
            container.env.as_ref().unwrap()[0].value.is_some(),
            container.ports.is_some(),
            container.readiness_probe.is_some(),
            container
                .security_context
                .as_ref()
                .unwrap()
                .privileged
                .is_some(),
        ];
        assert_eq!(is_read, [true; 5]);
        let [own] = pod.container_statuses()[..] else {
            panic!("{status:?}")
        };
        assert_eq!(own.restart_count, 3);
        assert!(own.state.is_some() && own.last_state.is_some());
    }
}
