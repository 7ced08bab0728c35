//! Pods.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::{ContainerPort, PodCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use crate::cluster::{Container, ContainerStatus, Named, ObjectRef, Pod};
use crate::net::{Family, Protocol};

/// A container that is not running.
#[derive(Debug, Clone, Copy)]
pub struct Waiting<'a> {
    pub container: &'a str,
    /// `CrashLoopBackOff`, `ImagePullBackOff`, `ContainerCreating` …
    pub reason: &'a str,
    pub message: &'a str,
}

// === impl Pod ===

impl Pod {
    /// Names it.
    #[must_use]
    pub fn reference(&self) -> ObjectRef {
        ObjectRef::new("Pod", self.namespace(), self.name())
    }

    /// Its labels.
    #[must_use]
    pub fn labels(&self) -> &BTreeMap<String, String> {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        self.metadata.labels.as_ref().unwrap_or(&NONE)
    }

    /// The node it was bound to.
    #[must_use]
    pub fn node_name(&self) -> Option<&str> {
        let name = self.spec.as_ref()?.node_name.as_deref()?;
        (!name.is_empty()).then_some(name)
    }

    /// `status.podIPs`, which alone count (Kubernetes network model); `podIP` on old servers.
    #[must_use]
    pub fn ips(&self) -> Vec<IpAddr> {
        let Some(status) = &self.status else {
            return Vec::new();
        };
        let mut ips: Vec<IpAddr> = status
            .pod_ips
            .iter()
            .flatten()
            .filter_map(|entry| entry.ip.parse().ok())
            .collect();
        if ips.is_empty() {
            ips.extend(
                status
                    .pod_ip
                    .iter()
                    .filter_map(|ip| ip.parse::<IpAddr>().ok()),
            );
        }
        ips
    }

    /// The first address of a family.
    #[must_use]
    pub fn ip(&self, family: Family) -> Option<IpAddr> {
        self.ips().into_iter().find(|ip| Family::of(*ip) == family)
    }

    /// Whether only its metadata was read, as a list of names gives it: every real pod has a spec.
    #[must_use]
    pub const fn is_unread(&self) -> bool {
        self.spec.is_none()
    }

    /// Whether it lives in its node's network namespace.
    #[must_use]
    pub fn is_host_network(&self) -> bool {
        let spec = self.spec.as_ref();
        spec.and_then(|spec| spec.host_network).unwrap_or(false)
    }

    /// `status.phase`; empty where there is no status.
    #[must_use]
    pub fn phase(&self) -> &str {
        let status = self.status.as_ref();
        status
            .and_then(|status| status.phase.as_deref())
            .unwrap_or_default()
    }

    /// Whether it has ended: its address may belong to another pod by now.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        matches!(self.phase(), "Succeeded" | "Failed")
    }

    /// Whether it is being deleted.
    #[must_use]
    pub const fn is_terminating(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }

    /// The condition of a type.
    #[must_use]
    pub fn condition(&self, kind: &str) -> Option<&PodCondition> {
        let conditions = self.status.as_ref()?.conditions.as_ref()?;
        conditions.iter().find(|condition| condition.type_ == kind)
    }

    /// Whether the condition `Ready` is true.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.condition("Ready")
            .is_some_and(|condition| condition.status == "True")
    }

    /// Containers that run beside each other: the ordinary ones and the sidecars (init containers
    /// with restartPolicy Always, KEP-753).
    #[must_use]
    pub fn running_containers(&self) -> Vec<&Container> {
        let Some(spec) = &self.spec else {
            return Vec::new();
        };
        let sidecars = spec
            .init_containers
            .iter()
            .flatten()
            .filter(|container| container.restart_policy.as_deref() == Some("Always"));
        spec.containers.iter().chain(sidecars).collect()
    }

    /// The ports those containers declare. Informational, but named ports resolve through them.
    #[must_use]
    pub fn declared_ports(&self) -> Vec<&ContainerPort> {
        self.running_containers()
            .into_iter()
            .flat_map(|container| container.ports.iter().flatten())
            .collect()
    }

    /// The number a named port has in this pod: the first container port with that name and
    /// protocol (`k8s.io/kubernetes/pkg/api/v1/pod.FindPort`).
    #[must_use]
    pub fn named_port(&self, name: &str, protocol: Protocol) -> Option<u16> {
        let port = self.declared_ports().into_iter().find(|port| {
            port.name.as_deref() == Some(name)
                && Protocol::from_field(port.protocol.as_deref()) == Ok(protocol)
        })?;
        u16::try_from(port.container_port).ok()
    }

    /// The controller that owns it.
    #[must_use]
    pub fn controller(&self) -> Option<&OwnerReference> {
        let owners = self.metadata.owner_references.as_ref()?;
        owners.iter().find(|owner| owner.controller == Some(true))
    }

    /// The status of its containers, sidecars included.
    #[must_use]
    pub fn container_statuses(&self) -> Vec<&ContainerStatus> {
        let Some(status) = &self.status else {
            return Vec::new();
        };
        let ordinary = status.container_statuses.iter().flatten();
        ordinary
            .chain(status.init_container_statuses.iter().flatten())
            .collect()
    }

    /// Why its first waiting container waits.
    #[must_use]
    pub fn waiting(&self) -> Option<Waiting<'_>> {
        self.container_statuses().into_iter().find_map(|status| {
            let waiting = status.state.as_ref()?.waiting.as_ref()?;
            Some(Waiting {
                container: &status.name,
                reason: waiting.reason.as_deref().unwrap_or_default(),
                message: waiting.message.as_deref().unwrap_or_default(),
            })
        })
    }
}
