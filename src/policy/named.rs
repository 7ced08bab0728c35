//! Ends by name, as the bulk questions name them: `ns/Kind/name` or `ip/ADDR`.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::ends::{End, Ends};
use crate::cluster::{ClusterView, Named, ObjectRef, Pod, Table};
use crate::resolve::controlled_pods;
use crate::target::Kind;

/// A name that stands for nothing in the view.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownEnd {
    #[error("{0:?} is neither NAMESPACE/Kind/NAME nor ip/ADDRESS")]
    Malformed(String),
    #[error("{0} is not in the cluster")]
    Absent(ObjectRef),
}

// === impl Ends ===

impl Ends<'_> {
    /// The ends a name stands for: the pods of a workload, or its template where it has none.
    ///
    /// # Errors
    /// When the name is malformed, or nothing in the view carries it.
    pub fn named(&self, name: &str) -> Result<Vec<End>, UnknownEnd> {
        let malformed = || UnknownEnd::Malformed(name.to_owned());
        if let Some(addr) = name.strip_prefix("ip/") {
            let addr: IpAddr = addr.parse().map_err(|_| malformed())?;
            return Ok(vec![self.address(addr)]);
        }
        let parts: Vec<&str> = name.split('/').collect();
        let [namespace, kind, name] = parts.as_slice() else {
            return Err(malformed());
        };
        let object = ObjectRef::new(*kind, *namespace, *name);
        let found = self.of(&object);
        if found.is_empty() {
            Err(UnknownEnd::Absent(object))
        } else {
            Ok(found)
        }
    }

    /// Every workload's pods as its template makes them, in one namespace.
    pub fn templates<'s>(&'s self, namespace: &'s str) -> impl Iterator<Item = End> + 's {
        let view = self.view();
        let named = workloads(view, namespace);
        named.filter_map(move |(kind, name)| {
            let object = ObjectRef::new(kind, namespace, name);
            let template = template(view, &object)?;
            Some(self.template(object, template))
        })
    }

    /// What an object stands for; nothing if it is not there.
    #[must_use]
    pub fn of(&self, object: &ObjectRef) -> Vec<End> {
        let view = self.view();
        let ObjectRef {
            kind,
            namespace,
            name,
        } = object;
        if kind == "Pod"
            && let Some(pod) = view.pods.get(namespace, name)
        {
            return vec![self.pod(pod)];
        }
        if kind == "Node" {
            let node = view.nodes.get("", name);
            return node.map(|node| self.node(node)).into_iter().collect();
        }
        let mut pods = match Kind::ALL
            .iter()
            .find(|known| known.resource().kind() == kind)
        {
            Some(Kind::Pod) | None => Vec::new(),
            Some(known) => controlled_pods(view, *known, namespace, name),
        };
        if pods.is_empty() {
            if let Some(template) = template(view, object) {
                return vec![self.template(object.clone(), template)];
            }
            // Also those that have ended, and those of kinds netpath does not read.
            pods = owned_directly(view, object);
        }
        let ends = pods.into_iter().map(|pod| self.pod(pod));
        ends.map(|end| end.standing_for(object.clone())).collect()
    }
}

/// Pods of an owner of any kind. One that a hand-made manifest leaves without a kind counts as Pod.
fn owned_directly<'v>(view: &'v ClusterView, owner: &ObjectRef) -> Vec<&'v Pod> {
    let kind = if owner.kind == "Pod" { "" } else { &owner.kind };
    let pods = view.pods.in_namespace(&owner.namespace);
    pods.filter(|pod| {
        let controller = pod.controller();
        controller.is_some_and(|found| found.kind == kind && found.name == owner.name)
    })
    .collect()
}

/// The namespaces that hold something that makes pods.
pub(super) fn workload_namespaces(view: &ClusterView) -> BTreeSet<&str> {
    view.workloads
        .values()
        .flat_map(Table::namespaces)
        .collect()
}

/// Kind and name of what makes pods in a namespace. One that another workload made speaks for
/// that.
fn workloads<'v>(
    view: &'v ClusterView,
    namespace: &str,
) -> impl Iterator<Item = (&'static str, &'v str)> {
    let tables = view.workloads.iter();
    tables.flat_map(move |(kind, table)| {
        table
            .in_namespace(namespace)
            .filter(|object| object.meta.owner_references.is_none())
            .map(|object| (kind.kind(), object.name()))
    })
}

fn template<'v>(view: &'v ClusterView, workload: &ObjectRef) -> Option<&'v Pod> {
    let ObjectRef {
        kind,
        namespace,
        name,
    } = workload;
    let kinds = view.workloads.keys();
    let kind = kinds.copied().find(|known| known.kind() == kind)?;
    view.workload(kind, namespace, name)?.template.as_ref()
}
