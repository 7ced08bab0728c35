//! From JSON objects to a view. Nothing is lost silently: what cannot be understood is listed.

use std::fmt::Display;

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::gateway_api::GatewayApi;
use super::{
    ClusterView, Named, ObjectRef, Pod, Provenance, Rejected, Resource, Scope, Table, mirror,
};

/// How the API groups of meshes end.
const MESH_GROUPS: [&str; 2] = [".istio.io", "linkerd.io"];

/// Kinds of meshes that decide nothing about a connection inside the cluster: telemetry, settings of
/// proxies, limits, machines outside, links to other clusters.
const HARMLESS: [&str; 14] = [
    "Telemetry",
    "ProxyConfig",
    "WorkloadGroup",
    "WorkloadEntry",
    "Gateway",
    "RequestAuthentication",
    "IstioOperator",
    "Istio",
    "ServiceProfile",
    "HTTPLocalRateLimitPolicy",
    "HttpLocalRateLimitPolicy",
    "ExternalWorkload",
    "Link",
    "CustomResourceDefinition",
];

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

    /// Adds an object or a List from its JSON text, read straight into its type.
    pub fn add_json(&mut self, text: &str) {
        self.add_raw(text, None);
    }

    /// `of_list` is what the items of a list are that need not repeat it: `apiVersion` and kind.
    fn add_raw(&mut self, text: &str, of_list: Option<(&str, &str)>) {
        let Some(header) = Header::of(text) else {
            // Fields of another form than any object has: read as values, it says what is wrong.
            return self.add(serde_json::from_str(text).unwrap_or_default());
        };
        let (version, kind) = match (&header.kind, of_list) {
            (None, Some(of_list)) => of_list,
            (kind, _) => (
                header.api_version.as_deref().unwrap_or_default(),
                kind.as_deref().unwrap_or_default(),
            ),
        };
        if let (Some(items), Some(item_kind)) = (&header.items, kind.strip_suffix("List")) {
            let of_list = (!item_kind.is_empty()).then_some((version, item_kind));
            for item in items {
                self.add_raw(item.get(), of_list);
            }
            return;
        }
        let Some(resource) = Resource::of(version, kind) else {
            if (version, kind) == ("v1", "Secret") {
                let mut reader = serde_json::Deserializer::from_str(text);
                self.secret(header.reference(None, kind), &mut reader);
            } else if kind.is_empty() {
                self.reject_stranger(header.reference(None, kind));
            } else {
                self.note_unknown(version, header.reference(None, kind));
            }
            return;
        };
        let named = header.reference(Some(resource), kind);
        let mut reader = serde_json::Deserializer::from_str(text);
        self.read(resource, named, &mut reader);
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
            None if kind == "Secret" && text(&object, "apiVersion") == "v1" => {
                let named = reference(None, &object);
                self.secret(named, object);
            }
            None if kind.is_empty() && !object.is_null() => {
                self.reject_stranger(reference(None, &object));
            }
            None => self.note_unknown(text(&object, "apiVersion"), reference(None, &object)),
        }
    }

    /// Notes that a Secret is there, and in which form. One that cannot be read is as good as none.
    fn secret<'de, D>(&mut self, named: ObjectRef, object: D)
    where
        D: Deserializer<'de>,
        D::Error: Display,
    {
        let namespace = match named.namespace.as_str() {
            "" => "default".to_owned(),
            _ => named.namespace,
        };
        let named = ObjectRef { namespace, ..named };
        let _ = typed(&mut self.view.secrets, &named, object);
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
        self.read(resource, named, object);
    }

    fn read<'de, D>(&mut self, resource: Resource, named: ObjectRef, object: D)
    where
        D: Deserializer<'de>,
        D::Error: Display,
    {
        let view = &mut self.view;
        let outcome = match resource {
            Resource::Pods => typed(&mut view.pods, &named, object),
            Resource::Services => typed(&mut view.services, &named, object),
            Resource::Namespaces => typed(&mut view.namespaces, &named, object),
            Resource::Nodes => typed(&mut view.nodes, &named, object),
            Resource::ConfigMaps => typed(&mut view.config_maps, &named, object),
            Resource::Events => typed(&mut view.events, &named, object),
            Resource::EndpointSlices => typed(&mut view.endpoint_slices, &named, object),
            Resource::Endpoints => typed(&mut view.endpoints, &named, object),
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
            other if Resource::GATEWAY_API.contains(&other) => Value::deserialize(object)
                .map_err(|error| reason(&error))
                .and_then(|object| {
                    gateway_api(&mut view.gateway_api, other, &named, without_nulls(object))
                }),
            _ => Value::deserialize(object)
                .map(|object| {
                    let table = view.custom.entry(resource).or_default();
                    table.insert(named.namespace.clone(), named.name.clone(), object);
                })
                .map_err(|error| reason(&error)),
        };
        if let Err(why) = outcome {
            self.reject(Some(resource), resource.group(), named, why);
        }
    }

    fn reject_stranger(&mut self, object: ObjectRef) {
        let why = "neither kind nor apiVersion: not a Kubernetes object".to_owned();
        self.reject(None, "", object, why);
    }

    /// Notes an object of a mesh whose kind is not known: it may change what happens to connections.
    fn note_unknown(&mut self, api_version: &str, object: ObjectRef) {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        let is_of_mesh = MESH_GROUPS.iter().any(|ending| group.ends_with(ending));
        if is_of_mesh && !HARMLESS.contains(&object.kind.as_str()) {
            let why = format!("{} of {group} is no kind this program knows", object.kind);
            self.reject(None, group, object, why);
        }
    }

    fn reject(&mut self, resource: Option<Resource>, group: &str, object: ObjectRef, why: String) {
        self.view.rejected.push(Rejected {
            object,
            group: group.to_owned(),
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
        if self.view.provenance != Provenance::Live {
            mirror::mirror(&mut self.view);
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
fn typed<'de, T, D>(table: &mut Table<T>, named: &ObjectRef, object: D) -> Result<(), String>
where
    T: Deserialize<'de> + Named,
    D: Deserializer<'de>,
    D::Error: Display,
{
    let mut typed = T::deserialize(object).map_err(|error| reason(&error))?;
    if named.name.is_empty() {
        return Err("metadata.name is missing".to_owned());
    }
    let meta = typed.meta_mut();
    // Which tools wrote it is worth knowing; which of its fields they wrote is most of an object.
    for entry in meta.managed_fields.iter_mut().flatten() {
        (entry.fields_v1, entry.time) = (None, None);
    }
    if !named.namespace.is_empty() {
        meta.namespace = Some(named.namespace.clone());
    }
    table.insert(named.namespace.clone(), named.name.clone(), typed);
    Ok(())
}

/// Why an object could not be read. The place in its JSON text is none that the reader has before them.
fn reason(error: &impl Display) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    text[..end].to_owned()
}

/// What an object says of itself, before anything else of it is read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Header<'a> {
    api_version: Option<String>,
    kind: Option<String>,
    metadata: Option<HeaderMeta>,
    #[serde(borrow)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Debug, Deserialize)]
struct HeaderMeta {
    name: Option<String>,
    namespace: Option<String>,
}

// === impl Header ===

impl<'a> Header<'a> {
    /// None where a field has another form than any object gives it.
    pub(super) fn of(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Whether it names a version, as every object does.
    pub(super) const fn has_version(&self) -> bool {
        self.api_version.is_some()
    }

    fn reference(&self, resource: Option<Resource>, kind: &str) -> ObjectRef {
        let meta = self.metadata.as_ref();
        let name = meta.and_then(|meta| meta.name.as_deref());
        let namespace = meta.and_then(|meta| meta.namespace.as_deref());
        named(
            resource,
            kind,
            namespace.unwrap_or_default(),
            name.unwrap_or_default(),
        )
    }
}

/// Reads one object of the Gateway API into its table.
fn gateway_api(
    api: &mut GatewayApi,
    resource: Resource,
    named: &ObjectRef,
    object: Value,
) -> Result<(), String> {
    match resource {
        Resource::GatewayClasses => typed(&mut api.classes, named, object),
        Resource::Gateways => typed(&mut api.gateways, named, object),
        Resource::ListenerSets => typed(&mut api.listener_sets, named, object),
        Resource::HttpRoutes => typed(&mut api.http_routes, named, object),
        Resource::GrpcRoutes => typed(&mut api.grpc_routes, named, object),
        Resource::TlsRoutes => typed(&mut api.tls_routes, named, object),
        Resource::TcpRoutes => typed(&mut api.tcp_routes, named, object),
        Resource::UdpRoutes => typed(&mut api.udp_routes, named, object),
        Resource::ReferenceGrants => typed(&mut api.grants, named, object),
        _ => typed(&mut api.tls_policies, named, object),
    }
}

/// Leaves out what is null: Go prints empty lists and objects so, and means nothing by it.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(
                kept.map(|(name, value)| (name, without_nulls(value)))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

fn reference(resource: Option<Resource>, object: &Value) -> ObjectRef {
    let meta = object.get("metadata");
    let field = |name| meta.map_or("", |meta| text(meta, name));
    named(
        resource,
        text(object, "kind"),
        field("namespace"),
        field("name"),
    )
}

/// Names an object; one without a namespace lives in `default`, as kubectl reads a manifest.
fn named(resource: Option<Resource>, kind: &str, namespace: &str, name: &str) -> ObjectRef {
    let namespace = match resource.map(Resource::scope) {
        Some(Scope::Cluster) => "",
        Some(Scope::Namespaced) if namespace.is_empty() => "default",
        _ => namespace,
    };
    // Items of a list and metadata-only answers do not carry the kind they are.
    let kind = resource.map_or(kind, |resource| resource.kind());
    ObjectRef::new(kind, namespace, name)
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
}
