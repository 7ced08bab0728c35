//! What becomes of a packet to a Service, if kube-proxy did its work.
//!
//! | to | from a pod of the cluster | from the node | from outside |
//! | --- | --- | --- | --- |
//! | cluster IP | internal endpoints | the same, masqueraded | the same, masqueraded |
//! | external, policy Cluster | cluster endpoints, masqueraded | the same | the same |
//! | external, policy Local | cluster endpoints | the same, masqueraded | local endpoints, source kept |
//!
//! Without endpoints it is rejected, with none that the policy allows it is dropped. An endpoint that
//! calls itself is masqueraded (hairpin). Sources outside a load balancer's ranges are dropped.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::{EntryKind, Mode, ProxyEntry, ProxySetup};
use crate::cluster::endpoints::{PortEndpoint, WithoutEndpoints};

/// Where a packet comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub kind: OriginKind,
    pub ip: IpAddr,
    /// None for the node itself.
    pub interface: Option<String>,
}

/// Where a packet comes from, roughly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OriginKind {
    Pod,
    Node,
    Outside,
}

/// What ought to become of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// To one of these, each with the same right; whether the source is rewritten is said for each,
    /// and not at all where it cannot be told.
    Forward(BTreeMap<SocketAddr, Option<bool>>),
    Reject,
    Drop,
    /// kube-proxy writes no rule for this way.
    Nothing,
}

/// What a packet from `origin` to an entry ought to meet.
#[must_use]
pub fn expect(entry: &ProxyEntry<'_>, origin: &Origin, setup: &ProxySetup) -> Expected {
    let choice = &entry.choice;
    if let Some(refused) = refused_by_range(entry, origin, setup) {
        return refused;
    }
    let is_pod = setup.detector.takes(origin.ip, origin.interface.as_deref());
    let is_node = origin.kind == OriginKind::Node;
    if !entry.is_external() {
        return match choice.internal_fate() {
            WithoutEndpoints::Reject => Expected::Reject,
            WithoutEndpoints::Drop => Expected::Drop,
            WithoutEndpoints::Forward => {
                let detects = setup.detector != super::Detector::None;
                let masquerade = if setup.masquerade_all {
                    Some(true)
                } else if detects {
                    is_pod.map(|is_pod| !is_pod)
                } else {
                    Some(false)
                };
                forward(choice.internal(), origin, setup, masquerade)
            }
        };
    }
    if !choice.has_any {
        // In iptables mode packets made here meet these rules only on the way in, so only for the
        // node's own addresses.
        let unguarded = setup.mode == Mode::Iptables
            && is_node
            && entry.kind != EntryKind::NodePort
            && !setup.local.contains(&entry.address);
        return if unguarded {
            Expected::Nothing
        } else {
            Expected::Reject
        };
    }
    if !choice.policies.external_local {
        return forward(choice.external(), origin, setup, Some(true));
    }
    // Policy Local: whoever is inside takes the short cut to all endpoints.
    match (is_pod, is_node) {
        (Some(true), false) => forward(&choice.cluster, origin, setup, Some(false)),
        (_, true) => forward(&choice.cluster, origin, setup, is_pod.map(|is_pod| !is_pod)),
        (Some(false), false) => match choice.external_fate() {
            WithoutEndpoints::Forward => forward(choice.external(), origin, setup, Some(false)),
            WithoutEndpoints::Drop => Expected::Drop,
            WithoutEndpoints::Reject => Expected::Reject,
        },
        (None, false) => forward(&choice.cluster, origin, setup, None),
    }
}

/// Who is outside the ranges of a load balancer is dropped. iptables mode writes that only where
/// there are endpoints.
fn refused_by_range(
    entry: &ProxyEntry<'_>,
    origin: &Origin,
    setup: &ProxySetup,
) -> Option<Expected> {
    let allowed = |ip: IpAddr| entry.source_ranges.iter().any(|net| net.contains(&ip));
    if entry.source_ranges.is_empty() || allowed(origin.ip) {
        return None;
    }
    // The node may use the address as its own source.
    if origin.ip == entry.address && setup.node_ips.iter().any(|ip| allowed(*ip)) {
        return None;
    }
    let written = setup.mode == Mode::Nftables || entry.choice.has_any;
    written.then_some(Expected::Drop)
}

fn forward(
    endpoints: &[PortEndpoint<'_>],
    origin: &Origin,
    setup: &ProxySetup,
    masquerade: Option<bool>,
) -> Expected {
    let each = endpoints.iter().map(|endpoint| {
        let is_self =
            endpoint.address == origin.ip && (endpoint.is_local || setup.mode == Mode::Iptables);
        let masquerade = if is_self { Some(true) } else { masquerade };
        (SocketAddr::new(endpoint.address, endpoint.port), masquerade)
    });
    Expected::Forward(each.collect())
}
