//! What was gathered on nodes and in pods, parsed when it is first asked for.
//!
//! Parsing a large rule set takes a while, so only the nodes on the path are read, each once.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;

use super::NodeSite;
use crate::cluster::{ClusterView, Facts, Named, NodeFacts, Pod, PodFacts, Provenance};
use crate::node::{PodState, Unreadable};

/// Facts with what they say.
#[derive(Debug, Clone)]
struct Gathered<'v, F: Clone, S> {
    facts: Cow<'v, F>,
    state: OnceCell<S>,
}

/// Everything that was gathered, parsed on demand.
#[derive(Debug)]
pub struct Nodes<'v> {
    view: &'v ClusterView,
    by_name: BTreeMap<String, Gathered<'v, NodeFacts, NodeSite>>,
    /// By namespace and name.
    pods: BTreeMap<String, BTreeMap<String, Gathered<'v, PodFacts, PodState>>>,
    /// How many files were parsed so far.
    parsed: Cell<usize>,
}

// === impl Gathered ===

impl<'v, F: Clone, S> From<Cow<'v, F>> for Gathered<'v, F, S> {
    fn from(facts: Cow<'v, F>) -> Self {
        Self {
            facts,
            state: OnceCell::new(),
        }
    }
}

// === impl Nodes ===

impl<'v> Nodes<'v> {
    /// All facts of a view, none of them read yet.
    #[must_use]
    pub fn of(view: &'v ClusterView) -> Self {
        let Facts { nodes, pods } = &view.facts;
        let mut by_pod: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for ((namespace, name), facts) in pods {
            by_pod
                .entry(namespace.clone())
                .or_default()
                .insert(name.clone(), Cow::Borrowed(facts).into());
        }
        let nodes = nodes.iter();
        Self {
            view,
            by_name: nodes
                .map(|(name, facts)| (name.clone(), Cow::Borrowed(facts).into()))
                .collect(),
            pods: by_pod,
            parsed: Cell::new(0),
        }
    }

    /// Adds a file of a node.
    pub(super) fn learn(&mut self, node: &str, file: &str, text: String) {
        let known = self.by_name.entry(node.to_owned());
        let known = known.or_insert_with(|| Cow::<NodeFacts>::Owned(NodeFacts::default()).into());
        known.facts.to_mut().set(file, text);
        known.state.take();
    }

    /// Adds a file of a pod.
    pub(super) fn learn_of_pod(&mut self, namespace: &str, name: &str, file: &str, text: String) {
        let pods = self.pods.entry(namespace.to_owned()).or_default();
        let known = pods.entry(name.to_owned());
        let known = known.or_insert_with(|| Cow::<PodFacts>::Owned(PodFacts::default()).into());
        known.facts.to_mut().set(file, text);
        known.state.take();
    }

    /// Whether nothing was gathered anywhere.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty() && self.pods.is_empty()
    }

    /// A node, if anything was gathered there.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&NodeSite> {
        let known = self.by_name.get(name)?;
        Some(known.state.get_or_init(|| {
            self.count(NodeFacts::FILES, |file| known.facts.get(file).is_some());
            NodeSite::read(self.view, name, &known.facts)
        }))
    }

    /// A pod's network namespace, if anything was gathered there.
    #[must_use]
    pub fn pod(&self, pod: &Pod) -> Option<&PodState> {
        let known = self.pods.get(pod.namespace())?.get(pod.name())?;
        Some(known.state.get_or_init(|| {
            self.count(PodFacts::FILES, |file| known.facts.get(file).is_some());
            PodState::read(&known.facts)
        }))
    }

    /// The raw facts of a node.
    #[must_use]
    pub fn facts(&self, name: &str) -> Option<&NodeFacts> {
        self.by_name.get(name).map(|known| &*known.facts)
    }

    /// The raw facts of a pod.
    #[must_use]
    pub fn pod_facts(&self, namespace: &str, name: &str) -> Option<&PodFacts> {
        let known = self.pods.get(namespace)?.get(name)?;
        Some(&known.facts)
    }

    /// The raw facts of every node.
    pub fn all_facts(&self) -> impl Iterator<Item = &NodeFacts> {
        self.by_name.values().map(|known| &*known.facts)
    }

    /// Every resolv.conf that was gathered in a pod.
    pub fn resolv_confs(&self) -> impl Iterator<Item = &str> {
        let pods = self.pods.values().flat_map(BTreeMap::values);
        pods.filter_map(|known| known.facts.resolv_conf.as_deref())
    }

    /// Whether whoever made this recording looked at sockets: then a pod without that file has none.
    /// What a probe did not bring is another matter.
    #[must_use]
    pub fn records_sockets(&self) -> bool {
        if self.view.provenance != Provenance::Snapshot {
            return false;
        }
        let mut all = self.pods.values().flat_map(BTreeMap::values);
        all.any(|known| known.facts.sockets.is_some())
    }

    /// The nodes that were read so far.
    pub fn read(&self) -> impl Iterator<Item = &NodeSite> {
        self.by_name.values().filter_map(|known| known.state.get())
    }

    /// What could not be read in the pods that were read so far: namespace, name and file.
    pub fn unread_in_pods(&self) -> impl Iterator<Item = (&str, &str, &Unreadable)> {
        let pods = self.pods.iter().flat_map(|(namespace, pods)| {
            let pods = pods.iter();
            pods.map(move |(name, known)| (namespace.as_str(), name.as_str(), known.state.get()))
        });
        pods.flat_map(|(namespace, name, state)| {
            let files = state.into_iter().flat_map(|state| &state.unreadable);
            files.map(move |bad| (namespace, name, bad))
        })
    }

    /// How many files were parsed so far, for tests that none is parsed twice.
    #[must_use]
    pub const fn parsed(&self) -> usize {
        self.parsed.get()
    }

    /// Everything that was gathered, as a snapshot keeps it.
    #[must_use]
    pub fn to_facts(&self) -> Facts {
        let nodes = self.by_name.iter();
        let pods = self.pods.iter().flat_map(|(namespace, pods)| {
            let pods = pods.iter();
            pods.map(|(name, known)| ((namespace.clone(), name.clone()), (*known.facts).clone()))
        });
        Facts {
            nodes: nodes
                .map(|(name, known)| (name.clone(), (*known.facts).clone()))
                .collect(),
            pods: pods.collect(),
        }
    }

    fn count(&self, files: &[&str], is_there: impl Fn(&str) -> bool) {
        let files = files.iter().filter(|file| is_there(file)).count();
        self.parsed.set(self.parsed.get() + files);
    }
}
