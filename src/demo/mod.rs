//! Snapshots built into the program: a small shop on two nodes, recorded from a real cluster, and
//! what somebody changed in it.

use crate::cluster::{Builder, ClusterView, snapshot};

/// One demonstration.
#[derive(Debug, Clone, Copy)]
pub struct Demo {
    pub name: &'static str,
    /// What one will see.
    pub about: &'static str,
    pub source: &'static str,
    pub destination: &'static str,
    /// What differs from the healthy world.
    changes: Option<&'static str>,
}

/// The namespace the demonstrations ask in.
pub const NAMESPACE: &str = "shop";

const WORLD: &str = include_str!("world.json");

/// Every demonstration, the most telling first.
pub const DEMOS: [Demo; 8] = [
    Demo {
        name: "locked-out",
        about: "a policy that allows another client only",
        source: "pod/client-1",
        destination: "svc/api",
        changes: Some(include_str!("locked-out.json")),
    },
    Demo {
        name: "healthy",
        about: "a path on which all is well",
        source: "pod/client-1",
        destination: "svc/api",
        changes: None,
    },
    Demo {
        name: "selector-typo",
        about: "a Service whose selector finds no pod",
        source: "pod/client-1",
        destination: "svc/api",
        changes: Some(include_str!("selector-typo.json")),
    },
    Demo {
        name: "forgot-dns",
        about: "an egress policy that forgot DNS",
        source: "pod/client-1",
        destination: "svc/api",
        changes: Some(include_str!("forgot-dns.json")),
    },
    Demo {
        name: "two-selectors",
        about: "two selectors in one policy entry where two entries were intended",
        source: "pod/client-1",
        destination: "svc/web",
        changes: Some(include_str!("two-selectors.json")),
    },
    Demo {
        name: "wrong-port",
        about: "the container's port asked of the Service",
        source: "pod/client-1",
        destination: "svc/api:9090",
        changes: None,
    },
    Demo {
        name: "wrong-name",
        about: "a Service that does not exist",
        source: "pod/client-1",
        destination: "svc/ap",
        changes: None,
    },
    Demo {
        name: "node-port",
        about: "a client outside the cluster, through a node port",
        source: "external",
        destination: "svc/web-np",
        changes: None,
    },
];

/// The demonstration of a name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Demo> {
    DEMOS.iter().find(|demo| demo.name == name)
}

// === impl Demo ===

impl Demo {
    /// The world of this demonstration. Later objects take the place of earlier ones.
    #[must_use]
    pub fn view(&self) -> ClusterView {
        let mut builder = Builder::default();
        for text in [Some(WORLD), self.changes].into_iter().flatten() {
            // The texts are part of the program; a test walks every demonstration.
            for object in snapshot::objects(text).unwrap_or_default() {
                builder.add(object);
            }
        }
        builder.finish()
    }
}
