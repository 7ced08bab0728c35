//! What lies on the path, by the ends it has: pods, nodes, Services.

use k8s_openapi::api::core::v1::{Node, Service};

use crate::cluster::access::ServiceExt;
use crate::cluster::{Named, ObjectRef, Pod};
use crate::diagnose::Case;
use crate::path::Stage;
use crate::resolve::Site;

/// The pods at both ends.
pub(in crate::diagnose) fn pods<'v>(case: &Case<'_, 'v>) -> Vec<(&'v Pod, Stage)> {
    let sources = case
        .paths()
        .flat_map(|path| &path.sources)
        .filter_map(Site::pod);
    let backends = case
        .paths()
        .flat_map(|path| &path.backends)
        .filter_map(|backend| backend.pod);
    let mut pods: Vec<(&Pod, Stage)> = sources.map(|pod| (pod, Stage::Source)).collect();
    pods.extend(backends.map(|pod| (pod, Stage::Destination)));
    pods.sort_by_key(|(pod, stage)| (*stage, pod.namespace(), pod.name()));
    pods.dedup_by_key(|(pod, stage)| (*stage, pod.namespace(), pod.name()));
    pods
}

/// The pods that ask.
pub(in crate::diagnose) fn sources<'v>(case: &Case<'_, 'v>) -> impl Iterator<Item = &'v Pod> {
    let at_source = |(pod, stage): (&'v Pod, Stage)| (stage == Stage::Source).then_some(pod);
    pods(case).into_iter().filter_map(at_source)
}

/// The pods that answer.
pub(in crate::diagnose) fn backends<'v>(case: &Case<'_, 'v>) -> impl Iterator<Item = &'v Pod> {
    let at_end = |(pod, stage): (&'v Pod, Stage)| (stage == Stage::Destination).then_some(pod);
    pods(case).into_iter().filter_map(at_end)
}

/// The nodes under both ends, each with the end it was met at first.
pub(in crate::diagnose) fn nodes<'v>(case: &Case<'_, 'v>) -> Vec<(&'v Node, Stage)> {
    let of_sites = case.paths().flat_map(|path| &path.sources);
    let sources = of_sites.filter_map(|site| Some((site.node_name()?, Stage::Source)));
    let of_backends = case.paths().flat_map(|path| &path.backends);
    let backends = of_backends.filter_map(|backend| {
        let node = backend.node.or_else(|| backend.pod?.node_name())?;
        Some((node, Stage::Destination))
    });
    let mut nodes: Vec<(&Node, Stage)> = Vec::new();
    for (name, stage) in sources.chain(backends) {
        let is_known = nodes.iter().any(|(node, _)| node.name() == name);
        nodes.extend(
            case.view
                .nodes
                .get("", name)
                .filter(|_| !is_known)
                .map(|node| (node, stage)),
        );
    }
    nodes
}

/// The Services on the way.
pub(in crate::diagnose) fn services<'v>(case: &Case<'_, 'v>) -> Vec<&'v Service> {
    let mut services: Vec<&Service> = Vec::new();
    for service in case.paths().filter_map(|path| path.service) {
        if !services
            .iter()
            .any(|known| known.reference() == service.reference())
        {
            services.push(service);
        }
    }
    services
}

/// What makes a pod, and so what somebody changes to change it: its Deployment for one that a
/// ReplicaSet made, its controller, else itself.
pub(in crate::diagnose) fn maker(pod: &Pod) -> ObjectRef {
    let Some(owner) = pod.controller() else {
        return pod.reference();
    };
    let hash = pod.labels().get("pod-template-hash");
    let of_deployment = hash
        .and_then(|hash| owner.name.strip_suffix(hash.as_str()))
        .and_then(|name| name.strip_suffix('-'))
        .filter(|_| owner.kind == "ReplicaSet");
    match of_deployment {
        Some(name) => ObjectRef::new("Deployment", pod.namespace(), name),
        None => ObjectRef::new(&owner.kind, pod.namespace(), &owner.name),
    }
}

/// Whether the path passes a stage.
pub(in crate::diagnose) fn passes(case: &Case<'_, '_>, stage: Stage) -> bool {
    case.paths()
        .any(|path| path.hops.iter().any(|hop| hop.stage == stage))
}
