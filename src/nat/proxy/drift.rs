//! Where the rules and the objects differ.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use k8s_openapi::api::core::v1::Service;

use super::stale::{Programmed, programmed};
use super::{
    EntryKind, Footprint, Mode, Origin, OriginKind, ProxyEntry, ProxySetup, SliceIndex, entries,
    expect,
};
use crate::cluster::{Named, ObjectRef};
use crate::nat::eval::{Question, Tracer, TrailStep};
use crate::nat::model::{Backend, Ruleset};
use crate::net::{Family, Packet};
use crate::route::Host;

/// All differences of a node.
#[derive(Debug, Clone, Default)]
pub struct Drift {
    /// How many addresses of Services were compared.
    pub entries: usize,
    pub differences: Vec<Difference>,
    /// Why something was not compared.
    pub open: Vec<String>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub kind: DifferenceKind,
    /// The Service; none for rules that no Service has.
    pub service: Option<ObjectRef>,
    /// Port name, or number for an unnamed port.
    pub port: String,
    /// `10.96.0.1:443 TCP`
    pub entry: String,
    pub entry_kind: Option<EntryKind>,
    /// From where it shows.
    pub origins: BTreeSet<OriginKind>,
    pub expected: Arc<[String]>,
    pub actual: Arc<[String]>,
    /// The endpoint that is missing, stale or wrong.
    pub endpoint: Option<SocketAddr>,
    /// The rule that shows it, if one does.
    pub rule: Option<TrailStep>,
    /// Whether an endpoint of that address is on this node.
    pub is_local: bool,
}

/// What differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DifferenceKind {
    /// There are no rules for an address of the Service.
    ServiceMissing,
    /// An endpoint gets no traffic.
    EndpointMissing,
    /// Traffic goes to an address that is no endpoint any more.
    EndpointStale,
    /// The rule of one endpoint leads somewhere else.
    WrongTarget,
    /// Behind the right rule of an endpoint stands another, to somewhere else. It is never reached.
    IdleTarget,
    /// The endpoints are right, their shares are not.
    Uneven,
    MasqueradeMissing,
    MasqueradeUnexpected,
    /// Rejected or dropped although there are endpoints.
    Refused,
    /// Not rejected or not dropped although it should be.
    NotRefused,
    /// Rules for an address that no Service has.
    ServiceStale,
    /// What the rules do could not be decided.
    Undecided,
}

// === impl DifferenceKind ===

impl DifferenceKind {
    /// In words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ServiceMissing => "service missing",
            Self::EndpointMissing => "endpoint missing",
            Self::EndpointStale => "stale endpoint",
            Self::WrongTarget => "wrong DNAT target",
            Self::IdleTarget => "idle rule with a wrong DNAT target",
            Self::Uneven => "uneven shares",
            Self::MasqueradeMissing => "masquerade missing",
            Self::MasqueradeUnexpected => "masquerade unexpected",
            Self::Refused => "refused although endpoints exist",
            Self::NotRefused => "not refused although nothing serves",
            Self::ServiceStale => "rules of no Service",
            Self::Undecided => "not decided",
        }
    }
}

/// Compares all Services at once, over kube-proxy's own rules, for some families.
pub fn compare<'a>(
    services: impl IntoIterator<Item = &'a Service>,
    slices: &SliceIndex<'a>,
    rules: &Ruleset,
    host: &Host,
    setup: &ProxySetup,
    families: &[Family],
) -> Drift {
    let mut entries = entries(services, slices, setup);
    entries.retain(|entry| families.contains(&Family::of(entry.address)));
    let host = without_routes(host, setup);
    let tracer = Tracer::within(rules, &host, Some(Footprint::scope()));
    let mut drift = Drift {
        entries: entries.len(),
        ..Drift::default()
    };
    for entry in &entries {
        drift
            .differences
            .extend(compare_entry(entry, &tracer, setup));
    }
    drift
        .differences
        .extend(stale_services(&entries, rules, setup, families));
    drift
}

/// The host with its addresses alone: where packets would be routed is no matter of the rules.
#[must_use]
pub fn without_routes(host: &Host, setup: &ProxySetup) -> Host {
    Host {
        links: host.links.clone(),
        addresses: Some(setup.local.clone()),
        routing: None,
    }
}

/// The families whose rules were read: of the other nothing can be said.
#[must_use]
pub fn covered(rules: &Ruleset, mode: Mode) -> Vec<Family> {
    let servers = || rules.virtual_servers.iter().flatten();
    let is_covered = |family: &Family| match mode {
        Mode::Ipvs => servers().any(|server| Family::of(server.address.ip()) == *family),
        Mode::Iptables => rules
            .tables
            .iter()
            .any(|table| table.backend != Backend::Nftables && table.family.sees(*family)),
        // One listing has both families.
        Mode::Nftables => true,
    };
    Family::ALL.into_iter().filter(is_covered).collect()
}

