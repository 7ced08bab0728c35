//! Where a probe runs.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cluster::{Named, Pod};
use crate::resolve::Site;

/// A network namespace that questions are asked from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Vantage {
    Pod { namespace: String, name: String },
    Node(String),
}

// === impl Vantage ===

impl Vantage {
    /// The network namespace of a pod.
    #[must_use]
    pub fn of_pod(pod: &Pod) -> Self {
        Self::Pod {
            namespace: pod.namespace().to_owned(),
            name: pod.name().to_owned(),
        }
    }

    /// Where a site's own packets start, if that is a place in the cluster. The network of a node is
    /// only entered when the nodes are looked into.
    #[must_use]
    pub fn of_site(site: Site<'_>) -> Option<Self> {
        match site {
            Site::Pod(pod) => Some(Self::of_pod(pod)),
            Site::Node(node) => Some(Self::Node(node.name().to_owned())),
            Site::Address(_) | Site::Outside(_) => None,
        }
    }
}

impl fmt::Display for Vantage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pod { namespace, name } => write!(f, "pod {namespace}/{name}"),
            Self::Node(name) => write!(f, "node {name}"),
        }
    }
}
