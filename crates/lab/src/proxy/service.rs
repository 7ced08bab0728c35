//! One port of one Service in one address family, with the endpoints that stand behind it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::api::discovery::v1::EndpointSlice;

use super::Config;

/// The label by which a slice names its Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// The label by which a Service names another proxy than kube-proxy.
const OTHER_PROXY: &str = "service.kubernetes.io/service-proxy-name";

/// A port of a Service, as kube-proxy's `ServicePortInfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    pub namespace: String,
    pub service: String,
    pub port_name: String,
    /// `ns/service:port`, without the colon if the port has no name.
    pub name: String,
    /// `tcp`, `udp`, `sctp`.
    pub protocol: String,
    pub cluster_ip: IpAddr,
    pub port: u16,
    pub node_port: Option<u16>,
    pub external_ips: Vec<IpAddr>,
    pub load_balancer_ips: Vec<IpAddr>,
    pub source_ranges: Vec<IpNet>,
    /// Seconds, with `sessionAffinity: ClientIP`.
    pub affinity: Option<u32>,
    pub external_local: bool,
    pub internal_local: bool,
    pub health_check: Option<u16>,
    pub traffic_distribution: Option<String>,
    pub endpoints: Vec<Endpoint>,
}

/// An endpoint, as kube-proxy's `BaseEndpointInfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "as kube-proxy has them")]
pub struct Endpoint {
    pub address: SocketAddr,
    pub local: bool,
    pub ready: bool,
    pub serving: bool,
    pub terminating: bool,
    pub zone_hints: Vec<String>,
    pub node_hints: Vec<String>,
}

// === impl Port ===

impl Port {
    /// Whether anything but the ClusterIP leads here.
    pub const fn is_external(&self) -> bool {
        self.node_port.is_some()
            || !self.load_balancer_ips.is_empty()
            || !self.external_ips.is_empty()
    }
}

/// Every port kube-proxy programs, sorted by name.
pub fn ports(services: &[Service], slices: &[EndpointSlice], config: &Config) -> Vec<Port> {
    let mut by_service: BTreeMap<(String, String), Vec<&EndpointSlice>> = BTreeMap::new();
    for slice in slices {
        let meta = &slice.metadata;
        let service = meta
            .labels
            .as_ref()
            .and_then(|labels| labels.get(SERVICE_NAME));
        if let Some(service) = service {
            let key = (meta.namespace.clone().unwrap_or_default(), service.clone());
            by_service.entry(key).or_default().push(slice);
        }
    }
    let mut ports: Vec<Port> = services
        .iter()
        .flat_map(|service| {
            let meta = &service.metadata;
            let key = (
                meta.namespace.clone().unwrap_or_default(),
                meta.name.clone().unwrap_or_default(),
            );
            let slices = by_service.get(&key).map_or(&[][..], Vec::as_slice);
            of_service(service, &key.0, &key.1, slices, config)
        })
        .collect();
    ports.sort_by(|a, b| (&a.name, &a.protocol).cmp(&(&b.name, &b.protocol)));
    ports
}

fn of_service(
    service: &Service,
    namespace: &str,
    name: &str,
    slices: &[&EndpointSlice],
    config: &Config,
) -> Vec<Port> {
    let Some(spec) = &service.spec else {
        return Vec::new();
    };
    let skipped = service
        .metadata
        .labels
        .as_ref()
        .is_some_and(|labels| labels.contains_key(OTHER_PROXY));
    let listed = spec.cluster_ips.clone().unwrap_or_default();
    let all = listed.iter().chain(&spec.cluster_ip);
    let cluster_ip = all
        .filter_map(|text| address(text))
        .find(|one| config.owns(one));
    let Some(cluster_ip) =
        cluster_ip.filter(|_| !skipped && spec.type_.as_deref() != Some("ExternalName"))
    else {
        return Vec::new();
    };
    let of_family = |texts: &[String]| -> Vec<IpAddr> {
        texts
            .iter()
            .filter_map(|text| address(text))
            .filter(|one| config.owns(one))
            .collect()
    };
    let kind = spec.type_.as_deref().unwrap_or("ClusterIP");
    let external_ips = of_family(spec.external_ips.as_deref().unwrap_or_default());
    let can_be_local = matches!(kind, "NodePort" | "LoadBalancer") || !external_ips.is_empty();
    let external_local = can_be_local && spec.external_traffic_policy.as_deref() == Some("Local");
    let ranges = spec.load_balancer_source_ranges.clone().unwrap_or_default();
    let source_ranges = ranges.iter().filter_map(|text| range(text));
    let health_check = spec
        .health_check_node_port
        .and_then(|port| u16::try_from(port).ok());
    let seconds = spec
        .session_affinity_config
        .as_ref()
        .and_then(|config| config.client_ip.as_ref());
    let seconds = seconds
        .and_then(|client| client.timeout_seconds)
        .unwrap_or(10_800);
    let template = Port {
        namespace: namespace.to_owned(),
        service: name.to_owned(),
        port_name: String::new(),
        name: String::new(),
        protocol: String::new(),
        cluster_ip,
        port: 0,
        node_port: None,
        external_ips,
        load_balancer_ips: load_balancer_ips(service, config),
        source_ranges: source_ranges
            .filter(|range| config.owns(&range.addr()))
            .collect(),
        affinity: (spec.session_affinity.as_deref() == Some("ClientIP"))
            .then(|| seconds.unsigned_abs()),
        external_local,
        internal_local: spec.internal_traffic_policy.as_deref() == Some("Local"),
        health_check: health_check
            .filter(|port| *port > 0 && kind == "LoadBalancer" && external_local),
        traffic_distribution: spec.traffic_distribution.clone(),
        endpoints: Vec::new(),
    };
    let each = spec.ports.iter().flatten();
    each.map(|port| of_port(&template, port, slices, config))
        .collect()
}

