//! Worlds made of a healthy one and what somebody changed in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use netpath::cluster::{Builder, ClusterView, Facts, PodFacts, snapshot};
use serde_json::Value;

use super::{entries, folder, name_of};

/// Kind, namespace and name.
pub type Key = (String, String, String);

/// When the worlds were recorded; a little after everything in them.
pub const TAKEN_AT: &str = "2026-11-21T08:00:00Z";

/// Objects by key, with what was gathered inside pods.
#[derive(Debug, Clone, Default)]
pub struct World {
    objects: BTreeMap<Key, Value>,
    facts: Facts,
    /// The view before the latest changes: reading every object anew takes most of the time.
    settled: Option<Arc<ClusterView>>,
    changed: BTreeSet<Key>,
}

/// Changes: objects to add, to merge into those of the same key (RFC 7386), or to remove
/// (`$patch: delete`, as Kustomize writes it).
#[derive(Debug, Clone, Default)]
pub struct Overlay {
    changes: Vec<Value>,
    facts: Facts,
}

// === impl World ===

impl World {
    /// The healthy world.
    pub fn base() -> &'static Self {
        static BASE: OnceLock<World> = OnceLock::new();
        BASE.get_or_init(|| {
            let base = Overlay::file(&folder("base.yaml"));
            Self::default().with(&base).settle()
        })
    }

    /// The same with changes.
    pub fn with(&self, overlay: &Overlay) -> Self {
        let mut world = self.clone();
        for change in &overlay.changes {
            let key = key(change);
            if change["$patch"] == "delete" {
                let removed = world.remove(&key);
                assert!(removed.is_some(), "{key:?} is not there to be removed");
            } else {
                world.changed.insert(key.clone());
                merge(world.objects.entry(key).or_default(), change);
            }
        }
        world.facts.pods.extend(overlay.facts.pods.clone());
        world
    }

    /// Makes views of this world's descendants cheap.
    pub fn settle(mut self) -> Self {
        self.settled = Some(Arc::new(self.view()));
        self.changed.clear();
        self
    }

    /// What the program would read of it.
    pub fn view(&self) -> ClusterView {
        let known = self.settled.as_deref().cloned();
        let is_known = |key: &Key| known.is_some() && !self.changed.contains(key);
        let news = self.objects.iter().filter(|(key, _)| !is_known(key));
        let news: Vec<Value> = news.map(|(_, object)| object.clone()).collect();
        let mut builder = known.map_or_else(Builder::default, Builder::from_view);
        for object in news {
            builder.add(object);
        }
        let view = builder.view();
        view.facts = self.facts.clone();
        view.taken_at = TAKEN_AT.parse().ok();
        let view = builder.finish();
        assert!(view.rejected.is_empty(), "{:?}", view.rejected);
        view
    }

    /// One object.
    pub fn object(&mut self, key: &Key) -> Option<&mut Value> {
        self.changed.insert(key.clone());
        self.objects.get_mut(key)
    }

    /// Every key of a kind.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.objects.keys()
    }

    /// Adds an object.
    pub fn insert(&mut self, object: Value) {
        self.changed.insert(key(&object));
        self.objects.insert(key(&object), object);
    }

    /// Takes an object away.
    pub fn remove(&mut self, key: &Key) -> Option<Value> {
        self.settled = None;
        self.objects.remove(key)
    }

    /// The objects of it.
    pub fn objects(&self) -> impl Iterator<Item = &Value> {
        self.objects.values()
    }
}

// === impl Overlay ===

impl Overlay {
    /// The changes of a file.
    pub fn file(path: &Path) -> Self {
        let text = std::fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let changes =
            snapshot::objects(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self {
            changes,
            facts: Facts::default(),
        }
    }

    /// The changes of a folder: `objects.yaml`, and the facts of pods beside it.
    pub fn folder(path: &Path) -> Self {
        let objects = path.join("objects.yaml");
        let mut overlay = if objects.exists() {
            Self::file(&objects)
        } else {
            Self::default()
        };
        let pods = path.join("pods");
        for namespace in pods.exists().then(|| entries(&pods)).into_iter().flatten() {
            for pod in entries(&namespace) {
                let mut facts = PodFacts::default();
                for file in entries(&pod) {
                    let text = std::fs::read_to_string(&file).expect("a text");
                    let name = file.file_name().unwrap_or_default().to_string_lossy();
                    assert!(facts.set(&name, text), "{} is no fact", file.display());
                }
                let key = (name_of(&namespace), name_of(&pod));
                overlay.facts.pods.insert(key, facts);
            }
        }
        overlay
    }

    /// Whether it holds what was gathered inside pods.
    pub fn has_facts(&self) -> bool {
        !self.facts.pods.is_empty()
    }

    /// The objects that it changes.
    pub fn touched(&self) -> BTreeSet<Key> {
        self.changes.iter().map(key).collect()
    }

    /// Whether both change the same thing, so that one would undo the other.
    pub fn collides(&self, other: &Self) -> bool {
        let theirs = other.fields();
        self.fields().iter().any(|own| {
            theirs
                .iter()
                .any(|field| own.starts_with(field.as_str()) || field.starts_with(own.as_str()))
        })
    }

    /// Every field that it sets, as `Kind/namespace/name/spec/selector/app/`.
    fn fields(&self) -> BTreeSet<String> {
        let mut fields = BTreeSet::new();
        for change in &self.changes {
            let (kind, namespace, name) = key(change);
            let object = format!("{kind}/{namespace}/{name}/");
            if change["$patch"] == "delete" {
                fields.insert(object);
                continue;
            }
            for (field, value) in change.as_object().into_iter().flatten() {
                let meta = ["apiVersion", "kind"].contains(&field.as_str());
                if !meta {
                    leaves(value, &format!("{object}{field}/"), &mut fields);
                }
            }
            fields.remove(&format!("{object}metadata/name/"));
            fields.remove(&format!("{object}metadata/namespace/"));
        }
        let facts = self.facts.pods.keys();
        fields.extend(facts.map(|(namespace, name)| format!("facts/{namespace}/{name}/")));
        fields
    }
}

fn leaves(value: &Value, path: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                leaves(value, &format!("{path}{name}/"), into);
            }
        }
        _ => drop(into.insert(path.to_owned())),
    }
}

/// Names an object.
pub fn key(object: &Value) -> Key {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let meta = &object["metadata"];
    (
        text(&object["kind"]),
        text(&meta["namespace"]),
        text(&meta["name"]),
    )
}

/// JSON Merge Patch (RFC 7386): objects merge, `null` removes, everything else replaces.
pub fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = Value::Object(serde_json::Map::new());
    }
    if let Value::Object(fields) = into {
        for (name, value) in patch {
            if value.is_null() {
                fields.remove(name);
            } else {
                merge(fields.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
    }
}
