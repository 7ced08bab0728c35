//! What a door on the path adds: the Gateway API where the server has it, the proxies that serve a door,
//! and the Services and pods behind its routes. Nothing of it is read for other questions.
//!
//! ```text
//!  round 2  routes, Gateways and grants (one list each); Services; pods of the controller
//!  round 3  what they point to: pods of the Gateway, endpoints and pods of the backends, policies there
//! ```

use std::collections::BTreeSet;

use super::ends::{PAGE, SELECTED};
use crate::cluster::access::{SERVICE_NAME, ServiceExt};
use crate::cluster::gateway_api::GROUP;
use crate::cluster::query::Query;
use crate::cluster::{ClusterView, Named, Resource};
use crate::target::{Request, Spec};

/// How many namespaces and Services behind a door are looked into.
const BEHIND: usize = 4;

/// How many Services in front of proxies are looked into.
const MAX_IN_FRONT: usize = 40;

/// The labels by which the proxies of well-known controllers are found: one list for each key.
const PROXIES: [(&str, &str); 3] = [
    (
        "app.kubernetes.io/name",
        "ingress-nginx,nginx-ingress,traefik,kubernetes-ingress,haproxy-ingress,kong,gateway,contour,nginx-gateway-fabric",
    ),
    ("istio", "ingressgateway,ingress"),
    (
        "app",
        "ingress-nginx,nginx-ingress,envoy,istio-ingressgateway,ingress-kong,proxy-kong",
    ),
];

/// The further queries of a door; none where no door is asked for.
pub(super) fn next(view: &ClusterView, request: &Request) -> Vec<Query> {
    if !is_asked(view, request) {
        return Vec::new();
    }
    let mut queries = gateway_api(view);
    queries.push(Query::list(Resource::Services, None).at_most(4 * PAGE));
    if !view.ingresses.is_empty() {
        queries.extend(PROXIES.iter().map(|(key, values)| {
            Query::list(Resource::Pods, None)
                .labelled(format!("{key} in ({values})"))
                .at_most(PAGE)
        }));
    }
    queries.extend(behind(view, request));
    queries
}

/// Whether the destination is a door, or a URL that may lead to one.
fn is_asked(view: &ClusterView, request: &Request) -> bool {
    match &request.destination.spec {
        Spec::Object { kind, .. } => kind.is_door(),
        Spec::Name(name) => request.destination.url.is_some() && !is_service(view, name),
        _ => false,
    }
}

/// Whether a name is that of a Service, `api.shop` say.
fn is_service(view: &ClusterView, name: &str) -> bool {
    let mut labels = name.split('.');
    let (name, namespace) = (
        labels.next().unwrap_or_default(),
        labels.next().unwrap_or_default(),
    );
    view.services.get(namespace, name).is_some()
}

/// Every resource of the Gateway API in the versions that the server has.
fn gateway_api(view: &ClusterView) -> Vec<Query> {
    let Some(versions) = view.api_groups.get(GROUP) else {
        return Vec::new();
    };
    let has = |version: &str| versions.iter().any(|own| own == version);
    // A server that does not tell its versions is asked for the usual ones.
    let tells = !versions.is_empty();
    let resources = Resource::GATEWAY_API.iter();
    resources
        .flat_map(|resource| {
            let list = Query::list(*resource, None).at_most(4 * PAGE);
            let usual = (!tells || has(resource.version())).then(|| list.clone());
            let older = resource
                .older_versions()
                .iter()
                .find(|version| has(version));
            usual
                .into_iter()
                .chain(older.map(|version| list.clone().in_version(version)))
        })
        .collect()
}

