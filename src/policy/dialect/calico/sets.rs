//! NetworkSets and GlobalNetworkSets: address blocks with labels, which selectors match beside pods.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::in_namespace;
use crate::cluster::{ClusterView, Resource};
use crate::policy::dialect::{Problem, Reader, unread};
use crate::policy::ends::{End, Ends, Labelled, PodTraits};
use crate::policy::formula::{Context, Families, Formula};
use crate::policy::truth::{Doubt, Truth};

/// The sets of a view.
#[derive(Debug, Default)]
pub(super) struct Sets {
    /// Each as if it were a pod with these labels, and its blocks.
    sets: Vec<(End, Formula)>,
    /// Sets that could not be read, with their namespace.
    unread: Vec<(Option<String>, Doubt)>,
}

// === impl Sets ===

impl Sets {
    /// Reads them.
    pub(super) fn read(view: &ClusterView, ends: &Ends<'_>, problems: &mut Vec<Problem>) -> Self {
        let mut sets = Self::default();
        for resource in [
            Resource::CalicoNetworkSets,
            Resource::CalicoGlobalNetworkSets,
        ] {
            for object in view.custom(resource) {
                let mut reader = Reader::of(resource, object, problems);
                let blocks = blocks(&mut reader, object);
                let namespace = match resource {
                    Resource::CalicoNetworkSets => ends.namespace(&reader.policy.namespace),
                    _ => Arc::new(nameless()),
                };
                sets.sets.push((labelled(object, namespace), blocks));
            }
            let unread = unread(view, resource).map(|(_, namespace, doubt)| (namespace, doubt));
            sets.unread.extend(unread);
        }
        sets
    }

    /// The blocks of the sets that conditions hold for.
    pub(super) fn matching(&self, conditions: &Formula) -> Vec<Formula> {
        let context = Context {
            families: Families::V4,
            other: None,
        };
        let mut any = Vec::new();
        for (set, blocks) in &self.sets {
            match conditions.truth(set, context) {
                Truth::Yes => any.push(blocks.clone()),
                Truth::No => {}
                Truth::Maybe(doubt) => {
                    any.push(Formula::All(vec![blocks.clone(), Formula::Unclear(doubt)]));
                }
            }
        }
        let meant = |namespace: &Option<String>| {
            namespace
                .as_ref()
                .is_none_or(|name| !excludes(conditions, name))
        };
        for (_, doubt) in self.unread.iter().filter(|(namespace, _)| meant(namespace)) {
            // Such a set holds addresses outside the cluster.
            let parts = vec![Formula::Outside, Formula::Unclear(doubt.clone())];
            any.push(Formula::All(parts));
        }
        any
    }
}

/// Whether conditions ask for another namespace than this.
fn excludes(conditions: &Formula, namespace: &str) -> bool {
    match conditions {
        Formula::All(parts) => parts
            .iter()
            .any(|part| matches!(part, Formula::Namespace(_)) && *part != in_namespace(namespace)),
        _ => false,
    }
}

fn blocks(reader: &mut Reader<'_>, object: &Value) -> Formula {
    let nets = object.pointer("/spec/nets").and_then(Value::as_array);
    let texts = nets
        .into_iter()
        .flatten()
        .map(|net| net.as_str().unwrap_or_default());
    Formula::Any(texts.map(|net| reader.net(net, "spec.nets")).collect())
}

fn labelled(object: &Value, namespace: Arc<Labelled>) -> End {
    let labels = object
        .pointer("/metadata/labels")
        .map(BTreeMap::deserialize);
    End {
        object: None,
        pod: Some(PodTraits {
            namespace,
            labels: labels.and_then(Result::ok).unwrap_or_default(),
            service_account: nameless(),
            host_network: false,
            ports: Vec::new(),
            declared: Vec::new(),
            is_workload: true,
        }),
        node: None,
        addresses: Vec::new(),
        doubt: None,
    }
}

const fn nameless() -> Labelled {
    Labelled {
        name: String::new(),
        labels: BTreeMap::new(),
        doubt: None,
    }
}
