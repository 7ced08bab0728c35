//! What was meant instead of a name that does not exist.

use super::{Unresolved, workload};
use crate::cluster::{ClusterView, Named, Scope, Table};
use crate::target::Kind;
use crate::text::nearest;

/// Says that an object does not exist, or that it could not be read, and what is near.
pub(super) fn missing(view: &ClusterView, kind: Kind, namespace: &str, name: &str) -> Unresolved {
    let typed = format!("{}/{name}", kind.short());
    if let Some(unread) = view.unread(kind.resource(), namespace) {
        return Unresolved {
            message: format!("{typed} could not be looked up: {}", unread.why),
            hint: format!("needs {}", unread.grant),
        };
    }
    let message = match kind.resource().scope() {
        Scope::Cluster => format!("there is no {typed}"),
        Scope::Namespaced => format!("there is no {typed} in namespace {namespace}"),
    };
    let names = names(view, kind);
    let here: Vec<String> = nearest(
        name,
        names
            .iter()
            .filter(|(at, _)| at == namespace)
            .map(|(_, name)| name.as_str()),
    )
    .into_iter()
    .map(|near| format!("{}/{near}", kind.short()))
    .collect();
    let elsewhere = names
        .iter()
        .filter(|(at, other)| at != namespace && other == name)
        .map(|(at, other)| format!("{at}/{}/{other}", kind.short()))
        .take(3);
    let other_kinds = other_kinds(view, kind, namespace, name);
    let near = elsewhere.chain(here).take(4);
    let candidates: Vec<String> = other_kinds.into_iter().chain(near).take(4).collect();
    let hint = match candidates.as_slice() {
        [] if names.iter().all(|(at, _)| at != namespace) && !namespace.is_empty() => {
            format!(
                "namespace {namespace} has no {} at all; use -n or --to-namespace for another one",
                kind.resource().plural()
            )
        }
        [] => String::new(),
        some => format!("did you mean {}?", some.join(" or ")),
    };
    Unresolved { message, hint }
}

/// Objects of another kind that have this very name: who types `api` may mean svc/api or deploy/api. A name that
/// only begins those of pods is likely that of their workload.
fn other_kinds(view: &ClusterView, kind: Kind, namespace: &str, name: &str) -> Vec<String> {
    const WORKLOADS: [Kind; 3] = [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet];
    let has = |other: Kind| {
        let mut names = names(view, other).into_iter();
        other != kind && names.any(|(at, own)| at == namespace && own == name)
    };
    let all = [Kind::Service, Kind::Pod].into_iter().chain(WORKLOADS);
    let mut found: Vec<Kind> = all.filter(|other| has(*other)).collect();
    // Workloads are read only where they are asked for; their pods tell their names.
    let owners = view
        .pods
        .in_namespace(namespace)
        .filter_map(workload::owner);
    for (owner, own) in owners {
        if own == name && owner != kind && !found.contains(&owner) {
            found.push(owner);
        }
    }
    found
        .iter()
        .map(|other| format!("{}/{name}", other.short()))
        .collect()
}

/// Namespace and name of every object of a kind.
fn names(view: &ClusterView, kind: Kind) -> Vec<(String, String)> {
    fn of<T: Named>(table: &Table<T>) -> Vec<(String, String)> {
        let names = table.iter();
        names
            .map(|object| (object.namespace().to_owned(), object.name().to_owned()))
            .collect()
    }
    match kind {
        Kind::Pod => of(&view.pods),
        Kind::Service => of(&view.services),
        Kind::Node => of(&view.nodes),
        Kind::Ingress => of(&view.ingresses),
        Kind::Gateway => of(&view.gateway_api.gateways),
        Kind::ListenerSet => of(&view.gateway_api.listener_sets),
        Kind::HttpRoute => of(&view.gateway_api.http_routes),
        Kind::GrpcRoute => of(&view.gateway_api.grpc_routes),
        Kind::TlsRoute => of(&view.gateway_api.tls_routes),
        Kind::TcpRoute => of(&view.gateway_api.tcp_routes),
        Kind::UdpRoute => of(&view.gateway_api.udp_routes),
        other => view
            .workloads
            .get(&other.resource())
            .map(of)
            .unwrap_or_default(),
    }
}
