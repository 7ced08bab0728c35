//! The data plane of a door: the pods that requests go through, and the Services in front of them.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::Ingress;

use super::products::{Product, Proxies, product};
use crate::cluster::access::ServiceExt;
use crate::cluster::gateway_api::Gateway;
use crate::cluster::selected;
use crate::cluster::{ClusterView, Named, Pod};
use crate::gateway::class_of;
use crate::net::parse_address;
use crate::path::order::ingress::{addresses, class_name};
use crate::text::list;

/// The pods of a Gateway that was made for it carry its name (GEP-1762).
const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";
/// Envoy Gateway's proxies live in its own namespace and say whose they are.
const OWNING_NAME: &str = "gateway.envoyproxy.io/owning-gateway-name";
const OWNING_NAMESPACE: &str = "gateway.envoyproxy.io/owning-gateway-namespace";
/// Contour's, where its provisioner made them.
const CONTOUR_OWNER: &str = "projectcontour.io/owning-gateway-name";

/// The data plane of one door.
#[derive(Debug, Clone, Default)]
pub struct Plane<'v> {
    pub product: Option<&'static Product>,
    /// Those in front of the proxies that clients outside can ask, or could.
    pub services: Vec<&'v Service>,
    /// Proxies that have not ended; some may not be ready.
    pub pods: Vec<&'v Pod>,
    /// The addresses at which the door says it is.
    pub addresses: Vec<String>,
    /// What was looked for and not found.
    pub looked_for: String,
}

// === impl Plane ===

impl<'v> Plane<'v> {
    /// That of a Gateway.
    #[must_use]
    pub fn of_gateway(view: &'v ClusterView, gateway: &'v Gateway) -> Self {
        let controller = class_of(view, gateway).controller();
        let status = gateway.status.as_ref();
        let assigned = status.into_iter().flat_map(|status| &status.addresses);
        let addresses: Vec<String> = assigned.map(|one| one.value.clone()).collect();
        let mut plane = Self {
            product: product(controller, None),
            services: services_of_gateway(view, gateway, &addresses),
            addresses,
            ..Self::default()
        };
        let (namespace, name) = (gateway.namespace(), gateway.name());
        let is_own = |pod: &&Pod| {
            let label = |key: &str| pod.labels().get(key).map(String::as_str);
            let is_named = label(GATEWAY_NAME) == Some(name) && pod.namespace() == namespace;
            let is_owned = label(OWNING_NAME) == Some(name)
                && label(OWNING_NAMESPACE).is_none_or(|own| own == namespace);
            let is_contours = label(CONTOUR_OWNER) == Some(name);
            is_named || is_owned || is_contours
        };
        plane.pods = running(view.pods.iter().filter(is_own));
        plane.complete(view, &format!("label {GATEWAY_NAME}={name}"), controller);
        plane
    }

    /// That of an Ingress: the Service or the nodes whose addresses stand in its status, or the pods of
    /// its controller.
    #[must_use]
    pub fn of_ingress(view: &'v ClusterView, ingress: &'v Ingress) -> Self {
        let class = class_name(view, ingress);
        let object = class
            .as_deref()
            .and_then(|class| view.ingress_classes.get("", class));
        let controller = object.and_then(|object| object.spec.as_ref()?.controller.as_deref());
        let addresses = addresses(ingress);
        let mut plane = Self {
            product: product(controller, class.as_deref()),
            services: services_at(view, &addresses),
            addresses,
            ..Self::default()
        };
        let label = format!("Service at {}", list(&plane.addresses));
        plane.complete(view, &label, controller);
        plane
    }

    /// Whether a load balancer outside the cluster sends to the backends itself.
    #[must_use]
    pub fn is_cloud(&self) -> bool {
        self.product
            .is_some_and(|one| matches!(one.proxies, Proxies::Cloud))
    }

    /// The proxies that can take a request.
    #[must_use]
    pub fn ready(&self) -> Vec<&'v Pod> {
        self.pods
            .iter()
            .copied()
            .filter(|pod| pod.is_ready())
            .collect()
    }

    /// Whether nothing was found of it.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        !self.is_cloud() && self.pods.is_empty() && self.services.is_empty()
    }

    /// Finds pods by Services and Services by pods, and by the product where neither is known.
    fn complete(&mut self, view: &'v ClusterView, first: &str, controller: Option<&str>) {
        let mut looked = vec![first.to_owned()];
        if self.pods.is_empty() {
            let of_services = self
                .services
                .iter()
                .flat_map(|service| selected(view, service));
            self.pods = running(of_services);
        }
        if let Some(Proxies::Pods { labels, images }) = self.product.map(|one| one.proxies)
            && self.pods.is_empty()
        {
            let all = view.pods.iter().filter(|pod| is_proxy(pod, labels, images));
            self.pods = running(all)
                .into_iter()
                .filter(|pod| serves(pod, controller))
                .collect();
            looked.extend(
                labels
                    .iter()
                    .map(|(key, value)| format!("label {key}={value}")),
            );
        }
        if self.services.is_empty() && !self.pods.is_empty() {
            self.services = services_before(view, &self.pods);
        }
        self.looked_for = list(&looked);
    }
}

