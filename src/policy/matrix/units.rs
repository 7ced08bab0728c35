//! The rows and columns of a matrix: workloads with their pods, or what their templates would make,
//! and everybody outside.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::{Matrix, PortSet};
use crate::cluster::access::PodExt;
use crate::cluster::{ClusterView, Named, ObjectRef};
use crate::policy::ends::{End, Ends};
use crate::policy::named::workload_namespaces;
use crate::policy::policies::Policies;

/// The kind of the row and column for what is outside the cluster.
pub const OUTSIDE: &str = "External";

/// A workload, a bare pod, or the outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    pub object: ObjectRef,
    /// Its classes in the matrix: more than one where policies tell its pods apart.
    pub classes: Vec<usize>,
    /// How many pods it stands for.
    pub pods: usize,
}

/// All pairs of workloads.
#[derive(Debug)]
pub struct UnitMatrix {
    pub units: Vec<Unit>,
    pub matrix: Matrix,
}

// === impl UnitMatrix ===

impl UnitMatrix {
    /// Every workload of a namespace (none: of all), and the outside.
    #[must_use]
    pub fn new(view: &ClusterView, policies: &Policies, namespace: Option<&str>) -> Self {
        let mut cast = cast(view, namespace);
        let outside = ObjectRef::cluster_wide(OUTSIDE, "outside");
        cast.insert(outside, vec![Ends::outside()]);
        let ends: Vec<End> = cast.values().flatten().cloned().collect();
        let matrix = Matrix::new(policies, &ends);
        let mut first = 0;
        let mut units = Vec::new();
        for (object, ends) in cast {
            let mut classes: Vec<usize> = (first..first + ends.len())
                .map(|end| matrix.class_of(end))
                .collect();
            classes.sort_unstable();
            classes.dedup();
            first += ends.len();
            units.push(Unit {
                object,
                classes,
                pods: ends.len(),
            });
        }
        // The outside comes last.
        units.sort_by_key(|unit| unit.object.kind == OUTSIDE);
        Self { units, matrix }
    }

    /// What may go from one unit to another; open where that differs between their pods.
    #[must_use]
    pub fn between(&self, source: usize, destination: usize) -> PortSet {
        let (sources, destinations) = (
            &self.units[source].classes,
            &self.units[destination].classes,
        );
        if let ([source], [destination]) = (sources.as_slice(), destinations.as_slice()) {
            return self.matrix.between(*source, *destination).clone();
        }
        let pairs = sources
            .iter()
            .flat_map(|one| destinations.iter().map(move |other| (*one, *other)));
        let sets = pairs.map(|(one, other)| self.matrix.between(one, other).clone());
        sets.reduce(|one, other| one.either(&other))
            .unwrap_or_default()
    }
}

/// The ends of each workload, by its name.
fn cast(view: &ClusterView, namespace: Option<&str>) -> BTreeMap<ObjectRef, Vec<End>> {
    let ends = Ends::new(view);
    let mut cast: BTreeMap<ObjectRef, Vec<End>> = BTreeMap::new();
    let is_meant = |name: &str| namespace.is_none_or(|wanted| wanted == name);
    for pod in view
        .pods
        .iter()
        .filter(|pod| is_meant(pod.namespace()) && !pod.is_finished())
    {
        let owner = owner(view, pod);
        cast.entry(owner.clone())
            .or_default()
            .push(ends.pod(pod).standing_for(owner));
    }
    for namespace in workload_namespaces(view)
        .into_iter()
        .filter(|name| is_meant(name))
    {
        for template in ends.templates(namespace) {
            let Some(object) = template.object.clone() else {
                continue;
            };
            cast.entry(object).or_insert_with(|| vec![template]);
        }
    }
    cast
}

/// What made a pod: its controller, or what made that.
fn owner(view: &ClusterView, pod: &Pod) -> ObjectRef {
    let namespace = pod.namespace();
    let Some(controller) = pod.controller() else {
        return pod.reference();
    };
    let named = |kind: &str, name: &str| ObjectRef::new(kind, namespace, name);
    let above = match controller.kind.as_str() {
        "ReplicaSet" => view
            .replica_sets
            .get(namespace, &controller.name)
            .and_then(|set| maker(set.metadata.owner_references.as_deref()))
            .map(|maker| named(&maker.kind, &maker.name))
            .or_else(|| by_hash(view, pod, &controller.name)),
        "Job" => view
            .jobs
            .get(namespace, &controller.name)
            .and_then(|job| maker(job.metadata.owner_references.as_deref()))
            .map(|maker| named(&maker.kind, &maker.name)),
        // A static pod is nobody's.
        "Node" => Some(pod.reference()),
        _ => None,
    };
    above.unwrap_or_else(|| named(&controller.kind, &controller.name))
}

fn maker(owners: Option<&[OwnerReference]>) -> Option<&OwnerReference> {
    owners?.iter().find(|owner| owner.controller == Some(true))
}

/// A ReplicaSet that was not read is named after its Deployment, with the template's hash behind it.
fn by_hash(view: &ClusterView, pod: &Pod, set: &str) -> Option<ObjectRef> {
    let hash = pod.labels().get("pod-template-hash")?;
    let name = set.strip_suffix(hash.as_str())?.strip_suffix('-')?;
    let namespace = pod.namespace();
    let is_there = view.deployments.get(namespace, name).is_some();
    is_there.then(|| ObjectRef::new("Deployment", namespace, name))
}
