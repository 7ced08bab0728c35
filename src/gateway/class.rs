//! Who serves a Gateway.

use crate::cluster::gateway_api::{Condition, Gateway, GatewayClass};
use crate::cluster::{ClusterView, Named, Resource};

/// The class of a Gateway, as far as it is known.
#[derive(Debug, Clone, Copy)]
pub enum ClassState<'v> {
    Served(&'v GatewayClass),
    /// The controller refuses the class.
    Refused(&'v GatewayClass, &'v Condition),
    /// No such class.
    Missing,
    /// Classes could not be read.
    Unread,
}

/// The class of a Gateway.
#[must_use]
pub fn class_of<'v>(view: &'v ClusterView, gateway: &Gateway) -> ClassState<'v> {
    let name = &gateway.spec.gateway_class_name;
    let Some(class) = view.gateway_api.classes.get("", name) else {
        return if view.holds_all(Resource::GatewayClasses, "") {
            ClassState::Missing
        } else {
            ClassState::Unread
        };
    };
    let generation = class.metadata.generation;
    let accepted = condition(&class.status.conditions, "Accepted", generation);
    match accepted.filter(|one| one.is_false()) {
        Some(refused) => ClassState::Refused(class, refused),
        None => ClassState::Served(class),
    }
}

/// A condition that speaks of the object as it is now.
#[must_use]
pub fn condition<'c>(
    conditions: &'c [Condition],
    kind: &str,
    generation: Option<i64>,
) -> Option<&'c Condition> {
    let mut all = conditions.iter();
    all.find(|one| one.kind == kind && one.is_current(generation))
}

// === impl ClassState ===

impl<'v> ClassState<'v> {
    /// The controller that serves it.
    #[must_use]
    pub fn controller(&self) -> Option<&'v str> {
        match self {
            Self::Served(class) | Self::Refused(class, _) => Some(&class.spec.controller_name),
            Self::Missing | Self::Unread => None,
        }
    }

    /// `class istio (istio.io/gateway-controller)`
    #[must_use]
    pub fn shown(&self, name: &str) -> String {
        match self {
            Self::Served(class) | Self::Refused(class, _) => {
                format!("class {} ({})", class.name(), class.spec.controller_name)
            }
            Self::Missing | Self::Unread => format!("class {name}"),
        }
    }
}
