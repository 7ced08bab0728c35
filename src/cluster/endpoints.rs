//! Which endpoints of a Service port kube-proxy uses on one node.
//!
//! ```text
//!  slices of one family ─► endpoints of the port ─► cluster set ─┐  per traffic policy
//!                              (ready, topology)    local set  ──┴► internal(), external()
//! ```
//!
//! The rules are those of kube-proxy's `CategorizeEndpoints` (`pkg/proxy/topology.go`, the same in
//! every mode): ready endpoints that the topology admits; without any, those that still serve while
//! terminating (KEP-1669). Topology: nodes first, if every ready endpoint carries a node hint and
//! one names this node (KEP-3015); else zones in the same way (KEP-2433, KEP-4444); else all.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};

use super::access::{EndpointExt, ServiceExt, SliceExt};
use crate::net::{Family, Protocol};

/// An endpoint with the number its port has there.
#[derive(Debug, Clone, Copy)]
pub struct PortEndpoint<'a> {
    pub address: IpAddr,
    pub port: u16,
    /// Whether it is on the node that was asked about.
    pub is_local: bool,
    pub endpoint: &'a Endpoint,
    pub slice: &'a EndpointSlice,
}

/// What of a Service decides on its endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrafficPolicies {
    /// `internalTrafficPolicy: Local`.
    pub internal_local: bool,
    /// `externalTrafficPolicy: Local`.
    pub external_local: bool,
    /// Whether it has a node port, a load-balancer address or an external IP: then its cluster-wide
    /// endpoints are needed for the node's own traffic, whatever the policies say.
    pub is_external: bool,
}

/// The node whose kube-proxy is asked about. Without a zone no zone hint can match.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProxyNode<'a> {
    pub name: &'a str,
    pub zone: Option<&'a str>,
}

/// How hints narrow the ready endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Topology {
    /// Every ready endpoint is used.
    #[default]
    Any,
    /// Only those whose hints name this node.
    SameNode,
    /// Only those whose hints name this node's zone.
    SameZone,
}

/// The endpoints in use on one node.
#[derive(Debug, Clone, Default)]
pub struct EndpointChoice<'a> {
    /// For traffic under policy Cluster; empty where nothing uses that policy.
    pub cluster: Vec<PortEndpoint<'a>>,
    /// For traffic under policy Local; empty where nothing uses that policy.
    pub local: Vec<PortEndpoint<'a>>,
    pub topology: Topology,
    /// Whether any usable endpoint exists on any node. Without one kube-proxy answers REJECT; with
    /// one, an empty set means DROP.
    pub has_any: bool,
    pub policies: TrafficPolicies,
}

/// What happens to traffic that arrives at an address of the Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithoutEndpoints {
    /// There are endpoints: it is forwarded.
    Forward,
    /// Nobody serves: the client is refused (ICMP port unreachable).
    Reject,
    /// Others serve, but the policy Local forbids them: silence.
    Drop,
}

// === impl PortEndpoint ===

impl PortEndpoint<'_> {
    /// Whether kube-proxy would take it only for want of a ready one.
    fn drains(&self) -> bool {
        self.endpoint.is_serving() && self.endpoint.is_terminating()
    }

    fn node_hints(&self) -> impl Iterator<Item = &str> {
        let hints = self.endpoint.hints.as_ref();
        let nodes = hints.and_then(|hints| hints.for_nodes.as_deref());
        nodes
            .unwrap_or_default()
            .iter()
            .map(|node| node.name.as_str())
    }

    fn zone_hints(&self) -> impl Iterator<Item = &str> {
        let hints = self.endpoint.hints.as_ref();
        let zones = hints.and_then(|hints| hints.for_zones.as_deref());
        zones
            .unwrap_or_default()
            .iter()
            .map(|zone| zone.name.as_str())
    }
}

// === impl TrafficPolicies ===

impl TrafficPolicies {
    /// Reads them from a Service. A load-balancer address with `ipMode: Proxy` gets no rules
    /// (KEP-1860) and does not count.
    #[must_use]
    pub fn of(service: &Service, port: &ServicePort) -> Self {
        let external_ips = service
            .spec
            .as_ref()
            .and_then(|spec| spec.external_ips.as_deref());
        Self {
            internal_local: service.is_internal_local(),
            external_local: service.is_external_local(),
            is_external: port.node_port.is_some_and(|port| port != 0)
                || external_ips.is_some_and(|ips| !ips.is_empty())
                || !service.balancer_vips().is_empty(),
        }
    }

