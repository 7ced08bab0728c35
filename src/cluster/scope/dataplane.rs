//! What the dataplanes of a cluster say of themselves in objects: on top of what a question needs anyway, and only
//! where the server has their API groups. At most four requests more: two for Cilium, one each for the others.

use super::ends;
use crate::cluster::query::Query;
use crate::cluster::{ClusterView, Resource};
use crate::target::Request;

/// What is asked of one dataplane's group.
const OF_GROUP: [(&str, Resource, Reach); 5] = [
    ("cilium.io", Resource::CiliumEndpoints, Reach::Ends),
    (
        "networking.k8s.aws",
        Resource::AwsPolicyEndpoints,
        Reach::Destination,
    ),
    ("crd.antrea.io", Resource::AntreaAgentInfos, Reach::Cluster),
    (
        "crd.projectcalico.org",
        Resource::FelixConfigurations,
        Reach::Cluster,
    ),
    (
        "operator.tigera.io",
        Resource::TigeraInstallations,
        Reach::Cluster,
    ),
];

/// In which namespaces.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Cluster,
    Destination,
    /// Those of both ends.
    Ends,
}

/// The objects worth reading for a question.
pub(super) fn objects(view: &ClusterView, request: &Request) -> Vec<Query> {
    let namespaces = ends::namespaces(request);
    let groups = OF_GROUP
        .iter()
        .filter(|(group, ..)| view.api_groups.contains_key(*group));
    let queries = groups.flat_map(|(_, resource, reach)| {
        let asked: Vec<Option<&str>> = match reach {
            Reach::Cluster => vec![None],
            Reach::Destination => namespaces
                .last()
                .map(|name| Some(name.as_str()))
                .into_iter()
                .collect(),
            Reach::Ends => namespaces.iter().map(|name| Some(name.as_str())).collect(),
        };
        let lists = asked
            .into_iter()
            .map(|namespace| Query::list(*resource, namespace).at_most(ends::PAGE));
        lists.collect::<Vec<_>>()
    });
    queries.collect()
}

/// Whether a request was for such an object.
pub(super) fn is_own(query: &Query) -> bool {
    OF_GROUP
        .iter()
        .any(|(_, resource, _)| *resource == query.resource)
}
