//! Services that span clusters, as objects of this cluster show them.
//!
//! ```text
//!  import      ServiceImport and ServiceExport (Multi-Cluster Services API, KEP-1645)
//!  product     what Submariner, Cilium Cluster Mesh and Linkerd write beside them
//! ```

mod import;
mod product;

use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};

use super::access::{EndpointExt, SliceExt};
use super::{ClusterView, Named};

pub use import::{ImportPort, ServiceExport, ServiceImport};
pub use product::{
    Link, Ranges, is_cluster_mesh, is_global, links, local_name, mirrored_from, ranges,
};

/// The label that ties a slice to its ServiceImport.
pub const IMPORT_NAME: &str = "multicluster.kubernetes.io/service-name";

/// The label that says which cluster the endpoints of a slice are in.
pub const SOURCE_CLUSTER: &str = "multicluster.kubernetes.io/source-cluster";

/// A label of a slice.
fn label<'v>(slice: &'v EndpointSlice, key: &str) -> Option<&'v str> {
    let labels = slice.metadata.labels.as_ref()?;
    labels.get(key).map(String::as_str)
}

/// The other cluster that an endpoint is in; none for one of this cluster.
///
/// Slices of its own exports carry its own name, which only some products write down: where they do not, an
/// endpoint that the Service of the same name has here, too, is one of this cluster.
#[must_use]
pub fn remote_cluster<'v>(
    view: &ClusterView,
    slice: &'v EndpointSlice,
    endpoint: &Endpoint,
) -> Option<&'v str> {
    let cluster = label(slice, SOURCE_CLUSTER)?;
    match local_name(view) {
        Some(own) => (own != cluster).then_some(cluster),
        None => (!is_own(view, slice, endpoint)).then_some(cluster),
    }
}

fn is_own(view: &ClusterView, slice: &EndpointSlice, endpoint: &Endpoint) -> bool {
    let namespace = slice.namespace();
    let Some(service) = label(slice, IMPORT_NAME).or_else(|| slice.service_name()) else {
        return false;
    };
    let mut own = view
        .endpoint_slices
        .in_namespace(namespace)
        .filter(|own| label(own, SOURCE_CLUSTER).is_none() && own.service_name() == Some(service));
    let has_address = |one: &Endpoint| one.address() == endpoint.address();
    own.any(|own| own.endpoints.iter().flatten().any(has_address))
}
