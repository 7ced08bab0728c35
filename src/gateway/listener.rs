//! Listeners of a Gateway, its own and those that ListenerSets add, and what is wrong with them.

use std::collections::BTreeMap;

use super::backend::certificate_problem;
use super::class::condition;
use super::grant::{Permission, permission};
use super::{class_of, hostname};
use crate::cluster::gateway_api::{
    GROUP, Gateway, Listener, ListenerSet, ListenerStatus, NamespaceFilter, Reference, RouteKind,
};
use crate::cluster::{ClusterView, Named, ObjectRef, Selector};

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

/// Why a listener serves nothing, or less than it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotTrouble {
    /// Another listener has the port for another protocol, or the same host.
    Conflict {
        with: String,
        reason: &'static str,
    },
    UnsupportedProtocol(String),
    /// A kind of route that the protocol cannot carry; and whether others remain.
    Kinds {
        kind: String,
        protocol: String,
        has_others: bool,
    },
    /// A certificate, or the authority of clients' certificates, that cannot be used.
    Reference {
        what: &'static str,
        to: ObjectRef,
        why: ReferenceTrouble,
    },
    /// it terminates TLS, and no certificate is set.
    NoCertificate,
    /// The controller says so, and nothing that was read says why.
    Status {
        condition: String,
        reason: String,
        message: String,
    },
}

/// Why a reference leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReferenceTrouble {
    /// No ReferenceGrant permits it.
    NotPermitted,
    Missing,
    /// It is there, and not in the form that is needed.
    Malformed,
    /// A kind that cannot be used here.
    Kind,
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

fn certificate_trouble(view: &ClusterView, slot: &mut Slot<'_>) -> Option<SlotTrouble> {
    let listener = slot.listener;
    let ends_tls =
        matches!(listener.protocol.as_str(), "HTTPS" | "TLS") && !listener.is_passthrough();
    if !ends_tls {
        return None;
    }
    let tls = listener.tls.as_ref();
    let refs = tls.map_or(&[][..], |tls| tls.certificate_refs.as_slice());
    // Options of an implementation may take the place of a certificate.
    if refs.is_empty() {
        let has_options = tls.is_some_and(|tls| !tls.options.is_empty());
        return (!has_options).then_some(SlotTrouble::NoCertificate);
    }
    let mut problems = refs.iter().filter_map(|reference| {
        let to = reference.object("Secret", &slot.owner.namespace);
        match reference_trouble(view, &slot.owner, reference, "Secret") {
            Ok(is_seen) => {
                if !is_seen {
                    slot.unseen.push(to.to_string());
                }
                None
            }
            Err(why) => Some(SlotTrouble::Reference {
                what: "certificate",
                to,
                why,
            }),
        }
    });
    problems.next()
}

/// Whether a reference to a Secret or a ConfigMap holds: whether it was looked at, or what is wrong.
///
/// # Errors
/// What is wrong with it.
pub fn reference_trouble(
    view: &ClusterView,
    owner: &ObjectRef,
    reference: &Reference,
    kind: &str,
) -> Result<bool, ReferenceTrouble> {
    let to = reference.object(kind, &owner.namespace);
    let is_kind = reference.group.as_deref().is_none_or(str::is_empty) && to.kind == kind;
    if !is_kind {
        return Err(ReferenceTrouble::Kind);
    }
    match permission(view, (GROUP, owner), ("", &to)) {
        Permission::Refused => return Err(ReferenceTrouble::NotPermitted),
        Permission::Unread => return Ok(false),
        Permission::Granted => {}
    }
    certificate_problem(view, &to)
}

