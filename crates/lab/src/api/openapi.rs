//! As much of OpenAPI v3 as kubectl looks at: which kinds take `dryRun` and `fieldValidation`.
//!
//! Source: k8s.io/kubectl, `pkg/util/openapi` and cli-runtime's `QueryParamVerifierV3`.

use serde_json::{Map, Value, json};

use super::request::Call;
use super::respond::{self, Response};
use crate::store::{Registry, ResourceType};

/// Answers `/openapi/v3` and below, or `None` where the path is about something else.
pub fn answer(registry: &Registry, call: &Call) -> Option<Response> {
    let path = call.path.strip_prefix("/openapi/v3")?;
    let groups = registry.groups();
    let versions = groups.iter().flat_map(|(group, versions)| {
        versions
            .iter()
            .map(move |(version, kinds)| (name(group, version), kinds))
    });
    let wanted = path.trim_matches('/');
    if wanted.is_empty() {
        let paths: Map<String, Value> = versions
            .map(|(name, _)| {
                let url = format!("/openapi/v3/{name}");
                (name, json!({"serverRelativeURL": url}))
            })
            .collect();
        return Some(respond::json(200, &json!({"paths": paths})));
    }
    for (name, kinds) in versions {
        if name == wanted {
            return Some(respond::json(200, &document(&name, kinds)));
        }
    }
    Some(respond::no_page())
}

/// `api/v1`, `apis/apps/v1`.
fn name(group: &str, version: &str) -> String {
    if group.is_empty() {
        format!("api/{version}")
    } else {
        format!("apis/{group}/{version}")
    }
}

fn document(name: &str, kinds: &[&ResourceType]) -> Value {
    let paths: Map<String, Value> = kinds
        .iter()
        .map(|kind| {
            let below = if kind.namespaced {
                format!("namespaces/{{namespace}}/{}", kind.plural)
            } else {
                kind.plural.clone()
            };
            (format!("/{name}/{below}/{{name}}"), operations(kind))
        })
        .collect();
    json!({"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "v1.36.2"}, "paths": paths,
        "components": {"schemas": {}}})
}

fn operations(kind: &ResourceType) -> Value {
    let parameter = |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}});
    let parameters = ["dryRun", "fieldManager", "fieldValidation"].map(parameter);
    let operation = json!({
        "parameters": parameters,
        "x-kubernetes-group-version-kind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
    });
    json!({"patch": operation, "put": operation})
}
