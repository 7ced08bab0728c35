//! Deleting objects: at once, or marked until whoever must is done with them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::read::Filter;
use super::refusal::{Refusal, deleted};
use super::request::{Call, Target};
use crate::store::{Inner, Key, ResourceType, Store, now};

/// What a deletion is asked to be.
#[derive(Debug, Default)]
struct Wish {
    /// Seconds to end in.
    grace: Option<i64>,
    uid: Option<String>,
    dry: bool,
}

/// Deletes one object. The answer is the object, or a `Status` where it is gone.
pub fn one(
    store: &Store,
    call: &Call,
    target: &Target,
    kind: &ResourceType,
    body: &Value,
) -> Result<Value, Refusal> {
    let wish = Wish::of(call, body);
    store.with(|inner| {
        let key = target.key(kind);
        let object = inner
            .get(&key)
            .ok_or_else(|| Refusal::not_found(kind, &key.name))?;
        let uid = &object["metadata"]["uid"];
        if wish.uid.as_ref().is_some_and(|wanted| uid != wanted) {
            return Err(Refusal::conflict(kind, &key.name));
        }
        Ok(end(inner, kind, &key, &object, &wish))
    })
}

/// Deletes everything a filter lets through.
pub fn many(
    store: &Store,
    call: &Call,
    target: &Target,
    kind: &ResourceType,
    body: &Value,
) -> Result<Value, Refusal> {
    let filter = Filter::of(call, target, kind)?;
    let wish = Wish::of(call, body);
    let ended: Vec<Value> = store.with(|inner| {
        let all = inner.list(&kind.group, &kind.plural, None);
        let wanted: Vec<(Key, Arc<Value>)> = all
            .filter(|(key, object)| filter.matches(key, object))
            .map(|(key, object)| (key.clone(), object.clone()))
            .collect();
        for (key, object) in &wanted {
            end(inner, kind, key, object, &wish);
        }
        wanted
            .into_iter()
            .map(|(_, object)| (*object).clone())
            .collect()
    });
    Ok(
        json!({"kind": format!("{}List", kind.kind), "apiVersion": kind.api_version(), "metadata": {}, "items": ended}),
    )
}

// === impl Wish ===

impl Wish {
    fn of(call: &Call, body: &Value) -> Self {
        let grace = call
            .query
            .get("gracePeriodSeconds")
            .and_then(|seconds| seconds.parse().ok());
        Self {
            grace: grace.or_else(|| body["gracePeriodSeconds"].as_i64()),
            uid: body["preconditions"]["uid"].as_str().map(str::to_owned),
            dry: call.is_dry() || body["dryRun"] == json!(["All"]),
        }
    }
}

fn end(inner: &mut Inner, kind: &ResourceType, key: &Key, object: &Value, wish: &Wish) -> Value {
    let waits = object["metadata"]["finalizers"]
        .as_array()
        .is_some_and(|list| !list.is_empty());
    let pod = kind.plural == "pods";
    let grace = wish
        .grace
        .or_else(|| object["spec"]["terminationGracePeriodSeconds"].as_i64())
        .unwrap_or(30);
    let forced = wish.grace == Some(0) || object["spec"]["nodeName"].is_null();
    let marked = waits || kind.plural == "namespaces" || pod;
    if !marked {
        if !wish.dry {
            inner.remove(key);
        }
        return deleted(kind, key, &object["metadata"]["uid"]);
    }
    let mut last = object.clone();
    if last["metadata"]["deletionTimestamp"].is_null() {
        last["metadata"]["deletionTimestamp"] = now().into();
    }
    if pod {
        last["metadata"]["deletionGracePeriodSeconds"] = if forced { 0 } else { grace }.into();
    }
    if kind.plural == "namespaces" {
        last["status"]["phase"] = "Terminating".into();
    }
    if wish.dry {
        return last;
    }
    if pod && forced && !waits {
        inner.remove(key);
        return last;
    }
    (*inner.put(key.clone(), last)).clone()
}
