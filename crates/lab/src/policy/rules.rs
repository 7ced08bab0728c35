//! From policies to the text of nftables rules.

use std::fmt::Write as _;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyPort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::peers::{Peer, Subject, peers};
use crate::store::Selector;

/// The name of the table, in family `inet`.
pub const TABLE: &str = "lab-policy";

/// A direction of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Ingress,
    Egress,
}

/// The table of a node, as one transaction of `nft -f`.
pub fn table(
    node: &str,
    policies: &[NetworkPolicy],
    all: &[Subject],
    namespaces: &[Namespace],
) -> String {
    let mut text =
        format!("add table inet {TABLE}\ndelete table inet {TABLE}\nadd table inet {TABLE}\n");
    let mut jumps = Vec::new();
    for (number, pod) in all.iter().enumerate().filter(|(_, pod)| pod.node == node) {
        for direction in [Direction::Egress, Direction::Ingress] {
            let applying: Vec<&NetworkPolicy> = policies
                .iter()
                .filter(|policy| applies(policy, pod, direction))
                .collect();
            if applying.is_empty() {
                continue;
            }
            let chain = format!("{}-{number}", direction.word());
            // Writing to a String cannot fail.
            let _ = writeln!(text, "add chain inet {TABLE} {chain}");
            for rule in admitted(&applying, pod, direction, all, namespaces) {
                let _ = writeln!(text, "add rule inet {TABLE} {chain} {rule} return");
            }
            let _ = writeln!(text, "add rule inet {TABLE} {chain} counter drop");
            jumps.extend(
                pod.addresses
                    .iter()
                    .map(|address| (direction, *address, chain.clone())),
            );
        }
    }
    for (hook, seen) in [
        ("forward", &[Direction::Egress, Direction::Ingress][..]),
        ("input", &[Direction::Egress]),
    ] {
        let at = format!("inet {TABLE} {hook}");
        let _ = writeln!(
            text,
            "add chain {at} {{ type filter hook {hook} priority 10 ; }}"
        );
        let _ = writeln!(text, "add rule {at} ct state established,related accept");
        // Without its neighbours a pod has no IPv6 at all: no engine filters their discovery (RFC 4890, 4.4.1).
        let _ = writeln!(
            text,
            "add rule {at} icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, nd-router-advert }} accept"
        );
        for (direction, address, chain) in jumps
            .iter()
            .filter(|(direction, ..)| seen.contains(direction))
        {
            let _ = writeln!(
                text,
                "add rule {at} {} {address} jump {chain}",
                direction.own_side(address)
            );
        }
    }
    text
}

// === impl Direction ===

impl Direction {
    const fn word(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }

    /// The match of the pod's own address.
    fn own_side(self, address: &IpAddr) -> String {
        let side = if self == Self::Egress {
            "saddr"
        } else {
            "daddr"
        };
        format!("{} {side}", family(address))
    }

    /// The match of the other end's address.
    fn far_side(self, address: &IpAddr) -> String {
        let side = if self == Self::Egress {
            "daddr"
        } else {
            "saddr"
        };
        format!("{} {side}", family(address))
    }
}

/// Whether a policy isolates a pod in a direction. Without policyTypes it means ingress, and egress
/// if it has such rules.
fn applies(policy: &NetworkPolicy, pod: &Subject, direction: Direction) -> bool {
    let Some(spec) = &policy.spec else {
        return false;
    };
    let typed = match (&spec.policy_types, direction) {
        (Some(types), _) if !types.is_empty() => types
            .iter()
            .any(|one| one.to_lowercase() == direction.word()),
        (_, Direction::Ingress) => true,
        (_, Direction::Egress) => spec.egress.is_some(),
    };
    let selector = spec
        .pod_selector
        .as_ref()
        .map(Selector::from_object)
        .unwrap_or_default();
    typed
        && policy.metadata.namespace.as_deref() == Some(pod.namespace.as_str())
        && selector.matches(&pod.labels)
}

/// The matches of everything the policies admit, together.
fn admitted(
    policies: &[&NetworkPolicy],
    pod: &Subject,
    direction: Direction,
    all: &[Subject],
    namespaces: &[Namespace],
) -> Vec<String> {
    // A pod is never kept from itself (over a Service that leads back).
    let mut rules: Vec<String> = pod
        .addresses
        .iter()
        .map(|address| format!("{} {address}", direction.far_side(address)))
        .collect();
    for policy in policies {
        let Some(spec) = &policy.spec else { continue };
        let listed: Vec<_> = match direction {
            Direction::Ingress => spec
                .ingress
                .iter()
                .flatten()
                .map(|rule| (rule.from.as_ref(), rule.ports.as_ref()))
                .collect(),
            Direction::Egress => spec
                .egress
                .iter()
                .flatten()
                .map(|rule| (rule.to.as_ref(), rule.ports.as_ref()))
                .collect(),
        };
        for (who, ports) in listed {
            for peer in peers(who, &pod.namespace, all, namespaces) {
                rules.extend(rule(
                    &peer,
                    ports.map_or(&[][..], Vec::as_slice),
                    pod,
                    direction,
                ));
            }
        }
    }
    rules
}

fn rule(
    peer: &Peer<'_>,
    ports: &[NetworkPolicyPort],
    pod: &Subject,
    direction: Direction,
) -> Vec<String> {
    match peer {
        Peer::Anyone => ports_at(ports, (direction == Direction::Ingress).then_some(pod)),
        Peer::Block { range, except } => {
            let side = direction.far_side(&range.addr());
            let except: Vec<String> = except.iter().map(ToString::to_string).collect();
            let but = if except.is_empty() {
                String::new()
            } else {
                format!(" {side} != {{ {} }}", except.join(", "))
            };
            let served = (direction == Direction::Ingress).then_some(pod);
            ports_at(ports, served)
                .into_iter()
                .map(|port| format!("{side} {}{but} {port}", range.trunc()))
                .collect()
        }
        Peer::Pods(pods) => {
            let mut rules = Vec::new();
            for other in pods {
                let served = if direction == Direction::Ingress {
                    pod
                } else {
                    *other
                };
                for address in &other.addresses {
                    let side = direction.far_side(address);
                    let ports = ports_at(ports, Some(served));
                    rules.extend(
                        ports
                            .into_iter()
                            .map(|port| format!("{side} {address} {port}")),
                    );
                }
            }
            rules
        }
    }
}

/// The matches of a rule's ports; names are looked up at the pod that serves them.
fn ports_at(ports: &[NetworkPolicyPort], served: Option<&Subject>) -> Vec<String> {
    if ports.is_empty() {
        return vec![String::new()];
    }
    let mut matches = Vec::new();
    for port in ports {
        let protocol = port.protocol.as_deref().unwrap_or("TCP");
        let word = protocol.to_lowercase();
        match &port.port {
            None => matches.push(format!("meta l4proto {word}")),
            Some(IntOrString::Int(first)) => {
                let last = port.end_port.filter(|last| last > first);
                let range =
                    last.map_or_else(|| first.to_string(), |last| format!("{first}-{last}"));
                matches.push(format!("{word} dport {range}"));
            }
            Some(IntOrString::String(name)) => {
                let named = served.into_iter().flat_map(|pod| &pod.ports);
                let numbers = named.filter(|(own, of, _)| own == name && of == protocol);
                matches.extend(numbers.map(|(_, _, number)| format!("{word} dport {number}")));
            }
        }
    }
    matches
}

const fn family(address: &IpAddr) -> &'static str {
    if address.is_ipv4() { "ip" } else { "ip6" }
}
