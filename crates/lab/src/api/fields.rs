//! Field selectors: `metadata.name=a,spec.nodeName!=b`.
//!
//! Source: k8s.io/apimachinery `fields.ParseSelector`; which fields: the registries' `ToSelectableFields`.

use serde_json::Value;

use super::refusal::Refusal;
use crate::store::ResourceType;

/// Requirements that must all hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields(Vec<Requirement>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    field: String,
    equal: bool,
    value: String,
}

// === impl Fields ===

impl Fields {
    /// Reads a selector; only what the kind is indexed by can be asked for.
    pub fn parse(text: &str, kind: &ResourceType) -> Result<Self, Refusal> {
        let mut requirements = Vec::new();
        for term in text.split(',').filter(|term| !term.is_empty()) {
            let (field, equal, value) = split(term).ok_or_else(|| {
                Refusal::bad_request(format!(
                    "invalid selector: '{term}'; can't understand '{term}'"
                ))
            })?;
            if !selectable(kind).any(|one| one == field) {
                let message = format!("field label not supported: {field}");
                return Err(Refusal::bad_request(message));
            }
            requirements.push(Requirement {
                field: field.to_owned(),
                equal,
                value: value.to_owned(),
            });
        }
        Ok(Self(requirements))
    }

    pub fn matches(&self, object: &Value) -> bool {
        self.0
            .iter()
            .all(|one| (text_at(object, &one.field) == one.value) == one.equal)
    }
}

fn split(term: &str) -> Option<(&str, bool, &str)> {
    if let Some((field, value)) = term.split_once("!=") {
        return Some((field, false, value));
    }
    let (field, value) = term.split_once("==").or_else(|| term.split_once('='))?;
    Some((field, true, value))
}

fn selectable(kind: &ResourceType) -> impl Iterator<Item = &'static str> {
    let own: &[&str] = match kind.plural.as_str() {
        "pods" => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        "events" => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        "nodes" => &["spec.unschedulable"],
        "namespaces" => &["status.phase"],
        "services" => &["spec.clusterIP", "spec.type"],
        "secrets" => &["type"],
        "replicasets" | "replicationcontrollers" => &["status.replicas"],
        "jobs" => &["status.successful"],
        _ => &[],
    };
    ["metadata.name", "metadata.namespace"]
        .into_iter()
        .chain(own.iter().copied())
}

fn text_at(object: &Value, field: &str) -> String {
    let pointer = format!("/{}", field.replace('.', "/"));
    match object.pointer(&pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None
            if field.ends_with("hostNetwork") || field.ends_with("unschedulable") =>
        {
            "false".to_owned()
        }
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}