/// Clients' certificates are verified for every HTTPS listener, or for those of a port.
fn check_clients_authority(view: &ClusterView, gateway: &Gateway, slots: &mut [Slot<'_>]) {
    let Some(frontend) = gateway
        .spec
        .tls
        .as_ref()
        .and_then(|tls| tls.frontend.as_ref())
    else {
        return;
    };
    let owner = reference(gateway);
    for slot in slots
        .iter_mut()
        .filter(|slot| slot.listener.protocol == "HTTPS")
    {
        let mut ports = frontend.per_port.iter();
        let of_port = ports
            .find(|one| one.port == slot.listener.port)
            .map(|one| &one.tls);
        let config = of_port.or(frontend.default.as_ref());
        let validation = config.and_then(|config| config.validation.as_ref());
        for reference in validation.iter().flat_map(|one| &one.ca_certificate_refs) {
            // Some implementations take the authority from a Secret, too.
            let kind = match reference.kind.as_deref() {
                Some("Secret") => "Secret",
                _ => "ConfigMap",
            };
            let to = reference.object(kind, &owner.namespace);
            match reference_trouble(view, &owner, reference, kind) {
                Ok(true) => {}
                Ok(false) => slot.unseen.push(to.to_string()),
                Err(why) => {
                    slot.trouble.get_or_insert(SlotTrouble::Reference {
                        what: "authority of clients",
                        to,
                        why,
                    });
                }
            }
        }
    }
}

/// Marks listeners that cannot share a port. Those of the Gateway itself conflict with one another, all
/// of them; one of a ListenerSet gives way to whatever came before it (Gateway API, `Listener`).
fn mark_conflicts(slots: &mut [Slot<'_>]) {
    let mut by_port: BTreeMap<(u16, bool), Vec<usize>> = BTreeMap::new();
    for (index, slot) in slots.iter().enumerate() {
        let listener = slot.listener;
        let key = (listener.port, listener.protocol == "UDP");
        by_port.entry(key).or_default().push(index);
    }
    let mut found = Vec::new();
    for indexes in by_port.values() {
        for (position, &index) in indexes.iter().enumerate() {
            let slot = &slots[index];
            let is_own = slot.owner.kind == "Gateway";
            let others = indexes.iter().enumerate().filter(|(other, other_index)| {
                let is_before = *other < position;
                is_before
                    || is_own && *other > position && slots[**other_index].owner.kind == "Gateway"
            });
            let conflict = others
                .filter(|(_, other)| !found.iter().any(|(lost, _)| lost == *other) || is_own)
                .find_map(|(_, &other)| {
                    let other = &slots[other];
                    let reason = conflict(slot.listener, other.listener)?;
                    Some((
                        reason,
                        format!("{} of {}", other.listener.name, other.owner),
                    ))
                });
            if let Some((reason, with)) = conflict {
                found.push((index, SlotTrouble::Conflict { with, reason }));
            }
        }
    }
    for (index, trouble) in found {
        slots[index].trouble = Some(trouble);
    }
}

/// Why two listeners of a port cannot both be served.
fn conflict(left: &Listener, right: &Listener) -> Option<&'static str> {
    let layer = |listener: &Listener| match listener.protocol.as_str() {
        "HTTPS" | "TLS" => "TLS".to_owned(),
        other => other.to_owned(),
    };
    if layer(left) != layer(right) {
        return Some("ProtocolConflict");
    }
    let is_same = match (left.hostname(), right.hostname()) {
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
        (None, None) => true,
        _ => false,
    };
    is_same.then_some("HostnameConflict")
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

// === impl SlotTrouble ===

impl SlotTrouble {
    /// The reason, as conditions name it.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Conflict { reason, .. } => reason,
            Self::UnsupportedProtocol(_) => "UnsupportedProtocol",
            Self::Kinds { .. } => "InvalidRouteKinds",
            Self::Reference {
                why: ReferenceTrouble::NotPermitted,
                ..
            } => "RefNotPermitted",
            Self::Reference {
                what: "certificate",
                ..
            }
            | Self::NoCertificate => "InvalidCertificateRef",
            Self::Reference { .. } => "InvalidCACertificateRef",
            Self::Status { reason, .. } => reason,
        }
    }

    /// What is wrong, in a few words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Conflict {
                with,
                reason: "ProtocolConflict",
            } => {
                format!("its port is taken for another protocol by listener {with}")
            }
            Self::Conflict { with, .. } => {
                format!("its port and host name are taken by listener {with}")
            }
            Self::UnsupportedProtocol(protocol) => format!("no protocol {protocol} exists"),
            Self::Kinds { kind, protocol, .. } => {
                format!("a listener for {protocol} does not support {kind}")
            }
            Self::Reference { what, to, why } => match why {
                ReferenceTrouble::NotPermitted => {
                    format!(
                        "its {what} {to} is in another namespace, and no ReferenceGrant permits it"
                    )
                }
                ReferenceTrouble::Missing => format!("its {what} {to} does not exist"),
                ReferenceTrouble::Malformed => format!("its {what} {to} holds none in PEM form"),
                ReferenceTrouble::Kind => format!("its {what} cannot be a {}", to.kind),
            },
            Self::NoCertificate => "it terminates TLS, and no certificate is set".to_owned(),
            Self::Status {
                reason, message, ..
            } if message.is_empty() => reason.clone(),
            Self::Status {
                reason, message, ..
            } => format!("{reason}: {message}"),
        }
    }
}

