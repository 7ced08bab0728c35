//! Commands that can be pasted.

use serde_json::Value;

use crate::cluster::ObjectRef;

/// `kubectl -n shop REST`, without `-n` for cluster-wide objects.
pub(super) fn kubectl(namespace: &str, rest: impl AsRef<str>) -> String {
    let rest = rest.as_ref();
    if namespace.is_empty() {
        format!("kubectl {rest}")
    } else {
        format!("kubectl -n {namespace} {rest}")
    }
}

/// A merge patch of one object.
pub(super) fn merge_patch(object: &ObjectRef, patch: &Value) -> String {
    patch_command(object, "merge", patch)
}

/// A JSON patch of one object.
pub(crate) fn json_patch(object: &ObjectRef, patch: &Value) -> String {
    patch_command(object, "json", patch)
}

fn patch_command(object: &ObjectRef, kind: &str, patch: &Value) -> String {
    let resource = object.kind.to_lowercase();
    let quoted = quote(&patch.to_string());
    kubectl(
        &object.namespace,
        format!("patch {resource} {} --type={kind} -p {quoted}", object.name),
    )
}

/// Quotes a word for a POSIX shell.
pub(super) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
