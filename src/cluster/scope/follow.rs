//! Round 2: what the objects of round 1 point to.

use k8s_openapi::api::networking::v1::Ingress;

use super::ends::{self, PAGE, SELECTED};
use super::{CILIUM_CONFIG, why};
use crate::cluster::access::{EndpointExt, SERVICE_NAME, ServiceExt, SliceExt};
use crate::cluster::query::Query;
use crate::cluster::{ClusterView, Named, Pod, Resource, Selector};
use crate::target::Request;
use crate::target::{Kind, Spec, Target};

/// What follows from the view, most important first.
pub(super) fn next(view: &ClusterView, request: &Request) -> Vec<Query> {
    let mut queries = Vec::new();
    queries.extend(pods_of_workload(
        view,
        &request.source,
        &request.source_namespace,
    ));
    queries.extend(pods_of_workload(
        view,
        &request.destination,
        &request.destination_namespace,
    ));
    let services = destination_services(view, request);
    // Where nothing is ready, pods of these labels are looked for everywhere.
    let asked_anyway: Vec<Query> = why::next(view, request);
    let is_new = |selector: &Selector| !asked_anyway.contains(&why::anywhere(selector));
    for (namespace, selector) in services.iter().filter(|(_, selector)| is_new(selector)) {
        let here = Query::list(Resource::Pods, Some(namespace))
            .labelled(selector.to_string())
            .at_most(SELECTED);
        queries.push(here);
    }
    for service in found_by_address(view, request) {
        let labels = format!("{SERVICE_NAME}={}", service.1);
        queries.push(Query::list(Resource::EndpointSlices, Some(&service.0)).labelled(labels));
    }
    if let Some(ingress) = ingress_by_host(view, request) {
        let namespace = Some(ingress.namespace());
        queries.extend([
            Query::list(Resource::Services, namespace).at_most(PAGE),
            Query::list(Resource::EndpointSlices, namespace).at_most(PAGE),
            Query::list(Resource::NetworkPolicies, namespace),
        ]);
    }
    if ends::asks_dns(request) {
        queries.extend(dns_files(view, request));
    }
    if ends::asks_dns(request) && concerns_dns(view, request) {
        queries.push(Query::list(Resource::Pods, Some("kube-system")).labelled("k8s-app=kube-dns"));
    }
    if selects_namespaces(view) {
        queries.push(Query::list(Resource::Namespaces, None).metadata());
    }
    queries
}

/// What else decides names: files that the Corefile imports, and for names of nobody here the cache of the
/// nodes.
fn dns_files(view: &ClusterView, request: &Request) -> Vec<Query> {
    let corefile = view.config_maps.get("kube-system", "coredns");
    let text = corefile.and_then(|map| map.data.as_ref()?.get("Corefile"));
    let imports = text.is_some_and(|text| text.contains("import"));
    let is_name = matches!(request.destination.spec, Spec::Name(_) | Spec::Bare(_));
    let map = |name| Query::get(Resource::ConfigMaps, "kube-system", name);
    let custom = imports.then(|| map("coredns-custom"));
    let cache = is_name.then(|| map("node-local-dns"));
    custom.into_iter().chain(cache).collect()
}

/// The pods behind a workload.
fn pods_of_workload(view: &ClusterView, target: &Target, default_namespace: &str) -> Option<Query> {
    let Spec::Object {
        kind,
        namespace,
        name,
    } = &target.spec
    else {
        return None;
    };
    let namespace = namespace.as_deref().unwrap_or(default_namespace);
    if *kind == Kind::CronJob {
        // Its Jobs carry no common label; their pods are found by the owner of the Job.
        return Some(Query::list(Resource::Jobs, Some(namespace)).at_most(PAGE));
    }
    let workload = view.workload(kind.resource(), namespace, name)?;
    let selector = Selector::from_label_selector(workload.selector.as_ref()?).ok()?;
    Some(
        Query::list(Resource::Pods, Some(namespace))
            .labelled(selector.to_string())
            .at_most(SELECTED),
    )
}

/// Namespace and selector of the Services that the destination may mean.
fn destination_services(view: &ClusterView, request: &Request) -> Vec<(String, Selector)> {
    let namespaces = ends::namespaces(request);
    let by_host = ingress_by_host(view, request);
    let is_dns =
        |service: &k8s_openapi::api::core::v1::Service| service.namespace() == "kube-system";
    let is_meant = |service: &&k8s_openapi::api::core::v1::Service| match &request.destination.spec
    {
        Spec::Object {
            kind: Kind::Service,
            name,
            ..
        } => {
            service.name() == name
                && Some(service.namespace()) == namespaces.last().map(String::as_str)
        }
        // A node port, an address, an Ingress or a name: whatever was found for it.
        Spec::Object {
            kind: Kind::Node, ..
        } => has_node_port(service, request),
        Spec::Object {
            kind: Kind::Ingress,
            name,
            ..
        } => {
            let namespace = namespaces.last().map_or("", String::as_str);
            let ingress = view.ingresses.get(namespace, name);
            ingress.is_some_and(|ingress| is_backend(ingress, service))
        }
        Spec::Name(_) if by_host.is_some() => {
            by_host.is_some_and(|ingress| is_backend(ingress, service))
        }
        Spec::Name(_) | Spec::Bare(_) | Spec::Address(_) | Spec::External(_) => !is_dns(service),
        Spec::Object { .. } => false,
    };
    let meant = view.services.iter().filter(is_meant).take(4);
    meant
        .filter_map(|service| Some((service.namespace().to_owned(), service.selector()?)))
        .collect()
}