fn of_port(
    template: &Port,
    port: &ServicePort,
    slices: &[&EndpointSlice],
    config: &Config,
) -> Port {
    let port_name = port.name.clone().unwrap_or_default();
    let separator = if port_name.is_empty() { "" } else { ":" };
    let number = |value: i32| u16::try_from(value).ok().filter(|number| *number > 0);
    let protocol = port.protocol.as_deref().unwrap_or("TCP");
    Port {
        name: format!(
            "{}/{}{separator}{port_name}",
            template.namespace, template.service
        ),
        protocol: protocol.to_lowercase(),
        port: number(port.port).unwrap_or_default(),
        node_port: port.node_port.and_then(number),
        endpoints: endpoints(slices, &port_name, protocol, config),
        port_name,
        ..template.clone()
    }
}

/// Load balancer addresses that are served by the nodes. With `ipMode: Proxy` the balancer itself
/// answers, so no rule may catch them (KEP-1860).
fn load_balancer_ips(service: &Service, config: &Config) -> Vec<IpAddr> {
    let status = service
        .status
        .as_ref()
        .and_then(|status| status.load_balancer.as_ref());
    let ingress = status
        .and_then(|status| status.ingress.as_ref())
        .into_iter()
        .flatten();
    ingress
        .filter(|one| one.ip_mode.as_deref().unwrap_or("VIP") == "VIP")
        .filter_map(|one| address(one.ip.as_ref()?))
        .filter(|one| config.owns(one))
        .collect()
}

/// The endpoints of a port, one per address, sorted as kube-proxy sorts them: as text.
fn endpoints(
    slices: &[&EndpointSlice],
    port_name: &str,
    protocol: &str,
    config: &Config,
) -> Vec<Endpoint> {
    let family = if config.ipv6 { "IPv6" } else { "IPv4" };
    let mut found: BTreeMap<String, Endpoint> = BTreeMap::new();
    for slice in slices.iter().filter(|slice| slice.address_type == family) {
        let ports = slice.ports.iter().flatten().filter(|port| {
            port.name.as_deref().unwrap_or_default() == port_name
                && port.protocol.as_deref().unwrap_or("TCP") == protocol
        });
        for number in ports.filter_map(|port| u16::try_from(port.port?).ok()) {
            for one in slice.endpoints.iter().flatten() {
                // Only the first address counts: the rest was never given a meaning.
                let Some(address) = one.addresses.first().and_then(|text| address(text)) else {
                    continue;
                };
                let conditions = one.conditions.clone().unwrap_or_default();
                let ready = conditions.ready.unwrap_or(true);
                let hints = one.hints.clone().unwrap_or_default();
                let address = SocketAddr::new(address, number);
                let endpoint = Endpoint {
                    address,
                    local: one.node_name.as_deref() == Some(config.node.as_str()),
                    ready,
                    serving: conditions.serving.unwrap_or(ready),
                    terminating: conditions.terminating.unwrap_or(false),
                    zone_hints: hints
                        .for_zones
                        .into_iter()
                        .flatten()
                        .map(|zone| zone.name)
                        .collect(),
                    node_hints: hints
                        .for_nodes
                        .into_iter()
                        .flatten()
                        .map(|node| node.name)
                        .collect(),
                };
                found.insert(address.to_string(), endpoint);
            }
        }
    }
    found.into_values().collect()
}

/// An address; IPv4 numbers may have leading zeros, as kube-proxy still reads old objects.
fn address(text: &str) -> Option<IpAddr> {
    let plain: Option<Vec<u8>> = text.split('.').map(|number| number.parse().ok()).collect();
    match plain.as_deref() {
        Some([a, b, c, d]) => Some(IpAddr::from([*a, *b, *c, *d])),
        _ => text.parse().ok(),
    }
}

fn range(text: &str) -> Option<IpNet> {
    let (start, length) = text.trim().split_once('/')?;
    let range = IpNet::new(address(start)?, length.parse().ok()?).ok()?;
    Some(range.trunc())
}
