//! Round 3 (or 2, where it is plain by then): what explains that nothing answers.

use super::ends::{self, PAGE};
use super::follow::has_endpoints;
use crate::cluster::access::ServiceExt;
use crate::cluster::query::Query;
use crate::cluster::{ClusterView, Named, Resource};
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
                queries.push(
                    Query::list(Resource::Pods, None)
                        .labelled(selector.to_string())
                        .at_most(20),
                );
                queries.push(Query::list(Resource::Pods, Some(destination)).at_most(PAGE));
                queries.push(Query::list(Resource::Deployments, Some(destination)).at_most(PAGE));
                queries.push(Query::list(Resource::StatefulSets, Some(destination)).at_most(PAGE));
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
    queries
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

/// An object that was named and is not there: its neighbours, to suggest what was meant.
fn near_names(view: &ClusterView, request: &Request) -> Vec<Query> {
    let ends = [
        (&request.source, &request.source_namespace),
        (&request.destination, &request.destination_namespace),
    ];
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
        .collect()
}
