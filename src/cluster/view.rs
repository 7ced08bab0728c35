//! The view itself.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{ConfigMap, Event, Namespace, Node, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass, NetworkPolicy, ServiceCIDR};
use k8s_openapi::jiff::Timestamp;
use serde::Serialize;

use super::gateway_api::{GatewayApi, SecretForm};
use super::{Facts, ObjectRef, Pod, Resource, Table, Workload};

/// Everything that was read of a cluster, and what was not.
#[derive(Debug, Clone, Default)]
pub struct ClusterView {
    pub provenance: Provenance,
    /// `v1.36.2`, where the server or the snapshot said so.
    pub server_version: Option<String>,
    /// When it was read: recent is what happened shortly before.
    pub taken_at: Option<Timestamp>,
    pub pods: Table<Pod>,
    pub services: Table<Service>,
    pub namespaces: Table<Namespace>,
    pub nodes: Table<Node>,
    pub config_maps: Table<ConfigMap>,
    pub events: Table<Event>,
    pub endpoint_slices: Table<EndpointSlice>,
    pub network_policies: Table<NetworkPolicy>,
    pub ingresses: Table<Ingress>,
    pub ingress_classes: Table<IngressClass>,
    pub service_cidrs: Table<ServiceCIDR>,
    pub gateway_api: GatewayApi,
    /// Secrets that stood in a file of manifests, without what they hold.
    pub secrets: Table<SecretForm>,
    /// What makes pods, by its kind.
    pub workloads: BTreeMap<Resource, Table<Workload>>,
    /// Objects of custom resources, as they were read.
    pub custom: BTreeMap<Resource, Table<serde_json::Value>>,
    pub facts: Facts,
    /// What was asked for and could not be read.
    pub unread: Vec<Unread>,
    /// Objects that were read but not understood.
    pub rejected: Vec<Rejected>,
    /// The API groups a live server has.
    pub api_groups: BTreeSet<String>,
    /// Lists of a live server that were read whole; an empty namespace stands for all of them.
    whole: BTreeSet<(Resource, String)>,
}

/// Where a view comes from, which says what the absence of an object means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Provenance {
    /// Read from an API server, only what the question needs.
    Live,
    /// A recording of a running cluster: what is not in it did not exist, unless listed as unread.
    #[default]
    Snapshot,
    /// Manifests as in a Git repository: no nodes, no addresses, no cluster services.
    Manifests,
}

/// Something that was asked for and not given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unread {
    /// `networkpolicies in data`
    pub what: String,
    /// `forbidden`, `timed out` …
    pub why: String,
    /// The grant or the step that would settle it.
    pub grant: String,
    #[serde(skip)]
    pub resource: Option<Resource>,
    /// The namespace it concerns; empty for all of them.
    #[serde(skip)]
    pub namespace: String,
}

/// An object that was read and could not be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    pub object: ObjectRef,
    pub resource: Option<Resource>,
    pub why: String,
}

// === impl ClusterView ===

impl ClusterView {
    /// Whether nothing at all was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pods.is_empty()
            && self.services.is_empty()
            && self.namespaces.is_empty()
            && self.nodes.is_empty()
            && self.config_maps.is_empty()
            && self.events.is_empty()
            && self.endpoint_slices.is_empty()
            && self.network_policies.is_empty()
            && self.ingresses.is_empty()
            && self.ingress_classes.is_empty()
            && self.service_cidrs.is_empty()
            && self.gateway_api.is_empty()
            && self.workloads.is_empty()
            && self.custom.is_empty()
            && self.facts.nodes.is_empty()
            && self.facts.pods.is_empty()
    }

    /// The workload of that kind and name.
    #[must_use]
    pub fn workload(&self, kind: Resource, namespace: &str, name: &str) -> Option<&Workload> {
        self.workloads.get(&kind)?.get(namespace, name)
    }

    /// The workloads of one kind.
    pub fn workloads_of(&self, kind: Resource) -> impl Iterator<Item = &Workload> {
        self.workloads.get(&kind).into_iter().flat_map(Table::iter)
    }

    /// The workloads of one kind in a namespace.
    pub fn workloads_in(&self, kind: Resource, namespace: &str) -> impl Iterator<Item = &Workload> {
        let table = self.workloads.get(&kind).into_iter();
        table.flat_map(|table| table.in_namespace(namespace))
    }

    /// Notes that a list was read whole.
    pub fn mark_whole(&mut self, resource: Resource, namespace: Option<&str>) {
        let namespace = namespace.unwrap_or_default().to_owned();
        self.whole.insert((resource, namespace));
    }

    /// Whether every object of a resource in a namespace is in the view, so that one that is not
    /// does not exist. A recording and manifests hold all there is; a live view what was asked for.
    #[must_use]
    pub fn holds_all(&self, resource: Resource, namespace: &str) -> bool {
        if self.provenance != Provenance::Live {
            return self.unread(resource, namespace).is_none();
        }
        let is_whole = |namespace: &str| self.whole.contains(&(resource, namespace.to_owned()));
        is_whole("") || is_whole(namespace)
    }

    /// Whether it holds what somebody plans, not what a cluster runs.
    #[must_use]
    pub fn is_planned(&self) -> bool {
        self.provenance == Provenance::Manifests
    }

    /// The objects of a custom resource.
    pub fn custom(&self, resource: Resource) -> impl Iterator<Item = &serde_json::Value> {
        self.custom.get(&resource).into_iter().flat_map(Table::iter)
    }

    /// Why a resource could not be read in a namespace, if it could not.
    #[must_use]
    pub fn unread(&self, resource: Resource, namespace: &str) -> Option<&Unread> {
        self.unread.iter().find(|unread| {
            unread.resource == Some(resource)
                && (unread.namespace.is_empty() || unread.namespace == namespace)
        })
    }

    /// The labels of a namespace. Every namespace carries `kubernetes.io/metadata.name`, also where
    /// a manifest leaves it out or the namespace has no object at all (KEP-2161).
    #[must_use]
    pub fn namespace_labels(&self, namespace: &str) -> BTreeMap<String, String> {
        let mut labels = self
            .namespaces
            .get("", namespace)
            .and_then(|object| object.metadata.labels.clone())
            .unwrap_or_default();
        labels.insert(
            "kubernetes.io/metadata.name".to_owned(),
            namespace.to_owned(),
        );
        labels
    }
}

// === impl Unread ===

impl Unread {
    /// An entry of a recorded list. `networkpolicies.networking.k8s.io in data` names its resource
    /// and namespace again.
    #[must_use]
    pub fn recorded(what: String, why: String, grant: String) -> Self {
        let (name, namespace) = what.split_once(" in ").unwrap_or((&what, ""));
        let resource = Resource::ALL
            .iter()
            .copied()
            .find(|resource| resource.qualified() == name || resource.plural() == name);
        let namespace = namespace.to_owned();
        Self {
            what,
            why,
            grant,
            resource,
            namespace,
        }
    }
}
