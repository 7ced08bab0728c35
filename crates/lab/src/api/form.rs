//! In which form objects are wanted: whole, as a table's rows, or their metadata alone.
//!
//! Source: k8s.io/apiserver, `pkg/endpoints/handlers/negotiation`.

use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use super::request::Call;
use super::table;
use crate::store::ResourceType;

/// What the client wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Whole,
    Table,
    Metadata,
}

// === impl Form ===

impl Form {
    /// The first form of the `Accept` header that can be given.
    pub fn of(call: &Call) -> Result<Self, Refusal> {
        let accept = call.header("accept").unwrap_or("*/*");
        for wish in accept.split(',').map(str::trim) {
            let mut words = wish.split(';').map(str::trim);
            let media = words.next().unwrap_or_default();
            if !matches!(media, "application/json" | "application/*" | "*/*" | "") {
                continue;
            }
            match words.find_map(|word| word.strip_prefix("as=")) {
                None => return Ok(Self::Whole),
                Some("Table") => return Ok(Self::Table),
                Some("PartialObjectMetadata" | "PartialObjectMetadataList") => {
                    return Ok(Self::Metadata);
                }
                Some(_) => {}
            }
        }
        let message = "only the following media types are accepted: application/json";
        Err(Refusal::new(406, "NotAcceptable", message))
    }

    /// One object.
    pub fn one(self, kind: &ResourceType, object: &Value, call: &Call) -> Value {
        match self {
            Self::Whole => object.clone(),
            Self::Metadata => metadata(object),
            Self::Table => {
                let meta = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
                table::of(kind, &[object], &meta, include(call))
            }
        }
    }

    /// A list with the metadata of a list.
    pub fn many(self, kind: &ResourceType, objects: &[&Value], meta: &Value, call: &Call) -> Value {
        match self {
            Self::Table => table::of(kind, objects, meta, include(call)),
            Self::Metadata => {
                let items: Vec<Value> = objects.iter().map(|object| metadata(object)).collect();
                json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": meta, "items": items})
            }
            Self::Whole => {
                let items: Vec<Value> = objects.iter().map(|object| item(kind, object)).collect();
                json!({"kind": format!("{}List", kind.kind), "apiVersion": kind.api_version(), "metadata": meta, "items": items})
            }
        }
    }
}

/// How much of the objects goes with the rows of a table.
fn include(call: &Call) -> &str {
    call.query.get("includeObject").unwrap_or("Metadata")
}

/// An entry of a list: the built-in kinds do not repeat what the list says.
fn item(kind: &ResourceType, object: &Value) -> Value {
    // Custom kinds live in groups that are domains of somebody's own.
    let built_in = !kind.group.contains('.') || kind.group.ends_with(".k8s.io");
    match object {
        Value::Object(fields) if built_in => {
            let kept = fields
                .iter()
                .filter(|(name, _)| !matches!(name.as_str(), "kind" | "apiVersion"));
            Value::Object(
                kept.map(|(name, value)| (name.clone(), value.clone()))
                    .collect::<Map<_, _>>(),
            )
        }
        other => other.clone(),
    }
}

/// The metadata alone.
pub fn metadata(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}
