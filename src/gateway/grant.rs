//! References to other namespaces, and who permits them.

use crate::cluster::{ClusterView, Named, ObjectRef, Resource};

/// Whether a reference is permitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    Granted,
    Refused,
    /// Grants of that namespace could not be read.
    Unread,
}

/// Whether an object of a group and kind in one namespace may refer to an object of another: a
/// ReferenceGrant in the namespace of the target says so.
#[must_use]
pub fn permission(
    view: &ClusterView,
    from: (&str, &ObjectRef),
    to: (&str, &ObjectRef),
) -> Permission {
    let ((from_group, from), (to_group, to)) = (from, to);
    if from.namespace == to.namespace {
        return Permission::Granted;
    }
    let mut grants = view.gateway_api.grants.in_namespace(&to.namespace);
    let is_granted = grants.any(|grant| {
        let is_from = grant.spec.from.iter().any(|one| {
            one.group == from_group && one.kind == from.kind && one.namespace == from.namespace
        });
        let mut targets = grant.spec.to.iter();
        let is_to = targets.any(|one| {
            let is_named = one
                .name
                .as_ref()
                .is_none_or(|name| name.is_empty() || *name == to.name);
            one.group == to_group && one.kind == to.kind && is_named
        });
        is_from && is_to
    });
    match is_granted {
        true => Permission::Granted,
        false if view.holds_all(Resource::ReferenceGrants, &to.namespace) => Permission::Refused,
        false => Permission::Unread,
    }
}

/// The grants of a namespace that come near: they speak of one of the two sides.
#[must_use]
pub fn near(view: &ClusterView, from: &ObjectRef, to: &ObjectRef) -> Vec<String> {
    let grants = view.gateway_api.grants.in_namespace(&to.namespace);
    let is_near = |grant: &&crate::cluster::gateway_api::ReferenceGrant| {
        grant
            .spec
            .from
            .iter()
            .any(|one| one.namespace == from.namespace)
            || grant.spec.to.iter().any(|one| one.kind == to.kind)
    };
    let near = grants.filter(is_near);
    near.map(|grant| grant.name().to_owned()).collect()
}