/// Compares one address of a Service, from every kind of origin.
#[must_use]
pub fn compare_entry(
    entry: &ProxyEntry<'_>,
    tracer: &Tracer<'_>,
    setup: &ProxySetup,
) -> Vec<Difference> {
    if setup.mode == Mode::Ipvs {
        return super::ipvs::compare(entry, tracer.rules());
    }
    let mut all: Vec<Difference> = Vec::new();
    for origin in origins(entry, setup) {
        for found in compare_from(entry, &origin, tracer, setup) {
            let same = all
                .iter_mut()
                .find(|other| (other.kind, other.endpoint) == (found.kind, found.endpoint));
            match same {
                Some(other) => other.origins.extend(found.origins),
                None => all.push(found),
            }
        }
    }
    if setup.mode == Mode::Iptables {
        all.extend(super::idle::targets(entry, tracer.rules(), &all));
    }
    all
}

/// Whether an endpoint of an address is on this node.
#[must_use]
pub fn is_local(entry: &ProxyEntry<'_>) -> bool {
    let choice = &entry.choice;
    let mut all = choice.cluster.iter().chain(&choice.local);
    all.any(|endpoint| endpoint.is_local)
}

pub(super) fn reference(entry: &ProxyEntry<'_>) -> ObjectRef {
    ObjectRef::new("Service", entry.service.namespace(), entry.service.name())
}

pub(super) fn port_name(entry: &ProxyEntry<'_>) -> String {
    let name = entry.port.name.clone().filter(|name| !name.is_empty());
    name.unwrap_or_else(|| entry.port.port.to_string())
}

/// Somebody in a pod, the node itself, somebody outside. None of them is an endpoint of the Service.
fn origins(entry: &ProxyEntry<'_>, setup: &ProxySetup) -> Vec<Origin> {
    let family = Family::of(entry.address);
    let mut all = Vec::new();
    if let super::Detector::Cidrs(nets) = &setup.detector {
        let net = nets.iter().find(|net| Family::of(net.addr()) == family);
        // The last address of the range: hardly anybody's.
        if let Some(ip) = net.and_then(|net| net.hosts().last()) {
            all.push(Origin {
                kind: OriginKind::Pod,
                ip,
                interface: Some("netpath-pod".to_owned()),
            });
        }
    }
    if let Some(ip) = setup.node_ips.iter().find(|ip| Family::of(**ip) == family) {
        all.push(Origin {
            kind: OriginKind::Node,
            ip: *ip,
            interface: None,
        });
    }
    let outside = |ip| Origin {
        kind: OriginKind::Outside,
        ip,
        interface: Some("netpath-ext".to_owned()),
    };
    all.push(outside(documentation(family)));
    let first_allowed = entry.source_ranges.first();
    all.extend(first_allowed.map(|net| outside(net.addr())));
    all
}

/// An address that is nobody's (RFC 5737, RFC 3849).
fn documentation(family: Family) -> IpAddr {
    match family {
        Family::V4 => IpAddr::from([203, 0, 113, 77]),
        Family::V6 => IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x77]),
    }
}

/// Compares one address of a Service for packets of one origin.
fn compare_from(
    entry: &ProxyEntry<'_>,
    origin: &Origin,
    tracer: &Tracer<'_>,
    setup: &ProxySetup,
) -> Vec<Difference> {
    let packet = Packet::new(origin.ip, entry.address, entry.number, entry.protocol);
    let question = match &origin.interface {
        Some(name) => Question::incoming(packet, name.clone()),
        None => Question::made_here(packet),
    };
    let answer = tracer.walk(&question);
    let expected = expect(entry, origin, setup);
    super::differences(entry, origin, &expected, &answer)
}

/// Addresses in the rules that no Service has.
fn stale_services(
    entries: &[ProxyEntry<'_>],
    rules: &Ruleset,
    setup: &ProxySetup,
    families: &[Family],
) -> Vec<Difference> {
    let addresses: BTreeSet<_> = entries
        .iter()
        .map(|entry| (entry.address, entry.protocol, entry.number))
        .collect();
    let node_ports: BTreeSet<_> = entries
        .iter()
        .filter_map(|entry| Some((entry.protocol, u16::try_from(entry.port.node_port?).ok()?)))
        .collect();
    let is_compared = |found: &Programmed| match found.address {
        Some(ip) => families.contains(&Family::of(ip)),
        None => !families.is_empty(),
    };
    programmed(rules, setup.mode)
        .into_iter()
        .filter(is_compared)
        .filter(|found| match found.address {
            Some(ip) if setup.mode == Mode::Ipvs => {
                !addresses.contains(&(ip, found.protocol, found.port))
                    && !node_ports.contains(&(found.protocol, found.port))
            }
            Some(ip) if !ip.is_loopback() => !addresses.contains(&(ip, found.protocol, found.port)),
            _ => !node_ports.contains(&(found.protocol, found.port)),
        })
        .map(|found| Difference {
            kind: DifferenceKind::ServiceStale,
            service: None,
            port: found.port.to_string(),
            entry: found.address.map_or_else(
                || format!("node port {} {}", found.port, found.protocol),
                |ip| format!("{} {}", SocketAddr::new(ip, found.port), found.protocol),
            ),
            entry_kind: None,
            origins: BTreeSet::new(),
            expected: Arc::default(),
            actual: [found.text].into(),
            endpoint: None,
            rule: None,
            is_local: false,
        })
        .collect()
}
