//! Round 3 (or 2, where it is plain by then): what explains that nothing answers.

use k8s_openapi::api::networking::v1::NetworkPolicySpec;

use super::ends::{self, PAGE};
use super::follow::has_endpoints;
use crate::cluster::access::ServiceExt;
use crate::cluster::query::Query;
use crate::cluster::{ClusterView, Named, Operator, Requirement, Resource, Selector};
use crate::target::Request;
use crate::target::{Kind, Spec};

/// What helps to name the cause of a failure that the view shows.
pub(super) fn next(view: &ClusterView, request: &Request) -> Vec<Query> {
    let mut queries = Vec::new();
    let namespaces = ends::namespaces(request);
    let destination = namespaces.last().map_or("", String::as_str);
    let named = match &request.destination.spec {
        Spec::Object {
            kind: Kind::Service,
            name,
            ..
        } => Some(name.as_str()),
        _ => None,
    };
    let service = named.and_then(|name| view.services.get(destination, name));
    if let Some(service) = service {
        if let Some(selector) = service
            .selector()
            .filter(|_| !has_endpoints(view, destination, service.name()))
        {
            let matching = view
                .pods
                .in_namespace(destination)
                .any(|pod| selector.matches(pod.labels()));
            if !matching {
                queries.push(anywhere(&selector));
                queries.push(Query::list(Resource::Deployments, Some(destination)).at_most(PAGE));
                queries.push(Query::list(Resource::StatefulSets, Some(destination)).at_most(PAGE));
                queries.push(Query::list(Resource::Pods, Some(destination)).at_most(PAGE));
            }
        }
        if service.ingress_addresses().is_empty()
            && service.service_kind() == crate::cluster::access::ServiceKind::LoadBalancer
        {
            queries.push(events_of(destination, service.name()));
        }
    } else if named.is_some() {
        queries.push(Query::list(Resource::Services, Some(destination)).at_most(PAGE));
    }
    let down = view
        .pods
        .iter()
        .filter(|pod| !pod.is_finished() && pod.ips().is_empty())
        .take(2);
    queries.extend(down.map(|pod| events_of(pod.namespace(), pod.name())));
    if dns_is_empty(view) && ends::asks_dns(request) {
        queries.push(
            Query::list(Resource::Deployments, Some("kube-system")).labelled("k8s-app=kube-dns"),
        );
    }
    queries.extend(near_names(view, request));
    queries.extend(label_carriers(view, request));
    queries
}

/// A few of the pods that a selector matches, wherever they are.
pub(super) fn anywhere(selector: &Selector) -> Query {
    Query::list(Resource::Pods, None)
        .labelled(selector.to_string())
        .at_most(20)
}

/// Whether any pod at all has a label that policies ask for and no pod on the path has: one that nobody
/// carries is a slip (POL-08).
fn label_carriers(view: &ClusterView, request: &Request) -> Vec<Query> {
    /// How many labels are looked for.
    const LABELS: usize = 3;
    let mut queries = Vec::new();
    for namespace in ends::namespaces(request) {
        let policies = view.network_policies.in_namespace(&namespace);
        let specs = policies.filter_map(|policy| policy.spec.as_ref());
        let terms = specs.flat_map(peer_terms);
        let unmet = terms.filter(|term| {
            let selector = Selector {
                requirements: vec![term.clone()],
            };
            !view.pods.iter().any(|pod| selector.matches(pod.labels()))
        });
        queries.extend(unmet.map(|term| {
            let selector = Selector {
                requirements: vec![term],
            };
            Query::list(Resource::Pods, None)
                .labelled(selector.to_string())
                .at_most(1)
        }));
    }
    queries.dedup();
    queries.truncate(LABELS);
    queries
}

/// What the pod selectors of a policy's peers ask to be there.
fn peer_terms(spec: &NetworkPolicySpec) -> Vec<Requirement> {
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
    let selectors = from.chain(to).filter_map(|peer| peer.pod_selector.as_ref());
    let read = selectors.filter_map(|selector| Selector::from_label_selector(selector).ok());
    let terms = read.flat_map(|selector| selector.requirements);
    terms
        .filter(|term| matches!(term.operator, Operator::In | Operator::Exists))
        .collect()
}

fn dns_is_empty(view: &ClusterView) -> bool {
    let service = view.services.in_namespace("kube-system").next();
    service.is_some_and(|service| !has_endpoints(view, "kube-system", service.name()))
}

fn events_of(namespace: &str, name: &str) -> Query {
    Query::list(Resource::Events, Some(namespace))
        .with_fields(format!("involvedObject.name={name}"))
        .at_most(20)
}

/// An object that was named and is not there: its neighbours, and a Service of that name where no kind was named,
/// to suggest what was meant.
fn near_names(view: &ClusterView, request: &Request) -> Vec<Query> {
    let ends = [
        (&request.source, &request.source_namespace),
        (&request.destination, &request.destination_namespace),
    ];
    let services = ends
        .iter()
        .filter_map(|(target, default)| match &target.spec {
            Spec::Bare(name) if view.pods.get(default, name).is_none() && !name.contains('.') => {
                Some(Query::get(Resource::Services, default, name))
            }
            _ => None,
        });
    let services: Vec<Query> = services.collect();
    ends.into_iter()
        .filter_map(|(target, default)| match &target.spec {
            Spec::Bare(name) if view.pods.get(default, name).is_none() => Some(
                Query::list(Resource::Pods, Some(default))
                    .metadata()
                    .at_most(2 * PAGE),
            ),
            Spec::Object {
                kind: Kind::Pod,
                namespace,
                name,
            } => {
                let namespace = namespace.as_deref().unwrap_or(default);
                let is_there = view.pods.get(namespace, name).is_some();
                (!is_there).then(|| {
                    Query::list(Resource::Pods, Some(namespace))
                        .metadata()
                        .at_most(2 * PAGE)
                })
            }
            Spec::Object {
                kind,
                namespace,
                name,
            } if kind.is_workload() => {
                let namespace = namespace.as_deref().unwrap_or(default);
                view.workload(kind.resource(), namespace, name)
                    .is_none()
                    .then(|| Query::list(kind.resource(), Some(namespace)).at_most(PAGE))
            }
            Spec::Object {
                kind: Kind::Node,
                name,
                ..
            } if view.nodes.get("", name).is_none() => {
                Some(Query::list(Resource::Nodes, None).at_most(PAGE))
            }
            _ => None,
        })
        .chain(services)
        .collect()
}
