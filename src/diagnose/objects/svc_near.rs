//! SVC-01: a selector that matches no pod, and what it was meant to match.

use k8s_openapi::api::core::v1::Service;
use serde_json::json;

use crate::causes::Code;
use crate::cluster::access::ServiceExt;
use crate::cluster::{Named, Resource, Selector};
use crate::diagnose::kubectl::{kubectl, merge_patch};
use crate::diagnose::{Case, Finding};
use crate::path::Stage;
use crate::resolve::{Change, meant};
use crate::text::list;

/// Names the label to change.
pub(in crate::diagnose) fn selector_misses(
    case: &Case<'_, '_>,
    service: &Service,
    selector: &Selector,
) -> Finding {
    let object = service.reference();
    let namespace = service.namespace();
    let finding = Finding::new(
        Code::SVC_01,
        Stage::Endpoints,
        format!("the selector of {} matches no pod", service.name()),
    )
    .blame(object.clone(), "spec.selector")
    .because(format!("no pod in {namespace} has {selector}"));
    let unread = not_read_whole(case, namespace);
    if !unread.is_empty() {
        return finding
            .because(format!("not all read: {} in {namespace}", list(&unread)))
            .fix("match the selector to the labels of the pods")
            .run(kubectl(namespace, "get pods --show-labels"));
    }
    let Some(meant) = meant(case.view, namespace, selector) else {
        return finding
            .fix("match the selector to the labels of the pods")
            .run(kubectl(namespace, "get pods --show-labels"));
    };
    let said: Vec<String> = meant.changes.iter().map(said).collect();
    let mut patch = serde_json::Map::new();
    for change in &meant.changes {
        let is_renamed = change
            .instead
            .as_ref()
            .is_none_or(|(key, _)| *key != change.key);
        if is_renamed {
            patch.insert(change.key.clone(), json!(null));
        }
        if let Some((key, value)) = &change.instead {
            patch.insert(key.clone(), json!(value));
        }
    }
    let patch = json!({"spec": {"selector": patch}});
    finding
        .because(format!(
            "{} is the closest match: it has {}",
            meant.what,
            list(&said)
        ))
        .fix(format!(
            "match the selector to the labels of {}, if that is the intended target",
            meant.what
        ))
        .patch(merge_patch(&object, &patch), patch.to_string())
}

/// The kinds of what makes pods, and pods, that may hold something nearer than what was read.
fn not_read_whole(case: &Case<'_, '_>, namespace: &str) -> Vec<String> {
    let kinds = [
        Resource::Pods,
        Resource::Deployments,
        Resource::StatefulSets,
    ];
    let unread = kinds
        .into_iter()
        .filter(|kind| !case.view.holds_all(*kind, namespace));
    unread.map(|kind| kind.plural().to_owned()).collect()
}

/// What the nearest labels have instead of a term.
fn said(change: &Change) -> String {
    let (key, wanted) = (&change.key, &change.wanted);
    match &change.instead {
        Some((own, value)) => format!("{own}={value}, not {key}={wanted}"),
        None => format!("no label {key}"),
    }
}
