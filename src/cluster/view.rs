//! The view itself.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, Endpoints, Event, Namespace, Node, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass, NetworkPolicy, ServiceCIDR};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use serde::Serialize;

use super::gateway_api::{GatewayApi, SecretForm};
use super::{Coverage, Facts, Named, ObjectRef, Pod, Resource, Selector, Table, Workload};

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
    /// What somebody wrote by hand before there were slices; a live server mirrors them itself.
    pub endpoints: Table<Endpoints>,
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
    /// The API groups a live server has, each with its versions, preferred one first.
    pub api_groups: BTreeMap<String, Vec<String>>,
    /// What was asked, where that was not everything.
    coverage: Option<Coverage>,
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
    /// Its API group; empty for what is no object of Kubernetes.
    pub group: String,
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
            && self.endpoints.is_empty()
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

    /// From here on it holds what was asked for, and no more.
    pub fn cover(&mut self, coverage: Coverage) {
        self.coverage = Some(coverage);
    }

    /// What was asked, where that was not everything.
    #[must_use]
    pub const fn coverage(&self) -> Option<&Coverage> {
        self.coverage.as_ref()
    }

    /// Notes that a list was read whole.
    pub fn mark_whole(&mut self, resource: Resource, namespace: Option<&str>) {
        let namespace = namespace.unwrap_or_default().to_owned();
        let coverage = self.coverage.get_or_insert_default();
        coverage.lists.insert((resource, namespace));
    }

    /// Notes that an object does not exist.
    pub fn mark_absent(&mut self, resource: Resource, namespace: &str, name: &str) {
        let key = (resource, namespace.to_owned(), name.to_owned());
        self.coverage.get_or_insert_default().absent.insert(key);
    }

    /// Notes that no object of any namespace has these labels.
    pub fn mark_unmet(&mut self, resource: Resource, labels: &str) {
        let key = (resource, labels.to_owned());
        self.coverage.get_or_insert_default().unmet.insert(key);
    }

    /// Whether certainly no pod anywhere has these labels.
    #[must_use]
    pub fn has_no_pod(&self, selector: &Selector) -> bool {
        let key = (Resource::Pods, selector.to_string());
        let is_unmet = self
            .coverage
            .as_ref()
            .is_some_and(|coverage| coverage.unmet.contains(&key));
        let is_here = || self.pods.iter().any(|pod| selector.matches(pod.labels()));
        is_unmet || self.holds_all(Resource::Pods, "") && !is_here()
    }

    /// Whether every object of a resource in a namespace is in the view, so that one that is not
    /// does not exist. A whole recording and manifests hold all there is; a live view, and a capture of
    /// one path, what was asked for.
    #[must_use]
    pub fn holds_all(&self, resource: Resource, namespace: &str) -> bool {
        let is_unread = |unread: &Unread| {
            unread.resource == Some(resource)
                && (unread.namespace.is_empty()
                    || namespace.is_empty()
                    || unread.namespace == namespace)
        };
        if self.unread.iter().any(is_unread) {
            return false;
        }
        self.coverage.as_ref().is_none_or(|coverage| {
            let is_whole =
                |namespace: &str| coverage.lists.contains(&(resource, namespace.to_owned()));
            is_whole("") || is_whole(namespace)
        })
    }

    /// Whether an object certainly does not exist, and is not only not in the view.
    #[must_use]
    pub fn lacks(&self, resource: Resource, namespace: &str, name: &str) -> bool {
        let key = (resource, namespace.to_owned(), name.to_owned());
        let coverage = self.coverage.as_ref();
        coverage.is_some_and(|coverage| coverage.absent.contains(&key))
            || self.holds_all(resource, namespace)
    }

    /// Whether it holds what somebody plans, not what a cluster runs.
    #[must_use]
    pub fn is_planned(&self) -> bool {
        self.provenance == Provenance::Manifests
    }

    /// The metadata of an object, whatever its kind.
    #[must_use]
    pub fn meta_of(&self, object: &ObjectRef) -> Option<ObjectMeta> {
        fn of<T: Named>(table: &Table<T>, object: &ObjectRef) -> Option<ObjectMeta> {
            let found = table.get(&object.namespace, &object.name)?;
            Some(found.meta().clone())
        }
        let found = match object.kind.as_str() {
            "Pod" => of(&self.pods, object),
            "Service" => of(&self.services, object),
            "Namespace" => of(&self.namespaces, object),
            "Node" => of(&self.nodes, object),
            "ConfigMap" => of(&self.config_maps, object),
            "EndpointSlice" => of(&self.endpoint_slices, object),
            "Endpoints" => of(&self.endpoints, object),
            "NetworkPolicy" => of(&self.network_policies, object),
            "Ingress" => of(&self.ingresses, object),
            _ => None,
        };
        let of_kind = |resource: &Resource| resource.kind() == object.kind;
        let workload = || {
            let mut tables = self
                .workloads
                .iter()
                .filter(|(resource, _)| of_kind(resource));
            tables.find_map(|(_, table)| of(table, object))
        };
        let custom = || {
            let mut tables = self.custom.iter().filter(|(resource, _)| of_kind(resource));
            let found = tables.find_map(|(_, table)| table.get(&object.namespace, &object.name))?;
            serde_json::from_value(found.get("metadata")?.clone()).ok()
        };
        found.or_else(workload).or_else(custom)
    }

    /// Whether it holds policies of another dialect than Kubernetes' own.
    #[must_use]
    pub fn has_dialects(&self) -> bool {
        let mut dialects = Resource::POLICY_DIALECTS.iter();
        dialects.any(|resource| self.custom(*resource).next().is_some())
    }

    /// Whether the server may have an API group: a recording that does not list its groups may have any.
    #[must_use]
    pub fn may_have_group(&self, group: &str) -> bool {
        self.api_groups.is_empty() || self.api_groups.contains_key(group)
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
        let resource = Resource::named(name);
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
