//! Istio: sidecars, ztunnels and waypoints.
//!
//! ```text
//!  config             MeshConfig by revision: root namespace, trust domain, what is not registered
//!  scope · route      what a sidecar knows, and where its routes lead
//!  destination_rule   how it speaks to a host
//!  waypoint           who stands between a client and a Service of an ambient mesh
//!  authn · authz      what the server's side takes, and from whom
//! ```

mod authn;
mod authz;
mod client;
mod config;
mod destination_rule;
pub(crate) mod protocol;
mod route;
mod scope;
mod server;
mod waypoint;

use super::member::annotation;
use super::object::Object;
use crate::cluster::{ClusterView, Named, Pod, Resource};
use crate::policy::{Doubt, Truth};

pub(super) use client::dead;
pub use config::Config;
pub use route::{Routing, Target};

/// The objects of Istio in a view.
#[derive(Debug, Clone)]
pub struct Istio<'v> {
    view: &'v ClusterView,
    /// The cluster's DNS domain, which host names end in.
    domain: String,
    peer_authentications: Vec<Object<'v>>,
    authorization_policies: Vec<Object<'v>>,
    destination_rules: Vec<Object<'v>>,
    virtual_services: Vec<Object<'v>>,
    sidecars: Vec<Object<'v>>,
    service_entries: Vec<Object<'v>>,
    /// Objects that change proxies in ways that are not judged, with the path of their selector.
    extensions: Vec<(Object<'v>, &'static str)>,
}

// === impl Istio ===

impl<'v> Istio<'v> {
    /// Reads them.
    #[must_use]
    pub fn of(view: &'v ClusterView, domain: &str) -> Self {
        let all = |resource| Object::all(view, resource);
        let filters = all(Resource::EnvoyFilters).into_iter();
        let filters = filters.map(|filter| (filter, "/spec/workloadSelector/labels"));
        let plugins = all(Resource::WasmPlugins).into_iter();
        let plugins = plugins.map(|plugin| (plugin, "/spec/selector/matchLabels"));
        Self {
            view,
            domain: domain.to_owned(),
            peer_authentications: all(Resource::PeerAuthentications),
            authorization_policies: all(Resource::IstioAuthorizationPolicies),
            destination_rules: all(Resource::DestinationRules),
            virtual_services: all(Resource::VirtualServices),
            sidecars: all(Resource::Sidecars),
            service_entries: all(Resource::ServiceEntries),
            extensions: filters
                .chain(plugins)
                .filter(|(one, _)| !is_installed(one))
                .collect(),
        }
    }

    /// What is in force at a pod's proxy and not judged.
    fn unjudged(&self, root: &str, pod: &Pod) -> Vec<Doubt> {
        let concerns = |object: &Object<'_>, selector: &str| {
            let labels = super::object::labels(object.at(selector));
            let here = [root, pod.namespace()].contains(&object.namespace());
            here && labels
                .iter()
                .all(|(key, value)| pod.labels().get(key) == Some(value))
        };
        let known = self.extensions.iter();
        let known = known.filter(|(object, selector)| concerns(object, selector));
        let known = known.map(|(object, _)| {
            object.not_understood("spec", "what it changes in the proxy is not judged")
        });
        known
            .chain(super::object::unread(
                self.view,
                super::object::ISTIO,
                pod.namespace(),
            ))
            .collect()
    }

    /// The policies without `targetRefs` that are in force at a pod.
    fn policies(&self, root: &str, pod: &Pod, doubts: &mut Vec<Doubt>) -> Vec<Object<'v>> {
        let here = self.authorization_policies.iter().filter(|policy| {
            [root, pod.namespace()].contains(&policy.namespace())
                && authz::is_in_force(policy)
                && authz::target_refs(policy).is_empty()
        });
        here.filter(
            |policy| match policy.selects("/spec/selector", pod.labels()) {
                Truth::Yes => true,
                Truth::No => false,
                Truth::Maybe(doubt) => {
                    doubts.push(doubt);
                    false
                }
            },
        )
        .copied()
        .collect()
    }
}

/// Whether an extension came with Istio itself, for telemetry, and decides nothing.
fn is_installed(object: &Object<'_>) -> bool {
    let labels = object.labels();
    labels.contains_key("install.operator.istio.io/owning-resource")
        || labels
            .get("app.kubernetes.io/managed-by")
            .is_some_and(|by| by == "istio-operator")
}

/// Why a pod's sidecar does not take a connection over that it makes: the annotation that says so.
fn passes_by(pod: &Pod, address: Option<std::net::IpAddr>, port: u16) -> Option<String> {
    use super::text::{lists_port, within};
    let get = |key: &str| annotation(pod, &format!("traffic.sidecar.istio.io/{key}"));
    let blocks = |list: &str| -> Truth {
        let blocks: Vec<&str> = list.split(',').map(str::trim).collect();
        within(&blocks, address, "the destination")
    };
    if get("excludeOutboundPorts").is_some_and(|list| lists_port(list, port)) {
        return Some("traffic.sidecar.istio.io/excludeOutboundPorts".to_owned());
    }
    if get("excludeOutboundIPRanges").is_some_and(|list| blocks(list).is_yes()) {
        return Some("traffic.sidecar.istio.io/excludeOutboundIPRanges".to_owned());
    }
    if get("includeOutboundPorts").is_some_and(|list| lists_port(list, port)) {
        return None;
    }
    let included = get("includeOutboundIPRanges").filter(|list| *list != "*")?;
    (!blocks(included).is_yes())
        .then(|| "traffic.sidecar.istio.io/includeOutboundIPRanges".to_owned())
}

/// Why a pod's sidecar does not see what arrives at one of its ports.
fn is_left_out(pod: &Pod, port: u16) -> Option<&'static str> {
    use super::text::lists_port;
    const EXCLUDE: &str = "traffic.sidecar.istio.io/excludeInboundPorts";
    const INCLUDE: &str = "traffic.sidecar.istio.io/includeInboundPorts";
    match annotation(pod, INCLUDE).filter(|list| *list != "*") {
        Some(list) => (!lists_port(list, port)).then_some(INCLUDE),
        None => annotation(pod, EXCLUDE)
            .filter(|list| lists_port(list, port))
            .map(|_| EXCLUDE),
    }
}