    const fn uses_cluster(self) -> bool {
        !self.internal_local || self.is_external
    }

    const fn uses_local(self) -> bool {
        self.internal_local || (self.external_local && self.is_external)
    }
}

// === impl EndpointChoice ===

impl<'a> EndpointChoice<'a> {
    /// Where traffic from inside the cluster to the cluster IP goes.
    #[must_use]
    pub fn internal(&self) -> &[PortEndpoint<'a>] {
        self.pick(self.policies.internal_local)
    }

    /// Where traffic from outside goes that arrives at a node port, an external IP or a
    /// load-balancer address of this node.
    #[must_use]
    pub fn external(&self) -> &[PortEndpoint<'a>] {
        self.pick(self.policies.external_local)
    }

    /// Whether traffic from inside is forwarded, refused or dropped.
    #[must_use]
    pub fn internal_fate(&self) -> WithoutEndpoints {
        self.fate(self.internal())
    }

    /// Whether traffic from outside is forwarded, refused or dropped.
    #[must_use]
    pub fn external_fate(&self) -> WithoutEndpoints {
        self.fate(self.external())
    }

    fn pick(&self, local: bool) -> &[PortEndpoint<'a>] {
        if local { &self.local } else { &self.cluster }
    }

    const fn fate(&self, set: &[PortEndpoint<'a>]) -> WithoutEndpoints {
        match (self.has_any, set.is_empty()) {
            (false, _) => WithoutEndpoints::Reject,
            (true, true) => WithoutEndpoints::Drop,
            (true, false) => WithoutEndpoints::Forward,
        }
    }
}

/// The endpoints that slices name for a Service port, ready or not, in the order of address and port.
///
/// `slices` are those of one Service; slices of another family (or FQDN) are passed over. The port
/// is the one with the same name (absent = unnamed) and protocol. An endpoint that two slices name
/// counts once, and as local if either says so.
#[must_use]
pub fn endpoints_of<'a>(
    slices: impl IntoIterator<Item = &'a EndpointSlice>,
    family: Family,
    port_name: Option<&str>,
    protocol: Protocol,
    node: ProxyNode<'_>,
) -> Vec<PortEndpoint<'a>> {
    let mut found: BTreeMap<(IpAddr, u16), PortEndpoint<'a>> = BTreeMap::new();
    for slice in slices {
        if slice.family() != Some(family) {
            continue;
        }
        for port in slice.port_numbers(port_name.unwrap_or_default(), protocol) {
            for endpoint in slice.endpoints.iter().flatten() {
                let Some(address) = endpoint.address() else {
                    continue;
                };
                let is_local = endpoint.node_name.as_deref() == Some(node.name);
                let entry = found.entry((address, port)).or_insert(PortEndpoint {
                    address,
                    port,
                    is_local,
                    endpoint,
                    slice,
                });
                entry.is_local |= is_local;
            }
        }
    }
    found.into_values().collect()
}

/// What the name of a headless Service leads to: every address of its slices.
///
/// The ports of the slices do not matter, as CoreDNS answers for A and AAAA; the client chooses the port.
#[must_use]
pub fn addresses_of<'a>(
    slices: impl IntoIterator<Item = &'a EndpointSlice>,
    family: Family,
    port: u16,
    node: ProxyNode<'_>,
) -> Vec<PortEndpoint<'a>> {
    let mut found: BTreeMap<IpAddr, PortEndpoint<'a>> = BTreeMap::new();
    let is_of_family = |slice: &&EndpointSlice| slice.family() == Some(family);
    for slice in slices.into_iter().filter(is_of_family) {
        for endpoint in slice.endpoints.iter().flatten() {
            let Some(address) = endpoint.address() else {
                continue;
            };
            let is_local = endpoint.node_name.as_deref() == Some(node.name);
            found.entry(address).or_insert(PortEndpoint {
                address,
                port,
                is_local,
                endpoint,
                slice,
            });
        }
    }
    found.into_values().collect()
}

