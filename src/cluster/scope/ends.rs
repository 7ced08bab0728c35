//! Round 1: what the request itself names.

use crate::cluster::access::SERVICE_NAME;
use crate::cluster::query::Query;
use crate::cluster::{Resource, Scope};
use crate::target::Request;
use crate::target::{Kind, Spec, Target};

/// How many objects of a list that no selector narrows are worth fetching.
pub(super) const PAGE: u32 = 250;
/// How many pods that a selector narrows are fetched: those of the largest Services.
pub(super) const SELECTED: u32 = 5_000;

/// The namespaces a request speaks of: source first.
pub(super) fn namespaces(request: &Request) -> Vec<String> {
    let mut all = vec![
        namespace_of(&request.source, &request.source_namespace),
        namespace_of(&request.destination, &request.destination_namespace),
    ];
    all.dedup();
    all
}

fn namespace_of(target: &Target, default: &str) -> String {
    match &target.spec {
        Spec::Object {
            namespace: Some(namespace),
            ..
        } => namespace.clone(),
        _ => default.to_owned(),
    }
}

/// The same, and that of the cluster's DNS if it is asked.
pub(super) fn concerned(request: &Request) -> Vec<String> {
    let mut all = namespaces(request);
    if asks_dns(request) && !all.iter().any(|name| name == "kube-system") {
        all.push("kube-system".to_owned());
    }
    all
}

/// Everything the first round asks.
pub(super) fn first(request: &Request) -> Vec<Query> {
    let [source, destination] = [
        (&request.source, &request.source_namespace),
        (&request.destination, &request.destination_namespace),
    ];
    let mut queries = of_end(source.0, source.1);
    queries.extend(of_end(destination.0, destination.1));
    let mut services = vec!["kube-dns".to_owned()];
    if let Some(names) = service_names(&request.destination) {
        for name in &names {
            queries.push(
                Query::list(Resource::Services, None).with_fields(format!("metadata.name={name}")),
            );
        }
        services.extend(names);
    }
    services.sort_unstable();
    services.dedup();
    queries.push(
        Query::list(Resource::EndpointSlices, None)
            .labelled(format!("{SERVICE_NAME} in ({})", services.join(","))),
    );
    let asks_dns = asks_dns(request);
    if is_url_from_outside(request) {
        queries.push(Query::list(Resource::Ingresses, None).at_most(PAGE));
        queries.push(Query::list(Resource::IngressClasses, None));
    }
    for namespace in concerned(request) {
        queries.push(Query::list(Resource::NetworkPolicies, Some(&namespace)));
    }
    if asks_dns {
        queries.push(
            Query::list(Resource::Services, Some("kube-system")).labelled("k8s-app=kube-dns"),
        );
        queries.push(Query::get(Resource::ConfigMaps, "kube-system", "coredns"));
    }
    queries
}

/// Whether the host of a URL may be one of an Ingress.
const fn is_url_from_outside(request: &Request) -> bool {
    request.destination.url.is_some()
        && matches!(request.destination.spec, Spec::Name(_))
        && matches!(request.source.spec, Spec::External(_))
}

/// Whether a name has to be looked up on the way.
pub(super) fn asks_dns(request: &Request) -> bool {
    let from_pod = match &request.source.spec {
        Spec::Bare(_) => true,
        Spec::Object { kind, .. } => *kind != Kind::Node,
        Spec::Address(_) | Spec::Name(_) | Spec::External(_) => false,
    };
    let to_name = match &request.destination.spec {
        Spec::Name(_) => true,
        Spec::Bare(name) => name.contains('.'),
        Spec::Object { kind, .. } => *kind == Kind::Service,
        Spec::Address(_) | Spec::External(_) => false,
    };
    from_pod && to_name
}

/// The names of Services that a destination may mean.
fn service_names(target: &Target) -> Option<Vec<String>> {
    match &target.spec {
        Spec::Object {
            kind: Kind::Service,
            name,
            ..
        } => Some(vec![name.clone()]),
        // `db-0.db.data`: the Service is the first label or the second.
        Spec::Name(name) | Spec::Bare(name)
            if name.contains('.') || matches!(target.spec, Spec::Name(_)) =>
        {
            let labels = name
                .split('.')
                .filter(|label| !label.is_empty() && !label.starts_with('_'));
            Some(labels.take(2).map(str::to_owned).collect())
        }
        _ => None,
    }
}

fn of_end(target: &Target, default_namespace: &str) -> Vec<Query> {
    match &target.spec {
        // What a name leads to is found by the names of Services.
        Spec::Object {
            kind: Kind::Service,
            ..
        }
        | Spec::Name(_) => Vec::new(),
        Spec::Bare(name) => vec![Query::get(Resource::Pods, default_namespace, name)],
        Spec::Object {
            kind,
            namespace,
            name,
        } => {
            let namespace = namespace.as_deref().unwrap_or(default_namespace);
            let namespace = match kind.resource().scope() {
                Scope::Cluster => "",
                Scope::Namespaced => namespace,
            };
            let mut queries = vec![Query::get(kind.resource(), namespace, name)];
            match kind {
                // A node port is found only by looking through the Services.
                Kind::Node => queries.push(Query::list(Resource::Services, None).at_most(4 * PAGE)),
                Kind::Ingress => queries.extend([
                    Query::list(Resource::IngressClasses, None),
                    Query::list(Resource::Services, Some(namespace)).at_most(PAGE),
                    Query::list(Resource::EndpointSlices, Some(namespace)).at_most(PAGE),
                ]),
                _ => {}
            }
            queries
        }
        Spec::Address(addr) | Spec::External(Some(addr)) => vec![
            Query::list(Resource::Services, None).with_fields(format!("spec.clusterIP={addr}")),
            Query::list(Resource::Pods, None).with_fields(format!("status.podIP={addr}")),
            Query::list(Resource::Nodes, None).at_most(PAGE),
        ],
        Spec::External(None) => vec![Query::list(Resource::Nodes, None).at_most(PAGE)],
    }
}
