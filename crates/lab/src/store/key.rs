//! The address of an object in the store.

use anyhow::{Context, Result};
use serde_json::Value;

use super::Registry;

/// Sorts as etcd sorts: by resource, then namespace, then name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub group: String,
    pub plural: String,
    /// Empty for cluster-wide objects.
    pub namespace: String,
    pub name: String,
}

// === impl Key ===

impl Key {
    pub fn new(group: &str, plural: &str, namespace: &str, name: &str) -> Self {
        Self {
            group: group.to_owned(),
            plural: plural.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    /// A pod's.
    pub fn pod(namespace: &str, name: &str) -> Self {
        Self::new("", "pods", namespace, name)
    }

    /// An object's own. One without a namespace lives in `default`, as kubectl reads manifests.
    pub fn of(registry: &Registry, object: &Value) -> Result<Self> {
        let word = |field: &str| object[field].as_str().unwrap_or_default();
        let (api_version, kind) = (word("apiVersion"), word("kind"));
        let known = registry
            .by_kind(api_version, kind)
            .with_context(|| format!("no resource for {api_version} {kind}"))?;
        let meta = &object["metadata"];
        let name = meta["name"]
            .as_str()
            .with_context(|| format!("a {kind} without metadata.name"))?;
        let namespace = match meta["namespace"].as_str() {
            _ if !known.namespaced => "",
            Some(namespace) => namespace,
            None => "default",
        };
        Ok(Self::new(&known.group, &known.plural, namespace, name))
    }

    /// `namespace/name`, or the name alone.
    pub fn path(&self) -> String {
        if self.namespace.is_empty() {
            self.name.clone()
        } else {
            format!("{}/{}", self.namespace, self.name)
        }
    }
}
