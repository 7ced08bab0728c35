//! From JSON objects to a view. Nothing is lost silently: what cannot be understood is listed.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{ClusterView, Named, ObjectRef, Pod, Provenance, Rejected, Resource, Scope, Table};

/// Collects objects into a [`ClusterView`].
#[derive(Debug, Default)]
pub struct Builder {
    view: ClusterView,
}

// === impl Builder ===

impl Builder {
    /// Goes on from a view that holds something already.
    #[must_use]
    pub const fn from_view(view: ClusterView) -> Self {
        Self { view }
    }

    /// Adds an object, or every item of a List. Kinds netpath has no use for are passed over;
    /// objects it cannot understand go to [`ClusterView::rejected`].
    pub fn add(&mut self, object: Value) {
        let kind = text(&object, "kind").to_owned();
        if kind.ends_with("List") && object.get("items").is_some_and(Value::is_array) {
            self.add_list(object, kind.trim_end_matches("List"));
            return;
        }
        match Resource::of(text(&object, "apiVersion"), &kind) {
            Some(resource) => self.add_as(resource, object),
            None if kind.is_empty() && !object.is_null() => {
                let why = "neither kind nor apiVersion: not a Kubernetes object".to_owned();
                self.reject(None, reference(None, &object), why);
            }
            None => {}
        }
    }

    /// Adds the items of a list whose items need not repeat their kind, as the API server answers.
    fn add_list(&mut self, mut list: Value, item_kind: &str) {
        let api_version = text(&list, "apiVersion").to_owned();
        let Some(Value::Array(items)) = list.get_mut("items").map(Value::take) else {
            return;
        };
        for mut item in items {
            if item.get("kind").is_none()
                && !item_kind.is_empty()
                && let Some(fields) = item.as_object_mut()
            {
                fields.insert("kind".to_owned(), item_kind.into());
                fields.insert("apiVersion".to_owned(), api_version.clone().into());
            }
            self.add(item);
        }
    }

    /// Adds an object of a known resource.
    pub fn add_as(&mut self, resource: Resource, object: Value) {
        let named = reference(Some(resource), &object);
        let view = &mut self.view;
        let outcome = match resource {
            Resource::Pods => typed(&mut view.pods, &named, object),
            Resource::Services => typed(&mut view.services, &named, object),
            Resource::Namespaces => typed(&mut view.namespaces, &named, object),
            Resource::Nodes => typed(&mut view.nodes, &named, object),
            Resource::ConfigMaps => typed(&mut view.config_maps, &named, object),
            Resource::Events => typed(&mut view.events, &named, object),
            Resource::EndpointSlices => typed(&mut view.endpoint_slices, &named, object),
            Resource::NetworkPolicies => typed(&mut view.network_policies, &named, object),
            Resource::Ingresses => typed(&mut view.ingresses, &named, object),
            Resource::IngressClasses => typed(&mut view.ingress_classes, &named, object),
            Resource::ServiceCidrs => typed(&mut view.service_cidrs, &named, object),
            Resource::Deployments
            | Resource::ReplicaSets
            | Resource::StatefulSets
            | Resource::DaemonSets
            | Resource::Jobs
            | Resource::CronJobs => {
                let table = view.workloads.entry(resource).or_default();
                typed(table, &named, object)
            }
            _ => {
                let table = view.custom.entry(resource).or_default();
                table.insert(named.namespace, named.name, object);
                return;
            }
        };
        if let Err(why) = outcome {
            self.reject(Some(resource), named, why);
        }
    }

    fn reject(&mut self, resource: Option<Resource>, object: ObjectRef, why: String) {
        self.view.rejected.push(Rejected {
            object,
            resource,
            why,
        });
    }

    /// The view being built, for what is not an object: facts, versions, unread things.
    pub const fn view(&mut self) -> &mut ClusterView {
        &mut self.view
    }

    /// The finished view.
    #[must_use]
    pub fn finish(mut self) -> ClusterView {
        if self.view.provenance == Provenance::Snapshot && !shows_a_running_cluster(&self.view) {
            self.view.provenance = Provenance::Manifests;
        }
        self.view
    }
}

/// Manifests name no node, give no pod an address and hold no controller-made slice.
fn shows_a_running_cluster(view: &ClusterView) -> bool {
    let has_address = |pod: &Pod| {
        pod.status
            .as_ref()
            .is_some_and(|status| status.phase.is_some())
    };
    !view.nodes.is_empty() || view.pods.iter().any(has_address) || !view.facts.nodes.is_empty()
}

/// Reads one object into its table. The later of two objects of one name wins, as with
/// `kubectl apply`.
///
/// Everything is read out of an owned [`Value`]: its strings move instead of being copied, and there is
/// one instance of serde's code for each type.
fn typed<T>(table: &mut Table<T>, named: &ObjectRef, object: Value) -> Result<(), String>
where
    T: DeserializeOwned + Named,
{
    let mut typed: T = serde_json::from_value(object).map_err(|error| error.to_string())?;
    if named.name.is_empty() {
        return Err("metadata.name is missing".to_owned());
    }
    let meta = typed.meta_mut();
    meta.managed_fields = None;
    if !named.namespace.is_empty() {
        meta.namespace = Some(named.namespace.clone());
    }
    table.insert(named.namespace.clone(), named.name.clone(), typed);
    Ok(())
}

/// Names an object; one without a namespace lives in `default`, as kubectl reads a manifest.
fn reference(resource: Option<Resource>, object: &Value) -> ObjectRef {
    let meta = object.get("metadata");
    let field = |name| meta.map_or("", |meta| text(meta, name)).to_owned();
    let namespace = match resource.map(Resource::scope) {
        Some(Scope::Cluster) => String::new(),
        Some(Scope::Namespaced) if field("namespace").is_empty() => "default".to_owned(),
        _ => field("namespace"),
    };
    // Items of a list and metadata-only answers do not carry the kind they are.
    let kind = resource.map_or_else(|| text(object, "kind"), |resource| resource.kind());
    ObjectRef::new(kind, namespace, field("name"))
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
}
