//! Reading a near miss: which of the usual slips of policy writing it is, in words.

use crate::causes::Code;
use crate::cluster::access::{ServiceExt, ServicePortExt};
use crate::cluster::{Operator, Requirement, Selector};
use crate::diagnose::Case;
use crate::net::{parse_address, parse_prefix};
use crate::path::{Denied, resolve_port, selected};
use crate::policy::{
    Cause, Direction, Domain, Formula, LeafMiss, PeerMiss, PortMiss, PortMissKind, PortNumber,
    RuleMiss,
};

/// A slip with its code and how to say it.
#[derive(Debug, Clone)]
pub(in crate::diagnose) struct Reading {
    pub code: Code,
    pub text: String,
    /// What to do, where a plain patch of the rule is not the point.
    pub advice: Option<String>,
}

/// The slip that a miss is, if it is one of the usual ones.
pub(in crate::diagnose) fn read(
    case: &Case<'_, '_>,
    denied: &Denied,
    miss: &RuleMiss,
) -> Option<Reading> {
    match &miss.cause {
        Cause::NoRules {
            is_written,
            is_named,
        } => no_rules(case, miss, *is_written, *is_named),
        Cause::Mismatch { peers, port } => {
            let of_peers = || {
                peers
                    .iter()
                    .find_map(|peer| read_peer(case, denied, miss, peer))
            };
            match (peers.is_empty(), port) {
                (true, Some(port)) => read_port(case, denied, port),
                (false, None) => of_peers(),
                // Both halves miss: no single slip explains it, but that the rule means the Service.
                (false, Some(_)) => peers.iter().find_map(|peer| means_the_service(case, peer)),
                (true, None) => None,
            }
        }
    }
}

/// POL-19: a direction that is closed by surprise, because the policy is about the other one.
fn no_rules(
    case: &Case<'_, '_>,
    miss: &RuleMiss,
    is_written: bool,
    is_named: bool,
) -> Option<Reading> {
    let policy = case
        .view
        .network_policies
        .get(&miss.rule.policy.namespace, &miss.rule.policy.name)?;
    let spec = policy.spec.as_ref()?;
    let other_has_rules = match miss.rule.direction {
        Direction::Egress => spec.ingress.as_ref().is_some_and(|rules| !rules.is_empty()),
        Direction::Ingress => spec.egress.as_ref().is_some_and(|rules| !rules.is_empty()),
    };
    let direction = miss.rule.direction;
    let named = match direction {
        Direction::Egress => "Egress",
        Direction::Ingress => "Ingress",
    };
    let because = match (is_written, is_named) {
        (true, _) => format!(
            "{} is an empty list, which allows nothing ([{{}}] would allow everything)",
            miss.rule.list
        ),
        (false, true) => format!(
            "policyTypes lists {named} and there is no {direction} rule: all {direction} is denied"
        ),
        (false, false) => format!("without policyTypes {named} is denied by default"),
    };
    other_has_rules.then(|| Reading {
        code: Code::POL_19,
        text: because,
        advice: Some(format!(
            "remove {named} from policyTypes, or add {direction} rules"
        )),
    })
}

fn read_port(case: &Case<'_, '_>, denied: &Denied, port: &PortMiss) -> Option<Reading> {
    let reading = |code, text, advice| Some(Reading { code, text, advice });
    for (entry, kind) in &port.entries {
        match kind {
            PortMissKind::ProtocolOnly => {
                let default = if entry.protocol_written {
                    ""
                } else {
                    " (the default, because it sets no protocol)"
                };
                let text = format!(
                    "the rule allows port {} for {}{default}, not {}",
                    denied.port,
                    entry.protocol.map_or_else(
                        || "another protocol".to_owned(),
                        |protocol| protocol.to_string()
                    ),
                    denied.protocol
                );
                return reading(Code::POL_11, text, None);
            }
            PortMissKind::UnknownName | PortMissKind::OtherNumber(_) => {
                return reading(Code::POL_10, port.words(), None);
            }
            PortMissKind::Number | PortMissKind::Unclear(_) => {}
        }
    }
    let of_service = port
        .entries
        .iter()
        .find_map(|(entry, _)| match &entry.number {
            PortNumber::Range(range) if range.first == range.last => {
                service_port(case, denied, range.first)
            }
            _ => None,
        });
    let (service, number) = of_service?;
    let text = format!(
        "the rule allows {number}, the port of service/{service}; policies apply to the pod port {}, after translation",
        denied.port
    );
    reading(
        Code::POL_05,
        text,
        Some(format!(
            "use {} in the policy instead of {number}",
            denied.port
        )),
    )
}

