//! Where a dataplane's Service table and the objects differ.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use k8s_openapi::api::core::v1::Service;

use super::services::{Frontend, ServiceTable};
use crate::cluster::access::EndpointExt;
use crate::cluster::{Named, ObjectRef};
use crate::nat::proxy::{
    Difference, DifferenceKind, Drift, ProxyEntry, ProxySetup, SliceIndex, entries, is_local,
};

/// Annotations of a Service whose table holds what the slices do not, or not all they do: backends of other
/// clusters, backends of some nodes only, some kinds of frontends only.
const OF_ITS_OWN: [&str; 3] = ["service.cilium.io/", "io.cilium/", "io.cilium."];
/// Flags of frontends that lead elsewhere on purpose.
const REDIRECTED: [&str; 3] = ["LocalRedirect", "l7-load-balancer", "L7LB"];

/// Compares every Service with the table of a node.
pub fn compare<'a>(
    services: impl IntoIterator<Item = &'a Service>,
    slices: &SliceIndex<'a>,
    table: &ServiceTable,
    setup: &ProxySetup,
) -> Drift {
    let entries = entries(services, slices, setup);
    let mut found: Vec<Difference> = Vec::new();
    for entry in &entries {
        found.extend(differences(entry, slices, table));
    }
    found.extend(strangers(&entries, table));
    Drift {
        entries: entries.len(),
        differences: found,
        ..Drift::default()
    }
}

/// What the table has other than one address of a Service wants.
#[must_use]
pub fn differences(
    entry: &ProxyEntry<'_>,
    slices: &SliceIndex<'_>,
    table: &ServiceTable,
) -> Vec<Difference> {
    let wanted = wanted(entry);
    let frontend = table.get(entry.address, entry.number, entry.protocol);
    let difference = |kind, endpoint, actual: Vec<String>| {
        let expected: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        Difference {
            kind,
            service: Some(ObjectRef::new(
                "Service",
                entry.service.namespace(),
                entry.service.name(),
            )),
            port: port_name(entry),
            entry: entry.to_string(),
            entry_kind: Some(entry.kind),
            is_local: is_local(entry),
            origins: BTreeSet::new(),
            expected: expected.into(),
            actual: actual.into(),
            endpoint,
            rule: None,
        }
    };
    let is_special = is_annotated(entry.service) || frontend.is_some_and(redirected);
    if wanted.is_empty() || is_special {
        return Vec::new();
    }
    let Some(frontend) = frontend else {
        let actual = vec!["no entry".to_owned()];
        return vec![difference(DifferenceKind::ServiceMissing, None, actual)];
    };
    let has: BTreeSet<SocketAddr> = frontend.backends().collect();
    if let Some(hole) = frontend.hole() {
        let is_all = frontend.head.is_none() || has.is_empty();
        let kind = if is_all {
            DifferenceKind::ServiceMissing
        } else {
            DifferenceKind::EndpointMissing
        };
        return vec![difference(kind, None, vec![hole])];
    }
    let shown: Vec<String> = has.iter().map(ToString::to_string).collect();
    let known = known(entry, slices);
    let missing = wanted
        .difference(&has)
        .map(|one| (DifferenceKind::EndpointMissing, *one));
    let stale = has.iter().filter(|one| !known.contains(&one.ip()));
    let stale = stale.map(|one| (DifferenceKind::EndpointStale, *one));
    let all = missing.chain(stale);
    all.map(|(kind, endpoint)| difference(kind, Some(endpoint), shown.clone()))
        .collect()
}

/// Whether a frontend leads elsewhere on purpose: to a pod of the node, or to a proxy.
#[must_use]
pub fn redirected(frontend: &Frontend) -> bool {
    let flags = frontend.head.as_deref().unwrap_or_default();
    REDIRECTED.iter().any(|flag| flags.contains(flag))
}

/// The endpoints that have to be behind an address.
fn wanted(entry: &ProxyEntry<'_>) -> BTreeSet<SocketAddr> {
    let used = if entry.is_external() {
        entry.choice.external()
    } else {
        entry.choice.internal()
    };
    let all = used.iter();
    all.map(|one| SocketAddr::new(one.address, one.port))
        .collect()
}

/// Every address in the slices of the Service, ready or not: one that ends may still be served.
fn known(entry: &ProxyEntry<'_>, slices: &SliceIndex<'_>) -> BTreeSet<IpAddr> {
    let endpoints = slices
        .of(entry.service)
        .flat_map(|slice| slice.endpoints.iter().flatten());
    endpoints.filter_map(EndpointExt::address).collect()
}

fn is_annotated(service: &Service) -> bool {
    let annotations = service.metadata.annotations.iter().flatten();
    let mut keys = annotations.map(|(key, _)| key);
    keys.any(|key| OF_ITS_OWN.iter().any(|prefix| key.starts_with(prefix)))
}

fn port_name(entry: &ProxyEntry<'_>) -> String {
    let name = entry.port.name.clone().filter(|name| !name.is_empty());
    name.unwrap_or_else(|| entry.port.port.to_string())
}