/// What the routes and Ingresses that concern the question lead to.
fn behind(view: &ClusterView, request: &Request) -> Vec<Query> {
    let (gateways, services) = concerned(view, request);
    let mut queries = Vec::new();
    if !gateways.is_empty() {
        let names: Vec<&str> = gateways.iter().map(String::as_str).collect();
        let names = names.join(",");
        for label in [
            "gateway.networking.k8s.io/gateway-name",
            "gateway.envoyproxy.io/owning-gateway-name",
        ] {
            queries.push(
                Query::list(Resource::Pods, None)
                    .labelled(format!("{label} in ({names})"))
                    .at_most(PAGE),
            );
        }
    }
    let mut names: BTreeSet<&str> = services.iter().map(|(_, name)| name.as_str()).collect();
    names.extend(in_front(view, &gateways).map(Named::name));
    if !names.is_empty() {
        let names: Vec<&str> = names.into_iter().collect();
        let labels = format!("{SERVICE_NAME} in ({})", names.join(","));
        queries.push(Query::list(Resource::EndpointSlices, None).labelled(labels));
    }
    let mut namespaces: BTreeSet<&str> = services
        .iter()
        .map(|(namespace, _)| namespace.as_str())
        .collect();
    namespaces.extend(in_front(view, &gateways).map(Named::namespace).take(BEHIND));
    for namespace in namespaces.into_iter().take(BEHIND) {
        queries.push(Query::list(Resource::NetworkPolicies, Some(namespace)));
    }
    for (namespace, name) in services.iter().take(BEHIND) {
        let selector = view
            .services
            .get(namespace, name)
            .and_then(ServiceExt::selector);
        queries.extend(selector.map(|selector| {
            Query::list(Resource::Pods, Some(namespace))
                .labelled(selector.to_string())
                .at_most(SELECTED)
        }));
    }
    queries
}

/// The Services that lead in from outside, and are no backend of the question: those of proxies.
fn in_front<'v>(
    view: &'v ClusterView,
    gateways: &'v BTreeSet<String>,
) -> impl Iterator<Item = &'v k8s_openapi::api::core::v1::Service> {
    let leads_in = move |service: &&k8s_openapi::api::core::v1::Service| {
        let labels = service.metadata.labels.as_ref();
        let of_gateway = labels.is_some_and(|labels| {
            let mut keys = [
                "gateway.networking.k8s.io/gateway-name",
                "gateway.envoyproxy.io/owning-gateway-name",
            ]
            .iter();
            keys.any(|key| labels.get(*key).is_some_and(|name| gateways.contains(name)))
        });
        of_gateway || !service.ingress_addresses().is_empty()
    };
    view.services.iter().filter(leads_in).take(MAX_IN_FRONT)
}

/// The Gateways by name, and the Services behind them, that a question may come by.
fn concerned(
    view: &ClusterView,
    request: &Request,
) -> (BTreeSet<String>, BTreeSet<(String, String)>) {
    let (mut gateways, mut services) = (BTreeSet::new(), BTreeSet::new());
    let (host, named) = match &request.destination.spec {
        Spec::Name(host) => (Some(host.as_str()), None),
        Spec::Object {
            namespace, name, ..
        } => {
            let namespace = namespace
                .as_deref()
                .unwrap_or(&request.destination_namespace);
            (None, Some((namespace, name.as_str())))
        }
        _ => (None, None),
    };
    gateways.extend(named.map(|(_, name)| name.to_owned()));
    for (_, route) in view.gateway_api.routes() {
        let by_host = host.is_some_and(|host| {
            let names = &route.spec.hostnames;
            names.is_empty()
                || names
                    .iter()
                    .any(|name| crate::cluster::access::host_matches(name, host) || name == host)
        });
        let by_name = named.is_some_and(|(namespace, name)| {
            let parents = &route.spec.parent_refs;
            let is_parent = parents.iter().any(|parent| parent.to.name == name);
            route.namespace() == namespace && route.name() == name || is_parent
        });
        if !by_host && !by_name {
            continue;
        }
        gateways.extend(
            route
                .spec
                .parent_refs
                .iter()
                .map(|parent| parent.to.name.clone()),
        );
        for backend in route.spec.rules.iter().flat_map(|rule| &rule.backend_refs) {
            let object = backend.to.object("Service", route.namespace());
            services.insert((object.namespace, object.name));
        }
    }
    (gateways, services)
}
