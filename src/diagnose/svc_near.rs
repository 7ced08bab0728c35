//! SVC-01: a selector that matches no pod, and what it was meant to match.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Service;
use serde_json::json;

use super::kubectl::{kubectl, merge_patch};
use super::{Case, Finding};
use crate::cluster::access::{PodExt, ServiceExt};
use crate::cluster::{Named, Selector};
use crate::path::Stage;
use crate::resolve::template_labels;
use crate::text::{list, nearest};

/// Something the selector was perhaps meant to find.
struct Candidate {
    /// `deployment api` or `pod web-0`
    what: String,
    labels: BTreeMap<String, String>,
}

/// Names the label to change.
pub(super) fn selector_misses(
    case: Case<'_, '_>,
    service: &Service,
    selector: &Selector,
) -> Finding {
    let object = service.reference();
    let namespace = service.namespace();
    let finding = Finding::new(
        "SVC-01",
        Stage::Endpoints,
        format!("the selector of {} matches no pod", service.name()),
    )
    .blame(object.clone(), "spec.selector")
    .because(format!("no pod in {namespace} has {selector}"));
    let Some((candidate, changes)) = best(case, namespace, selector) else {
        return finding
            .fix("make the selector match the labels of the pods")
            .run(kubectl(namespace, "get pods --show-labels"));
    };
    let said: Vec<String> = changes
        .iter()
        .map(|(key, wanted, has)| match has {
            Some((own, value)) if own == key => format!("{key}={value}, not {key}={wanted}"),
            Some((own, value)) => format!("{own}={value}, not {key}={wanted}"),
            None => format!("no label {key}"),
        })
        .collect();
    let mut patch = serde_json::Map::new();
    for (key, _, has) in &changes {
        match has {
            Some((own, value)) if own == key => drop(patch.insert(key.clone(), json!(value))),
            Some((own, value)) => {
                patch.insert(key.clone(), json!(null));
                patch.insert(own.clone(), json!(value));
            }
            None => drop(patch.insert(key.clone(), json!(null))),
        }
    }
    let patch = json!({"spec": {"selector": patch}});
    finding
        .because(format!(
            "{} comes nearest: it has {}",
            candidate.what,
            list(&said)
        ))
        .fix(format!(
            "select what {} has, if that was meant",
            candidate.what
        ))
        .patch(merge_patch(&object, &patch), patch.to_string())
}

type Change = (String, String, Option<(String, String)>);

/// The candidate that fails the fewest terms, if it meets at least one or nearly does.
fn best(
    case: Case<'_, '_>,
    namespace: &str,
    selector: &Selector,
) -> Option<(Candidate, Vec<Change>)> {
    let workloads =
        template_labels(case.view, namespace).map(|(kind, name, labels, _)| Candidate {
            what: format!("{} {name}", kind.resource().kind().to_lowercase()),
            labels: labels.clone(),
        });
    let pods = case
        .view
        .pods
        .in_namespace(namespace)
        .filter(|pod| !pod.is_finished());
    let pods = pods.map(|pod| Candidate {
        what: format!("pod {}", pod.name()),
        labels: pod.labels().clone(),
    });
    let scored = workloads.chain(pods).filter_map(|candidate| {
        let changes = changes(selector, &candidate.labels);
        let met = selector.requirements.len() - changes.len();
        let near = changes.iter().filter(|(_, _, has)| has.is_some()).count();
        // One term of several, or a value that is nearly right, makes it worth naming.
        (met + near > 0).then_some((changes.len() * 2 - near, candidate, changes))
    });
    let best = scored.min_by_key(|(score, ..)| *score);
    best.map(|(_, candidate, changes)| (candidate, changes))
}

/// The terms a set of labels does not meet, each with the label that was perhaps meant.
fn changes(selector: &Selector, labels: &BTreeMap<String, String>) -> Vec<Change> {
    selector
        .misses(labels)
        .map(|term| {
            let wanted = term.values.first().cloned().unwrap_or_default();
            let own = labels.get_key_value(&term.key);
            let is_near = |value: &str| !nearest(&wanted, [value]).is_empty();
            let same_key =
                own.filter(|(_, value)| is_near(value) || selector.requirements.len() > 1);
            let same_value = labels.iter().find(|(_, value)| **value == wanted);
            let meant = same_key.or(same_value);
            (
                term.key.clone(),
                wanted.clone(),
                meant.map(|(key, value)| (key.clone(), value.clone())),
            )
        })
        .collect()
}
