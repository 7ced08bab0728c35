//! A pod, as far as anything here asks about it.
//!
//! The generated type goes on for some 170 types more: every kind of volume, probe and constraint, to be
//! read for each of ten thousand pods, and a fiftieth of the whole program.

use k8s_openapi::api::core::v1::{
    Capabilities, ContainerPort, ContainerState, HostAlias, PodCondition, PodDNSConfig, PodIP,
    PodReadinessGate, Probe,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;

use super::Named;

/// A pod; also the template that a workload makes its pods from, which has no status.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Pod {
    pub metadata: ObjectMeta,
    /// None where only the metadata was read.
    pub spec: Option<PodSpec>,
    pub status: Option<PodStatus>,
}

/// What somebody wants.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PodSpec {
    pub containers: Option<Vec<Container>>,
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
