//! ServiceImport and ServiceExport. Their versions v1alpha1 and v1beta1 have the same fields here.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde_json::Value;

use super::{IMPORT_NAME, label};
use crate::cluster::access::ServiceExt;
use crate::cluster::{ClusterView, ObjectRef, Resource};
use crate::net::Protocol;
use crate::target::PortSpec;

/// A Service of the cluster set, as it is offered in this cluster.
#[derive(Debug, Clone, Copy)]
pub struct ServiceImport<'v> {
    value: &'v Value,
}

/// That a Service of this cluster is offered to the others.
#[derive(Debug, Clone, Copy)]
pub struct ServiceExport<'v> {
    value: &'v Value,
}

/// A port of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportPort {
    /// Empty where the port has no name.
    pub name: String,
    pub protocol: Protocol,
    pub number: u16,
}

// === impl ServiceImport ===

impl<'v> ServiceImport<'v> {
    /// The import of that name.
    #[must_use]
    pub fn find(view: &'v ClusterView, namespace: &str, name: &str) -> Option<Self> {
        let table = view.custom.get(&Resource::ServiceImports)?;
        let value = table.get(namespace, name)?;
        Some(Self { value })
    }

    /// Every import.
    pub fn all(view: &'v ClusterView) -> impl Iterator<Item = Self> {
        view.custom(Resource::ServiceImports)
            .map(|value| Self { value })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'v str {
        text(self.value, "/metadata/name")
    }

    /// Its namespace.
    #[must_use]
    pub fn namespace(&self) -> &'v str {
        text(self.value, "/metadata/namespace")
    }

    /// Names it.
    #[must_use]
    pub fn reference(&self) -> ObjectRef {
        ObjectRef::new("ServiceImport", self.namespace(), self.name())
    }

    /// Whether its name leads to the endpoints themselves.
    #[must_use]
    pub fn is_headless(&self) -> bool {
        text(self.value, "/spec/type") == "Headless"
    }

    /// Its addresses in the cluster set.
    #[must_use]
    pub fn ips(&self) -> Vec<IpAddr> {
        let ips = items(self.value, "/spec/ips");
        let ips = ips.iter().filter_map(Value::as_str);
        ips.filter_map(|ip| ip.parse().ok()).collect()
    }

    /// Its ports.
    #[must_use]
    pub fn ports(&self) -> Vec<ImportPort> {
        let ports = items(self.value, "/spec/ports").iter();
        let port = |port: &Value| {
            let number = port["port"].as_u64()?;
            Some(ImportPort {
                name: port["name"].as_str().unwrap_or_default().to_owned(),
                protocol: Protocol::from_field(port["protocol"].as_str()).ok()?,
                number: u16::try_from(number).ok()?,
            })
        };
        ports.filter_map(port).collect()
    }

    /// The port that is asked for: by number or name, or the first of the protocol. A client of a
    /// headless import may ask for any port of a pod.
    #[must_use]
    pub fn port(&self, asked: Option<&PortSpec>, protocol: Option<Protocol>) -> Option<ImportPort> {
        let ports = self.ports();
        let fits = |port: &ImportPort| protocol.is_none_or(|protocol| port.protocol == protocol);
        let is_asked = |port: &ImportPort| match asked {
            None => fits(port),
            Some(PortSpec::Name(name)) => fits(port) && port.name == *name,
            Some(PortSpec::Number(number)) => {
                port.number == *number && port.protocol == protocol.unwrap_or_default()
            }
        };
        let declared = ports.iter().find(|port| is_asked(port)).cloned();
        let of_pod = || match (asked, ports.first()) {
            (Some(PortSpec::Number(number)), Some(first)) if self.is_headless() => {
                Some(ImportPort {
                    number: *number,
                    ..first.clone()
                })
            }
            _ => None,
        };
        declared.or_else(of_pod)
    }

    /// The clusters that export it, as its status says; empty where it says nothing.
    #[must_use]
    pub fn clusters(&self) -> Vec<&'v str> {
        let clusters = items(self.value, "/status/clusters").iter();
        clusters.filter_map(|one| one["cluster"].as_str()).collect()
    }

    /// Whether its endpoints are kept in this cluster as EndpointSlices.
    #[must_use]
    pub fn has_slices(&self) -> bool {
        text(self.value, "/status/endpointSliceObjects") != "Absent"
    }

    /// Why it is not ready, where its status says so.
    #[must_use]
    pub fn not_ready(&self) -> Option<String> {
        condition(self.value, "Ready", "False")
    }

    /// The slices with its endpoints, of all clusters.
    pub fn slices(self, view: &'v ClusterView) -> impl Iterator<Item = &'v EndpointSlice> {
        let slices = view.endpoint_slices.in_namespace(self.namespace());
        slices.filter(move |slice| label(slice, IMPORT_NAME) == Some(self.name()))
    }

    /// The Service that a product derived from it, to have kube-proxy serve its address.
    #[must_use]
    pub fn derived(&self, view: &'v ClusterView) -> Option<&'v Service> {
        let ips = self.ips();
        let mut services = view.services.in_namespace(self.namespace());
        services.find(|service| service.cluster_ips().iter().any(|ip| ips.contains(ip)))
    }
}

// === impl ServiceExport ===

impl<'v> ServiceExport<'v> {
    /// The export of the Service of that name.
    #[must_use]
    pub fn find(view: &'v ClusterView, namespace: &str, name: &str) -> Option<Self> {
        let table = view.custom.get(&Resource::ServiceExports)?;
        let value = table.get(namespace, name)?;
        Some(Self { value })
    }

    /// Names it.
    #[must_use]
    pub fn reference(&self) -> ObjectRef {
        let namespace = text(self.value, "/metadata/namespace");
        ObjectRef::new(
            "ServiceExport",
            namespace,
            text(self.value, "/metadata/name"),
        )
    }

    /// Why it is not valid, where its status says so: `NoService`, `InvalidServiceType`.
    #[must_use]
    pub fn invalid(&self) -> Option<String> {
        condition(self.value, "Valid", "False")
    }

    /// With what of the exports of other clusters it disagrees: the oldest one counts.
    #[must_use]
    pub fn conflict(&self) -> Option<String> {
        condition(self.value, "Conflict", "True")
    }
}

/// Reason and message of a condition that has a status.
fn condition(value: &Value, kind: &str, status: &str) -> Option<String> {
    let mut conditions = items(value, "/status/conditions").iter();
    let found = conditions.find(|one| one["type"] == kind && one["status"] == status)?;
    let word = |field: &str| found[field].as_str().unwrap_or_default();
    Some(match (word("reason"), word("message")) {
        (reason, "") => reason.to_owned(),
        (reason, message) => format!("{reason}: {message}"),
    })
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_default()
}

fn items<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    let found = value.pointer(pointer).and_then(Value::as_array);
    found.map_or(&[], Vec::as_slice)
}
