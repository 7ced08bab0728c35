//! Certificates of listeners, and the authorities of their clients.

use super::trouble::{ReferenceTrouble, SlotTrouble};
use super::{Slot, reference};
use crate::cluster::gateway_api::{GROUP, Gateway, Reference};
use crate::cluster::{ClusterView, ObjectRef};
use crate::gateway::backend::certificate_problem;
use crate::gateway::grant::{Permission, permission};

/// The first certificate of a listener that cannot be used.
pub(super) fn certificate_trouble(view: &ClusterView, slot: &mut Slot<'_>) -> Option<SlotTrouble> {
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
pub(super) fn check_clients_authority(
    view: &ClusterView,
    gateway: &Gateway,
    slots: &mut [Slot<'_>],
) {
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
