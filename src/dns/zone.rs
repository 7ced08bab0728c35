//! What the cluster zone answers (Kubernetes DNS-based service discovery 1.1.0).

use std::net::IpAddr;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};

use crate::cluster::access::{EndpointExt, ServiceExt, ServiceKind, SliceExt};
use crate::cluster::multicluster::ServiceImport;
use crate::cluster::{ClusterView, Named};

/// What a name of the cluster zone stands for.
#[derive(Debug, Clone)]
pub enum Answer<'v> {
    /// A Service with a cluster IP.
    Service(&'v Service),
    /// A headless Service: its ready endpoints.
    Headless(&'v Service),
    /// One endpoint of a headless Service, by host name.
    Endpoint {
        service: &'v Service,
        hostname: String,
    },
    /// An ExternalName Service: an alias.
    Alias {
        service: &'v Service,
        target: String,
    },
    /// A Service of the cluster set.
    Import(ServiceImport<'v>),
    /// `10-244-1-5.NAMESPACE.pod`.
    Address(IpAddr),
    /// NXDOMAIN.
    None(NoName<'v>),
}

/// Why the zone has no such name.
#[derive(Debug, Clone)]
pub enum NoName<'v> {
    /// No Service of that name in that namespace.
    Service { namespace: String, name: String },
    /// The Service exists, but a headless one without a ready endpoint has no records.
    NothingReady(&'v Service),
    /// The Service exists, but no endpoint has that host name.
    Hostname {
        service: &'v Service,
        hostname: String,
    },
    /// No ServiceImport of that name in that namespace.
    Import { namespace: String, name: String },
    /// The ServiceImport has no address.
    NoClusterSetIp(ServiceImport<'v>),
    /// Not a form the specification knows.
    Form,
}

/// Answers a name below the zone (`api.shop.svc.cluster.local`, without final dot).
#[must_use]
pub fn answer<'v>(view: &'v ClusterView, name: &str, zone: &str) -> Answer<'v> {
    let below = name
        .strip_suffix(zone)
        .unwrap_or(name)
        .trim_end_matches('.');
    let labels: Vec<&str> = below.split('.').collect();
    match labels.as_slice() {
        [service, namespace, "svc"] => of_service(view, namespace, service),
        [port, protocol, service, namespace, "svc"]
            if port.starts_with('_') && protocol.starts_with('_') =>
        {
            of_service(view, namespace, service)
        }
        [hostname, service, namespace, "svc"] => of_hostname(view, namespace, service, hostname),
        [dashed, namespace, "pod"] if !namespace.is_empty() => {
            dashed_address(dashed).map_or(Answer::None(NoName::Form), Answer::Address)
        }
        _ => Answer::None(NoName::Form),
    }
}

/// The Service a name of the zone speaks of, whatever else it holds.
#[must_use]
pub fn service_of_name<'n>(name: &'n str, zone: &str) -> Option<(&'n str, &'n str)> {
    let below = name
        .strip_suffix(zone)?
        .strip_suffix('.')?
        .strip_suffix(".svc")?;
    let (service, namespace) = below.rsplit_once('.')?;
    Some((namespace, service.rsplit('.').next().unwrap_or(service)))
}

fn of_service<'v>(view: &'v ClusterView, namespace: &str, name: &str) -> Answer<'v> {
    let Some(service) = view.services.get(namespace, name) else {
        return Answer::None(NoName::Service {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        });
    };
    match service.service_kind() {
        ServiceKind::ExternalName => Answer::Alias {
            service,
            target: external_name(service).to_owned(),
        },
        ServiceKind::Headless if published(view, service).next().is_none() => {
            Answer::None(NoName::NothingReady(service))
        }
        ServiceKind::Headless => Answer::Headless(service),
        _ => Answer::Service(service),
    }
}

fn of_hostname<'v>(
    view: &'v ClusterView,
    namespace: &str,
    name: &str,
    hostname: &str,
) -> Answer<'v> {
    let service = match of_service(view, namespace, name) {
        Answer::Headless(service) | Answer::Service(service) => service,
        none => return none,
    };
    let has_name = |(_, endpoint): (&EndpointSlice, &Endpoint)| match &endpoint.hostname {
        Some(own) => own == hostname,
        None => endpoint.address() == dashed_address(hostname) && endpoint.address().is_some(),
    };
    if published(view, service).any(has_name) {
        Answer::Endpoint {
            service,
            hostname: hostname.to_owned(),
        }
    } else {
        Answer::None(NoName::Hostname {
            service,
            hostname: hostname.to_owned(),
        })
    }
}

/// The endpoints that have records: the ready ones. With `publishNotReadyAddresses` the slice itself
/// says ready. In manifests there are no slices; the pods a selector finds stand for them.
fn published<'v>(
    view: &'v ClusterView,
    service: &'v Service,
) -> impl Iterator<Item = (&'v EndpointSlice, &'v Endpoint)> {
    view.endpoint_slices
        .in_namespace(service.namespace())
        .filter(|slice| slice.service_name() == Some(service.name()))
        .flat_map(|slice| {
            slice
                .endpoints
                .iter()
                .flatten()
                .map(move |endpoint| (slice, endpoint))
        })
        .filter(|(_, endpoint)| endpoint.is_ready())
}

/// `spec.externalName`.
pub(crate) fn external_name(service: &Service) -> &str {
    let spec = service.spec.as_ref();
    spec.and_then(|spec| spec.external_name.as_deref())
        .unwrap_or_default()
        .trim_end_matches('.')
}

/// `10-244-1-5` and `fd00--5`.
fn dashed_address(text: &str) -> Option<IpAddr> {
    let v4 = text.replace('-', ".").parse().ok().map(IpAddr::V4);
    v4.or_else(|| text.replace('-', ":").parse().ok().map(IpAddr::V6))
}