/// Chooses among the endpoints of a port as kube-proxy on `node` does.
#[must_use]
pub fn categorize<'a>(
    endpoints: &[PortEndpoint<'a>],
    policies: TrafficPolicies,
    node: ProxyNode<'_>,
) -> EndpointChoice<'a> {
    let mut choice = EndpointChoice {
        policies,
        ..EndpointChoice::default()
    };
    if policies.uses_cluster() {
        choice.topology = topology(endpoints, node);
        choice.cluster = keep(endpoints, |endpoint| {
            endpoint.endpoint.is_ready() && admits(choice.topology, endpoint, node)
        });
        if choice.cluster.is_empty() {
            choice.cluster = keep(endpoints, PortEndpoint::drains);
        }
        choice.has_any = !choice.cluster.is_empty();
    }
    if policies.uses_local() {
        choice.local = keep(endpoints, |endpoint| {
            endpoint.is_local && endpoint.endpoint.is_ready()
        });
        if choice.local.is_empty() {
            choice.local = keep(endpoints, |endpoint| endpoint.is_local && endpoint.drains());
        }
        choice.has_any |= endpoints
            .iter()
            .any(|endpoint| endpoint.endpoint.is_ready() || endpoint.drains());
    }
    choice
}

fn keep<'a>(
    endpoints: &[PortEndpoint<'a>],
    wanted: impl Fn(&PortEndpoint<'a>) -> bool,
) -> Vec<PortEndpoint<'a>> {
    endpoints
        .iter()
        .copied()
        .filter(|endpoint| wanted(endpoint))
        .collect()
}

fn topology(endpoints: &[PortEndpoint<'_>], node: ProxyNode<'_>) -> Topology {
    let ready = || {
        endpoints
            .iter()
            .filter(|endpoint| endpoint.endpoint.is_ready())
    };
    let names_node = |endpoint: &PortEndpoint<'_>| endpoint.node_hints().any(|at| at == node.name);
    let names_zone = |endpoint: &PortEndpoint<'_>| {
        node.zone
            .is_some_and(|zone| endpoint.zone_hints().any(|hint| hint == zone))
    };
    if ready().all(|endpoint| endpoint.node_hints().next().is_some()) && ready().any(names_node) {
        Topology::SameNode
    } else if ready().all(|endpoint| endpoint.zone_hints().next().is_some())
        && ready().any(names_zone)
    {
        Topology::SameZone
    } else {
        Topology::Any
    }
}

