//! Worlds made of a healthy one and what somebody changed in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use netpath::cluster::{Builder, ClusterView, Facts, NodeFacts, PodFacts, snapshot};
use parking_lot::Mutex;
use serde_json::Value;

use super::overlay::Overlay;
use super::{broken, entries, folder};

/// Kind, namespace and name.
pub type Key = (String, String, String);

/// When the worlds without a recording were recorded; a little after everything in them.
pub const TAKEN_AT: &str = "2026-11-21T08:00:00Z";

/// Objects by key, with what was gathered on nodes and inside pods, by path.
#[derive(Debug, Clone, Default)]
pub struct World {
    objects: BTreeMap<Key, Value>,
    files: BTreeMap<String, String>,
    /// What a view says of itself: when it was taken, of which version the server was.
    blank: Arc<ClusterView>,
    /// The view before the latest changes: reading every object anew takes most of the time.
    settled: Option<Arc<ClusterView>>,
    changed: BTreeSet<Key>,
}

// === impl World ===

impl World {
    /// The world of a recording or of a file of objects, which is read once.
    pub fn at(path: &Path) -> Arc<Self> {
        type Cell = Arc<OnceLock<Arc<World>>>;
        static KNOWN: Mutex<BTreeMap<PathBuf, Cell>> = Mutex::new(BTreeMap::new());
        let cell = Arc::clone(KNOWN.lock().entry(path.to_owned()).or_default());
        Arc::clone(cell.get_or_init(|| Arc::new(Self::read(path))))
    }

    /// A recording may itself be another one with an overlay.
    fn read(path: &Path) -> Self {
        if path.join("overlay.yaml").exists() {
            let overlay = Overlay::folder(path);
            let base = overlay.base.as_deref().expect("a recording's base");
            return Self::at(&folder("recorded").join(base))
                .with(&overlay)
                .settle();
        }
        let view = snapshot::load(path).unwrap_or_else(|error| broken(path, &error));
        let (file, files) = if path.is_dir() {
            let mut files = read_files(path);
            files.retain(|path, _| is_read(path));
            (path.join("objects.yaml"), files)
        } else {
            (path.to_owned(), BTreeMap::new())
        };
        let text = std::fs::read_to_string(file).unwrap_or_else(|error| broken(path, &error));
        let objects = snapshot::objects(&text).unwrap_or_else(|error| broken(path, &error));
        let objects = objects.into_iter().flat_map(items);
        let mut blank = ClusterView::default();
        blank.provenance = view.provenance;
        blank.server_version.clone_from(&view.server_version);
        blank.taken_at = view.taken_at.or_else(|| TAKEN_AT.parse().ok());
        blank.unread.clone_from(&view.unread);
        if let Some(coverage) = view.coverage() {
            blank.cover(coverage.clone());
        }
        let world = Self {
            objects: objects.map(|object| (key(&object), object)).collect(),
            files,
            blank: Arc::new(blank),
            ..Self::default()
        };
        world.settle()
    }

    /// The same with changes.
    pub fn with(&self, overlay: &Overlay) -> Self {
        let mut world = self.clone();
        for change in &overlay.objects {
            let key = key(change);
            if change["$patch"] == "delete" {
                let removed = world.remove(&key);
                assert!(removed.is_some(), "{key:?} is not there to be removed");
            } else {
                world.changed.insert(key.clone());
                merge(world.objects.entry(key).or_default(), change);
            }
        }
        world.files = overlay
            .files(&self.files)
            .unwrap_or_else(|why| panic!("{why}"));
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
        let is_known = |key: &Key| self.settled.is_some() && !self.changed.contains(key);
        let news = self.objects.iter().filter(|(key, _)| !is_known(key));
        let start = self.settled.as_ref().unwrap_or(&self.blank);
        let mut builder = Builder::from_view(ClusterView::clone(start));
        for (_, object) in news {
            builder.add(object.clone());
        }
        builder.view().facts = self.facts();
        let view = builder.finish();
        assert!(view.rejected.is_empty(), "{:?}", view.rejected);
        view
    }

    fn facts(&self) -> Facts {
        let mut facts = Facts::default();
        for (path, text) in &self.files {
            let is_fact = match place(path) {
                Some(Place::Node(node, file)) => {
                    let node = facts.nodes.entry(node.to_owned()).or_default();
                    node.set(file, text.clone())
                }
                Some(Place::Pod(namespace, pod, file)) => {
                    let pod = (namespace.to_owned(), pod.to_owned());
                    facts.pods.entry(pod).or_default().set(file, text.clone())
                }
                None => false,
            };
            assert!(is_fact, "{path} is no fact");
        }
        facts
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

/// Where a file was gathered, and its name there.
enum Place<'p> {
    Node(&'p str, &'p str),
    Pod(&'p str, &'p str, &'p str),
}

/// What a path says: `nodes/NODE/FILE`, `pods/NAMESPACE/POD/FILE`.
fn place(path: &str) -> Option<Place<'_>> {
    let (kind, rest) = path.split_once('/')?;
    let (first, rest) = rest.split_once('/')?;
    match kind {
        "nodes" => Some(Place::Node(first, rest)),
        "pods" => {
            let (pod, file) = rest.split_once('/')?;
            Some(Place::Pod(first, pod, file))
        }
        _ => None,
    }
}

/// Whether a file is one that netpath reads; a capture may hold others.
fn is_read(path: &str) -> bool {
    match place(path) {
        Some(Place::Node(_, file)) => NodeFacts::FILES.contains(&file),
        Some(Place::Pod(.., file)) => PodFacts::FILES.contains(&file),
        None => false,
    }
}

/// The items of a List, or the object itself.
fn items(mut object: Value) -> Vec<Value> {
    match object.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => items,
        _ => vec![object],
    }
}

/// What lies below `nodes/` and `pods/` of a folder, by path.
pub fn read_files(folder: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut open: Vec<PathBuf> = ["nodes", "pods"].map(|name| folder.join(name)).to_vec();
    open.retain(|path| path.is_dir());
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(entries(&path));
        } else if let Ok(name) = path.strip_prefix(folder) {
            let text = std::fs::read_to_string(&path);
            let text = text.unwrap_or_else(|error| broken(&path, &error));
            files.insert(name.to_string_lossy().into_owned(), text);
        }
    }
    files
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
