//! What etcd and the watch cache are to a real API server: all objects, a revision that every change
//! raises, and the changes themselves, so that lists and watches agree.

mod key;
mod load;
mod registry;
mod selector;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use anyhow::{Result, anyhow};
use parking_lot::{Mutex, MutexGuard};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;

use super::defaults;

pub use key::Key;
pub use load::{fresh_uid, now, read};
pub use registry::{Registry, ResourceType, Subresource, labels};
pub use selector::{BadSelector, Selector};

/// How many changes a watch may be behind.
const KEPT: usize = 20_000;

/// All objects of a cluster.
#[derive(Debug)]
pub struct Store {
    inner: Mutex<Inner>,
    revision: watch::Sender<u64>,
}

/// The objects and their history, under one lock.
#[derive(Debug)]
pub struct Inner {
    pub registry: Registry,
    objects: BTreeMap<Key, Arc<Value>>,
    revision: u64,
    changes: VecDeque<Change>,
    /// Revisions up to here are forgotten: a watch from there on gets 410.
    compacted: u64,
    /// The uids of what was once here.
    removed: BTreeSet<String>,
}

/// One change of one object.
#[derive(Debug, Clone)]
pub struct Change {
    pub revision: u64,
    pub key: Key,
    pub before: Option<Arc<Value>>,
    pub after: Option<Arc<Value>>,
}

// === impl Store ===

impl Store {
    pub fn new() -> Self {
        // A cluster that has been running for a while: revision 1 is long forgotten.
        const START: u64 = 1000;
        Self {
            inner: Mutex::new(Inner {
                registry: Registry::built_in(),
                objects: BTreeMap::new(),
                revision: START,
                changes: VecDeque::new(),
                compacted: START,
                removed: BTreeSet::new(),
            }),
            revision: watch::Sender::new(START),
        }
    }

    /// The objects, for several steps that belong together. Changes show when the guard falls and
    /// [`Store::announce`] is called; [`Store::with`] does both.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }

    /// Does several steps as one.
    pub fn with<T>(&self, steps: impl FnOnce(&mut Inner) -> T) -> T {
        let (done, revision) = {
            let mut inner = self.lock();
            let done = steps(&mut inner);
            (done, inner.revision)
        };
        self.revision.send_if_modified(|seen| {
            let newer = revision > *seen;
            *seen = revision.max(*seen);
            newer
        });
        done
    }

    /// Tells of every new revision.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    pub fn get(&self, key: &Key) -> Option<Arc<Value>> {
        self.lock().get(key)
    }

    /// Every object of a resource, `("apps", "deployments")`.
    pub fn list(&self, group: &str, plural: &str) -> Vec<Arc<Value>> {
        self.lock()
            .list(group, plural, None)
            .map(|(_, object)| object.clone())
            .collect()
    }

    /// Every object of a resource in the library's types. An object that does not fit its type was
    /// refused at the door, so none is lost here.
    pub fn typed<T: DeserializeOwned>(&self, group: &str, plural: &str) -> Vec<T> {
        let objects = self.list(group, plural);
        objects
            .iter()
            .filter_map(|object| T::deserialize(&**object).ok())
            .collect()
    }

    /// Changes an object if it is there and `change` changes it.
    pub fn modify(&self, key: &Key, change: impl FnOnce(&mut Value)) -> Option<Arc<Value>> {
        self.with(|inner| {
            let before = inner.get(key)?;
            let mut object = (*before).clone();
            change(&mut object);
            if object == *before {
                return Some(before);
            }
            Some(inner.put(key.clone(), object))
        })
    }

    /// Takes in an object as the API server would, completed with defaults.
    pub fn admit(&self, mut object: Value) -> Result<Key> {
        self.with(|inner| {
            inner.registry.admit(&object);
            let key = Key::of(&inner.registry, &object)?;
            if !key.namespace.is_empty() {
                object["metadata"]["namespace"] = key.namespace.clone().into();
            }
            defaults::apply(inner, &mut object)
                .map_err(|refused| anyhow!("{}: {}", key.path(), refused.message))?;
            inner.put(key.clone(), object);
            Ok(key)
        })
    }

    /// Adds an object as it is, filling in what every stored object has.
    pub fn add(&self, object: Value) -> Result<Key> {
        self.with(|inner| {
            inner.registry.admit(&object);
            let key = Key::of(&inner.registry, &object)?;
            inner.put(key.clone(), object);
            Ok(key)
        })
    }

    /// Every object there is.
    pub fn everything(&self) -> Vec<(Key, Arc<Value>)> {
        self.lock()
            .objects
            .iter()
            .map(|(key, object)| (key.clone(), object.clone()))
            .collect()
    }

    /// Whether an object with this uid was here and is gone.
    pub fn was_removed(&self, uid: &str) -> bool {
        self.lock().removed.contains(uid)
    }

    pub fn remove(&self, key: &Key) -> Option<Arc<Value>> {
        self.with(|inner| inner.remove(key))
    }

    /// Forgets the past, so that older watches and continue tokens expire.
    pub fn compact(&self) {
        self.with(|inner| {
            inner.compacted = inner.revision;
            inner.changes.clear();
        });
    }
}

