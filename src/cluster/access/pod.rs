//! Pods.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::{Container, ContainerPort, ContainerStatus, Pod, PodCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use crate::cluster::{Named, ObjectRef};
use crate::net::{Family, Protocol};

/// Questions the walk asks of a pod.
pub trait PodExt {
    /// Names it.
    fn reference(&self) -> ObjectRef;
    /// Its labels.
    fn labels(&self) -> &BTreeMap<String, String>;
    /// The node it was bound to.
    fn node_name(&self) -> Option<&str>;
    /// `status.podIPs`, which alone count (Kubernetes network model); `podIP` on old servers.
    fn ips(&self) -> Vec<IpAddr>;
    /// The first address of a family.
    fn ip(&self, family: Family) -> Option<IpAddr>;
    /// Whether only its metadata was read, as a list of names gives it: every real pod has a spec.
    fn is_unread(&self) -> bool;
    /// Whether it lives in its node's network namespace.
    fn is_host_network(&self) -> bool;
    /// `status.phase`; empty where there is no status.
    fn phase(&self) -> &str;
    /// Whether it has ended: its address may belong to another pod by now.
    fn is_finished(&self) -> bool;
    /// Whether it is being deleted.
    fn is_terminating(&self) -> bool;
    /// The condition of a type.
    fn condition(&self, kind: &str) -> Option<&PodCondition>;
    /// Whether the condition `Ready` is true.
    fn is_ready(&self) -> bool;
    /// Containers that run beside each other: the ordinary ones and the sidecars (init containers
    /// with restartPolicy Always, KEP-753).
    fn running_containers(&self) -> Vec<&Container>;
    /// The ports those containers declare. Informational, but named ports resolve through them.
    fn declared_ports(&self) -> Vec<&ContainerPort>;
    /// The number a named port has in this pod: the first container port with that name and
    /// protocol (`k8s.io/kubernetes/pkg/api/v1/pod.FindPort`).
    fn named_port(&self, name: &str, protocol: Protocol) -> Option<u16>;
    /// The controller that owns it.
    fn controller(&self) -> Option<&OwnerReference>;
    /// The status of its containers, sidecars included.
    fn container_statuses(&self) -> Vec<&ContainerStatus>;
    /// Why its first waiting container waits.
    fn waiting(&self) -> Option<Waiting<'_>>;
}

/// A container that is not running.
#[derive(Debug, Clone, Copy)]
pub struct Waiting<'a> {
    pub container: &'a str,
    /// `CrashLoopBackOff`, `ImagePullBackOff`, `ContainerCreating` …
    pub reason: &'a str,
    pub message: &'a str,
}

// === impl Pod ===

impl PodExt for Pod {
    fn reference(&self) -> ObjectRef {
        ObjectRef::new("Pod", self.namespace(), self.name())
    }

    fn labels(&self) -> &BTreeMap<String, String> {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        self.metadata.labels.as_ref().unwrap_or(&NONE)
    }

    fn node_name(&self) -> Option<&str> {
        let name = self.spec.as_ref()?.node_name.as_deref()?;
        (!name.is_empty()).then_some(name)
    }

    fn ips(&self) -> Vec<IpAddr> {
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

    fn ip(&self, family: Family) -> Option<IpAddr> {
        self.ips().into_iter().find(|ip| Family::of(*ip) == family)
    }

    fn is_unread(&self) -> bool {
        self.spec.is_none()
    }

    fn is_host_network(&self) -> bool {
        let spec = self.spec.as_ref();
        spec.and_then(|spec| spec.host_network).unwrap_or(false)
    }

    fn phase(&self) -> &str {
        let status = self.status.as_ref();
        status
            .and_then(|status| status.phase.as_deref())
            .unwrap_or_default()
    }

    fn is_finished(&self) -> bool {
        matches!(self.phase(), "Succeeded" | "Failed")
    }

    fn is_terminating(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }

    fn condition(&self, kind: &str) -> Option<&PodCondition> {
        let conditions = self.status.as_ref()?.conditions.as_ref()?;
        conditions.iter().find(|condition| condition.type_ == kind)
    }

    fn is_ready(&self) -> bool {
        self.condition("Ready")
            .is_some_and(|condition| condition.status == "True")
    }

    fn running_containers(&self) -> Vec<&Container> {
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

    fn declared_ports(&self) -> Vec<&ContainerPort> {
        self.running_containers()
            .into_iter()
            .flat_map(|container| container.ports.iter().flatten())
            .collect()
    }

    fn named_port(&self, name: &str, protocol: Protocol) -> Option<u16> {
        let port = self.declared_ports().into_iter().find(|port| {
            port.name.as_deref() == Some(name)
                && Protocol::from_field(port.protocol.as_deref()) == Ok(protocol)
        })?;
        u16::try_from(port.container_port).ok()
    }

    fn controller(&self) -> Option<&OwnerReference> {
        let owners = self.metadata.owner_references.as_ref()?;
        owners.iter().find(|owner| owner.controller == Some(true))
    }

    fn container_statuses(&self) -> Vec<&ContainerStatus> {
        let Some(status) = &self.status else {
            return Vec::new();
        };
        let ordinary = status.container_statuses.iter().flatten();
        ordinary
            .chain(status.init_container_statuses.iter().flatten())
            .collect()
    }

    fn waiting(&self) -> Option<Waiting<'_>> {
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
