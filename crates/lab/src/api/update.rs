//! Changing objects: whole (PUT) or in part (PATCH), and the parts that have an address of their own.

use serde_json::{Value, json};

use super::create::{Written, admit, apply_defaults, fits, is_strict};
use super::refusal::{Cause, Refusal};
use super::request::{Call, Target};
use super::{patch, typed, validate};
use crate::defaults;
use crate::store::{Inner, ResourceType, Store};

/// Fields of a pod's spec that may change while it runs.
const CHANGEABLE: [&str; 4] = [
    "activeDeadlineSeconds",
    "tolerations",
    "terminationGracePeriodSeconds",
    "ephemeralContainers",
];

/// Replaces an object by the body.
pub fn update(
    store: &Store,
    call: &Call,
    target: &Target,
    kind: &ResourceType,
    body: &Value,
) -> Result<Written, Refusal> {
    write(store, call, target, kind, |_| Ok(body.clone()))
}

/// Lays a patch over an object.
pub fn patch(
    store: &Store,
    call: &Call,
    target: &Target,
    kind: &ResourceType,
    body: &Value,
) -> Result<Written, Refusal> {
    let form = call.header("content-type").unwrap_or_default();
    write(store, call, target, kind, |old| {
        patch::apply(kind, old, body, form)
    })
}

fn write(
    store: &Store,
    call: &Call,
    target: &Target,
    kind: &ResourceType,
    make: impl FnOnce(&Value) -> Result<Value, Refusal>,
) -> Result<Written, Refusal> {
    store.with(|inner| {
        let key = target.key(kind);
        let old = inner
            .get(&key)
            .ok_or_else(|| Refusal::not_found(kind, &key.name))?;
        let mut made = make(&old)?;
        fits(&mut made, kind)?;
        same_object(kind, &old, &mut made)?;
        let mut object = assemble(kind, &target.subresource, &old, made);
        if object == *old {
            return Ok(Written {
                object,
                warnings: Vec::new(),
            });
        }
        typed::check(kind, &object, is_strict(call))?;
        let mut warnings = Vec::new();
        if target.subresource != "status" {
            keep_allocated(kind, &old, &mut object);
            if kind.plural == "pods" {
                may_change(kind, &target.subresource, &old, &object)?;
            }
            // Only what could make a pod worse is judged again.
            if object["spec"] != old["spec"] {
                warnings = admit(inner, kind, &key, &object)?;
            }
            validate::check(kind, &object)?;
            apply_defaults(inner, kind, &mut object)?;
        }
        let object = if call.is_dry() {
            inner.preview(&key, object)
        } else {
            store_or_end(inner, target, kind, object)
        };
        Ok(Written { object, warnings })
    })
}

/// Stores an object; one that waited for its last finalizer goes.
fn store_or_end(inner: &mut Inner, target: &Target, kind: &ResourceType, object: Value) -> Value {
    let key = target.key(kind);
    let waits = |field: &str| {
        object["metadata"][field]
            .as_array()
            .is_some_and(|list| !list.is_empty())
    };
    let over = !object["metadata"]["deletionTimestamp"].is_null()
        && !waits("finalizers")
        && !matches!(kind.plural.as_str(), "pods" | "namespaces");
    let stored = inner.put(key.clone(), object);
    if over {
        inner.remove(&key);
    }
    (*stored).clone()
}

/// The name must fit the URL, and the version the one there is.
fn same_object(kind: &ResourceType, old: &Value, made: &mut Value) -> Result<(), Refusal> {
    let name = old["metadata"]["name"].as_str().unwrap_or_default();
    let meta = &mut made["metadata"];
    match meta["name"].as_str() {
        None => meta["name"] = name.into(),
        Some(other) if other != name => {
            return Err(Refusal::bad_request(format!(
                "the name of the object ({other}) does not match the name on the URL ({name})"
            )));
        }
        Some(_) => {}
    }
    meta["namespace"] = old["metadata"]["namespace"].clone();
    let version = meta["resourceVersion"].as_str().unwrap_or_default();
    if !version.is_empty() && *version != old["metadata"]["resourceVersion"] {
        return Err(Refusal::conflict(kind, name));
    }
    for field in [
        "resourceVersion",
        "uid",
        "creationTimestamp",
        "generation",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "namespace",
    ] {
        let own = &old["metadata"][field];
        if own.is_null() {
            if let Some(fields) = meta.as_object_mut() {
                fields.remove(field);
            }
        } else {
            meta[field] = own.clone();
        }
    }
    if let Some(fields) = meta.as_object_mut() {
        fields.remove("managedFields");
    }
    Ok(())
}

/// The object that comes of it: every address writes its own part.
fn assemble(kind: &ResourceType, subresource: &str, old: &Value, made: Value) -> Value {
    match subresource {
        "status" => {
            let mut object = old.clone();
            object["status"] = made["status"].clone();
            object
        }
        "ephemeralcontainers" => {
            let mut object = old.clone();
            let mut list = made["spec"]["ephemeralContainers"].clone();
            for one in list.as_array_mut().into_iter().flatten() {
                defaults::ephemeral_container(one);
            }
            if !list.is_null() {
                object["spec"]["ephemeralContainers"] = list;
            }
            object
        }
        _ => {
            let mut object = made;
            if kind.keeps_status() && !old["status"].is_null() {
                object["status"] = old["status"].clone();
            }
            object
        }
    }
}

/// A Service keeps the addresses it was given where the new form names none.
fn keep_allocated(kind: &ResourceType, old: &Value, object: &mut Value) {
    if kind.plural != "services" || object["spec"]["type"] == "ExternalName" {
        return;
    }
    for field in [
        "clusterIP",
        "clusterIPs",
        "ipFamilies",
        "ipFamilyPolicy",
        "healthCheckNodePort",
    ] {
        if object["spec"][field].is_null() && !old["spec"][field].is_null() {
            object["spec"][field] = old["spec"][field].clone();
        }
    }
}

/// A pod that runs is what it is, but for a few fields.
fn may_change(
    kind: &ResourceType,
    subresource: &str,
    old: &Value,
    object: &Value,
) -> Result<(), Refusal> {
    let name = old["metadata"]["name"].as_str().unwrap_or_default();
    let refuse = |cause: Cause| Err(Refusal::invalid(kind, name, &[cause]));
    let listed = |pod: &Value| {
        pod["spec"]["ephemeralContainers"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    };
    if subresource == "ephemeralcontainers" {
        let now = listed(object);
        for before in listed(old) {
            let own = before["name"].as_str().unwrap_or_default();
            let what = match now.iter().find(|one| one["name"] == own) {
                None => "removed",
                Some(after) if *after != before => "changed",
                Some(_) => continue,
            };
            let why = format!("existing ephemeral containers \"{own}\" may not be {what}\n");
            return refuse(Cause::forbidden("spec.ephemeralContainers", &why));
        }
        return Ok(());
    }
    if fixed(old) == fixed(object) && listed(old) == listed(object) {
        return Ok(());
    }
    refuse(Cause::forbidden(
        "spec",
        "pod updates may not change fields other than `spec.containers[*].image`,\
         `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions \
         to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it \
         was previously negative)\n",
    ))
}

/// What of a pod's spec never changes.
fn fixed(pod: &Value) -> Value {
    let mut spec = pod["spec"].clone();
    for field in CHANGEABLE {
        spec[field] = json!(null);
    }
    for kind in ["containers", "initContainers"] {
        for one in spec[kind].as_array_mut().into_iter().flatten() {
            one["image"] = json!(null);
            one["resources"] = json!(null);
        }
    }
    spec
}
