//! Objects of one kind, by namespace and name.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// Something with Kubernetes metadata.
pub trait Named {
    /// The object's metadata.
    fn meta(&self) -> &ObjectMeta;

    /// The same, to change it.
    fn meta_mut(&mut self) -> &mut ObjectMeta;

    /// The name; empty if the object has none.
    fn name(&self) -> &str {
        self.meta().name.as_deref().unwrap_or_default()
    }

    /// The namespace; empty for cluster-wide objects.
    fn namespace(&self) -> &str {
        self.meta().namespace.as_deref().unwrap_or_default()
    }
}

impl<T: k8s_openapi::Metadata<Ty = ObjectMeta>> Named for T {
    fn meta(&self) -> &ObjectMeta {
        self.metadata()
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.metadata_mut()
    }
}

/// Objects of one kind in the order of namespace and name. Cluster-wide objects have the empty
/// namespace.
#[derive(Debug, Clone)]
pub struct Table<T> {
    by_namespace: BTreeMap<String, BTreeMap<String, T>>,
}

// === impl Table ===

impl<T> Table<T> {
    /// The object of that namespace and name.
    #[must_use]
    pub fn get(&self, namespace: &str, name: &str) -> Option<&T> {
        self.by_namespace.get(namespace)?.get(name)
    }

    /// Adds an object; the older one of the same name is returned.
    pub fn insert(
        &mut self,
        namespace: impl Into<String>,
        name: impl Into<String>,
        object: T,
    ) -> Option<T> {
        self.by_namespace
            .entry(namespace.into())
            .or_default()
            .insert(name.into(), object)
    }

    /// Every object.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.by_namespace.values().flat_map(BTreeMap::values)
    }

    /// The objects of one namespace.
    pub fn in_namespace(&self, namespace: &str) -> impl Iterator<Item = &T> {
        self.by_namespace
            .get(namespace)
            .into_iter()
            .flat_map(BTreeMap::values)
    }

    /// The namespaces that hold at least one object.
    pub fn namespaces(&self) -> impl Iterator<Item = &str> {
        self.by_namespace.keys().map(String::as_str)
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_namespace.values().map(BTreeMap::len).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_namespace.is_empty()
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            by_namespace: BTreeMap::new(),
        }
    }
}
