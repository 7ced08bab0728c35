//! Getting one object, and lists of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::fields::Fields;
use super::form::Form;
use super::page::Page;
use super::refusal::Refusal;
use super::request::{Call, Target};
use super::respond::{self, Response};
use crate::store::{Inner, Key, ResourceType, Selector, Store, labels};

/// Which objects of a list are wanted.
#[derive(Debug, Clone)]
pub struct Filter {
    pub namespace: String,
    labels: Selector,
    fields: Fields,
}

// === impl Filter ===

impl Filter {
    pub fn of(call: &Call, target: &Target, kind: &ResourceType) -> Result<Self, Refusal> {
        let text = call.query.get("labelSelector").unwrap_or_default();
        let labels = Selector::parse(text).map_err(|bad| {
            Refusal::bad_request(format!("unable to parse requirement: {}", bad.0))
        })?;
        let text = call.query.get("fieldSelector").unwrap_or_default();
        Ok(Self {
            namespace: target.namespace.clone(),
            labels,
            fields: Fields::parse(text, kind)?,
        })
    }

    pub fn matches(&self, key: &Key, object: &Value) -> bool {
        (self.namespace.is_empty() || self.namespace == key.namespace)
            && self.labels.matches(&labels(object))
            && self.fields.matches(object)
    }
}

/// One object.
pub fn get(
    store: &Store,
    call: &Call,
    target: &Target,
    kind: &ResourceType,
) -> Result<Response, Refusal> {
    let object = store
        .get(&target.key(kind))
        .ok_or_else(|| Refusal::not_found(kind, &target.name))?;
    let form = Form::of(call)?;
    Ok(respond::json(200, &form.one(kind, &object, call)))
}

/// A list, or a piece of one.
pub fn list(
    store: &Store,
    call: &Call,
    target: &Target,
    kind: &ResourceType,
) -> Result<Response, Refusal> {
    let filter = Filter::of(call, target, kind)?;
    let form = Form::of(call)?;
    let limit = call.query.number("limit").filter(|limit| *limit > 0);
    let page = call.query.get("continue").map(Page::parse).transpose()?;
    let (revision, entries) = store.with(|inner| entries(inner, kind, &filter, page.as_ref()))?;
    let limit = limit.map_or(entries.len(), |limit| {
        usize::try_from(limit)
            .unwrap_or(usize::MAX)
            .min(entries.len())
    });
    let mut meta = json!({"resourceVersion": revision.to_string()});
    let (shown, rest) = entries.split_at(limit);
    if let (Some((last, _)), false) = (shown.last(), rest.is_empty()) {
        meta["continue"] = Page::after(revision, last, &filter.namespace)
            .token()
            .into();
        // With a selector nobody knows how many are left without looking at them all.
        let selects = call
            .query
            .get("labelSelector")
            .or_else(|| call.query.get("fieldSelector"));
        if selects.is_none() {
            meta["remainingItemCount"] = rest.len().into();
        }
    }
    let objects: Vec<&Value> = shown.iter().map(|(_, object)| &**object).collect();
    Ok(respond::json(200, &form.many(kind, &objects, &meta, call)))
}

type Entries = Vec<(Key, Arc<Value>)>;

/// What a list shows, as of now or as of the revision of its first page.
fn entries(
    inner: &Inner,
    kind: &ResourceType,
    filter: &Filter,
    page: Option<&Page>,
) -> Result<(u64, Entries), Refusal> {
    let namespace = Some(filter.namespace.as_str()).filter(|name| !name.is_empty());
    let mut all: BTreeMap<Key, Arc<Value>> = inner
        .list(&kind.group, &kind.plural, namespace)
        .map(|(key, object)| (key.clone(), object.clone()))
        .collect();
    let revision = page.map_or_else(|| inner.revision(), |page| page.revision);
    let newer = inner.since(revision).ok_or_else(|| {
        Refusal::expired(
            "The provided continue parameter is too old to display a consistent list result. You can \
             start a new list without the continue parameter, or use the continue token in this \
             response to retrieve the remainder of the results.",
        )
    })?;
    for change in newer.into_iter().rev() {
        if change.key.group == kind.group && change.key.plural == kind.plural {
            match change.before {
                Some(before) => all.insert(change.key, before),
                None => all.remove(&change.key),
            };
        }
    }
    let wanted = |key: &Key, object: &Value| {
        filter.matches(key, object)
            && page.is_none_or(|page| page.is_before(key, &filter.namespace))
    };
    let kept = all.into_iter().filter(|(key, object)| wanted(key, object));
    Ok((revision, kept.collect()))
}
