//! The addresses at which Services answer on a node.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

use ipnet::IpNet;
use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::api::discovery::v1::EndpointSlice;

use super::{Mode, ProxySetup};
use crate::cluster::Named;
use crate::cluster::access::{ServiceExt, ServiceKind, ServicePortExt, SliceExt};
use crate::cluster::endpoints::{
    EndpointChoice, ProxyNode, TrafficPolicies, categorize, endpoints_of,
};
use crate::nat::chain_names::PortName;
use crate::net::{Family, Protocol, parse_address, parse_prefix};

/// One address and port of a Service, with the endpoints behind it.
#[derive(Debug, Clone)]
pub struct ProxyEntry<'a> {
    pub service: &'a Service,
    pub port: &'a ServicePort,
    pub kind: EntryKind,
    pub address: IpAddr,
    /// The port that clients use: the Service's or the NodePort.
    pub number: u16,
    pub protocol: Protocol,
    pub choice: Rc<EndpointChoice<'a>>,
    /// Who may use a load-balancer address; empty = everybody.
    pub source_ranges: Rc<[IpNet]>,
}

/// How an address belongs to its Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    ClusterIp,
    ExternalIp,
    Balancer,
    NodePort,
}

/// EndpointSlices by namespace and Service.
#[derive(Debug, Default)]
pub struct SliceIndex<'a> {
    by_service: BTreeMap<(&'a str, &'a str), Vec<&'a EndpointSlice>>,
}

/// Services and slices with these labels are left to others (`service-proxy-name`) or to DNS alone.
const NOT_OURS: [&str; 2] = [
    "service.kubernetes.io/service-proxy-name",
    "service.kubernetes.io/headless",
];

/// The entries of all Services that kube-proxy serves, in the order of the Services.
#[must_use]
pub fn entries<'a>(
    services: impl IntoIterator<Item = &'a Service>,
    slices: &SliceIndex<'a>,
    setup: &ProxySetup,
) -> Vec<ProxyEntry<'a>> {
    let services = services.into_iter();
    services
        .flat_map(|service| entries_of(service, slices, setup))
        .collect()
}

/// The entries of one Service; none for headless and ExternalName Services, and for those that name
/// another proxy.
#[must_use]
pub fn entries_of<'a>(
    service: &'a Service,
    slices: &SliceIndex<'a>,
    setup: &ProxySetup,
) -> Vec<ProxyEntry<'a>> {
    let labels = service.metadata.labels.as_ref();
    let is_foreign = labels.is_some_and(|labels| labels.contains_key(NOT_OURS[0]));
    let kind = service.service_kind();
    if is_foreign || matches!(kind, ServiceKind::Headless | ServiceKind::ExternalName) {
        return Vec::new();
    }
    let mut all = Vec::new();
    for family in Family::ALL {
        // Each family has its own table; a Service is in it with the cluster IP of that family.
        let Some(cluster_ip) = service.cluster_ip(family) else {
            continue;
        };
        for port in service.ports() {
            let addresses = addresses(service, port, family, cluster_ip, setup);
            add(service, port, family, addresses, slices, setup, &mut all);
        }
    }
    all
}

fn add<'a>(
    service: &'a Service,
    port: &'a ServicePort,
    family: Family,
    addresses: Vec<(EntryKind, IpAddr, u16)>,
    slices: &SliceIndex<'a>,
    setup: &ProxySetup,
    all: &mut Vec<ProxyEntry<'a>>,
) {
    let node = ProxyNode {
        name: &setup.node,
        zone: setup.zone.as_deref(),
    };
    let endpoints = endpoints_of(
        slices.of(service),
        family,
        port.name.as_deref(),
        port.protocol(),
        node,
    );
    let policies = TrafficPolicies::of(service, port);
    let choice = Rc::new(categorize(&endpoints, policies, node));
    let source_ranges: Rc<[IpNet]> = source_ranges(service, family).into();
    let everybody: Rc<[IpNet]> = Rc::default();
    all.extend(
        addresses
            .into_iter()
            .map(|(kind, address, number)| ProxyEntry {
                service,
                port,
                kind,
                address,
                number,
                protocol: port.protocol(),
                choice: Rc::clone(&choice),
                source_ranges: if kind == EntryKind::Balancer {
                    Rc::clone(&source_ranges)
                } else {
                    Rc::clone(&everybody)
                },
            }),
    );
}

