//! Waypoints: proxies of an ambient mesh that see requests.

use std::collections::BTreeMap;

use super::super::connection::{Identity, Waypoint};
use super::super::object::Object;
use super::Istio;
use crate::cluster::gateway_api::{Condition, Gateway};
use crate::cluster::{ClusterView, Named, ObjectRef, Pod, Selector};
use k8s_openapi::api::core::v1::Service;

/// Where traffic for a Service or a pod is bound to go first.
#[derive(Debug, Clone)]
pub(super) enum Bound<'v> {
    No,
    To(Waypoint, &'v Gateway),
    /// Asked for, and not in force: there is no such Gateway, or it does not take part.
    Missing {
        name: String,
        why: String,
    },
}

/// The waypoint of a Service: by its own label, or that of its namespace.
pub(super) fn of_service<'v>(
    istio: &Istio<'v>,
    service: &Service,
    trust_domain: &str,
) -> Bound<'v> {
    let own = service.metadata.labels.as_ref();
    let own = |key: &str| own.and_then(|labels| labels.get(key)).cloned();
    bound(istio, service.namespace(), own, "service", trust_domain)
}

/// The waypoint of a pod that is asked by its own address.
pub(super) fn of_pod<'v>(istio: &Istio<'v>, pod: &Pod, trust_domain: &str) -> Bound<'v> {
    let own = |key: &str| pod.labels().get(key).cloned();
    bound(istio, pod.namespace(), own, "workload", trust_domain)
}

fn bound<'v>(
    istio: &Istio<'v>,
    namespace: &str,
    own: impl Fn(&str) -> Option<String>,
    traffic: &str,
    trust_domain: &str,
) -> Bound<'v> {
    let of_namespace = istio.view.namespace_labels(namespace);
    let label = |key: &str| own(key).or_else(|| of_namespace.get(key).cloned());
    let Some(name) =
        label("istio.io/use-waypoint").filter(|name| name != "none" && !name.is_empty())
    else {
        return Bound::No;
    };
    let place = label("istio.io/use-waypoint-namespace").unwrap_or_else(|| namespace.to_owned());
    let gateway = istio.view.gateway_api.gateways.get(&place, &name);
    let missing = |why: &str| Bound::Missing {
        name: format!("{place}/{name}"),
        why: why.to_owned(),
    };
    let Some(gateway) = gateway else {
        return missing("there is no such Gateway");
    };
    let labels = gateway.metadata.labels.as_ref();
    let takes = labels
        .and_then(|labels| labels.get("istio.io/waypoint-for"))
        .map_or("service", String::as_str);
    if takes != "all" && takes != traffic {
        return Bound::No;
    }
    if is_false(gateway, "Accepted") || is_false(gateway, "Programmed") {
        return missing("it is not Programmed");
    }
    if place != namespace && !admits(gateway, &of_namespace) {
        return missing("its listener does not allow this namespace (allowedRoutes)");
    }
    Bound::To(waypoint(istio.view, gateway, trust_domain), gateway)
}

/// Whether a condition says no. Without a status nothing is said.
fn is_false(gateway: &Gateway, condition: &str) -> bool {
    let conditions = gateway.status.iter().flat_map(|status| &status.conditions);
    let mut own = conditions.filter(|one| one.kind == condition);
    own.any(Condition::is_false)
}

fn admits(gateway: &Gateway, labels: &BTreeMap<String, String>) -> bool {
    gateway.spec.listeners.iter().any(|listener| {
        let allowed = listener.allowed_routes.as_ref();
        let namespaces = allowed.and_then(|allowed| allowed.namespaces.as_ref());
        let from = namespaces.and_then(|filter| filter.from.as_deref());
        let selector = namespaces.and_then(|filter| filter.selector.as_ref());
        match from {
            Some("All") => true,
            Some("Selector") => selector
                .and_then(|selector| Selector::from_label_selector(selector).ok())
                .is_some_and(|selector| selector.matches(labels)),
            _ => false,
        }
    })
}

fn waypoint(view: &ClusterView, gateway: &Gateway, trust_domain: &str) -> Waypoint {
    let key = "gateway.networking.k8s.io/gateway-name";
    let pods = view.pods.in_namespace(gateway.namespace());
    let pods: Vec<&Pod> = pods
        .filter(|pod| {
            pod.labels()
                .get(key)
                .is_some_and(|name| name == gateway.name())
        })
        .collect();
    let account = pods
        .iter()
        .find_map(|pod| pod.spec.as_ref()?.service_account_name.clone());
    Waypoint {
        gateway: ObjectRef::new("Gateway", gateway.namespace(), gateway.name()),
        identity: Identity {
            trust_domain: trust_domain.to_owned(),
            namespace: gateway.namespace().to_owned(),
            account: account.unwrap_or_else(|| gateway.name().to_owned()),
        },
        address: pods.iter().find_map(|pod| pod.ips().first().copied()),
        pods: pods.iter().map(|pod| pod.reference()).collect(),
    }
}

/// Whether a policy is for a waypoint, in front of a Service: by the Service, the Gateway, or its
/// class from the root namespace.
pub(super) fn is_for(
    policy: &Object<'_>,
    root: &str,
    gateway: &Gateway,
    service: Option<&Service>,
) -> bool {
    let references = super::authz::target_refs(policy);
    references.into_iter().any(|reference| {
        let name = reference["name"].as_str().unwrap_or_default();
        match reference["kind"].as_str().unwrap_or_default() {
            "Service" => service.is_some_and(|service| {
                service.name() == name && service.namespace() == policy.namespace()
            }),
            "Gateway" => gateway.name() == name && gateway.namespace() == policy.namespace(),
            "GatewayClass" => policy.namespace() == root && gateway.spec.gateway_class_name == name,
            _ => false,
        }
    })
}

/// Names the object that binds a Service to its waypoint.
pub(super) fn binding(service: &Service) -> ObjectRef {
    let labels = service.metadata.labels.as_ref();
    let is_own = labels.is_some_and(|labels| labels.contains_key("istio.io/use-waypoint"));
    if is_own {
        ObjectRef::new("Service", service.namespace(), service.name())
    } else {
        ObjectRef::cluster_wide("Namespace", service.namespace())
    }
}
