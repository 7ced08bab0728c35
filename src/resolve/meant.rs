//! What a selector that finds nothing was perhaps meant to find.

use std::collections::BTreeMap;

use super::template_labels;
use crate::cluster::{ClusterView, Named, Pod, Selector};
use crate::text::nearest;

/// The pods or workload that come nearest to a selector.
#[derive(Debug, Clone)]
pub struct Meant {
    /// `deployment api` or `pod web-0`
    pub what: String,
    pub labels: BTreeMap<String, String>,
    /// The terms that keep the selector from them.
    pub changes: Vec<Change>,
}

/// A term of a selector that a set of labels does not meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub key: String,
    pub wanted: String,
    /// The label that was perhaps meant.
    pub instead: Option<(String, String)>,
}

/// The candidate that fails the fewest terms, if it meets at least one or nearly does.
#[must_use]
pub fn meant(view: &ClusterView, namespace: &str, selector: &Selector) -> Option<Meant> {
    let workloads = template_labels(view, namespace).map(|(kind, name, labels, _)| {
        let what = format!("{} {name}", kind.resource().kind().to_lowercase());
        (what, labels.clone())
    });
    let pods = view
        .pods
        .in_namespace(namespace)
        .filter(|pod| !pod.is_finished())
        .map(|pod| (format!("pod {}", pod.name()), pod.labels().clone()));
    let scored = workloads.chain(pods).filter_map(|(what, labels)| {
        let changes = changes(selector, &what, &labels);
        let met = selector.requirements.len() - changes.len();
        let near = changes
            .iter()
            .filter(|change| change.instead.is_some())
            .count();
        let score = changes.len() * 2 - near;
        // One term of several, or a value that is nearly right, makes it worth naming.
        (met + near > 0).then_some((
            score,
            Meant {
                what,
                labels,
                changes,
            },
        ))
    });
    scored
        .min_by_key(|(score, _)| *score)
        .map(|(_, meant)| meant)
}

/// The terms a set of labels does not meet, each with the label that was perhaps meant.
fn changes(selector: &Selector, what: &str, labels: &BTreeMap<String, String>) -> Vec<Change> {
    selector
        .misses(labels)
        .map(|term| {
            let wanted = term.values.first().cloned().unwrap_or_default();
            let own = labels.get_key_value(&term.key);
            // A selector by the workload's name means the workload, whatever its labels say.
            let is_named = what.rsplit(' ').next() == Some(&wanted);
            let is_near = |value: &str| is_named || !nearest(&wanted, [value]).is_empty();
            let same_key =
                own.filter(|(_, value)| is_near(value) || selector.requirements.len() > 1);
            let same_value = labels.iter().find(|(_, value)| **value == wanted);
            let instead = same_key
                .or(same_value)
                .map(|(key, value)| (key.clone(), value.clone()));
            Change {
                key: term.key.clone(),
                wanted,
                instead,
            }
        })
        .collect()
}

// === impl Meant ===

impl Meant {
    /// The pods of a namespace that it stands for.
    pub fn pods<'v>(
        &self,
        view: &'v ClusterView,
        namespace: &'v str,
    ) -> impl Iterator<Item = &'v Pod> {
        let selector = Selector::from_map(&self.labels);
        view.pods
            .in_namespace(namespace)
            .filter(move |pod| !pod.is_finished() && selector.matches(pod.labels()))
    }
}
