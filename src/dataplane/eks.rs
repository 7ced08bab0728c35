//! EKS: what its policy controller has made of NetworkPolicies (`PolicyEndpoint`, networking.k8s.aws), by address.
//! The agents on the nodes enforce these, and not the policies themselves.

use std::net::IpAddr;

use serde_json::Value;

use crate::cluster::{ClusterView, Resource};
use crate::net::{Protocol, parse_prefix};
use crate::policy::Direction;

/// Whether the resolved policies let a packet pass at a pod; none where none of them isolates it that way, or one
/// decides by name.
#[must_use]
pub fn admits(
    view: &ClusterView,
    direction: Direction,
    pod: IpAddr,
    peer: IpAddr,
    (protocol, port): (Protocol, u16),
) -> Option<bool> {
    let (isolation, field) = match direction {
        Direction::Ingress => ("Ingress", "/spec/ingress"),
        Direction::Egress => ("Egress", "/spec/egress"),
    };
    let all = view.custom(Resource::AwsPolicyEndpoints);
    let holding: Vec<&Value> = all
        .filter(|object| selects(object, pod) && isolates(object, isolation))
        .collect();
    if holding.is_empty() {
        return None;
    }
    let rules = holding.iter().flat_map(|object| list(object, field));
    let rules: Vec<&Value> = rules.collect();
    let admitted = rules
        .iter()
        .any(|rule| takes(rule, peer) && opens(rule, protocol, port));
    let by_name = rules.iter().any(|rule| rule.get("domainName").is_some());
    (admitted || !by_name).then_some(admitted)
}

/// The policies that were resolved for a pod, by name.
#[must_use]
pub fn policies_of(view: &ClusterView, pod: IpAddr) -> Vec<String> {
    let all = view
        .custom(Resource::AwsPolicyEndpoints)
        .filter(|object| selects(object, pod));
    let names = all.filter_map(|object| object.pointer("/spec/policyRef/name")?.as_str());
    names.map(str::to_owned).collect()
}

fn list<'a>(object: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    object
        .pointer(pointer)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn selects(object: &Value, pod: IpAddr) -> bool {
    list(object, "/spec/podSelectorEndpoints").any(|one| {
        let ip = one.get("podIP").and_then(Value::as_str);
        ip.and_then(|ip| ip.parse::<IpAddr>().ok()) == Some(pod)
    })
}

fn isolates(object: &Value, direction: &str) -> bool {
    list(object, "/spec/podIsolation").any(|one| one.as_str() == Some(direction))
}

fn takes(rule: &Value, peer: IpAddr) -> bool {
    let within = |text: &Value| {
        let net = text.as_str().and_then(|text| parse_prefix(text).ok());
        net.is_some_and(|net| net.contains(&peer))
    };
    rule.get("cidr").is_some_and(within) && !list(rule, "/except").any(within)
}

/// No ports are all ports.
fn opens(rule: &Value, protocol: Protocol, port: u16) -> bool {
    let mut ports = list(rule, "/ports").peekable();
    if ports.peek().is_none() {
        return true;
    }
    ports.any(|one| {
        let number = |field: &str| one.get(field).and_then(Value::as_u64);
        let own = one.get("protocol").and_then(Value::as_str).unwrap_or("TCP");
        let first = number("port").unwrap_or(0);
        let last = number("endPort").unwrap_or(first);
        own.parse() == Ok(protocol) && (first == 0 || (first..=last).contains(&u64::from(port)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::snapshot;

    fn view(spec: &str) -> ClusterView {
        let text = format!(
            "apiVersion: networking.k8s.aws/v1alpha1\nkind: PolicyEndpoint\nmetadata: {{name: p-1, namespace: shop}}\n\
             spec: {{podSelectorEndpoints: [{{podIP: 10.0.1.5, name: api}}], policyRef: {{name: p}}, {spec}}}\n"
        );
        snapshot::parse("-", &text).unwrap()
    }

    fn ask(view: &ClusterView, peer: &str, port: u16) -> Option<bool> {
        let pod = "10.0.1.5".parse().unwrap();
        admits(
            view,
            Direction::Ingress,
            pod,
            peer.parse().unwrap(),
            (Protocol::Tcp, port),
        )
    }

    #[test]
    fn addresses_ports_and_exceptions() {
        let view = view(
            "podIsolation: [Ingress], ingress: [{cidr: 10.0.2.9, ports: [{protocol: TCP, port: 80, endPort: 90}]}, \
             {cidr: 192.0.2.0/24, except: [192.0.2.7/32]}]",
        );
        assert_eq!(ask(&view, "10.0.2.9", 85), Some(true));
        assert_eq!(ask(&view, "10.0.2.9", 91), Some(false));
        assert_eq!(ask(&view, "192.0.2.8", 1), Some(true));
        assert_eq!(ask(&view, "192.0.2.7", 1), Some(false));
        assert_eq!(policies_of(&view, "10.0.1.5".parse().unwrap()), ["p"]);
    }

    #[test]
    fn what_it_does_not_isolate_or_resolve_by_name_is_open() {
        assert_eq!(ask(&view("podIsolation: [Egress]"), "10.0.2.9", 80), None);
        assert_eq!(
            ask(&view("podIsolation: [Ingress]"), "10.0.2.9", 80),
            Some(false)
        );
        let named = view("podIsolation: [Ingress], ingress: [{domainName: example.com}]");
        assert_eq!(ask(&named, "10.0.2.9", 80), None);
    }
}
