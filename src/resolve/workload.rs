//! The pods a workload stands for.

use std::collections::BTreeMap;

use crate::cluster::{ClusterView, Named, Pod, Resource, Workload};
use crate::target::Kind;

/// The pods of a workload that have not ended; none if there is no such workload.
pub(super) fn pods<'v>(
    view: &'v ClusterView,
    kind: Kind,
    namespace: &str,
    name: &str,
) -> Option<Vec<&'v Pod>> {
    let exists = view.workload(kind.resource(), namespace, name).is_some();
    exists.then(|| controlled_pods(view, kind, namespace, name))
}

/// The pods that a workload owns, directly or through the ReplicaSets or Jobs it makes, and that
/// have not ended.
#[must_use]
pub fn controlled_pods<'v>(
    view: &'v ClusterView,
    kind: Kind,
    namespace: &str,
    name: &str,
) -> Vec<&'v Pod> {
    let owners = owners(view, kind, namespace, name);
    view.pods
        .in_namespace(namespace)
        .filter(|pod| !pod.is_finished())
        .filter(|pod| {
            pod.controller().is_some_and(|owner| {
                owners
                    .iter()
                    .any(|(kind, name)| *kind == owner.kind && *name == owner.name)
            })
        })
        .collect()
}

/// The workload behind a pod, as its owner and its template hash tell.
pub(super) fn owner(pod: &Pod) -> Option<(Kind, String)> {
    let controller = pod.controller()?;
    let hash = pod.labels().get("pod-template-hash");
    let deployment = hash.and_then(|hash| controller.name.strip_suffix(hash)?.strip_suffix('-'));
    if let Some(name) = deployment {
        return Some((Kind::Deployment, name.to_owned()));
    }
    let mut kinds = Kind::ALL.iter().copied();
    let kind = kinds.find(|kind| kind.resource().kind() == controller.kind)?;
    Some((kind, controller.name.clone()))
}

/// Kind and name of whatever owns the pods themselves.
fn owners(view: &ClusterView, kind: Kind, namespace: &str, name: &str) -> Vec<(String, String)> {
    let own = |kind: Kind, name: &str| (kind.resource().kind().to_owned(), name.to_owned());
    let made_by_it = |object: &&Workload| {
        let owners = object
            .meta()
            .owner_references
            .as_deref()
            .unwrap_or_default();
        owners
            .iter()
            .any(|owner| owner.kind == kind.resource().kind() && owner.name == name)
    };
    match kind {
        Kind::Deployment => {
            let sets = view.workloads_in(Resource::ReplicaSets, namespace);
            let sets: Vec<_> = sets
                .filter(made_by_it)
                .map(|set| own(Kind::ReplicaSet, set.name()))
                .collect();
            if !sets.is_empty() {
                return sets;
            }
            // A namespace's ReplicaSets are many and seldom read: their names are the Deployment's
            // with the template hash behind it.
            let pods = view.pods.in_namespace(namespace);
            pods.filter_map(|pod| {
                let hash = pod.labels().get("pod-template-hash")?;
                let owner = pod.controller()?;
                (owner.name == format!("{name}-{hash}")).then(|| own(Kind::ReplicaSet, &owner.name))
            })
            .collect()
        }
        Kind::CronJob => {
            let jobs = view.workloads_in(Resource::Jobs, namespace);
            jobs.filter(made_by_it)
                .map(|job| own(Kind::Job, job.name()))
                .collect()
        }
        _ => vec![own(kind, name)],
    }
}

/// Every workload of a namespace with the labels its pods get and the replicas it wants.
pub fn template_labels<'v>(
    view: &'v ClusterView,
    namespace: &'v str,
) -> impl Iterator<Item = (Kind, &'v str, &'v BTreeMap<String, String>, Option<i32>)> {
    const KINDS: [Kind; 4] = [
        Kind::Deployment,
        Kind::StatefulSet,
        Kind::DaemonSet,
        Kind::ReplicaSet,
    ];
    KINDS.into_iter().flat_map(move |kind| {
        let all = view.workloads_in(kind.resource(), namespace);
        all.filter_map(move |workload| {
            // A ReplicaSet that a Deployment made speaks for the Deployment.
            if kind == Kind::ReplicaSet && workload.meta.owner_references.is_some() {
                return None;
            }
            let template = workload.template.as_ref()?;
            let labels = template.metadata.labels.as_ref()?;
            // A DaemonSet wants one for each node.
            let wanted = (kind != Kind::DaemonSet).then(|| workload.replicas.unwrap_or(1));
            Some((kind, workload.name(), labels, wanted))
        })
    })
}