/// A Service that turns `number` into the port that is denied.
fn service_port(case: &Case<'_, '_>, denied: &Denied, number: u16) -> Option<(String, u16)> {
    let object = denied.destination.object.as_ref()?;
    let pod = case.view.pods.get(&object.namespace, &object.name)?;
    case.view
        .services
        .in_namespace(&object.namespace)
        .find_map(|service| {
            let is_asked = || {
                let mut asked = super::ends::services(case).into_iter();
                asked.any(|own| own.reference() == service.reference())
            };
            let leads_here = selected(case.view, service)
                .any(|own| own.reference() == pod.reference())
                || is_asked();
            let turns = service.ports().iter().any(|port| {
                let target = crate::cluster::access::target_port(port);
                port.number() == number
                    && resolve_port(pod, &target, port.protocol())
                        .is_none_or(|number| number == denied.port)
            });
            (leads_here && turns && number != denied.port)
                .then(|| (crate::cluster::Named::name(service).to_owned(), number))
        })
}

fn read_peer(
    case: &Case<'_, '_>,
    denied: &Denied,
    miss: &RuleMiss,
    peer: &PeerMiss,
) -> Option<Reading> {
    let reading = |code, advice| {
        Some(Reading {
            code,
            text: peer.words(),
            advice,
        })
    };
    if peer.is_host_network_only() || is_host_network_with_labels(peer) {
        return reading(
            Code::POL_14,
            Some(
                "allow the nodes by ipBlock: a hostNetwork pod sends from the address of its node"
                    .to_owned(),
            ),
        );
    }
    if let Some(split) = peer
        .split
        .filter(|split| split.namespaces_alone || split.pods_alone)
    {
        let half = if split.pods_alone {
            "podSelector"
        } else {
            "namespaceSelector"
        };
        return Some(Reading {
            code: Code::POL_06,
            text: format!(
                "{}; namespaceSelector and podSelector are in one entry, so both must match; {half} alone would match",
                peer.words()
            ),
            advice: Some("write them as two list entries if either is enough".to_owned()),
        });
    }
    peer.leaves.iter().find_map(|leaf| match leaf {
        LeafMiss::Label(label) if label.domain == Domain::Namespace && label.carriers == Some(0) => reading(
            Code::POL_07,
            Some(format!("select namespaces by kubernetes.io/metadata.name, or label the namespace {}", label.requirement)),
        ),
        LeafMiss::Label(label) if label.domain == Domain::Pod && selects_nobody(case, &label.requirement) => {
            reading(Code::POL_08, None)
        }
        LeafMiss::Excepted { .. } => reading(Code::POL_09, None),
        LeafMiss::Outside { net, .. } if is_service_range(case, *net) || holds_service(case, *net) => {
            means_the_service(case, peer)
        }
        LeafMiss::Kind(Formula::Outside) if is_block_alone(peer) && is_api_server(case, denied) => reading(
            Code::POL_20,
            Some("under Cilium an ipBlock matches no node unless policy-cidr-match-mode has nodes: allow the entity kube-apiserver in a CiliumNetworkPolicy".to_owned()),
        ),
        LeafMiss::Kind(Formula::Outside) if is_block_alone(peer) => Some(Reading {
            code: Code::POL_09,
            text: "under Cilium an ipBlock matches neither pods nor nodes (policy-cidr-match-mode)".to_owned(),
            advice: Some("select pods by their labels instead of an address block".to_owned()),
        }),
        LeafMiss::NotAPod { .. } if miss.rule.direction == Direction::Egress && is_api_server(case, denied) => reading(
            Code::POL_20,
            Some("the API server listens on node addresses, which no selector matches: allow them by ipBlock".to_owned()),
        ),
        _ => None,
    })
}

