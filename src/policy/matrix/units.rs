//! The rows and columns of a matrix: workloads with their pods, or what their templates would make,
//! and everybody outside.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::outside::{blocks, outside};
use super::{Matrix, PortSet};
use crate::cluster::{ClusterView, Named, ObjectRef, Pod, Resource};
use crate::policy::ends::{End, Ends};
use crate::policy::named::workload_namespaces;
use crate::policy::policies::Policies;

/// The kind of the rows and columns for what is outside the cluster.
pub const OUTSIDE: &str = "External";

/// A workload, a bare pod, or a part of the outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    pub object: ObjectRef,
    /// More than one where policies tell its pods apart; by class.
    pub parts: Vec<Part>,
}

/// Pods of a unit that no policy tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Their class in the matrix.
    pub class: usize,
    pub pods: usize,
}

/// All pairs of workloads.
#[derive(Debug)]
pub struct UnitMatrix {
    /// By namespace, kind and name; the outside comes last.
    pub units: Vec<Unit>,
    pub matrix: Matrix,
}

// === impl Unit ===

impl Unit {
    /// How many pods it stands for.
    #[must_use]
    pub fn pods(&self) -> usize {
        self.parts.iter().map(|part| part.pods).sum()
    }

    /// Whether it is no part of the cluster.
    #[must_use]
    pub fn is_outside(&self) -> bool {
        self.object.kind == OUTSIDE
    }
}

// === impl UnitMatrix ===

impl UnitMatrix {
    /// Every workload, and the outside: each address block that policies name, and the rest.
    #[must_use]
    pub fn new(view: &ClusterView, policies: &Policies) -> Self {
        Self::with(view, policies, &blocks(policies))
    }

    /// The same with the address blocks that other policies name, too: to be compared with theirs.
    #[must_use]
    pub fn beside(view: &ClusterView, policies: &Policies, others: &Policies) -> Self {
        let mut all = blocks(policies);
        all.extend(blocks(others));
        Self::with(view, policies, &all)
    }

    fn with(view: &ClusterView, policies: &Policies, blocks: &BTreeSet<IpNet>) -> Self {
        let ends = Ends::new(view);
        let mut cast: Vec<(ObjectRef, Vec<End>)> = cast(&ends).into_iter().collect();
        cast.sort_by(|(one, _), (other, _)| one.namespace.cmp(&other.namespace));
        let outside = outside(blocks, policies.families, &ends).into_iter();
        cast.extend(outside.map(|(object, end)| (object, vec![end])));
        let mut sizes = Vec::with_capacity(cast.len());
        let mut ends = Vec::new();
        for (object, members) in cast {
            sizes.push((object, members.len()));
            ends.extend(members);
        }
        let matrix = Matrix::new(policies, &ends);
        let mut first = 0;
        let units = sizes.into_iter().map(|(object, count)| {
            let mut parts: BTreeMap<usize, usize> = BTreeMap::new();
            for end in first..first + count {
                *parts.entry(matrix.class_of(end)).or_default() += 1;
            }
            first += count;
            let parts = parts.into_iter();
            Unit {
                object,
                parts: parts.map(|(class, pods)| Part { class, pods }).collect(),
            }
        });
        Self {
            units: units.collect(),
            matrix,
        }
    }

    /// What may go from one unit to another; open where that differs between their pods.
    #[must_use]
    pub fn between(&self, source: usize, destination: usize) -> Cow<'_, PortSet> {
        let (sources, destinations) = (&self.units[source].parts, &self.units[destination].parts);
        if let ([source], [destination]) = (sources.as_slice(), destinations.as_slice()) {
            return Cow::Borrowed(self.matrix.between(source.class, destination.class));
        }
        let pairs = sources
            .iter()
            .flat_map(|one| destinations.iter().map(move |other| (one, other)));
        let sets = pairs.map(|(one, other)| self.matrix.between(one.class, other.class).clone());
        let set = sets.reduce(|one, other| one.either(&other));
        Cow::Owned(set.unwrap_or_default())
    }
}

/// The ends of each workload, by its name.
pub(super) fn cast(ends: &Ends<'_>) -> BTreeMap<ObjectRef, Vec<End>> {
    let view = ends.view();
    let mut cast: BTreeMap<ObjectRef, Vec<End>> = BTreeMap::new();
    for pod in view.pods.iter().filter(|pod| !pod.is_finished()) {
        let owner = owner(view, pod);
        let end = ends.pod(pod).standing_for(owner.clone());
        cast.entry(owner).or_default().push(end);
    }
    for namespace in workload_namespaces(view) {
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
            .workload(Resource::ReplicaSets, namespace, &controller.name)
            .and_then(|set| maker(set.meta.owner_references.as_deref()))
            .map(|maker| named(&maker.kind, &maker.name))
            .or_else(|| by_hash(view, pod, &controller.name)),
        "Job" => view
            .workload(Resource::Jobs, namespace, &controller.name)
            .and_then(|job| maker(job.meta.owner_references.as_deref()))
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
    let is_there = view
        .workload(Resource::Deployments, namespace, name)
        .is_some();
    is_there.then(|| ObjectRef::new("Deployment", namespace, name))
}
