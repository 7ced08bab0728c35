//! Changing a part of an object.

mod json;
mod merge;
mod strategic;

use serde_json::Value;

use super::refusal::Refusal;
use crate::store::ResourceType;

pub use merge::merge;

/// Applies a patch of the content type's form.
pub fn apply(
    kind: &ResourceType,
    object: &Value,
    patch: &Value,
    content_type: &str,
) -> Result<Value, Refusal> {
    let form = content_type.split(';').next().unwrap_or_default().trim();
    let custom = kind.group.contains('.') && !kind.group.ends_with(".k8s.io");
    match form {
        "application/json-patch+json" => json::apply(object, patch),
        "application/merge-patch+json" => {
            let mut patched = object.clone();
            merge(&mut patched, patch);
            Ok(patched)
        }
        "application/strategic-merge-patch+json" if !custom => {
            let mut patched = object.clone();
            strategic::merge(&mut patched, patch, &strategic::PatchPath::root(&kind.kind));
            Ok(patched)
        }
        _ => {
            let message = "the body of the request was in an unknown format - accepted media types include: \
                 application/json-patch+json, application/merge-patch+json";
            Err(Refusal::new(415, "UnsupportedMediaType", message))
        }
    }
}