// === impl Inner ===

impl Inner {
    pub fn get(&self, key: &Key) -> Option<Arc<Value>> {
        self.objects.get(key).cloned()
    }

    pub const fn revision(&self) -> u64 {
        self.revision
    }

    pub const fn compacted(&self) -> u64 {
        self.compacted
    }

    /// The objects of a resource, in etcd's order: by namespace, then by name.
    pub fn list<'a>(
        &'a self,
        group: &str,
        plural: &str,
        namespace: Option<&str>,
    ) -> impl Iterator<Item = (&'a Key, &'a Arc<Value>)> + use<'a> {
        let first = Key::new(group, plural, namespace.unwrap_or_default(), "");
        let within = (first.clone(), namespace.map(str::to_owned));
        self.objects.range(first..).take_while(move |(key, _)| {
            let (first, namespace) = &within;
            key.group == first.group
                && key.plural == first.plural
                && namespace.as_ref().is_none_or(|name| *name == key.namespace)
        })
    }

    /// What storing an object would make of it, but for its revision.
    pub fn preview(&self, key: &Key, mut object: Value) -> Value {
        load::complete(&mut object, self.objects.get(key).map(|one| &**one));
        object
    }

    /// Stores an object under a new revision.
    pub fn put(&mut self, key: Key, mut object: Value) -> Arc<Value> {
        self.revision += 1;
        let before = self.objects.get(&key).cloned();
        load::complete(&mut object, before.as_deref());
        object["metadata"]["resourceVersion"] = self.revision.to_string().into();
        if key.plural == "customresourcedefinitions" {
            self.registry.define(&object);
        }
        let after = Arc::new(object);
        self.objects.insert(key.clone(), after.clone());
        self.note(key, before, Some(after.clone()));
        after
    }

    /// Removes an object; its last state carries the revision of its removal, as a watch shows it.
    pub fn remove(&mut self, key: &Key) -> Option<Arc<Value>> {
        let before = self.objects.remove(key)?;
        if let Some(uid) = before["metadata"]["uid"].as_str() {
            self.removed.insert(uid.to_owned());
        }
        if key.plural == "customresourcedefinitions" {
            self.registry.forget(&before);
        }
        self.revision += 1;
        let mut last = (*before).clone();
        last["metadata"]["resourceVersion"] = self.revision.to_string().into();
        let last = Arc::new(last);
        self.note(key.clone(), Some(last.clone()), None);
        Some(last)
    }

    fn note(&mut self, key: Key, before: Option<Arc<Value>>, after: Option<Arc<Value>>) {
        let revision = self.revision;
        self.changes.push_back(Change {
            revision,
            key,
            before,
            after,
        });
        while self.changes.len() > KEPT {
            let oldest = self.changes.pop_front();
            self.compacted = oldest.map_or(self.compacted, |change| change.revision);
        }
    }

    /// The changes after a revision, or `None` if they are forgotten.
    pub fn since(&self, revision: u64) -> Option<Vec<Change>> {
        if revision < self.compacted {
            return None;
        }
        let newer = self
            .changes
            .iter()
            .filter(|change| change.revision > revision);
        Some(newer.cloned().collect())
    }
}
