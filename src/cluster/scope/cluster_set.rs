//! What a name of the cluster set adds, where the server has the API groups: nothing of it is read for other
//! questions, and nothing where no group is.
//!
//! ```text
//!  round 2  ServiceImports, ServiceExports, imported slices; Submariner's Gateways and Clusters,
//!           the namespace and the settings of Cilium: at most seven
//!  round 3  the Service that serves the address of the import, the servers of the zone: at most three
//! ```

use super::CILIUM_CONFIG;
use super::ends::PAGE;
use crate::cluster::multicluster::{IMPORT_NAME, ServiceImport};
use crate::cluster::query::Query;
use crate::cluster::{ClusterView, Resource};
use crate::target::{Request, Spec};

/// The end of every name of a cluster set, without its final dot.
const SUFFIX: &str = ".svc.clusterset.local";

/// How many addresses of an import, and servers of the zone, are looked into.
const BEHIND: usize = 3;

/// The further queries of a name of the cluster set.
pub(super) fn next(view: &ClusterView, request: &Request) -> Vec<Query> {
    let Some((namespace, name)) = asked(request) else {
        return Vec::new();
    };
    let lists = Resource::MULTI_CLUSTER.iter().filter_map(|resource| {
        let api_version = resource.served(&view.api_groups)?;
        let namespace = (*resource == Resource::ServiceExports).then_some(namespace);
        let list = Query::list(*resource, namespace).served_as(api_version);
        Some(list.at_most(4 * PAGE))
    });
    let mut queries: Vec<Query> = lists.collect();
    if queries.is_empty() {
        return queries;
    }
    queries.push(Query::get(Resource::Namespaces, "", namespace));
    let labels = format!("{IMPORT_NAME}={name}");
    queries.push(Query::list(Resource::EndpointSlices, Some(namespace)).labelled(labels));
    let import = ServiceImport::find(view, namespace, name);
    let of_import = import.map(|import| import.ips()).unwrap_or_default();
    let of_import = of_import.iter().map(ToString::to_string);
    let addresses = of_import.chain(servers(view)).take(BEHIND);
    queries.extend(addresses.map(|ip| {
        Query::list(Resource::Services, None).with_fields(format!("spec.clusterIP={ip}"))
    }));
    if view.api_groups.contains_key("cilium.io") {
        queries.push(Query::get(
            Resource::ConfigMaps,
            "kube-system",
            CILIUM_CONFIG,
        ));
    }
    queries
}

/// Whether a request was for an object that only clusters of a set have.
pub(super) fn is_own(query: &Query) -> bool {
    Resource::MULTI_CLUSTER.contains(&query.resource)
        || query
            .labels
            .as_ref()
            .is_some_and(|labels| labels.starts_with(IMPORT_NAME))
}

/// Namespace and name of the import that the destination speaks of.
fn asked(request: &Request) -> Option<(&str, &str)> {
    let (Spec::Name(name) | Spec::Bare(name)) = &request.destination.spec else {
        return None;
    };
    let below = name.trim_end_matches('.').strip_suffix(SUFFIX)?;
    let (name, namespace) = below.rsplit_once('.')?;
    Some((namespace, name.rsplit('.').next().unwrap_or(name)))
}

/// The addresses that the Corefile hands the zone over to.
fn servers(view: &ClusterView) -> Vec<String> {
    let corefile = view.config_maps.get("kube-system", "coredns");
    let text = corefile.and_then(|map| map.data.as_ref()?.get("Corefile"));
    let text = text.map(String::as_str).unwrap_or_default();
    let zone = SUFFIX.trim_start_matches(".svc.");
    let behind = text.split_once(zone).map_or("", |(_, behind)| behind);
    let lines = behind.lines().map(str::trim);
    let forward = lines
        .take_while(|line| *line != "}")
        .find_map(|line| line.strip_prefix("forward . "));
    let servers = forward.unwrap_or_default().split_whitespace();
    servers
        .filter(|server| server.parse::<std::net::IpAddr>().is_ok())
        .map(str::to_owned)
        .collect()
}
