//! Endpoints without slices, as the EndpointSlice mirroring controller would mirror them
//! (`pkg/controller/endpointslicemirroring`): those of Services without a selector.

use k8s_openapi::api::core::v1::{EndpointAddress, EndpointSubset, Endpoints, Service};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::access::{MANAGED_BY, MIRRORED, SERVICE_NAME, ServiceExt};
use super::{ClusterView, Named};
use crate::net::{Family, parse_address};

/// The label that keeps Endpoints from being mirrored.
const SKIP: &str = "endpointslice.kubernetes.io/skip-mirror";
/// The annotation of Endpoints that only serve as a lock.
const LOCK: &str = "control-plane.alpha.kubernetes.io/leader";
/// How many addresses of a subset are mirrored.
const MAX_ADDRESSES: usize = 1_000;

/// Adds the slices that are missing. Where no slice at all is in the view, nobody recorded them, and
/// Endpoints with a selector stand for them, too: another controller writes the same into both.
pub(super) fn mirror(view: &mut ClusterView) {
    let is_unrecorded = view.endpoint_slices.is_empty();
    let slices: Vec<EndpointSlice> = view
        .endpoints
        .iter()
        .filter(|endpoints| is_mirrored(view, endpoints, is_unrecorded))
        .flat_map(slices)
        .collect();
    for slice in slices {
        let (namespace, name) = (slice.namespace().to_owned(), slice.name().to_owned());
        view.endpoint_slices.insert(namespace, name, slice);
    }
}

fn is_mirrored(view: &ClusterView, endpoints: &Endpoints, is_unrecorded: bool) -> bool {
    let (namespace, name) = (endpoints.namespace(), endpoints.name());
    let service = view.services.get(namespace, name);
    let meta = &endpoints.metadata;
    let has_label = |key| {
        meta.labels
            .as_ref()
            .is_some_and(|all| all.contains_key(key))
    };
    let is_lock = meta
        .annotations
        .as_ref()
        .is_some_and(|all| all.contains_key(LOCK));
    let has_slices = view
        .endpoint_slices
        .in_namespace(namespace)
        .any(|slice| super::access::SliceExt::service_name(slice) == Some(name));
    let by_hand = |service: &Service| service.selector().is_none();
    let is_for_it = service.is_some_and(|service| is_unrecorded || by_hand(service));
    is_for_it && !has_slices && !has_label(SKIP) && !is_lock
}

/// One slice for each subset and family.
fn slices(endpoints: &Endpoints) -> Vec<EndpointSlice> {
    let subsets = endpoints.subsets.iter().flatten().enumerate();
    let of_families = subsets.flat_map(|(position, subset)| {
        Family::ALL.map(|family| slice(endpoints, (position, subset), family))
    });
    of_families.flatten().collect()
}

fn slice(
    of: &Endpoints,
    (position, subset): (usize, &EndpointSubset),
    family: Family,
) -> Option<EndpointSlice> {
    let ready = subset
        .addresses
        .iter()
        .flatten()
        .map(|address| (address, true));
    let unready = subset.not_ready_addresses.iter().flatten();
    let all = ready.chain(unready.map(|address| (address, false)));
    let own = all.filter(|(address, _)| parse_address(&address.ip).map(Family::of) == Some(family));
    let endpoints: Vec<Endpoint> = own
        .take(MAX_ADDRESSES)
        .map(|(address, is_ready)| endpoint(address, is_ready))
        .collect();
    let ports = subset.ports.iter().flatten().map(|port| EndpointPort {
        app_protocol: port.app_protocol.clone(),
        name: Some(port.name.clone().unwrap_or_default()),
        port: Some(port.port),
        protocol: port.protocol.clone(),
    });
    let labels = [(SERVICE_NAME, of.name()), (MANAGED_BY, MIRRORED)];
    let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
    (!endpoints.is_empty()).then(|| EndpointSlice {
        address_type: family.to_string(),
        endpoints: Some(endpoints),
        metadata: ObjectMeta {
            labels: Some(labels.into()),
            name: Some(format!(
                "{}-{position}-{}",
                of.name(),
                family.to_string().to_lowercase()
            )),
            namespace: Some(of.namespace().to_owned()),
            ..ObjectMeta::default()
        },
        ports: Some(ports.collect()),
    })
}

fn endpoint(address: &EndpointAddress, is_ready: bool) -> Endpoint {
    Endpoint {
        addresses: vec![address.ip.clone()],
        conditions: Some(EndpointConditions {
            ready: Some(is_ready),
            ..EndpointConditions::default()
        }),
        hostname: address.hostname.clone().filter(|name| !name.is_empty()),
        node_name: address.node_name.clone(),
        target_ref: address.target_ref.clone(),
        ..Endpoint::default()
    }
}
