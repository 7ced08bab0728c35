//! A view with everything that is derived from it, compiled once per run.
//!
//! ```text
//!  ClusterView ─► World { policies · ends · dns · meshes · nodes and pods, parsed }
//!                   ▲
//!                   └─ facts that arrive while probing: each is parsed when it is first needed
//! ```
//!
//! Rounds of probes, suites, `policy`, `matrix` and the report all ask the same world, so that none of them
//! compiles it again.

mod nodes;
mod site;

use std::cell::OnceCell;

use crate::cluster::{ClusterView, NodeFacts, PodFacts, Unread};
use crate::dns::ClusterDns;
use crate::mesh::Meshes;
use crate::observe::Vantage;
use crate::policy::{Ends, Linter, Policies};

pub use nodes::Nodes;
pub use site::NodeSite;

/// A view, and what follows from it.
#[derive(Debug)]
pub struct World<'v> {
    pub view: &'v ClusterView,
    nodes: Nodes<'v>,
    policies: OnceCell<Policies>,
    ends: OnceCell<Ends<'v>>,
    linter: OnceCell<Linter<'v>>,
    dns: OnceCell<ClusterDns<'v>>,
    meshes: OnceCell<Meshes<'v>>,
    /// What turned out to be unreadable after the view was read.
    unread: Vec<Unread>,
}

// === impl World ===

impl<'v> World<'v> {
    /// The world of a view. Nothing is compiled or parsed before it is asked for.
    #[must_use]
    pub fn of(view: &'v ClusterView) -> Self {
        Self {
            view,
            nodes: Nodes::of(view),
            policies: OnceCell::new(),
            ends: OnceCell::new(),
            linter: OnceCell::new(),
            dns: OnceCell::new(),
            meshes: OnceCell::new(),
            unread: Vec::new(),
        }
    }

    /// Every policy, compiled.
    pub fn policies(&self) -> &Policies {
        self.policies.get_or_init(|| Policies::compile(self.view))
    }

    /// Pods, nodes and addresses as policies see them.
    pub fn ends(&self) -> &Ends<'v> {
        self.ends.get_or_init(|| Ends::new(self.view))
    }

    /// What policies are checked against for parts that never come to bear.
    pub fn linter(&self) -> &Linter<'v> {
        self.linter
            .get_or_init(|| Linter::new(self.view, self.policies(), self.ends()))
    }

    /// The DNS of the cluster.
    pub fn dns(&self) -> &ClusterDns<'v> {
        self.dns
            .get_or_init(|| ClusterDns::of(self.view, self.nodes.resolv_confs()))
    }

    /// What takes connections over at either end.
    pub fn meshes(&self) -> &Meshes<'v> {
        self.meshes
            .get_or_init(|| Meshes::of(self.view, &self.dns().domain))
    }

    /// What was gathered on nodes and in pods.
    pub const fn nodes(&self) -> &Nodes<'v> {
        &self.nodes
    }

    /// Adds a fact that arrived: the text of one file of a pod's or a node's folder, as in a snapshot.
    pub fn learn(&mut self, vantage: &Vantage, file: &str, text: String) {
        match vantage {
            Vantage::Pod { namespace, name } => {
                self.nodes.learn_of_pod(namespace, name, file, text);
                // A pod's resolv.conf may tell the cluster's domain.
                self.dns.take();
                self.meshes.take();
            }
            Vantage::Node(node) => self.nodes.learn(node, file, text),
        }
    }

    /// Notes something that could not be read.
    pub fn miss(&mut self, unread: impl IntoIterator<Item = Unread>) {
        self.unread.extend(unread);
    }

    /// Everything that could not be read: with the view, and since.
    pub fn unread(&self) -> impl Iterator<Item = &Unread> {
        self.view.unread.iter().chain(&self.unread)
    }

    /// The raw facts of a node.
    #[must_use]
    pub fn node_facts(&self, name: &str) -> Option<&NodeFacts> {
        self.nodes.facts(name)
    }

    /// The raw facts of a pod.
    #[must_use]
    pub fn pod_facts(&self, namespace: &str, name: &str) -> Option<&PodFacts> {
        self.nodes.pod_facts(namespace, name)
    }
}
