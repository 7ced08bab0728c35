//! The pods and ports that a Service means.

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::access::ServiceExt;
use super::{ClusterView, Named, Pod};
use crate::net::Protocol;

/// The pods a Service selects that have not ended.
pub fn selected<'v>(view: &'v ClusterView, service: &'v Service) -> impl Iterator<Item = &'v Pod> {
    let selector = service.selector();
    view.pods
        .in_namespace(service.namespace())
        .filter(move |pod| {
            !pod.is_finished()
                && selector
                    .as_ref()
                    .is_some_and(|selector| selector.matches(pod.labels()))
        })
}

/// The number a targetPort has in one pod.
#[must_use]
pub fn resolve_port(pod: &Pod, target: &IntOrString, protocol: Protocol) -> Option<u16> {
    match target {
        IntOrString::Int(number) => u16::try_from(*number).ok(),
        IntOrString::String(name) => pod.named_port(name, protocol),
    }
}