/// What is wrong with a Gateway as a whole, whatever its listeners say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GatewayTrouble {
    /// No such class, or one that its controller refuses.
    Class(String),
    /// Parameters that do not exist or are of the wrong kind.
    Parameters(ObjectRef, ReferenceTrouble),
    /// The certificate that is shown to backends.
    ClientCertificate(ObjectRef, ReferenceTrouble),
    /// The controller says so.
    Status {
        condition: String,
        reason: String,
        message: String,
    },
}

/// What is wrong with a Gateway as a whole.
#[must_use]
pub fn gateway_trouble(view: &ClusterView, gateway: &Gateway) -> Option<GatewayTrouble> {
    let class = class_of(view, gateway);
    let name = &gateway.spec.gateway_class_name;
    match class {
        super::ClassState::Missing => {
            return Some(GatewayTrouble::Class(format!(
                "there is no GatewayClass {name}"
            )));
        }
        super::ClassState::Refused(_, why) => {
            let why = format!(
                "GatewayClass {name} is not accepted: {} {}",
                why.reason, why.message
            );
            return Some(GatewayTrouble::Class(why.trim_end().to_owned()));
        }
        super::ClassState::Served(_) | super::ClassState::Unread => {}
    }
    parameters(view, gateway, class.controller())
        .or_else(|| client_certificate(view, gateway))
        .or_else(|| by_status(view, gateway))
}

/// Istio takes its parameters from a ConfigMap and from nothing else; what others take is theirs to know.
fn parameters(
    view: &ClusterView,
    gateway: &Gateway,
    controller: Option<&str>,
) -> Option<GatewayTrouble> {
    let infrastructure = gateway.spec.infrastructure.as_ref()?;
    let parameters = infrastructure.parameters_ref.as_ref()?;
    let to = parameters.object("ConfigMap", gateway.namespace());
    let is_config_map =
        parameters.group.as_deref().is_none_or(str::is_empty) && to.kind == "ConfigMap";
    let why = if is_config_map {
        let is_missing = view.config_maps.get(&to.namespace, &to.name).is_none()
            && super::backend::shows_config_maps(view, &to.namespace);
        is_missing.then_some(ReferenceTrouble::Missing)
    } else {
        let is_istio = controller.is_some_and(|name| name.starts_with("istio.io/"));
        is_istio.then_some(ReferenceTrouble::Kind)
    };
    why.map(|why| GatewayTrouble::Parameters(to, why))
}

fn client_certificate(view: &ClusterView, gateway: &Gateway) -> Option<GatewayTrouble> {
    let backend = gateway.spec.tls.as_ref()?.backend.as_ref()?;
    let certificate = backend.client_certificate_ref.as_ref()?;
    let owner = reference(gateway);
    let to = certificate.object("Secret", &owner.namespace);
    let why = reference_trouble(view, &owner, certificate, "Secret").err()?;
    Some(GatewayTrouble::ClientCertificate(to, why))
}

/// What the controller says of the Gateway as a whole. That listeners are at fault is told at them.
fn by_status(view: &ClusterView, gateway: &Gateway) -> Option<GatewayTrouble> {
    let status = gateway.status.as_ref()?;
    let generation = gateway.metadata.generation;
    let find = |kind: &str| {
        let found = condition(&status.conditions, kind, generation);
        // Of addresses manifests say nothing: what was said of them was said of another cluster.
        let is_elsewhere = |reason: &str| view.is_planned() && reason.starts_with("Address");
        found.filter(|one| {
            one.is_false() && one.reason != "ListenersNotValid" && !is_elsewhere(&one.reason)
        })
    };
    let said = find("Accepted").or_else(|| find("Programmed"))?;
    Some(GatewayTrouble::Status {
        condition: said.kind.clone(),
        reason: said.reason.clone(),
        message: said.message.clone(),
    })
}