fn admits(topology: Topology, endpoint: &PortEndpoint<'_>, node: ProxyNode<'_>) -> bool {
    match topology {
        Topology::Any => true,
        Topology::SameNode => endpoint.node_hints().any(|hint| hint == node.name),
        Topology::SameZone => endpoint.zone_hints().any(|hint| Some(hint) == node.zone),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const CLUSTER: TrafficPolicies = TrafficPolicies {
        internal_local: false,
        external_local: false,
        is_external: false,
    };
    const NODE: ProxyNode<'_> = ProxyNode {
        name: "here",
        zone: Some("a"),
    };

    /// `10.0.0.1 here ready` … one endpoint a word list: state and hints in any order.
    fn slice(lines: &[&str]) -> EndpointSlice {
        let endpoints: Vec<_> = lines
            .iter()
            .map(|line| {
                let mut words = line.split(' ');
                let (address, node) = (words.next().unwrap(), words.next().unwrap());
                let mut endpoint =
                    json!({"addresses": [address], "nodeName": node, "conditions": {}});
                let mut hints = json!({});
                for word in words {
                    let terminating = word == "draining" || word == "gone";
                    match word.split_once('=') {
                        Some(("zone", zone)) => hints["forZones"] = json!([{"name": zone}]),
                        Some((_, at)) => hints["forNodes"] = json!([{"name": at}]),
                        None => {
                            endpoint["conditions"] = json!({"ready": word == "ready",
                                "serving": word == "ready" || word == "draining",
                                "terminating": terminating});
                        }
                    }
                }
                if hints != json!({}) {
                    endpoint["hints"] = hints;
                }
                endpoint
            })
            .collect();
        serde_json::from_value(json!({"metadata": {"name": "s"}, "addressType": "IPv4",
            "ports": [{"name": "http", "port": 80, "protocol": "TCP"}], "endpoints": endpoints}))
        .unwrap()
    }

    fn addresses(set: &[PortEndpoint<'_>]) -> String {
        let all: Vec<_> = set
            .iter()
            .map(|endpoint| endpoint.address.to_string())
            .collect();
        all.join(" ")
    }

    fn check(
        lines: &[&str],
        policies: TrafficPolicies,
        expected: (&str, &str, WithoutEndpoints, WithoutEndpoints),
    ) {
        let slice = slice(lines);
        let all = endpoints_of([&slice], Family::V4, Some("http"), Protocol::Tcp, NODE);
        let choice = categorize(&all, policies, NODE);
        let got = (
            addresses(choice.internal()),
            addresses(choice.external()),
            choice.internal_fate(),
            choice.external_fate(),
        );
        let expected = (
            expected.0.to_owned(),
            expected.1.to_owned(),
            expected.2,
            expected.3,
        );
        assert_eq!(got, expected, "{lines:?} {policies:?}");
    }

    #[test]
    fn ready_endpoints_first_then_draining_ones() {
        use WithoutEndpoints::{Forward, Reject};
        for (lines, expected, fate) in [
            (
                &["1.0.0.1 here", "1.0.0.2 there ready"][..],
                "1.0.0.1 1.0.0.2",
                Forward,
            ),
            (
                &["1.0.0.1 here draining", "1.0.0.2 there ready"],
                "1.0.0.2",
                Forward,
            ),
            (
                &["1.0.0.1 here draining", "1.0.0.2 there gone"],
                "1.0.0.1",
                Forward,
            ),
            (&["1.0.0.1 here notready", "1.0.0.2 there gone"], "", Reject),
            (&[], "", Reject),
        ] {
            check(lines, CLUSTER, (expected, expected, fate, fate));
        }
    }

    #[test]
    fn hints_narrow_only_when_all_carry_them_and_one_fits() {
        use WithoutEndpoints::Forward;
        for (lines, expected) in [
            (
                &["1.0.0.1 x zone=a node=here", "1.0.0.2 x zone=a node=other"][..],
                "1.0.0.1",
            ),
            (
                &["1.0.0.1 x zone=a node=other", "1.0.0.2 x zone=b node=other"],
                "1.0.0.1",
            ),
            (&["1.0.0.1 x zone=a", "1.0.0.2 x"], "1.0.0.1 1.0.0.2"),
            (&["1.0.0.1 x zone=b", "1.0.0.2 x zone=c"], "1.0.0.1 1.0.0.2"),
            // One that is not ready has no say.
            (
                &["1.0.0.1 x zone=a", "1.0.0.2 x zone=b", "1.0.0.3 x notready"],
                "1.0.0.1",
            ),
        ] {
            check(lines, CLUSTER, (expected, expected, Forward, Forward));
        }
    }

    #[test]
    fn policy_local_keeps_to_the_node_and_drops_rather_than_rejects() {
        use WithoutEndpoints::{Drop, Forward, Reject};
        let both = TrafficPolicies {
            internal_local: true,
            external_local: true,
            is_external: true,
        };
        let external = TrafficPolicies {
            external_local: true,
            is_external: true,
            ..CLUSTER
        };
        let remote = &["1.0.0.2 there ready"][..];
        check(remote, both, ("", "", Drop, Drop));
        check(remote, external, ("1.0.0.2", "", Forward, Drop));
        check(&["1.0.0.2 there gone"], both, ("", "", Reject, Reject));
        check(
            &["1.0.0.1 here draining", "1.0.0.2 there ready"],
            both,
            ("1.0.0.1", "1.0.0.1", Forward, Forward),
        );
        // The policy for outside has no meaning without an outside.
        let inside = TrafficPolicies {
            internal_local: true,
            external_local: true,
            is_external: false,
        };
        check(remote, inside, ("", "", Drop, Drop));
    }

    #[test]
    fn an_endpoint_in_two_slices_counts_once() {
        let (one, two) = (slice(&["1.0.0.1 there"]), slice(&["1.0.0.1 here"]));
        let all = endpoints_of([&one, &two], Family::V4, Some("http"), Protocol::Tcp, NODE);
        assert_eq!(all.len(), 1);
        assert!(all[0].is_local);
        assert!(endpoints_of([&one], Family::V6, Some("http"), Protocol::Tcp, NODE).is_empty());
        assert!(endpoints_of([&one], Family::V4, None, Protocol::Tcp, NODE).is_empty());
        assert!(endpoints_of([&one], Family::V4, Some("http"), Protocol::Udp, NODE).is_empty());
    }
}
