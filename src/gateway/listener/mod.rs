//! Listeners of a Gateway, its own and those that ListenerSets add, and what is wrong with them.

mod certificate;
mod conflict;
mod trouble;

use super::class::condition;
use super::hostname;
use crate::cluster::gateway_api::{
    GROUP, Gateway, Listener, ListenerSet, ListenerStatus, NamespaceFilter, RouteKind,
};
use crate::cluster::{ClusterView, Named, ObjectRef, Selector};
use certificate::{certificate_trouble, check_clients_authority};
use conflict::mark_conflicts;

pub use certificate::reference_trouble;
pub use trouble::{ReferenceTrouble, SlotTrouble};

/// One listener, with whose it is and what is wrong with it.
#[derive(Debug, Clone)]
pub struct Slot<'v> {
    /// The Gateway or the ListenerSet that has it.
    pub owner: ObjectRef,
    /// `spec.listeners[0]`
    pub field: String,
    pub listener: &'v Listener,
    pub trouble: Option<SlotTrouble>,
    /// Names of Secrets and ConfigMaps that it rests on and that nobody looked into.
    pub unseen: Vec<String>,
}

/// Every listener of a Gateway in the order of precedence: its own, then those of ListenerSets, oldest
/// first (Gateway API, GEP-1713).
#[must_use]
pub fn slots<'v>(view: &'v ClusterView, gateway: &'v Gateway) -> Vec<Slot<'v>> {
    let owner = reference(gateway);
    let status = gateway
        .status
        .as_ref()
        .map(|status| status.listeners.as_slice());
    let mut slots = own_slots(
        view,
        &owner,
        gateway.metadata.generation,
        &gateway.spec.listeners,
        status,
    );
    for set in sets_of(view, gateway) {
        if !is_admitted(view, gateway, set) {
            continue;
        }
        let owner = set_reference(set);
        let status = set
            .status
            .as_ref()
            .map(|status| status.listeners.as_slice());
        slots.extend(own_slots(
            view,
            &owner,
            set.metadata.generation,
            &set.spec.listeners,
            status,
        ));
    }
    check_clients_authority(view, gateway, &mut slots);
    mark_conflicts(&mut slots);
    slots
}

/// Names a Gateway.
#[must_use]
pub fn reference(gateway: &Gateway) -> ObjectRef {
    ObjectRef::new("Gateway", gateway.namespace(), gateway.name())
}

/// Names a ListenerSet.
#[must_use]
pub fn set_reference(set: &ListenerSet) -> ObjectRef {
    ObjectRef::new("ListenerSet", set.namespace(), set.name())
}

/// The ListenerSets that name a Gateway as their parent, oldest first.
#[must_use]
pub fn sets_of<'v>(view: &'v ClusterView, gateway: &Gateway) -> Vec<&'v ListenerSet> {
    let own = reference(gateway);
    let all = view.gateway_api.listener_sets.iter();
    let mut sets: Vec<&ListenerSet> = all
        .filter(|set| set.spec.parent_ref.object(set.namespace()) == own)
        .collect();
    sets.sort_by_key(|set| {
        let created = set.metadata.creation_timestamp.as_ref().map(|time| time.0);
        (created.is_none(), created, set.namespace(), set.name())
    });
    sets
}

/// Whether a Gateway lets a ListenerSet add listeners: none may unless it says so.
#[must_use]
pub fn is_admitted(view: &ClusterView, gateway: &Gateway, set: &ListenerSet) -> bool {
    let allowed = gateway.spec.allowed_listeners.as_ref();
    let filter = allowed.and_then(|allowed| allowed.namespaces.as_ref());
    admits(view, filter, "None", gateway.namespace(), set.namespace())
}

/// Whether a filter of namespaces takes one. `default` is what an absent `from` means.
#[must_use]
pub fn admits(
    view: &ClusterView,
    filter: Option<&NamespaceFilter>,
    default: &str,
    own: &str,
    namespace: &str,
) -> bool {
    match filter
        .and_then(|filter| filter.from.as_deref())
        .unwrap_or(default)
    {
        "All" => true,
        "Same" => own == namespace,
        "Selector" => {
            let selector = filter.and_then(|filter| filter.selector.as_ref());
            let selector = selector.map(Selector::from_label_selector);
            matches!(selector, Some(Ok(selector)) if selector.matches(&view.namespace_labels(namespace)))
        }
        _ => false,
    }
}

/// The kinds of routes that a protocol carries.
#[must_use]
pub fn kinds_of(listener: &Listener) -> &'static [RouteKind] {
    match listener.protocol.as_str() {
        "HTTP" | "HTTPS" => &[RouteKind::Http, RouteKind::Grpc],
        // A connection whose TLS ends here goes on as plain TCP.
        "TLS" if !listener.is_passthrough() => &[RouteKind::Tls, RouteKind::Tcp],
        "TLS" => &[RouteKind::Tls],
        "TCP" => &[RouteKind::Tcp],
        "UDP" => &[RouteKind::Udp],
        _ => &[],
    }
}

