//! What CoreDNS knows of the objects, built anew when they change.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Namespace, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use parking_lot::Mutex;

use crate::store::Store;

/// The names of a cluster.
#[derive(Debug, Default)]
pub struct Index {
    pub namespaces: BTreeSet<String>,
    /// By `(namespace, name)`.
    pub services: BTreeMap<(String, String), NameEntry>,
}

/// A Service as DNS sees it.
#[derive(Debug, Default)]
pub struct NameEntry {
    /// ClusterIPs; empty for a headless Service.
    pub addresses: Vec<IpAddr>,
    pub external: Option<String>,
    /// Port name, protocol in lower case, number.
    pub ports: Vec<(String, String, u16)>,
    /// Ready endpoints of a headless Service.
    pub endpoints: Vec<Endpoint>,
}

/// An endpoint of a headless Service.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub address: IpAddr,
    /// Its own name below the Service: the pod's hostname, or the address with dashes.
    pub name: String,
    pub ports: Vec<(String, String, u16)>,
}

/// Where the index comes from.
pub struct Source {
    store: Arc<Store>,
    cached: Mutex<Option<(u64, Arc<Index>)>>,
}

// === impl Source ===

impl Source {
    pub const fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            cached: Mutex::new(None),
        }
    }

    /// The names as of now.
    pub fn index(&self) -> Arc<Index> {
        let revision = *self.store.subscribe().borrow();
        let mut cached = self.cached.lock();
        match &*cached {
            Some((at, index)) if *at == revision => index.clone(),
            _ => {
                let index = Arc::new(Index::build(&self.store));
                *cached = Some((revision, index.clone()));
                index
            }
        }
    }
}

// === impl Index ===

impl Index {
    fn build(store: &Store) -> Self {
        let namespaces: Vec<Namespace> = store.typed("", "namespaces");
        let mut index = Self {
            namespaces: namespaces
                .into_iter()
                .filter_map(|one| one.metadata.name)
                .collect(),
            services: BTreeMap::new(),
        };
        for service in store.typed::<Service>("", "services") {
            let meta = service.metadata;
            let key = (
                meta.namespace.unwrap_or_default(),
                meta.name.unwrap_or_default(),
            );
            let spec = service.spec.unwrap_or_default();
            let listed = spec
                .cluster_ips
                .unwrap_or_else(|| spec.cluster_ip.into_iter().collect());
            let external = spec
                .external_name
                .filter(|_| spec.type_.as_deref() == Some("ExternalName"));
            let ports = spec.ports.into_iter().flatten().filter_map(|port| {
                let protocol = port
                    .protocol
                    .unwrap_or_else(|| "TCP".to_owned())
                    .to_lowercase();
                Some((
                    port.name.unwrap_or_default(),
                    protocol,
                    u16::try_from(port.port).ok()?,
                ))
            });
            let entry = NameEntry {
                addresses: listed.iter().filter_map(|text| text.parse().ok()).collect(),
                external,
                ports: ports.collect(),
                endpoints: Vec::new(),
            };
            index.services.insert(key, entry);
        }
        for slice in store.typed::<EndpointSlice>("discovery.k8s.io", "endpointslices") {
            index.add_slice(slice);
        }
        index
    }

    fn add_slice(&mut self, slice: EndpointSlice) {
        let labels = slice.metadata.labels.unwrap_or_default();
        let Some(service) = labels.get("kubernetes.io/service-name") else {
            return;
        };
        let key = (
            slice.metadata.namespace.unwrap_or_default(),
            service.clone(),
        );
        let Some(entry) = self
            .services
            .get_mut(&key)
            .filter(|entry| entry.addresses.is_empty())
        else {
            return;
        };
        let ports = slice.ports.iter().flatten().filter_map(|port| {
            let protocol = port
                .protocol
                .clone()
                .unwrap_or_else(|| "TCP".to_owned())
                .to_lowercase();
            Some((
                port.name.clone().unwrap_or_default(),
                protocol,
                u16::try_from(port.port?).ok()?,
            ))
        });
        let ports: Vec<_> = ports.collect();
        for one in slice.endpoints.into_iter().flatten() {
            let ready = one
                .conditions
                .as_ref()
                .and_then(|conditions| conditions.ready)
                .unwrap_or(true);
            for address in one.addresses.iter().filter(|_| ready) {
                let Ok(parsed) = address.parse() else {
                    continue;
                };
                let name = one
                    .hostname
                    .clone()
                    .unwrap_or_else(|| address.replace(['.', ':'], "-"));
                entry.endpoints.push(Endpoint {
                    address: parsed,
                    name,
                    ports: ports.clone(),
                });
            }
        }
    }
}
