//! Services.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::cluster::{Named, ObjectRef, Selector};
use crate::net::{Family, Protocol, parse_address};

/// The ways a Service answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceKind {
    ClusterIp,
    /// `clusterIP: None`: the name resolves to the pods.
    Headless,
    NodePort,
    LoadBalancer,
    ExternalName,
}

/// Questions the walk asks of a Service.
pub trait ServiceExt {
    /// Names it.
    fn reference(&self) -> ObjectRef;
    /// What kind of Service it is.
    fn service_kind(&self) -> ServiceKind;
    /// Its cluster IPs; none for headless and ExternalName Services.
    fn cluster_ips(&self) -> Vec<IpAddr>;
    /// The cluster IP of a family: every mode of kube-proxy programs each family by itself.
    fn cluster_ip(&self, family: Family) -> Option<IpAddr>;
    /// The families it answers on, preferred one first.
    fn families(&self) -> Vec<Family>;
    /// The selector, unless endpoints are made by hand.
    fn selector(&self) -> Option<Selector>;
    /// Its ports.
    fn ports(&self) -> &[ServicePort];
    /// `externalTrafficPolicy: Local`.
    fn is_external_local(&self) -> bool;
    /// `internalTrafficPolicy: Local`.
    fn is_internal_local(&self) -> bool;
    /// Load-balancer addresses that were assigned, with the host name where there is only that.
    fn ingress_addresses(&self) -> Vec<String>;
    /// Load-balancer addresses that the nodes answer for: an entry with `ipMode: Proxy` (KEP-1860)
    /// or only a host name is left to the balancer.
    fn balancer_vips(&self) -> Vec<IpAddr>;
}

/// Questions about one port of a Service.
pub trait ServicePortExt {
    /// TCP unless it says otherwise.
    fn protocol(&self) -> Protocol;
    /// The number clients use.
    fn number(&self) -> u16;
}

// === impl Service ===

impl ServiceExt for Service {
    fn reference(&self) -> ObjectRef {
        ObjectRef::new("Service", self.namespace(), self.name())
    }

    fn service_kind(&self) -> ServiceKind {
        let spec = self.spec.as_ref();
        let kind = spec.and_then(|spec| spec.type_.as_deref());
        let cluster_ip = spec.and_then(|spec| spec.cluster_ip.as_deref());
        match (kind, cluster_ip) {
            (Some("ExternalName"), _) => ServiceKind::ExternalName,
            (_, Some("None")) => ServiceKind::Headless,
            (Some("NodePort"), _) => ServiceKind::NodePort,
            (Some("LoadBalancer"), _) => ServiceKind::LoadBalancer,
            _ => ServiceKind::ClusterIp,
        }
    }

    fn cluster_ips(&self) -> Vec<IpAddr> {
        let Some(spec) = &self.spec else {
            return Vec::new();
        };
        let listed = spec.cluster_ips.iter().flatten();
        let mut ips: Vec<IpAddr> = listed.filter_map(|ip| parse_address(ip)).collect();
        if ips.is_empty() {
            let single = spec.cluster_ip.iter();
            ips.extend(single.filter_map(|ip| parse_address(ip)));
        }
        ips
    }

    fn cluster_ip(&self, family: Family) -> Option<IpAddr> {
        self.cluster_ips()
            .into_iter()
            .find(|ip| Family::of(*ip) == family)
    }

    fn families(&self) -> Vec<Family> {
        let spec = self.spec.as_ref();
        let listed = spec.and_then(|spec| spec.ip_families.as_deref());
        let families: Vec<Family> = listed
            .unwrap_or_default()
            .iter()
            .filter_map(|name| match name.as_str() {
                "IPv4" => Some(Family::V4),
                "IPv6" => Some(Family::V6),
                _ => None,
            })
            .collect();
        if families.is_empty() {
            self.cluster_ips().into_iter().map(Family::of).collect()
        } else {
            families
        }
    }

    fn selector(&self) -> Option<Selector> {
        let selector = self.spec.as_ref()?.selector.as_ref()?;
        (!selector.is_empty()).then(|| Selector::from_map(selector))
    }

    fn ports(&self) -> &[ServicePort] {
        let spec = self.spec.as_ref();
        spec.and_then(|spec| spec.ports.as_deref()).unwrap_or(&[])
    }

    fn is_external_local(&self) -> bool {
        let spec = self.spec.as_ref();
        spec.and_then(|spec| spec.external_traffic_policy.as_deref()) == Some("Local")
    }

    fn is_internal_local(&self) -> bool {
        let spec = self.spec.as_ref();
        spec.and_then(|spec| spec.internal_traffic_policy.as_deref()) == Some("Local")
    }

    fn ingress_addresses(&self) -> Vec<String> {
        let status = self.status.as_ref();
        let ingress = status
            .and_then(|status| status.load_balancer.as_ref())
            .and_then(|balancer| balancer.ingress.as_deref());
        ingress
            .unwrap_or_default()
            .iter()
            .filter_map(|entry| entry.ip.clone().or_else(|| entry.hostname.clone()))
            .collect()
    }

    fn balancer_vips(&self) -> Vec<IpAddr> {
        let status = self.status.as_ref();
        let ingress = status
            .and_then(|status| status.load_balancer.as_ref())
            .and_then(|balancer| balancer.ingress.as_deref());
        ingress
            .unwrap_or_default()
            .iter()
            .filter(|entry| entry.ip_mode.as_deref() != Some("Proxy"))
            .filter_map(|entry| parse_address(entry.ip.as_deref()?))
            .collect()
    }
}

// === impl ServicePort ===

impl ServicePortExt for ServicePort {
    fn protocol(&self) -> Protocol {
        Protocol::from_field(self.protocol.as_deref()).unwrap_or_default()
    }

    fn number(&self) -> u16 {
        u16::try_from(self.port).unwrap_or_default()
    }
}

/// The number or name that `targetPort` holds; the port itself where it is left out.
#[must_use]
pub fn target_port(port: &ServicePort) -> IntOrString {
    port.target_port
        .clone()
        .unwrap_or(IntOrString::Int(port.port))
}
