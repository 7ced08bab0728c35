//! The nodes and pods of a walk, read when they are first asked for.
//!
//! Parsing a large rule set takes a while, so only the nodes on the path are read, each once.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use super::{NodeState, PodState, proxy_setup};
use crate::cluster::{ClusterView, Named, NodeFacts, Pod, PodFacts, Provenance};
use crate::nat::dataplane::{Recognised, ServesServices, recognise};
use crate::nat::proxy::{Drift, Footprint, ProxySetup, SliceIndex, compare};

/// Everything that was gathered, parsed on demand.
#[derive(Debug)]
pub struct Nodes<'v> {
    view: &'v ClusterView,
    by_name: BTreeMap<&'v str, (&'v NodeFacts, OnceCell<NodeSite>)>,
    /// By namespace and name.
    pods: BTreeMap<&'v str, BTreeMap<&'v str, (&'v PodFacts, OnceCell<PodState>)>>,
}

/// A node with all that its facts say of it.
#[derive(Debug)]
pub struct NodeSite {
    pub name: String,
    pub state: NodeState,
    pub setup: ProxySetup,
    pub footprint: Footprint,
    /// Who else shapes packets there.
    pub dataplanes: Vec<Recognised>,
    drift: OnceCell<Drift>,
}

// === impl Nodes ===

impl<'v> Nodes<'v> {
    /// All facts of a view, none of them read yet.
    #[must_use]
    pub fn of(view: &'v ClusterView) -> Self {
        let nodes = view.facts.nodes.iter();
        let mut pods: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for ((namespace, name), facts) in &view.facts.pods {
            pods.entry(namespace.as_str())
                .or_default()
                .insert(name.as_str(), (facts, OnceCell::new()));
        }
        Self {
            view,
            by_name: nodes
                .map(|(name, facts)| (name.as_str(), (facts, OnceCell::new())))
                .collect(),
            pods,
        }
    }

    /// Whether nothing was gathered anywhere.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty() && self.pods.is_empty()
    }

    /// A node, if anything was gathered there.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&NodeSite> {
        let (facts, site) = self.by_name.get(name)?;
        Some(site.get_or_init(|| NodeSite::read(self.view, name, facts)))
    }

    /// A pod's network namespace, if anything was gathered there.
    #[must_use]
    pub fn pod(&self, pod: &Pod) -> Option<&PodState> {
        let (facts, state) = self.pods.get(pod.namespace())?.get(pod.name())?;
        Some(state.get_or_init(|| PodState::read(facts)))
    }

    /// Whether whoever made this recording looked at sockets: then a pod without that file has none.
    /// What a probe did not bring is another matter.
    #[must_use]
    pub fn records_sockets(&self) -> bool {
        if self.view.provenance != Provenance::Snapshot {
            return false;
        }
        let mut all = self.pods.values().flat_map(BTreeMap::values);
        all.any(|(facts, _)| facts.sockets.is_some())
    }

    /// The nodes that were read so far.
    pub fn read(&self) -> impl Iterator<Item = &NodeSite> {
        self.by_name.values().filter_map(|(_, site)| site.get())
    }
}

// === impl NodeSite ===

impl NodeSite {
    fn read(view: &ClusterView, name: &str, facts: &NodeFacts) -> Self {
        let state = NodeState::read(facts);
        let setup = proxy_setup(view, name, &state);
        let rules = state.rules.as_ref();
        Self {
            name: name.to_owned(),
            footprint: rules.map(Footprint::of).unwrap_or_default(),
            dataplanes: recognise(rules, &state.host),
            drift: OnceCell::new(),
            setup,
            state,
        }
    }

    /// Where its rules differ from the Services, over all of them.
    pub fn drift(&self, view: &ClusterView) -> &Drift {
        self.drift.get_or_init(|| {
            let Some(rules) = &self.state.rules else {
                return Drift::default();
            };
            let slices = SliceIndex::new(view.endpoint_slices.iter());
            let services = view.services.iter();
            compare(services, &slices, rules, &self.state.host, &self.setup)
        })
    }

    /// Who serves Services or moves packets here where no rule dump shows it.
    #[must_use]
    pub fn out_of_sight(&self) -> Option<&Recognised> {
        self.dataplanes
            .iter()
            .find(|one| one.dataplane.serves_services() == ServesServices::OutOfSight)
    }
}
