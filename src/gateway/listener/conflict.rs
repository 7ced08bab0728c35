//! Listeners that cannot share a port.

use std::collections::BTreeMap;

use super::Slot;
use super::trouble::SlotTrouble;
use crate::cluster::gateway_api::Listener;

/// Marks listeners that cannot share a port. Those of the Gateway itself conflict with one another, all
/// of them; one of a ListenerSet gives way to whatever came before it (Gateway API, `Listener`).
pub(super) fn mark_conflicts(slots: &mut [Slot<'_>]) {
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