fn has_node_port(service: &k8s_openapi::api::core::v1::Service, request: &Request) -> bool {
    let asked = match &request.destination.port {
        Some(crate::target::PortSpec::Number(number)) => i32::from(*number),
        _ => return false,
    };
    service
        .ports()
        .iter()
        .any(|port| port.node_port == Some(asked))
}

/// The Ingress that the host of a URL means.
fn ingress_by_host<'v>(view: &'v ClusterView, request: &Request) -> Option<&'v Ingress> {
    request.destination.url.as_ref()?;
    match &request.destination.spec {
        Spec::Name(host) => view.ingress_of(host),
        _ => None,
    }
}

fn is_backend(ingress: &Ingress, service: &k8s_openapi::api::core::v1::Service) -> bool {
    let spec = ingress.spec.as_ref();
    let rules = spec.iter().flat_map(|spec| spec.rules.iter().flatten());
    let paths = rules.flat_map(|rule| rule.http.iter().flat_map(|http| &http.paths));
    let backends = paths
        .map(|path| &path.backend)
        .chain(spec.iter().flat_map(|spec| &spec.default_backend));
    let mut named = backends.filter_map(|backend| backend.service.as_ref());
    service.namespace() == ingress.namespace()
        && named.any(|backend| backend.name == service.name())
}

/// Services whose slices round 1 could not name: found by address or node port.
fn found_by_address(view: &ClusterView, request: &Request) -> Vec<(String, String)> {
    let services = view
        .services
        .iter()
        .filter(|service| match &request.destination.spec {
            Spec::Address(addr) | Spec::External(Some(addr)) => {
                service.cluster_ips().contains(addr)
            }
            Spec::Object {
                kind: Kind::Node, ..
            } => has_node_port(service, request),
            _ => false,
        });
    services
        .map(|service| (service.namespace().to_owned(), service.name().to_owned()))
        .collect()
}

/// Whether any policy may stand between the source and the DNS, or the DNS has no endpoint: only
/// then the labels and the state of its pods matter.
fn concerns_dns(view: &ClusterView, request: &Request) -> bool {
    let source = ends::namespaces(request);
    let is_policed = |namespace: &str| {
        view.network_policies
            .in_namespace(namespace)
            .next()
            .is_some()
    };
    let ready = view
        .endpoint_slices
        .in_namespace("kube-system")
        .flat_map(|slice| slice.endpoints.iter().flatten())
        .any(EndpointExt::is_ready);
    !ready
        || is_policed("kube-system")
        || source
            .first()
            .is_some_and(|namespace| is_policed(namespace))
        || view.has_dialects()
}

/// Whether any policy asks for labels of namespaces.
fn selects_namespaces(view: &ClusterView) -> bool {
    view.network_policies.iter().any(|policy| {
        let Some(spec) = &policy.spec else {
            return false;
        };
        let from = spec
            .ingress
            .iter()
            .flatten()
            .flat_map(|rule| rule.from.iter().flatten());
        let to = spec
            .egress
            .iter()
            .flatten()
            .flat_map(|rule| rule.to.iter().flatten());
        from.chain(to).any(|peer| peer.namespace_selector.is_some())
    }) || view.has_dialects()
        || !mesh_settings(view).is_empty()
}

/// What meshes were installed with, where the server has their kinds.
pub(super) fn mesh_settings(view: &ClusterView) -> Vec<Query> {
    let has = |resource: Resource| view.api_groups.contains_key(resource.group());
    let mut queries = Vec::new();
    if has(Resource::PeerAuthentications) {
        // One ConfigMap for each revision.
        let maps = Query::list(Resource::ConfigMaps, Some("istio-system"));
        queries.push(maps.at_most(PAGE));
    }
    if has(Resource::Servers) {
        let (namespace, name) = ("linkerd", "linkerd-config");
        queries.push(Query::get(Resource::ConfigMaps, namespace, name));
    }
    queries
}

/// The policies of other dialects and of meshes, where the server has them: one list of each kind.
pub(super) fn custom_policies(view: &ClusterView) -> Vec<Query> {
    let kinds = Resource::POLICY_DIALECTS.iter().chain(Resource::MESHES);
    let lists = kinds.filter_map(|resource| {
        let api_version = resource.served(&view.api_groups)?;
        Some(Query::list(*resource, None).served_as(api_version))
    });
    // What blocks of addresses match is a setting of Cilium's agents.
    let is_cilium = view.api_groups.contains_key("cilium.io");
    let settings =
        is_cilium.then(|| Query::get(Resource::ConfigMaps, "kube-system", CILIUM_CONFIG));
    lists.chain(settings).collect()
}

/// One node if one is all that matters, else as many as fit a page.
pub(super) fn nodes(view: &ClusterView) -> Query {
    let mut names: Vec<&str> = view.pods.iter().filter_map(Pod::node_name).collect();
    let of_slices = view
        .endpoint_slices
        .iter()
        .flat_map(|slice| slice.endpoints.iter().flatten());
    names.extend(of_slices.filter_map(|endpoint| endpoint.node_name.as_deref()));
    names.sort_unstable();
    names.dedup();
    match names.as_slice() {
        [one] => Query::get(Resource::Nodes, "", one),
        _ => Query::list(Resource::Nodes, None).at_most(PAGE),
    }
}

/// Whether any slice of a view belongs to a Service, for planning the next round.
pub(super) fn has_endpoints(view: &ClusterView, namespace: &str, service: &str) -> bool {
    view.endpoint_slices
        .in_namespace(namespace)
        .filter(|slice| slice.service_name() == Some(service))
        .flat_map(|slice| slice.endpoints.iter().flatten())
        .any(EndpointExt::is_ready)
}
