//! Whether a route is attached to a parent: computed, and compared with what the controller says.

use super::class::condition;
use super::listener::{Slot, admits, allowed_kinds, is_admitted, reference, slots};
use super::{ClassState, class_of, hostname};
use crate::cluster::gateway_api::{Gateway, ParentRef, ParentStatus, Route, RouteKind};
use crate::cluster::{ClusterView, Named, ObjectRef, Resource};
use crate::text::nearest;

/// A route under one of its parents.
#[derive(Debug, Clone)]
pub struct Attachment<'v> {
    /// Its place in `spec.parentRefs`.
    pub index: usize,
    pub parent: ObjectRef,
    /// The Gateway in the end, also where the parent is a ListenerSet.
    pub gateway: Option<&'v Gateway>,
    /// The listeners it is attached to, or why to none.
    pub outcome: Result<Vec<Slot<'v>>, Refusal>,
    /// What could not be told of it, if something could not.
    pub doubt: Option<String>,
}

/// Why a parent does not serve a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No such Gateway or ListenerSet; those that come near.
    NoParent { near: Vec<String> },
    /// A Gateway of a class that nobody serves.
    NoClass { class: String },
    /// A ListenerSet that its Gateway does not admit.
    SetNotAdmitted { gateway: ObjectRef },
    /// No listener of that name or port; those there are.
    NoSection { asked: String, has: Vec<String> },
    /// No listener takes this kind of route.
    Kind { takes: Vec<String> },
    /// No listener takes routes of this namespace.
    Namespace { from: Vec<String> },
    /// No host name of the route is one of a listener.
    Hostname { listeners: Vec<String> },
    /// The controller says so, and nothing that was read says why.
    Status { reason: String, message: String },
}

/// A route under each of its parents that is a door.
#[must_use]
pub fn attachments<'v>(
    view: &'v ClusterView,
    kind: RouteKind,
    route: &'v Route,
) -> Vec<Attachment<'v>> {
    let parents = route.spec.parent_refs.iter().enumerate();
    let doors = parents.filter(|(_, parent)| parent.is_door());
    doors
        .map(|(index, parent)| attachment(view, (kind, route), index, parent))
        .collect()
}

fn attachment<'v>(
    view: &'v ClusterView,
    (kind, route): (RouteKind, &'v Route),
    index: usize,
    parent: &'v ParentRef,
) -> Attachment<'v> {
    let object = parent.object(route.namespace());
    let mut found = Attachment {
        index,
        parent: object.clone(),
        gateway: None,
        outcome: Ok(Vec::new()),
        doubt: None,
    };
    let resource = match object.kind.as_str() {
        "ListenerSet" => Resource::ListenerSets,
        _ => Resource::Gateways,
    };
    let gateway = match gateway_of(view, &object) {
        Ok(gateway) => gateway,
        Err(_) if !view.holds_all(resource, &object.namespace) => {
            found.doubt = Some(format!("{object} was not read"));
            return found;
        }
        Err(refusal) => {
            found.outcome = Err(refusal);
            return found;
        }
    };
    found.gateway = Some(gateway);
    let class = class_of(view, gateway);
    if matches!(class, ClassState::Missing) {
        let class = gateway.spec.gateway_class_name.clone();
        found.outcome = Err(Refusal::NoClass { class });
        return found;
    }
    let own: Vec<Slot<'v>> = slots(view, gateway)
        .into_iter()
        .filter(|slot| slot.owner == object)
        .collect();
    found.outcome = select(view, (kind, route), parent, own);
    let status = status_of(route, parent, &class);
    found.compare(view, gateway, route, status);
    found
}

/// The Gateway that a parent means in the end.
fn gateway_of<'v>(view: &'v ClusterView, parent: &ObjectRef) -> Result<&'v Gateway, Refusal> {
    let api = &view.gateway_api;
    let (namespace, name) = (&parent.namespace, &parent.name);
    if parent.kind == "ListenerSet" {
        let set = api.listener_sets.get(namespace, name);
        let set = set.ok_or_else(|| {
            let here = api.listener_sets.in_namespace(namespace).map(Named::name);
            Refusal::NoParent {
                near: nearest(name, here)
                    .into_iter()
                    .map(|near| format!("{namespace}/{near}"))
                    .collect(),
            }
        })?;
        let of = set.spec.parent_ref.object(namespace);
        let gateway = gateway_of(view, &of)?;
        if !is_admitted(view, gateway, set) {
            return Err(Refusal::SetNotAdmitted { gateway: of });
        }
        return Ok(gateway);
    }
    api.gateways
        .get(namespace, name)
        .ok_or_else(|| Refusal::NoParent {
            near: near_gateways(view, namespace, name),
        })
}

/// One of the same name elsewhere, then those of a similar name here.
fn near_gateways(view: &ClusterView, namespace: &str, name: &str) -> Vec<String> {
    let all = &view.gateway_api.gateways;
    let elsewhere = all.iter().filter(|one| one.name() == name);
    let mut near: Vec<String> = elsewhere
        .map(|one| format!("{}/{name}", one.namespace()))
        .collect();
    let here = all.in_namespace(namespace).map(Named::name);
    near.extend(
        nearest(name, here)
            .into_iter()
            .map(|one| format!("{namespace}/{one}")),
    );
    near.truncate(3);
    near
}

