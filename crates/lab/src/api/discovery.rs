//! What is served: `/api`, `/apis` and what is below, in the old form and in the aggregated one.
//!
//! Source: KEP-3352 (aggregated discovery), k8s.io/apiserver `pkg/endpoints/discovery`.

use data_encoding::BASE64;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::request::Call;
use super::respond::{self, Response};
use crate::store::{Registry, ResourceType, Subresource};

/// Versions of one group with what they hold.
type Versions<'a> = [(String, Vec<&'a ResourceType>)];

/// Answers discovery, or `None` where the path is about something else.
pub fn answer(registry: &Registry, call: &Call) -> Option<Response> {
    let words: Vec<&str> = call
        .path
        .split('/')
        .filter(|word| !word.is_empty())
        .collect();
    let accept = call.header("accept").unwrap_or_default();
    let aggregated = accept.contains("as=APIGroupDiscoveryList");
    let groups = registry.groups();
    let named = |name: &str| {
        groups
            .iter()
            .find(|(group, _)| group == name)
            .map(|(_, versions)| versions)
    };
    let value = match words.as_slice() {
        ["version"] => version(),
        ["api" | "apis"] if aggregated => {
            let wanted = |group: &str| group.is_empty() == (words == ["api"]);
            let list: Vec<Value> = groups
                .iter()
                .filter(|(group, _)| wanted(group))
                .map(|(group, versions)| aggregate(group, versions))
                .collect();
            return Some(respond::plain(
                200,
                "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
                json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": list})
                    .to_string(),
            ));
        }
        ["api"] => json!({"kind": "APIVersions", "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1:6443"}]}),
        ["apis"] => {
            let list: Vec<Value> = groups
                .iter()
                .filter(|(group, _)| !group.is_empty())
                .map(|(group, versions)| describe(group, versions))
                .collect();
            json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": list})
        }
        ["apis", group] => {
            let mut one = describe(group, named(group)?);
            one["kind"] = "APIGroup".into();
            one["apiVersion"] = "v1".into();
            one
        }
        ["api", version] => resources("", version, named("")?)?,
        ["apis", group, version] => resources(group, version, named(group)?)?,
        _ => return None,
    };
    Some(respond::json(200, &value))
}

fn version() -> Value {
    json!({"major": "1", "minor": "36", "emulationMajor": "1", "emulationMinor": "36",
        "minCompatibilityMajor": "1", "minCompatibilityMinor": "35", "gitVersion": "v1.36.2",
        "gitCommit": "0000000000000000000000000000000000000000", "gitTreeState": "clean",
        "buildDate": "2026-08-21T00:00:00Z", "goVersion": "go1.26.6", "compiler": "gc", "platform": "linux/amd64"})
}

fn describe(group: &str, versions: &Versions<'_>) -> Value {
    let list: Vec<Value> = versions
        .iter()
        .map(|(version, _)| json!({"groupVersion": format!("{group}/{version}"), "version": version}))
        .collect();
    json!({"name": group, "versions": list, "preferredVersion": list.first()})
}

fn resources(group: &str, version: &str, versions: &Versions<'_>) -> Option<Value> {
    let (_, kinds) = versions.iter().find(|(name, _)| name == version)?;
    let list: Vec<Value> = kinds.iter().flat_map(|kind| entries(kind)).collect();
    let name = if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    };
    let mut value = json!({"kind": "APIResourceList", "groupVersion": name, "resources": list});
    if !group.is_empty() {
        value["apiVersion"] = "v1".into();
    }
    Some(value)
}

/// A resource and its parts.
fn entries(kind: &ResourceType) -> Vec<Value> {
    let mut own = json!({"name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced,
        "kind": kind.kind, "verbs": kind.verbs});
    for (field, list) in [
        ("shortNames", &kind.short_names),
        ("categories", &kind.categories),
    ] {
        if !list.is_empty() {
            own[field] = json!(list);
        }
    }
    if kind.verbs.iter().any(|verb| verb == "watch") {
        own["storageVersionHash"] = hash(kind).into();
    }
    let parts = kind.subresources.iter().map(|part| {
        let mut entry = json!({"name": format!("{}/{}", kind.plural, part.name), "singularName": "",
            "namespaced": kind.namespaced, "kind": part.kind, "verbs": part.verbs});
        if let Some((group, version)) = &part.group_version {
            entry["group"] = group.clone().into();
            entry["version"] = version.clone().into();
        }
        entry
    });
    std::iter::once(own).chain(parts).collect()
}

fn hash(kind: &ResourceType) -> String {
    let name = format!("{}/{}/{}", kind.group, kind.version, kind.kind);
    BASE64.encode(&Sha256::digest(name)[..8])
}

fn aggregate(group: &str, versions: &Versions<'_>) -> Value {
    let list: Vec<Value> = versions
        .iter()
        .map(|(version, kinds)| {
            let resources: Vec<Value> = kinds.iter().map(|kind| aggregate_kind(kind)).collect();
            json!({"version": version, "freshness": "Current", "resources": resources})
        })
        .collect();
    json!({"metadata": {"name": group, "creationTimestamp": null}, "versions": list})
}

fn aggregate_kind(kind: &ResourceType) -> Value {
    let own = |part: &Subresource| match &part.group_version {
        Some((group, version)) => json!({"group": group, "version": version, "kind": part.kind}),
        None => json!({"group": kind.group, "version": kind.version, "kind": part.kind}),
    };
    let parts: Vec<Value> = kind
        .subresources
        .iter()
        .map(|part| json!({"subresource": part.name, "responseKind": own(part), "verbs": part.verbs}))
        .collect();
    let mut entry = json!({"resource": kind.plural, "singularResource": kind.singular, "verbs": kind.verbs,
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" }});
    for (field, list) in [
        ("shortNames", json!(kind.short_names)),
        ("categories", json!(kind.categories)),
        ("subresources", json!(parts)),
    ] {
        if list.as_array().is_some_and(|list| !list.is_empty()) {
            entry[field] = list;
        }
    }
    entry
}