fn running<'v>(pods: impl Iterator<Item = &'v Pod>) -> Vec<&'v Pod> {
    pods.filter(|pod| !pod.is_finished()).collect()
}

fn is_proxy(pod: &Pod, labels: &[(&str, &str)], images: &[&str]) -> bool {
    let has_label =
        |(key, value): &(&str, &str)| pod.labels().get(*key).is_some_and(|own| own == value);
    let has_image = |name: &&str| {
        let spec = pod.spec.as_ref();
        let mut containers = spec.into_iter().flat_map(|spec| spec.containers.iter());
        containers.any(|container| {
            container
                .image
                .as_ref()
                .is_some_and(|image| image.contains(name))
        })
    };
    let is_side = pod
        .labels()
        .get("app.kubernetes.io/component")
        .is_some_and(|own| {
            matches!(
                own.as_str(),
                "default-backend" | "admission-webhook" | "defaultbackend"
            )
        });
    !is_side && (labels.iter().any(has_label) || images.iter().any(has_image))
}

/// Whether a controller's arguments leave it to serve this class: `--controller-class` says which one
/// an instance of ingress-nginx serves.
fn serves(pod: &Pod, controller: Option<&str>) -> bool {
    let argument = |name: &str| argument(pod, name);
    match (argument("--controller-class"), controller) {
        (Some(own), Some(wanted)) => own == wanted,
        _ => true,
    }
}

/// The value of an argument `--name=value` of a pod's first containers.
#[must_use]
pub fn argument<'p>(pod: &'p Pod, name: &str) -> Option<&'p str> {
    let spec = pod.spec.as_ref()?;
    let containers = spec.containers.iter();
    let mut words = containers.flat_map(|container| {
        let args = container.args.iter().flatten();
        args.chain(container.command.iter().flatten())
    });
    words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

fn services_of_gateway<'v>(
    view: &'v ClusterView,
    gateway: &Gateway,
    addresses: &[String],
) -> Vec<&'v Service> {
    let (namespace, name) = (gateway.namespace(), gateway.name());
    let is_own = |service: &&Service| {
        let labels = service.metadata.labels.as_ref();
        let label = |key: &str| labels.and_then(|all| all.get(key)).map(String::as_str);
        label(GATEWAY_NAME) == Some(name) && service.namespace() == namespace
            || label(OWNING_NAME) == Some(name)
                && label(OWNING_NAMESPACE).is_none_or(|own| own == namespace)
            || label("io.cilium.gateway/owning-gateway") == Some(name)
                && service.namespace() == namespace
    };
    let mut found: Vec<&Service> = view.services.iter().filter(is_own).collect();
    // Where a proxy is run by hand the Gateway names its Service.
    for asked in &gateway.spec.addresses {
        let mut labels = asked.value.split('.');
        let service = labels.next().unwrap_or_default();
        let own = labels.next().unwrap_or(namespace);
        if asked.kind.as_deref() == Some("Hostname") && found.is_empty() {
            found.extend(view.services.get(own, service));
        }
    }
    if found.is_empty() {
        found = services_at(view, addresses);
    }
    found
}

/// The Services that answer at one of some addresses.
fn services_at<'v>(view: &'v ClusterView, addresses: &[String]) -> Vec<&'v Service> {
    let parsed: Vec<IpAddr> = addresses
        .iter()
        .filter_map(|text| parse_address(text))
        .collect();
    let answers = |service: &&Service| {
        let external = service
            .spec
            .as_ref()
            .and_then(|spec| spec.external_ips.as_deref());
        let external = external.unwrap_or_default();
        service
            .ingress_addresses()
            .iter()
            .any(|own| addresses.contains(own))
            || external.iter().any(|own| addresses.contains(own))
            || service.cluster_ips().iter().any(|own| parsed.contains(own))
    };
    if addresses.is_empty() {
        return Vec::new();
    }
    view.services.iter().filter(answers).collect()
}

/// The Services that select proxies and lead in from outside.
fn services_before<'v>(view: &'v ClusterView, pods: &[&Pod]) -> Vec<&'v Service> {
    let Some(first) = pods.first() else {
        return Vec::new();
    };
    let leads_in = |service: &&Service| {
        let kind = service.spec.as_ref().and_then(|spec| spec.type_.as_deref());
        let selects = service
            .selector()
            .is_some_and(|selector| selector.matches(first.labels()));
        selects && matches!(kind, Some("LoadBalancer" | "NodePort"))
    };
    view.services
        .in_namespace(first.namespace())
        .filter(leads_in)
        .collect()
}
