//! What a scenario changes in the world it stands on.
//!
//! ```yaml
//! # overlay.yaml: why this is a case
//! base: ok-pod-to-service              # a folder of recorded/; by default the nearest base.yaml above
//! only: [nodes/*/proxy-mode.txt]       # which files of the base were gathered; by default all
//! objects:                             # as in objects.yaml
//! - {apiVersion: v1, kind: Service, metadata: {name: api, namespace: shop}, spec: {selector: {app: apii}}}
//! files:                               # changes of files, one after the other; * stands for any part of a name
//!   nodes/node1/iptables-save.txt:
//!   - drop: KUBE-
//!   - iptables: -t filter -I FORWARD -d 10.244.2.0/24 -j DROP
//! ```
//!
//! Objects are added, merged into those of the same kind, namespace and name (RFC 7386), or removed
//! (`$patch: delete`, as Kustomize writes it). Files beside it (`nodes/…`, `pods/…`) stand in the place of the
//! base's. [`Edit`] lists what can be done to a file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use netpath::cluster::snapshot;
use serde::Deserialize;
use serde_json::Value;

use super::broken;
use super::edit::Edit;
use super::world::{Key, key, read_files};

/// Changes of a world.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Overlay {
    pub base: Option<String>,
    pub only: Option<Vec<String>>,
    pub objects: Vec<Value>,
    files: BTreeMap<String, Vec<Edit>>,
    /// Whole files, by path.
    #[serde(skip)]
    whole: BTreeMap<String, String>,
}

// === impl Overlay ===

impl Overlay {
    /// The changes of a folder: `overlay.yaml`, `objects.yaml` and the files of nodes and pods.
    pub fn folder(path: &Path) -> Self {
        let read = |name: &str| std::fs::read_to_string(path.join(name)).ok();
        let mut overlay = match read("overlay.yaml") {
            Some(text) => serde_saphyr::from_str(&text)
                .unwrap_or_else(|error| broken(&path.join("overlay.yaml"), &error)),
            None => Self::default(),
        };
        if let Some(text) = read("objects.yaml") {
            let objects = snapshot::objects(&text);
            let objects =
                objects.unwrap_or_else(|error| broken(&path.join("objects.yaml"), &error));
            overlay.objects.extend(objects);
        }
        overlay.whole = read_files(path);
        overlay
    }

    /// The files of a world after the changes.
    pub fn files(
        &self,
        base: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, String> {
        let mut files = base.clone();
        if let Some(only) = &self.only {
            files.retain(|path, _| only.iter().any(|pattern| fits(pattern, path)));
        }
        files.extend(self.whole.clone());
        for (pattern, edits) in &self.files {
            let paths: Vec<String> = if pattern.contains('*') {
                files
                    .keys()
                    .filter(|path| fits(pattern, path))
                    .cloned()
                    .collect()
            } else {
                vec![pattern.clone()]
            };
            if paths.is_empty() {
                return Err(format!("no file is {pattern}"));
            }
            for path in paths {
                let mut text = files.remove(&path);
                for edit in edits {
                    text = edit
                        .apply(text, base)
                        .map_err(|why| format!("{path}: {why}"))?;
                }
                files.extend(text.map(|text| (path, text)));
            }
        }
        Ok(files)
    }

    /// Whether it holds what was gathered on nodes and inside pods.
    pub fn has_facts(&self) -> bool {
        !self.whole.is_empty() || !self.files.is_empty()
    }

    /// The objects that it changes.
    pub fn touched(&self) -> BTreeSet<Key> {
        self.objects.iter().map(key).collect()
    }

    /// Whether nothing is another than in the base.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && !self.has_facts()
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

    /// Every field that it sets, as `Kind/namespace/name/spec/selector/app/`, and every file.
    fn fields(&self) -> BTreeSet<String> {
        let mut fields = BTreeSet::new();
        for change in &self.objects {
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
        // What was gathered of one pod at one time belongs together.
        let places = self.whole.keys().chain(self.files.keys());
        fields.extend(places.map(|path| {
            let (place, _) = path.rsplit_once('/').unwrap_or_default();
            format!("facts/{place}/")
        }));
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

/// Whether a path fits a pattern, part by part.
fn fits(pattern: &str, path: &str) -> bool {
    let mut parts = path.split('/');
    let fit = |part: &str| {
        let Some(own) = parts.next() else {
            return false;
        };
        match part.split_once('*') {
            Some((start, end)) => own.starts_with(start) && own.ends_with(end),
            None => own == part,
        }
    };
    pattern.split('/').all(fit) && parts.next().is_none()
}
