//! EndpointSlices.

use std::net::IpAddr;

use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};

use crate::net::{Family, Protocol, parse_address};

/// The label that ties a slice to its Service.
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// The label that says which controller keeps a slice.
pub const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";

/// The controller that mirrors Endpoints somebody writes.
pub const MIRRORED: &str = "endpointslicemirroring-controller.k8s.io";

/// Questions the walk asks of an EndpointSlice.
pub trait SliceExt {
    /// The Service it belongs to, by label.
    fn service_name(&self) -> Option<&str>;
    /// The family of its addresses; none for FQDN slices, which kube-proxy ignores.
    fn family(&self) -> Option<Family>;
    /// Which controller made it.
    fn managed_by(&self) -> Option<&str>;
    /// The numbers of the port with a name (empty = unnamed) and protocol. A port without a number
    /// is passed over, as kube-proxy does.
    fn port_numbers(&self, name: &str, protocol: Protocol) -> Vec<u16>;
}

/// Questions about one endpoint. Absent conditions follow the API: ready when nil, serving as ready,
/// not terminating.
pub trait EndpointExt {
    /// Takes new connections.
    fn is_ready(&self) -> bool;
    /// Answers, be it terminating or not.
    fn is_serving(&self) -> bool;
    /// Its pod is being deleted.
    fn is_terminating(&self) -> bool;
    /// The address. All addresses of one endpoint are the same pod; the first is what kube-proxy uses.
    fn address(&self) -> Option<IpAddr>;
    /// Namespace and name of the pod behind it. The namespace is that of the slice when left out.
    fn pod_name(&self) -> Option<&str>;
}

// === impl EndpointSlice ===

impl SliceExt for EndpointSlice {
    fn service_name(&self) -> Option<&str> {
        let labels = self.metadata.labels.as_ref()?;
        labels.get(SERVICE_NAME).map(String::as_str)
    }

    fn family(&self) -> Option<Family> {
        match self.address_type.as_str() {
            "IPv4" => Some(Family::V4),
            "IPv6" => Some(Family::V6),
            _ => None,
        }
    }

    fn managed_by(&self) -> Option<&str> {
        let labels = self.metadata.labels.as_ref()?;
        labels.get(MANAGED_BY).map(String::as_str)
    }

    fn port_numbers(&self, name: &str, protocol: Protocol) -> Vec<u16> {
        let ports = self.ports.iter().flatten();
        ports
            .filter(|port| {
                port.name.as_deref().unwrap_or_default() == name
                    && Protocol::from_field(port.protocol.as_deref()) == Ok(protocol)
            })
            .filter_map(|port| u16::try_from(port.port?).ok())
            .filter(|number| *number != 0)
            .collect()
    }
}

// === impl Endpoint ===

impl EndpointExt for Endpoint {
    fn is_ready(&self) -> bool {
        let conditions = self.conditions.as_ref();
        conditions
            .and_then(|conditions| conditions.ready)
            .unwrap_or(true)
    }

    fn is_serving(&self) -> bool {
        let conditions = self.conditions.as_ref();
        conditions
            .and_then(|conditions| conditions.serving)
            .unwrap_or_else(|| self.is_ready())
    }

    fn is_terminating(&self) -> bool {
        let conditions = self.conditions.as_ref();
        conditions
            .and_then(|conditions| conditions.terminating)
            .unwrap_or(false)
    }

    fn address(&self) -> Option<IpAddr> {
        parse_address(self.addresses.first()?)
    }

    fn pod_name(&self) -> Option<&str> {
        let target = self.target_ref.as_ref()?;
        (target.kind.as_deref() == Some("Pod"))
            .then_some(target.name.as_deref())
            .flatten()
    }
}