/// The kinds of routes that may attach to a listener.
#[must_use]
pub fn allowed_kinds(listener: &Listener) -> Vec<RouteKind> {
    let carried = kinds_of(listener);
    let named = listener
        .allowed_routes
        .as_ref()
        .map(|allowed| &allowed.kinds);
    let Some(named) = named.filter(|kinds| !kinds.is_empty()) else {
        return carried.to_vec();
    };
    let is_named = |kind: &&RouteKind| {
        named.iter().any(|one| {
            one.kind == kind.name() && one.group.as_deref().is_none_or(|group| group == GROUP)
        })
    };
    carried.iter().filter(is_named).copied().collect()
}

fn own_slots<'v>(
    view: &'v ClusterView,
    owner: &ObjectRef,
    generation: Option<i64>,
    listeners: &'v [Listener],
    status: Option<&[ListenerStatus]>,
) -> Vec<Slot<'v>> {
    let all = listeners.iter().enumerate();
    all.map(|(index, listener)| {
        let mut slot = Slot {
            owner: owner.clone(),
            field: format!("spec.listeners[{index}]"),
            listener,
            trouble: None,
            unseen: Vec::new(),
        };
        slot.trouble = protocol_trouble(listener)
            .or_else(|| kinds_trouble(listener))
            .or_else(|| certificate_trouble(view, &mut slot));
        let mut said = status.into_iter().flatten();
        if let Some(said) = said.find(|said| said.name == listener.name) {
            slot.believe(said, generation);
        }
        slot
    })
    .collect()
}

/// A protocol with a domain is an implementation's own, and HBONE is Istio's.
fn protocol_trouble(listener: &Listener) -> Option<SlotTrouble> {
    let protocol = &listener.protocol;
    let is_known = matches!(
        protocol.as_str(),
        "HTTP" | "HTTPS" | "TLS" | "TCP" | "UDP" | "HBONE"
    );
    (!is_known && !protocol.contains('/'))
        .then(|| SlotTrouble::UnsupportedProtocol(protocol.clone()))
}

fn kinds_trouble(listener: &Listener) -> Option<SlotTrouble> {
    let carried = kinds_of(listener);
    let named = &listener.allowed_routes.as_ref()?.kinds;
    let wrong = named.iter().find(|one| {
        let is_own_group = one.group.as_deref().is_none_or(|group| group == GROUP);
        is_own_group && !carried.iter().any(|kind| kind.name() == one.kind)
    })?;
    // What an implementation's own protocol carries nobody knows.
    (!carried.is_empty()).then(|| SlotTrouble::Kinds {
        kind: wrong.kind.clone(),
        protocol: listener.protocol.clone(),
        has_others: !allowed_kinds(listener).is_empty(),
    })
}

// === impl Slot ===

impl Slot<'_> {
    /// Takes over what the controller says of the listener, where it knows more.
    fn believe(&mut self, said: &ListenerStatus, generation: Option<i64>) {
        let find = |kind: &str| condition(&said.conditions, kind, generation);
        let bad = [
            find("Conflicted").filter(|one| one.is_true()),
            find("ResolvedRefs").filter(|one| one.is_false()),
            find("Accepted").filter(|one| one.is_false()),
        ];
        if let (Some(one), None) = (bad.into_iter().flatten().next(), &self.trouble) {
            self.trouble = Some(SlotTrouble::Status {
                condition: one.kind.clone(),
                reason: one.reason.clone(),
                message: one.message.clone(),
            });
        }
        // Nobody but the controller looks into Secrets: what it resolved is there.
        if find("ResolvedRefs").is_some_and(crate::cluster::gateway_api::Condition::is_true) {
            self.unseen.clear();
        }
    }

    /// Whether nothing is served by it.
    #[must_use]
    pub const fn is_dead(&self) -> bool {
        match &self.trouble {
            None => false,
            Some(SlotTrouble::Kinds { has_others, .. }) => !*has_others,
            Some(_) => true,
        }
    }

    /// How exactly it names a host, if it takes it at all. Only HTTP and TLS say for whom they are.
    #[must_use]
    pub fn takes(&self, host: &str) -> Option<hostname::Exactness> {
        hostname::takes(self.listener.hostname(), host)
    }

    /// `http (HTTP 80, *.example)`
    #[must_use]
    pub fn shown(&self) -> String {
        let Listener {
            name,
            protocol,
            port,
            ..
        } = self.listener;
        let host = self
            .listener
            .hostname()
            .map_or_else(String::new, |host| format!(", {host}"));
        format!("{name} ({protocol} {port}{host})")
    }
}
