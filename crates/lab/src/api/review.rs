//! Questions about rights and identities that are asked by creating objects nobody stores.

use std::sync::Arc;

use serde_json::{Value, json};

use super::identity::User;
use super::rbac::{self, Ask};
use super::refusal::Refusal;
use super::request::Target;
use crate::store::{Key, ResourceType, Store};

/// Answers a review, or `None` where the kind is none.
pub fn answer(store: &Arc<Store>, user: &User, kind: &ResourceType, body: &Value) -> Option<Value> {
    let spec = clean(&body["spec"]);
    let status = match kind.kind.as_str() {
        "SelfSubjectAccessReview" => {
            json!({"allowed": rbac::allows(store, user, &asked(&spec))})
        }
        "SubjectAccessReview" | "LocalSubjectAccessReview" => {
            let groups = spec["groups"].as_array().into_iter().flatten();
            let groups: Vec<&str> = groups.filter_map(Value::as_str).collect();
            let other = User::new(spec["user"].as_str().unwrap_or_default(), &groups);
            json!({"allowed": rbac::allows(store, &other, &asked(&spec))})
        }
        "SelfSubjectRulesReview" => {
            let namespace = spec["namespace"].as_str().unwrap_or_default();
            return Some(answered(kind, &json!({}), &rules(store, user, namespace)));
        }
        "SelfSubjectReview" => json!({"userInfo": user.value()}),
        _ => return None,
    };
    Some(answered(kind, &spec, &status))
}

/// A token for a service account: `kubectl create token`.
pub fn token(
    store: &Store,
    target: &Target,
    kind: &ResourceType,
    body: &Value,
) -> Result<Value, Refusal> {
    let (namespace, name) = (&target.namespace, &target.name);
    store
        .get(&Key::new("", "serviceaccounts", namespace, name))
        .ok_or_else(|| Refusal::not_found(kind, name))?;
    Ok(
        json!({"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": name, "namespace": namespace}, "spec": body["spec"],
        "status": {"token": format!("serviceaccount:{namespace}:{name}"), "expirationTimestamp": "2090-01-01T00:00:00Z"}}),
    )
}

fn answered(kind: &ResourceType, spec: &Value, status: &Value) -> Value {
    let mut review = json!({"kind": kind.kind, "apiVersion": kind.api_version(), "metadata": {}, "status": status});
    if kind.kind != "SelfSubjectReview" {
        review["spec"] = spec.clone();
    }
    review
}

/// A spec without what says nothing, as the server's own types write it.
fn clean(spec: &Value) -> Value {
    let mut spec = spec.clone();
    if let Some(fields) = spec["resourceAttributes"].as_object_mut() {
        fields.retain(|_, value| value != "");
    }
    if let Some(fields) = spec.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    spec
}

fn asked(spec: &Value) -> Ask {
    let paths = &spec["nonResourceAttributes"];
    if let Some(path) = paths["path"].as_str() {
        return Ask {
            verb: paths["verb"].as_str().unwrap_or_default().to_owned(),
            path: Some(path.to_owned()),
            ..Ask::default()
        };
    }
    let word = |field: &str| {
        spec["resourceAttributes"][field]
            .as_str()
            .unwrap_or_default()
    };
    let resource = match word("subresource") {
        "" => word("resource").to_owned(),
        part => format!("{}/{part}", word("resource")),
    };
    Ask::object(
        word("verb"),
        word("group"),
        &resource,
        word("namespace"),
        word("name"),
    )
}

fn rules(store: &Arc<Store>, user: &User, namespace: &str) -> Value {
    let (mut resources, mut paths) = (Vec::new(), Vec::new());
    for rule in rbac::rules(store, user, namespace) {
        if let Some(urls) = &rule.non_resource_urls {
            paths.push(json!({"verbs": rule.verbs, "nonResourceURLs": urls}));
        } else {
            let mut entry = json!({"verbs": rule.verbs, "apiGroups": rule.api_groups, "resources": rule.resources});
            if let Some(names) = rule.resource_names {
                entry["resourceNames"] = json!(names);
            }
            resources.push(entry);
        }
    }
    json!({"resourceRules": resources, "nonResourceRules": paths, "incomplete": false})
}
