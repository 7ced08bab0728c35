//! Creating objects.

use serde_json::{Value, json};

use super::podsecurity;
use super::refusal::{Cause, Refusal};
use super::request::{Call, Target};
use super::{typed, validate};
use crate::controllers::names::letters;
use crate::defaults;
use crate::store::{Inner, Key, ResourceType, Store, fresh_uid};

/// What was written, and what its maker is warned of.
pub struct Written {
    pub object: Value,
    pub warnings: Vec<String>,
}

/// Takes in a new object.
pub fn create(
    store: &Store,
    call: &Call,
    target: &Target,
    kind: &ResourceType,
    mut object: Value,
) -> Result<Written, Refusal> {
    complete(&mut object, target, kind)?;
    typed::check(kind, &object, is_strict(call))?;
    store.with(|inner| {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let key = Key::new(&kind.group, &kind.plural, &target.namespace, name);
        let warnings = admit(inner, kind, &key, &object)?;
        validate::check(kind, &object)?;
        if inner.get(&key).is_some() {
            return Err(Refusal::already_exists(kind, &key.name));
        }
        apply_defaults(inner, kind, &mut object)?;
        let object = if call.is_dry() {
            inner.preview(&key, object)
        } else {
            (*inner.put(key, object)).clone()
        };
        Ok(Written { object, warnings })
    })
}

/// Whether unknown fields are refused.
pub fn is_strict(call: &Call) -> bool {
    call.query.get("fieldValidation") == Some("Strict")
}

/// Puts in what the URL says, and takes out what only the server writes.
fn complete(object: &mut Value, target: &Target, kind: &ResourceType) -> Result<(), Refusal> {
    fits(object, kind)?;
    let generated = object["metadata"]["generateName"]
        .as_str()
        .map(|prefix| format!("{prefix}{}", letters(&fresh_uid(), 5)));
    let meta = &mut object["metadata"];
    if let Some(namespace) = meta["namespace"].as_str().filter(|_| kind.namespaced)
        && namespace != target.namespace
    {
        return Err(Refusal::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    if kind.namespaced && target.namespace.is_empty() {
        return Err(Refusal::method_not_allowed());
    }
    if meta["name"].as_str().is_none_or(str::is_empty)
        && let Some(name) = generated
    {
        meta["name"] = name.into();
    }
    if kind.namespaced {
        meta["namespace"] = target.namespace.clone().into();
    }
    if let Some(fields) = meta.as_object_mut() {
        for field in [
            "uid",
            "resourceVersion",
            "generation",
            "creationTimestamp",
            "deletionTimestamp",
            "managedFields",
            "selfLink",
        ] {
            fields.remove(field);
        }
    }
    if kind.keeps_status()
        && let Some(fields) = object.as_object_mut()
    {
        fields.remove("status");
    }
    Ok(())
}

/// Refuses a body that is no object of the kind, and names kind and version where it does not.
pub fn fits(object: &mut Value, kind: &ResourceType) -> Result<(), Refusal> {
    if !object.is_object() {
        return Err(Refusal::bad_request("the body is no object"));
    }
    for (field, own) in [
        ("kind", kind.kind.clone()),
        ("apiVersion", kind.api_version()),
    ] {
        match object[field].as_str() {
            None | Some("") => object[field] = own.into(),
            Some(other) if other == own => {}
            Some(other) => {
                return Err(Refusal::bad_request(format!(
                    "{other} does not fit {}: the {field} in the data must be {own}",
                    kind.plural
                )));
            }
        }
    }
    if !object["metadata"].is_object() {
        object["metadata"] = json!({});
    }
    Ok(())
}

/// Admission: the namespace is there and its Pod Security level allows the pod.
pub fn admit(
    inner: &Inner,
    kind: &ResourceType,
    key: &Key,
    object: &Value,
) -> Result<Vec<String>, Refusal> {
    if !kind.namespaced {
        return Ok(Vec::new());
    }
    let namespaces = inner.registry.by_plural("", "v1", "namespaces");
    let namespaces = namespaces.ok_or_else(Refusal::no_resource)?;
    let namespace = inner.get(&Key::new("", "namespaces", "", &key.namespace));
    let namespace = namespace.ok_or_else(|| Refusal::not_found(namespaces, &key.namespace))?;
    if !namespace["metadata"]["deletionTimestamp"].is_null() {
        let why = format!(
            "unable to create new content in namespace {} because it is being terminated",
            key.namespace
        );
        return Err(Refusal::forbidden(kind, &key.name, &why));
    }
    // Whoever makes pods from a template is warned only.
    let (spec, enforced) = match kind.plural.as_str() {
        "pods" => (&object["spec"], true),
        "deployments" | "daemonsets" | "replicasets" | "statefulsets" | "jobs" => {
            (&object["spec"]["template"]["spec"], false)
        }
        _ => return Ok(Vec::new()),
    };
    let judged = podsecurity::judge(&namespace, spec);
    match judged.refused {
        Some(why) if enforced => Err(Refusal::forbidden(kind, &key.name, &why)),
        _ => Ok(judged.warning.into_iter().collect()),
    }
}

/// Completes an object as the API server does.
pub fn apply_defaults(
    inner: &Inner,
    kind: &ResourceType,
    object: &mut Value,
) -> Result<(), Refusal> {
    let name = object["metadata"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    defaults::apply(inner, object).map_err(|refused| {
        let cause = Cause {
            reason: "FieldValueInvalid",
            field: refused.field,
            message: refused.message,
        };
        Refusal::invalid(kind, &name, &[cause])
    })
}
