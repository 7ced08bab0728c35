//! What a sidecar knows of the world: exports, Sidecar objects, ServiceEntries.

use std::net::IpAddr;

use super::super::object::{Object, items, number, texts};
use super::super::text::within;
use super::Istio;
use crate::cluster::{Named, Pod};
use crate::policy::Truth;

/// The Sidecar object that counts for a pod, if any.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope<'v> {
    pub sidecar: Option<Object<'v>>,
}

/// Whether something that is exported to some namespaces is seen from one.
pub(super) fn is_exported(to: &[&str], owner: &str, namespace: &str) -> bool {
    to.iter().any(|to| match *to {
        "*" => true,
        "." => owner == namespace,
        named => named == namespace,
    })
}

/// Whether a host name is the one of a pattern, where `*` and `*.domain` stand for many.
pub(super) fn is_host(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(suffix) => host.ends_with(suffix),
        None => pattern == host,
    }
}

// === impl Scope ===

impl<'v> Scope<'v> {
    /// One with a selector that fits, before that of the namespace, before that of the root namespace;
    /// the oldest of each.
    pub(super) fn of(istio: &Istio<'v>, root: &str, pod: &Pod) -> Self {
        let mut ranked: [Option<Object<'v>>; 3] = [None; 3];
        for sidecar in &istio.sidecars {
            let has_selector = sidecar.at("/spec/workloadSelector/labels").is_object();
            let rank = match (sidecar.namespace() == pod.namespace(), has_selector) {
                (true, true) => {
                    let labels =
                        super::super::object::labels(sidecar.at("/spec/workloadSelector/labels"));
                    let fits = labels
                        .iter()
                        .all(|(key, value)| pod.labels().get(key) == Some(value));
                    if !fits {
                        continue;
                    }
                    0
                }
                (true, false) => 1,
                (false, false) if sidecar.namespace() == root => 2,
                (false, _) => continue,
            };
            ranked[rank] = ranked[rank].or(Some(*sidecar));
        }
        Self {
            sidecar: ranked.into_iter().flatten().next(),
        }
    }

    /// Whether it imports a host of a namespace on a port. Without listeners of its own it imports
    /// everything.
    pub(super) fn imports(&self, namespace: &str, host: &str, port: u16) -> bool {
        let Some(sidecar) = &self.sidecar else {
            return true;
        };
        let listeners = sidecar.items("/spec/egress");
        listeners.is_empty()
            || listeners.iter().any(|listener| {
                let own = number(&listener["port"]["number"]);
                let hosts = texts(&listener["hosts"]);
                own.is_none_or(|own| own == port)
                    && hosts
                        .iter()
                        .any(|entry| is_imported(entry, sidecar.namespace(), namespace, host))
                    && !hosts.iter().any(|entry| {
                        // An exclusion takes out what the others import.
                        entry.strip_prefix('~').is_some_and(|entry| {
                            entry.len() > 2
                                && is_imported(entry, sidecar.namespace(), namespace, host)
                        })
                    })
            })
    }

    /// Whether what it does not know is blocked, if it says so.
    pub(super) fn is_registry_only(&self) -> Option<bool> {
        let sidecar = self.sidecar.as_ref()?;
        let policy = sidecar.at("/spec/outboundTrafficPolicy");
        policy
            .is_object()
            .then(|| policy["mode"] == "REGISTRY_ONLY")
    }
}

fn is_imported(entry: &str, own: &str, namespace: &str, host: &str) -> bool {
    let (of, pattern) = entry.split_once('/').unwrap_or(("*", entry));
    let is_of = match of {
        "*" => true,
        "." => own == namespace,
        "~" => false,
        named => named == namespace,
    };
    is_of && is_host(pattern, host)
}

/// Whether a ServiceEntry that a pod sees registers a host or an address on a port.
pub(super) fn is_registered(
    istio: &Istio<'_>,
    scope: &Scope<'_>,
    namespace: &str,
    (host, address): (Option<&str>, Option<IpAddr>),
    port: u16,
) -> Truth {
    Truth::any(istio.service_entries.iter().map(|entry| {
        let to = texts(entry.at("/spec/exportTo"));
        let is_seen = to.is_empty() || is_exported(&to, entry.namespace(), namespace);
        let mut ports = entry.items("/spec/ports").iter();
        let has_port = ports.any(|own| number(&own["number"]) == Some(port));
        if !is_seen || !has_port {
            return Truth::No;
        }
        let hosts = texts(entry.at("/spec/hosts"));
        let by_name = host.is_some_and(|host| {
            let mut hosts = hosts.iter();
            hosts.any(|own| is_host(own, host) && scope.imports(entry.namespace(), own, port))
        });
        let imported = hosts
            .iter()
            .any(|own| scope.imports(entry.namespace(), own, port));
        let addresses = texts(entry.at("/spec/addresses"));
        let endpoints = entry.items("/spec/endpoints").iter();
        let endpoints = endpoints.filter_map(|one| one["address"].as_str());
        let blocks: Vec<&str> = addresses.iter().copied().chain(endpoints).collect();
        let by_address = match address {
            Some(address) if imported => within(&blocks, Some(address), ""),
            _ => Truth::No,
        };
        // Without addresses a TCP port is taken for every destination.
        let is_open = imported && host.is_none() && addresses.is_empty() && takes_all(entry, port);
        Truth::from(by_name).or(by_address).or(is_open.into())
    }))
}

fn takes_all(entry: &Object<'_>, port: u16) -> bool {
    let ports = items(entry.at("/spec/ports")).iter();
    let mut own = ports.filter(|own| number(&own["number"]) == Some(port));
    own.any(|own| {
        own["protocol"]
            .as_str()
            .is_some_and(|name| name.eq_ignore_ascii_case("tcp"))
    })
}