/// The listeners of a parent that take a route, in the order in which the specification asks.
fn select<'v>(
    view: &ClusterView,
    (kind, route): (RouteKind, &Route),
    parent: &ParentRef,
    own: Vec<Slot<'v>>,
) -> Result<Vec<Slot<'v>>, Refusal> {
    let has: Vec<String> = own.iter().map(Slot::shown).collect();
    let named = keep(own, |slot| {
        let is_named = parent
            .section_name
            .as_ref()
            .is_none_or(|name| *name == slot.listener.name);
        is_named && parent.port.is_none_or(|port| port == slot.listener.port)
    });
    if named.is_empty() {
        let section = parent.section_name.clone();
        let port = parent.port.map(|port| format!("port {port}"));
        let asked: Vec<String> = section.into_iter().chain(port).collect();
        let asked = asked.join(" at ");
        return Err(Refusal::NoSection { asked, has });
    }
    let takes: Vec<String> = named
        .iter()
        .flat_map(|slot| allowed_kinds(slot.listener))
        .map(|kind| kind.name().to_owned())
        .collect();
    let of_kind = keep(named, |slot| {
        let has_own_protocol = super::listener::kinds_of(slot.listener).is_empty();
        has_own_protocol || allowed_kinds(slot.listener).contains(&kind)
    });
    if of_kind.is_empty() {
        return Err(Refusal::Kind { takes });
    }
    let from: Vec<String> = of_kind.iter().map(admitted_namespaces).collect();
    let admitted = keep(of_kind, |slot| {
        let filter = slot.listener.allowed_routes.as_ref();
        let filter = filter.and_then(|allowed| allowed.namespaces.as_ref());
        admits(
            view,
            filter,
            "Same",
            &slot.owner.namespace,
            route.namespace(),
        )
    });
    if admitted.is_empty() {
        return Err(Refusal::Namespace { from });
    }
    let listeners: Vec<String> = admitted.iter().map(Slot::shown).collect();
    let taken = keep(admitted, |slot| {
        let names = &route.spec.hostnames;
        let mut names = names.iter().map(|name| Some(name.as_str()));
        !kind.has_hostnames()
            || route.spec.hostnames.is_empty()
            || names.any(|name| hostname::intersect(slot.listener.hostname(), name))
    });
    if taken.is_empty() {
        return Err(Refusal::Hostname { listeners });
    }
    Ok(taken)
}

fn keep<'v>(slots: Vec<Slot<'v>>, keep: impl Fn(&Slot<'v>) -> bool) -> Vec<Slot<'v>> {
    slots.into_iter().filter(|slot| keep(slot)).collect()
}

/// `http: Same`
fn admitted_namespaces(slot: &Slot<'_>) -> String {
    let filter = slot.listener.allowed_routes.as_ref();
    let from = filter.and_then(|allowed| allowed.namespaces.as_ref()?.from.as_deref());
    format!("{}: {}", slot.listener.name, from.unwrap_or("Same"))
}

/// What the Gateway's own controller says of the route under this parent.
fn status_of<'r>(
    route: &'r Route,
    parent: &ParentRef,
    class: &ClassState<'_>,
) -> Option<&'r ParentStatus> {
    let controller = class.controller()?;
    let namespace = route.namespace();
    let mut entries = route.status.parents.iter();
    entries.find(|entry| {
        let said = &entry.parent_ref;
        entry.controller_name == controller
            && said.object(namespace) == parent.object(namespace)
            && said.section_name == parent.section_name
            && said.port == parent.port
    })
}

// === impl Attachment ===

impl<'v> Attachment<'v> {
    /// Lays what the controller says beside what was computed. Of acceptance it decides; where it says
    /// nothing although it runs, nobody knows.
    fn compare(
        &mut self,
        view: &ClusterView,
        gateway: &Gateway,
        route: &Route,
        status: Option<&ParentStatus>,
    ) {
        let generation = route.metadata.generation;
        let accepted = status.and_then(|said| condition(&said.conditions, "Accepted", generation));
        match accepted {
            Some(said) if said.is_false() && self.outcome.is_ok() => {
                self.outcome = Err(Refusal::Status {
                    reason: said.reason.clone(),
                    message: said.message.clone(),
                });
            }
            Some(said) if said.is_true() && self.outcome.is_err() => {
                self.doubt = Some("its controller accepts it anyway".to_owned());
            }
            None if self.outcome.is_ok() && runs(gateway) && !view.is_planned() => {
                let said = if status.is_some() {
                    "only of an earlier generation of it"
                } else {
                    "nothing of it"
                };
                self.doubt = Some(format!(
                    "the controller of {} has said {said} yet",
                    reference(gateway)
                ));
            }
            _ => {}
        }
    }

    /// Whether it is refused for certain.
    #[must_use]
    pub const fn refusal(&self) -> Option<&Refusal> {
        match (&self.outcome, &self.doubt) {
            (Err(refusal), None) => Some(refusal),
            _ => None,
        }
    }

    /// The listeners it is attached to.
    #[must_use]
    pub fn slots(&self) -> &[Slot<'v>] {
        self.outcome.as_deref().unwrap_or_default()
    }
}

/// Whether a controller has said anything of a Gateway.
fn runs(gateway: &Gateway) -> bool {
    let status = gateway.status.as_ref();
    status.is_some_and(|status| {
        let mut conditions = status.conditions.iter();
        conditions.any(|one| one.kind == "Programmed" && one.is_true())
    })
}

// === impl Refusal ===

impl Refusal {
    /// The reason, as conditions name it.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::NoParent { .. }
            | Self::NoSection { .. }
            | Self::NoClass { .. }
            | Self::SetNotAdmitted { .. } => "NoMatchingParent",
            Self::Kind { .. } | Self::Namespace { .. } => "NotAllowedByListeners",
            Self::Hostname { .. } => "NoMatchingListenerHostname",
            Self::Status { reason, .. } => reason,
        }
    }
}