fn addresses(
    service: &Service,
    port: &ServicePort,
    family: Family,
    cluster_ip: IpAddr,
    setup: &ProxySetup,
) -> Vec<(EntryKind, IpAddr, u16)> {
    let of_family = |ip: &IpAddr| Family::of(*ip) == family;
    let spec = service.spec.as_ref();
    let external = spec.and_then(|spec| spec.external_ips.as_deref());
    let external = external.unwrap_or_default().iter();
    let external = external
        .filter_map(|ip| parse_address(ip))
        .filter(of_family);
    let external: Vec<IpAddr> = external.collect();
    let balancers = service.balancer_vips().into_iter().filter(of_family);
    let node_port = port.node_port.and_then(|port| u16::try_from(port).ok());
    let node_port = node_port.filter(|port| *port != 0);
    let mut all = vec![(EntryKind::ClusterIp, cluster_ip, port.number())];
    // An address may be both. iptables mode asks external IPs first; nftables mode checks the ranges
    // of a load balancer before anything else.
    let balancers: Vec<IpAddr> = balancers.collect();
    let external_first = setup.mode != Mode::Nftables;
    for ip in &external {
        if external_first || !balancers.contains(ip) {
            all.push((EntryKind::ExternalIp, *ip, port.number()));
        }
    }
    for ip in &balancers {
        if !external_first || !external.contains(ip) {
            all.push((EntryKind::Balancer, *ip, port.number()));
        }
    }
    if let Some(number) = node_port {
        let ips = setup.node_port_ips(family).into_iter();
        all.extend(ips.map(|ip| (EntryKind::NodePort, ip, number)));
    }
    all
}

/// Ranges of the family; where ranges are given but none of this family, nobody of it may pass.
fn source_ranges(service: &Service, family: Family) -> Vec<IpNet> {
    let spec = service.spec.as_ref();
    let given = spec.and_then(|spec| spec.load_balancer_source_ranges.as_deref());
    let given = given.unwrap_or_default().iter();
    given
        .filter_map(|text| parse_prefix(text).ok())
        .filter(|net| Family::of(net.addr()) == family)
        .collect()
}

// === impl ProxyEntry ===

impl<'a> ProxyEntry<'a> {
    /// The Service port as kube-proxy names it.
    #[must_use]
    pub fn name(&self) -> PortName<'a> {
        PortName {
            namespace: self.service.namespace(),
            service: self.service.name(),
            port: self.port.name.as_deref().unwrap_or_default(),
            protocol: self.protocol,
        }
    }

    /// Whether its rules are those for clients from outside.
    #[must_use]
    pub const fn is_external(&self) -> bool {
        !matches!(self.kind, EntryKind::ClusterIp)
    }
}

/// `10.96.0.1:443 TCP`
impl std::fmt::Display for ProxyEntry<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let socket = std::net::SocketAddr::new(self.address, self.number);
        write!(f, "{socket} {}", self.protocol)
    }
}

// === impl EntryKind ===

impl EntryKind {
    /// How kube-proxy and people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClusterIp => "cluster IP",
            Self::ExternalIp => "external IP",
            Self::Balancer => "load-balancer IP",
            Self::NodePort => "node port",
        }
    }
}

// === impl SliceIndex ===

impl<'a> SliceIndex<'a> {
    /// Sorts slices by their Service.
    #[must_use]
    pub fn new(slices: impl IntoIterator<Item = &'a EndpointSlice>) -> Self {
        let mut by_service: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for slice in slices {
            let labels = slice.metadata.labels.as_ref();
            let has = |label: &str| labels.is_some_and(|labels| labels.contains_key(label));
            if let Some(service) = slice.service_name()
                && !NOT_OURS.iter().any(|label| has(label))
            {
                by_service
                    .entry((slice.namespace(), service))
                    .or_default()
                    .push(slice);
            }
        }
        Self { by_service }
    }

    /// Those of one Service.
    pub fn of(&self, service: &Service) -> impl Iterator<Item = &'a EndpointSlice> + use<'a> {
        let key = (service.namespace(), service.name());
        let found = self.by_service.get(&key).cloned();
        found.into_iter().flatten()
    }
}