/// The pod's labels fit and only its place in the node's network keeps it out.
fn is_host_network_with_labels(peer: &PeerMiss) -> bool {
    peer.leaves
        .iter()
        .any(|leaf| matches!(leaf, LeafMiss::HostNetwork))
        && !peer
            .leaves
            .iter()
            .any(|leaf| matches!(leaf, LeafMiss::Label(_) | LeafMiss::Namespace { .. }))
}

/// Whether no pod at all meets a requirement, in the namespaces the view shows.
fn selects_nobody(case: &Case<'_, '_>, requirement: &Requirement) -> bool {
    let selector = Selector {
        requirements: vec![requirement.clone()],
    };
    let is_positive = matches!(requirement.operator, Operator::In | Operator::Exists);
    is_positive && case.view.has_no_pod(&selector)
}

/// POL-09: a block that holds an address of the Service, which policies never see.
fn means_the_service(case: &Case<'_, '_>, peer: &PeerMiss) -> Option<Reading> {
    let net = peer.leaves.iter().find_map(|leaf| match leaf {
        LeafMiss::Outside { net, .. }
            if is_service_range(case, *net) || holds_service(case, *net) =>
        {
            Some(net)
        }
        _ => None,
    })?;
    Some(Reading {
        code: Code::POL_09,
        text: format!(
            "{}; {net} holds the Service's address, and policies act on the pod's, after translation",
            peer.words()
        ),
        advice: Some(
            "policies see the pod's address, never the Service's: select pods instead".to_owned(),
        ),
    })
}

/// Whether only what an end is, and not its address, keeps a block from matching it.
fn is_block_alone(peer: &PeerMiss) -> bool {
    let mut leaves = peer.leaves.iter();
    leaves.all(|leaf| matches!(leaf, LeafMiss::Kind(_)))
}

/// Whether a block holds an address at which the Service on the way is asked.
fn holds_service(case: &Case<'_, '_>, net: ipnet::IpNet) -> bool {
    super::ends::services(case).into_iter().any(|service| {
        let external = service
            .spec
            .as_ref()
            .and_then(|spec| spec.external_ips.as_ref());
        let mut listed = service.ingress_addresses();
        listed.extend(external.into_iter().flatten().cloned());
        let listed = listed.iter().filter_map(|text| parse_address(text));
        let mut addresses = service.cluster_ips().into_iter().chain(listed);
        addresses.any(|address| net.contains(&address))
    })
}

fn is_service_range(case: &Case<'_, '_>, net: ipnet::IpNet) -> bool {
    let ranges = case.view.service_cidrs.iter().flat_map(|cidr| {
        cidr.spec
            .iter()
            .flat_map(|spec| spec.cidrs.iter().flatten().cloned())
    });
    let in_range = ranges
        .filter_map(|range| parse_prefix(&range).ok())
        .any(|range| range.contains(&net));
    let is_cluster_ip = case
        .view
        .services
        .iter()
        .flat_map(ServiceExt::cluster_ips)
        .any(|ip| net == ipnet::IpNet::from(ip));
    in_range || is_cluster_ip
}

fn is_api_server(case: &Case<'_, '_>, denied: &Denied) -> bool {
    let service = case.view.services.get("default", "kubernetes");
    let Some(service) = service else {
        return false;
    };
    crate::path::slices(case.view, service)
        .flat_map(|slice| slice.endpoints.iter().flatten())
        .flat_map(|endpoint| &endpoint.addresses)
        .any(|address| {
            denied
                .destination
                .addresses
                .iter()
                .any(|own| own.to_string() == *address)
        })
}
