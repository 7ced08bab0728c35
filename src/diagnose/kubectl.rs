//! Commands that can be pasted.

use serde_json::Value;

use crate::cluster::{ClusterView, ObjectRef, Resource};
use crate::policy::PolicyRef;

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

/// A JSON patch of a policy. Kinds that share their name with another are named with the group that the
/// server has them in.
pub(crate) fn policy_patch(view: &ClusterView, policy: &PolicyRef, patch: &Value) -> String {
    let mut object = policy.object();
    let is_calico = policy.resource.group() == Resource::CALICO_STORED;
    let mut all = view.custom(policy.resource);
    let own = all.find(|own| {
        let text = |pointer: &str| {
            own.pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        text("/metadata/name") == policy.name && text("/metadata/namespace") == policy.namespace
    });
    let group = own
        .and_then(|own| own.get("apiVersion")?.as_str()?.split_once('/'))
        .map_or_else(|| policy.resource.group(), |(group, _)| group);
    if is_calico {
        object.kind = format!("{}.{group}", policy.resource.plural());
    }
    json_patch(&object, patch)
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