/// Cluster IPs in the table that no Service has.
fn strangers(entries: &[ProxyEntry<'_>], table: &ServiceTable) -> Vec<Difference> {
    let served: BTreeSet<_> = entries
        .iter()
        .map(|entry| (entry.address, entry.number, entry.protocol))
        .collect();
    let others = table.iter().filter(|(ip, port, protocol, frontend)| {
        let head = frontend.head.as_deref().unwrap_or_default();
        head.starts_with("ClusterIP") && !served.contains(&(*ip, *port, *protocol))
    });
    others
        .map(|(ip, port, protocol, frontend)| Difference {
            kind: DifferenceKind::ServiceStale,
            service: None,
            port: port.to_string(),
            entry: format!("{} {protocol}", SocketAddr::new(ip, port)),
            entry_kind: None,
            is_local: false,
            origins: BTreeSet::new(),
            expected: Arc::default(),
            actual: frontend.backends().map(|to| to.to_string()).collect(),
            endpoint: None,
            rule: None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{ClusterView, snapshot};
    use crate::dataplane::Slot;
    use crate::nat::model::Ruleset;
    use crate::nat::proxy::Mode;
    use crate::net::Protocol;
    use crate::route::Host;

    fn view(annotations: &str) -> ClusterView {
        let text = format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: api, namespace: shop, annotations: {{{annotations}}}}}\n\
             spec: {{clusterIP: 10.96.0.7, clusterIPs: [10.96.0.7], ports: [{{port: 80, targetPort: 8080}}], selector: {{a: b}}}}\n\
             ---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
             metadata: {{name: api-1, namespace: shop, labels: {{kubernetes.io/service-name: api}}}}\n\
             addressType: IPv4\nports: [{{port: 8080, protocol: TCP}}]\nendpoints:\n\
             - {{addresses: [10.244.1.5], conditions: {{ready: true}}}}\n\
             - {{addresses: [10.244.1.6], conditions: {{ready: true}}}}\n\
             - {{addresses: [10.244.1.7], conditions: {{ready: false, serving: true, terminating: true}}}}\n"
        );
        snapshot::parse("-", &text).unwrap()
    }

    fn kinds(annotations: &str, head: Option<&str>, slots: &[(u32, &str)]) -> Vec<DifferenceKind> {
        let mut table = ServiceTable::default();
        let entry = table.entry("10.96.0.7".parse().unwrap(), 80, Protocol::Tcp, false);
        entry.head = head.map(str::to_owned);
        for (slot, to) in slots {
            let to = to
                .parse()
                .map_or_else(|_| Slot::Lost((*to).to_owned()), Slot::Backend);
            entry.slots.insert(*slot, to);
        }
        compared(annotations, &table)
    }

    fn compared(annotations: &str, table: &ServiceTable) -> Vec<DifferenceKind> {
        let view = view(annotations);
        let slices = SliceIndex::new(view.endpoint_slices.iter());
        let setup = ProxySetup::of_rules(
            Mode::Iptables,
            &Ruleset::default(),
            &Host::default(),
            "node1",
        );
        let drift = compare(view.services.iter(), &slices, table, &setup);
        drift.differences.iter().map(|one| one.kind).collect()
    }

    const BOTH: [(u32, &str); 2] = [(1, "10.244.1.5:8080"), (2, "10.244.1.6:8080")];

    #[test]
    fn what_is_right() {
        let head = Some("ClusterIP, non-routable");
        assert_eq!(kinds("", head, &BOTH), []);
        let terminating = [BOTH[0], BOTH[1], (3, "10.244.1.7:8080")];
        assert_eq!(
            kinds("", head, &terminating),
            [],
            "one that ends may still be served"
        );
        assert_eq!(kinds("", Some("LocalRedirect"), &[(1, "10.9.9.9:53")]), []);
        let global = "service.cilium.io/global: 'true'";
        assert_eq!(
            kinds(global, head, &[BOTH[0], BOTH[1], (3, "10.9.9.9:8080")]),
            []
        );
    }

    #[test]
    fn what_is_wrong() {
        use DifferenceKind as Kind;
        let head = Some("ClusterIP");
        assert_eq!(
            compared("", &ServiceTable::default()),
            [Kind::ServiceMissing]
        );
        assert_eq!(kinds("", None, &BOTH), [Kind::ServiceMissing]);
        assert_eq!(
            kinds("", head, &[]),
            [Kind::EndpointMissing, Kind::EndpointMissing]
        );
        assert_eq!(kinds("", head, &BOTH[..1]), [Kind::EndpointMissing]);
        assert_eq!(
            kinds("", head, &[BOTH[0], (3, "10.244.1.6:8080")]),
            [Kind::EndpointMissing]
        );
        assert_eq!(
            kinds("", head, &[BOTH[0], (2, "backend 9 not found")]),
            [Kind::EndpointMissing]
        );
        let stale = [BOTH[0], BOTH[1], (3, "10.244.9.9:8080")];
        assert_eq!(kinds("", head, &stale), [Kind::EndpointStale]);
    }

    #[test]
    fn strangers_are_cluster_ips_only() {
        let mut table = ServiceTable::default();
        for (ip, head) in [
            ("10.96.0.9", "ClusterIP"),
            ("172.30.0.11", "HostPort"),
            ("0.0.0.0", "NodePort"),
        ] {
            table
                .entry(ip.parse().unwrap(), 80, Protocol::Tcp, false)
                .head = Some(head.to_owned());
        }
        let found = compared("service.cilium.io/type: x", &table);
        assert_eq!(found, [DifferenceKind::ServiceStale]);
    }
}
