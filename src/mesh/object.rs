//! One custom object, read field by field.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde::Deserialize;
use serde_json::Value;

use crate::cluster::{ClusterView, ObjectRef, Resource, Selector};
use crate::policy::{Doubt, PolicyRef, Truth};

static NOTHING: Value = Value::Null;

/// An object of a mesh, as it was read.
#[derive(Debug, Clone, Copy)]
pub struct Object<'v> {
    pub resource: Resource,
    pub value: &'v Value,
}

// === impl Object ===

impl<'v> Object<'v> {
    /// Every object of a resource, oldest first: where only one of several counts, it is the oldest.
    #[must_use]
    pub fn all(view: &'v ClusterView, resource: Resource) -> Vec<Self> {
        let objects = view.custom(resource).map(|value| Self { resource, value });
        // One of a version that is not understood leaves open whatever it bears on.
        let mut all: Vec<Self> = objects.filter(Self::is_understood).collect();
        all.sort_by_key(|object| {
            (
                object.meta("creationTimestamp"),
                object.name(),
                object.namespace(),
            )
        });
        all
    }

    /// The field at a path, as `/spec/selector`; null where there is none.
    #[must_use]
    pub fn at(&self, pointer: &str) -> &'v Value {
        self.value.pointer(pointer).unwrap_or(&NOTHING)
    }

    /// The text at a path; empty where there is none.
    #[must_use]
    pub fn text(&self, pointer: &str) -> &'v str {
        self.at(pointer).as_str().unwrap_or_default()
    }

    /// The items of the list at a path.
    #[must_use]
    pub fn items(&self, pointer: &str) -> &'v [Value] {
        items(self.at(pointer))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'v str {
        self.meta("name")
    }

    /// Its namespace; one that a manifest leaves out is `default`.
    #[must_use]
    pub fn namespace(&self) -> &'v str {
        match self.meta("namespace") {
            "" => "default",
            namespace => namespace,
        }
    }

    /// One of its annotations.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&'v str> {
        self.value["metadata"]["annotations"][key].as_str()
    }

    /// Its labels.
    #[must_use]
    pub fn labels(&self) -> BTreeMap<String, String> {
        labels(&self.value["metadata"]["labels"])
    }

    /// Names it.
    #[must_use]
    pub fn reference(&self) -> ObjectRef {
        ObjectRef::new(self.resource.kind(), self.namespace(), self.name())
    }

    /// That a field of it is not understood.
    #[must_use]
    pub fn not_understood(&self, field: &str, why: &str) -> Doubt {
        Doubt::NotUnderstood {
            policy: PolicyRef::new(self.resource, self.namespace(), self.name()),
            field: field.to_owned(),
            why: why.to_owned(),
        }
    }

    /// Whether the label selector at a path fits; one that is not there, or empty, fits all.
    #[must_use]
    pub fn selects(&self, pointer: &str, labels: &BTreeMap<String, String>) -> Truth {
        let value = self.at(pointer);
        if value.is_null() {
            return Truth::Yes;
        }
        let selector = LabelSelector::deserialize(value).map_err(|error| error.to_string());
        let selector = selector.and_then(|selector| {
            Selector::from_label_selector(&selector).map_err(|bad| bad.to_string())
        });
        match selector {
            Ok(selector) => selector.matches(labels).into(),
            Err(why) => Truth::Maybe(self.not_understood(&dotted(pointer), &why)),
        }
    }

    /// Whether its version has the form that is read here.
    fn is_understood(&self) -> bool {
        let version = self.value["apiVersion"].as_str().unwrap_or_default();
        let version = version.rsplit('/').next().unwrap_or_default();
        let known = self.resource.alike_versions();
        known.is_empty() || known.contains(&version)
    }

    fn meta(&self, field: &str) -> &'v str {
        self.value["metadata"][field].as_str().unwrap_or_default()
    }
}

/// The items of a list.
pub(super) fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The texts of a list.
pub(super) fn texts(value: &Value) -> Vec<&str> {
    items(value).iter().filter_map(Value::as_str).collect()
}

/// A map of texts.
pub(super) fn labels(value: &Value) -> BTreeMap<String, String> {
    let fields = value.as_object().into_iter().flatten();
    fields
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// A port number.
pub(super) fn number(value: &Value) -> Option<u16> {
    value.as_u64().and_then(|number| u16::try_from(number).ok())
}

/// `/spec/podSelector` as `spec.podSelector`.
fn dotted(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}

/// The API groups of Istio and of Linkerd, by how they end.
pub(super) const ISTIO: &str = ".istio.io";
pub(super) const LINKERD: &str = "linkerd.io";

/// What of a mesh's objects could not be read for a namespace, or not understood.
pub(super) fn unread<'a>(
    view: &'a ClusterView,
    group: &'a str,
    namespace: &'a str,
) -> impl Iterator<Item = Doubt> + 'a {
    let is_of = move |resource: Option<Resource>| {
        resource.is_some_and(|resource| resource.group().ends_with(group))
    };
    let unread = view.unread.iter().filter(move |unread| {
        is_of(unread.resource) && (unread.namespace.is_empty() || unread.namespace == namespace)
    });
    let unread = unread.map(|unread| Doubt::Unread {
        what: unread.what.clone(),
        why: unread.why.clone(),
        grant: unread.grant.clone(),
    });
    let unknown = view.rejected.iter().filter(move |rejected| {
        let own = rejected.group.as_str();
        own.ends_with(group) && ["", namespace].contains(&rejected.object.namespace.as_str())
    });
    let unknown = unknown.map(|rejected| {
        Doubt::Other(format!(
            "{} is not understood: {}",
            rejected.object, rejected.why
        ))
    });
    let foreign = Resource::MESHES
        .iter()
        .filter(move |resource| is_of(Some(**resource)));
    let foreign = foreign.flat_map(move |resource| {
        let objects = view.custom(*resource).map(move |value| Object {
            resource: *resource,
            value,
        });
        objects.filter(move |one| !one.is_understood() && one.namespace() == namespace)
    });
    let foreign = foreign.map(|one| {
        let version = one.text("/apiVersion");
        one.not_understood("apiVersion", &format!("{version} is not a known version"))
    });
    unread.chain(unknown).chain(foreign)
}
