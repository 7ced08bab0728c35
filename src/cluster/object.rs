//! Naming one object.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kind, namespace and name of one object; the namespace is empty for cluster-wide kinds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectRef {
    pub kind: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    pub name: String,
}

// === impl ObjectRef ===

impl ObjectRef {
    /// Names an object in a namespace.
    pub fn new(
        kind: impl Into<String>,
        namespace: impl Into<String>,
        name: impl Into<String>,
    ) -> Self {
        Self {
            kind: kind.into(),
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// Names a cluster-wide object.
    pub fn cluster_wide(kind: impl Into<String>, name: impl Into<String>) -> Self {
        Self::new(kind, "", name)
    }
}

/// `Service/shop/api`, or `Node/node1` where there is no namespace.
impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{}/{}", self.kind, self.name)
        } else {
            write!(f, "{}/{}/{}", self.kind, self.namespace, self.name)
        }
    }
}
