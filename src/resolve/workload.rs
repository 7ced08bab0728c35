//! The pods a workload stands for.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};

use crate::cluster::access::PodExt;
use crate::cluster::{ClusterView, Named};
use crate::target::Kind;

/// The pods of a workload that have not ended; none if there is no such workload.
pub(super) fn pods<'v>(
    view: &'v ClusterView,
    kind: Kind,
    namespace: &str,
    name: &str,
) -> Option<Vec<&'v Pod>> {
    let exists = match kind {
        Kind::Deployment => view.deployments.get(namespace, name).is_some(),
        Kind::StatefulSet => view.stateful_sets.get(namespace, name).is_some(),
        Kind::DaemonSet => view.daemon_sets.get(namespace, name).is_some(),
        Kind::ReplicaSet => view.replica_sets.get(namespace, name).is_some(),
        Kind::Job => view.jobs.get(namespace, name).is_some(),
        Kind::CronJob => view.cron_jobs.get(namespace, name).is_some(),
        _ => false,
    };
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

/// Kind and name of whatever owns the pods themselves.
fn owners(view: &ClusterView, kind: Kind, namespace: &str, name: &str) -> Vec<(String, String)> {
    let own = |kind: Kind, name: &str| (kind.resource().kind().to_owned(), name.to_owned());
    let made_by_it = |object: &dyn Named| {
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
            let sets = view.replica_sets.in_namespace(namespace);
            let sets: Vec<_> = sets
                .filter(|set| made_by_it(*set))
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
            let jobs = view.jobs.in_namespace(namespace);
            jobs.filter(|job| made_by_it(*job))
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
    fn labels(template: Option<&PodTemplateSpec>) -> Option<&BTreeMap<String, String>> {
        template?.metadata.as_ref()?.labels.as_ref()
    }
    let deployments = view
        .deployments
        .in_namespace(namespace)
        .filter_map(|object| {
            let spec = &object.spec;
            let labels = labels(Some(&spec.template))?;
            Some((
                Kind::Deployment,
                object.name(),
                labels,
                spec.replicas.or(Some(1)),
            ))
        });
    let stateful_sets = view
        .stateful_sets
        .in_namespace(namespace)
        .filter_map(|object| {
            let spec = &object.spec;
            let labels = labels(Some(&spec.template))?;
            Some((
                Kind::StatefulSet,
                object.name(),
                labels,
                spec.replicas.or(Some(1)),
            ))
        });
    let daemon_sets = view
        .daemon_sets
        .in_namespace(namespace)
        .filter_map(|object| {
            let labels = labels(Some(&object.spec.template))?;
            Some((Kind::DaemonSet, object.name(), labels, None))
        });
    let bare_sets = view
        .replica_sets
        .in_namespace(namespace)
        .filter_map(|object| {
            // One that a Deployment made speaks for the Deployment.
            if object.metadata.owner_references.is_some() {
                return None;
            }
            let spec = &object.spec;
            let labels = labels(spec.template.as_ref())?;
            Some((
                Kind::ReplicaSet,
                object.name(),
                labels,
                spec.replicas.or(Some(1)),
            ))
        });
    deployments
        .chain(stateful_sets)
        .chain(daemon_sets)
        .chain(bare_sets)
}
