//! Strategic merge patch: like a merge patch, but lists of named things merge by name.
//!
//! Source: k8s.io/apimachinery `pkg/util/strategicpatch`; the keys are the `patchMergeKey`s of k8s.io/api.

use serde_json::{Map, Value, json};

/// Where in an object a patch is.
#[derive(Debug, Clone)]
pub struct PatchPath {
    kind: String,
    field: String,
}

/// How a list merges.
enum Lists {
    /// By a field of its entries.
    By(&'static str),
    /// As a set of plain values.
    Set,
    Replace,
}

// === impl PatchPath ===

impl PatchPath {
    pub fn root(kind: &str) -> Self {
        let kind = kind.to_owned();
        let field = String::new();
        Self { kind, field }
    }

    fn below(&self, field: &str) -> Self {
        Self {
            kind: self.kind.clone(),
            field: field.to_owned(),
        }
    }

    /// How the list of this name merges here.
    fn list(&self, name: &str) -> Lists {
        match (name, self.field.as_str()) {
            ("ports", "spec") if self.kind == "Service" => Lists::By("port"),
            ("ports", "containers" | "initContainers" | "ephemeralContainers") => {
                Lists::By("containerPort")
            }
            ("containers" | "initContainers" | "ephemeralContainers" | "volumes" | "env", _) => {
                Lists::By("name")
            }
            ("imagePullSecrets" | "secrets" | "resourceClaims", _) => Lists::By("name"),
            ("volumeMounts", _) => Lists::By("mountPath"),
            ("volumeDevices", _) => Lists::By("devicePath"),
            ("hostAliases" | "podIPs" | "hostIPs", _) => Lists::By("ip"),
            ("conditions" | "addresses", "status") => Lists::By("type"),
            ("ownerReferences", "metadata") => Lists::By("uid"),
            ("taints", "spec") => Lists::By("key"),
            ("topologySpreadConstraints", _) => Lists::By("topologyKey"),
            ("finalizers", "metadata") | ("podCIDRs", "spec") => Lists::Set,
            _ => Lists::Replace,
        }
    }
}

/// Lays a patch over a value.
pub fn merge(target: &mut Value, patch: &Value, place: &PatchPath) {
    let Value::Object(fields) = patch else {
        target.clone_from(patch);
        return;
    };
    if fields.get("$patch") == Some(&json!("replace")) {
        *target = Value::Object(plain(fields));
        return;
    }
    if !target.is_object() {
        *target = json!({});
    }
    let Some(own) = target.as_object_mut() else {
        return;
    };
    if let Some(kept) = fields.get("$retainKeys").and_then(Value::as_array) {
        own.retain(|name, _| kept.iter().any(|one| one == name));
    }
    for (name, value) in fields {
        if let Some(list) = name.strip_prefix("$deleteFromPrimitiveList/") {
            let gone = value.as_array().cloned().unwrap_or_default();
            if let Some(list) = own.get_mut(list).and_then(Value::as_array_mut) {
                list.retain(|one| !gone.contains(one));
            }
        } else if name.starts_with('$') {
            // Order is put right below; the rest was looked at above.
        } else if value.is_null() {
            own.remove(name);
        } else if let Value::Array(patches) = value {
            let list = own.entry(name).or_insert_with(|| json!([]));
            merge_list(list, patches, place, name);
        } else {
            merge(
                own.entry(name).or_insert(Value::Null),
                value,
                &place.below(name),
            );
        }
    }
    for (name, order) in fields {
        let list = name.strip_prefix("$setElementOrder/");
        if let Some((name, list)) = list.and_then(|name| Some((name, own.get_mut(name)?))) {
            sort(list, order, &place.list(name));
        }
    }
}

fn merge_list(list: &mut Value, patches: &[Value], place: &PatchPath, name: &str) {
    let rule = place.list(name);
    let replaced = patches.iter().any(|one| one["$patch"] == "replace");
    let own = list.as_array().cloned().unwrap_or_default();
    let mut merged = if replaced { Vec::new() } else { own };
    match rule {
        Lists::Replace => merged = patches.to_vec(),
        Lists::Set => {
            for one in patches {
                if !merged.contains(one) {
                    merged.push(one.clone());
                }
            }
        }
        Lists::By(key) => {
            for one in patches.iter().filter(|one| one["$patch"] != "replace") {
                let at = merged.iter().position(|own| own[key] == one[key]);
                match (at, one["$patch"] == "delete") {
                    (Some(at), true) => drop(merged.remove(at)),
                    (Some(at), false) => merge(&mut merged[at], one, &place.below(name)),
                    (None, true) => {}
                    (None, false) => {
                        let mut fresh = json!({});
                        merge(&mut fresh, one, &place.below(name));
                        merged.push(fresh);
                    }
                }
            }
        }
    }
    *list = Value::Array(merged);
}

/// Entries the order names come in it; the others keep their places before the first one.
fn sort(list: &mut Value, order: &Value, rule: &Lists) {
    let Some(list) = list.as_array_mut() else {
        return;
    };
    let rank = |one: &Value| {
        let named = order.as_array().into_iter().flatten();
        named
            .into_iter()
            .position(|wanted| match rule {
                Lists::By(key) => wanted[*key] == one[*key],
                _ => wanted == one,
            })
            .map_or(-1, |at| i64::try_from(at).unwrap_or(i64::MAX))
    };
    list.sort_by_key(rank);
}

/// An object without directives.
fn plain(fields: &Map<String, Value>) -> Map<String, Value> {
    let kept = fields.iter().filter(|(name, _)| !name.starts_with('$'));
    kept.map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patched(kind: &str, mut object: Value, patch: &Value) -> Value {
        merge(&mut object, patch, &PatchPath::root(kind));
        object
    }

    #[test]
    fn named_things_merge_by_name() {
        let pod = json!({"spec": {"containers": [{"name": "a", "image": "x", "ports": [{"containerPort": 80}]}, {"name": "b"}]}});
        let patch = json!({"spec": {"containers": [{"name": "a", "image": "y", "ports": [{"containerPort": 81}]},
            {"name": "b", "$patch": "delete"}, {"name": "c"}]}});
        let expected = json!({"spec": {"containers": [
            {"name": "a", "image": "y", "ports": [{"containerPort": 80}, {"containerPort": 81}]}, {"name": "c"}]}});
        assert_eq!(patched("Pod", pod, &patch), expected);
    }

    #[test]
    fn other_lists_are_replaced() {
        let policy =
            json!({"spec": {"ingress": [{"ports": [{"port": 1}]}], "policyTypes": ["Ingress"]}});
        let patch = json!({"spec": {"ingress": [{"ports": [{"port": 2}]}]}});
        let expected =
            json!({"spec": {"ingress": [{"ports": [{"port": 2}]}], "policyTypes": ["Ingress"]}});
        assert_eq!(patched("NetworkPolicy", policy, &patch), expected);
    }

    #[test]
    fn directives_do_what_they_say() {
        let service = json!({"metadata": {"finalizers": ["x", "y"]}, "spec": {"ports": [{"port": 1}, {"port": 2}], "selector": {"a": "b"}}});
        let patch = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["x"]},
            "spec": {"$setElementOrder/ports": [{"port": 2}, {"port": 1}], "selector": {"$patch": "replace", "c": "d"}}});
        let expected = json!({"metadata": {"finalizers": ["y"]}, "spec": {"ports": [{"port": 2}, {"port": 1}], "selector": {"c": "d"}}});
        assert_eq!(patched("Service", service, &patch), expected);
    }
}
