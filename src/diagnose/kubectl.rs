//! Commands that can be pasted.

use serde::Serialize;
use serde_json::Value;

use super::patch::guarded;
use crate::cluster::{ClusterView, ObjectRef, Resource};
use crate::policy::{Fix, PolicyRef};
use crate::shell::{Command, words};

/// `kubectl -n shop REST`, without `-n` for cluster-wide objects.
pub(super) fn kubectl(namespace: &str, rest: impl Into<Command>) -> Command {
    let start = if namespace.is_empty() {
        Command::from("kubectl")
    } else {
        words!("kubectl -n {}", namespace)
    };
    start.before(&rest.into())
}

/// Has a pod made anew: by its controller, or, where nobody would, from its own manifest.
pub(super) fn recreate(view: &ClusterView, pod: &ObjectRef) -> Command {
    let ObjectRef {
        namespace, name, ..
    } = pod;
    let known = view.pods.get(namespace, name);
    let is_bare = known.is_some_and(|pod| pod.controller().is_none());
    if is_bare {
        words!(
            "kubectl -n {} get pod {} -o yaml | kubectl replace --force -f -",
            namespace,
            name
        )
    } else {
        kubectl(namespace, words!("delete pod {}", name))
    }
}

/// A merge patch of one object, as a command and as text. It names fields, not positions in lists.
pub(super) fn merge_patch(object: &ObjectRef, patch: &Value) -> (Command, String) {
    let text = patch.to_string();
    (patch_command(object, "merge", &text), text)
}

/// A JSON patch of one object, as a command and as text: it applies to the object as it was read, and
/// to nothing that somebody made of it since.
pub(super) fn json_patch<T: Serialize>(
    object: &ObjectRef,
    current: &T,
    steps: &Value,
) -> (Command, String) {
    let current = serde_json::to_value(current).unwrap_or_default();
    let text = guarded(&current, steps).to_string();
    (patch_command(object, "json", &text), text)
}

/// An object as it was read: a Service, or one of a kind that is kept whole.
pub(super) fn stored(view: &ClusterView, object: &ObjectRef) -> Option<Value> {
    if object.kind == "Service" {
        let service = view.services.get(&object.namespace, &object.name)?;
        return serde_json::to_value(service).ok();
    }
    let of_kind = view.custom.iter();
    let mut of_kind = of_kind.filter(|(resource, _)| resource.kind() == object.kind);
    let found = of_kind.find_map(|(_, table)| table.get(&object.namespace, &object.name));
    found.cloned()
}

/// The patch of a policy, of whichever kind.
pub(crate) fn policy_patch(view: &ClusterView, fix: &Fix) -> (Command, String) {
    let text = policy_steps(view, fix).to_string();
    let object = as_kubectl_names(view, &fix.policy);
    (patch_command(&object, "json", &text), text)
}

/// The steps of the patch of a policy, behind tests of what they change.
pub(crate) fn policy_steps(view: &ClusterView, fix: &Fix) -> Value {
    let PolicyRef {
        resource,
        namespace,
        name,
    } = &fix.policy;
    let current = match resource {
        Resource::NetworkPolicies => {
            let policy = view.network_policies.get(namespace, name);
            policy.and_then(|policy| serde_json::to_value(policy).ok())
        }
        _ => custom(view, &fix.policy).cloned(),
    };
    guarded(&current.unwrap_or_default(), &fix.patch)
}

fn custom<'v>(view: &'v ClusterView, policy: &PolicyRef) -> Option<&'v Value> {
    let table = view.custom.get(&policy.resource)?;
    table.get(&policy.namespace, &policy.name)
}

/// Kinds that share their name with another are named with the group that the server has them in.
fn as_kubectl_names(view: &ClusterView, policy: &PolicyRef) -> ObjectRef {
    let mut object = policy.object();
    if policy.resource.group() == Resource::CALICO_STORED {
        let version = custom(view, policy).and_then(|own| own.get("apiVersion")?.as_str());
        let group = version.and_then(|version| version.split_once('/'));
        let group = group.map_or_else(|| policy.resource.group(), |(group, _)| group);
        object.kind = format!("{}.{group}", policy.resource.plural());
    }
    object
}

fn patch_command(object: &ObjectRef, kind: &str, patch: &str) -> Command {
    let resource = object.kind.to_lowercase();
    kubectl(
        &object.namespace,
        words!(
            "patch {} {} --type={} -p {}",
            resource,
            object.name,
            kind,
            patch
        ),
    )
}
