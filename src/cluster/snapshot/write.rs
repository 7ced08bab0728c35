//! Writing a capture: `snapshot.json`, `objects.yaml` and what was gathered on nodes and in pods, without
//! anything that is nobody's business.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::anonymize::Anonymizer;
use super::redact::{LeftOut, redacted};
use super::{SnapshotError, io_error, private};
use crate::cluster::names::{is_label, is_name};
use crate::cluster::{Coverage, Facts, NodeFacts, PodFacts, Unread};

/// What a capture holds beside its objects.
#[derive(Debug, Clone)]
pub struct Capture {
    pub objects: Vec<Value>,
    pub facts: Facts,
    pub unread: Vec<Unread>,
    /// What was asked of the cluster, where that was not everything.
    pub coverage: Option<Coverage>,
    pub server_version: Option<String>,
    pub taken_at: Timestamp,
    /// Whether addresses get pseudonyms.
    pub anonymize: bool,
}

/// What was written.
#[derive(Debug, Clone)]
pub struct Written {
    pub files: Vec<PathBuf>,
    /// Kinds and fields that were left out, with how often.
    pub left_out: BTreeMap<String, usize>,
}

// === impl Capture ===

impl Capture {
    /// Writes the folder, which must not exist or be empty, for its owner alone; says what it wrote.
    ///
    /// # Errors
    /// When the folder holds something, or cannot be written.
    pub fn write(&self, folder: &Path) -> Result<Written, SnapshotError> {
        let occupied = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
        if occupied {
            return Err(SnapshotError::Occupied {
                path: folder.to_owned(),
            });
        }
        private::folder(folder).map_err(|source| io_error(folder, source))?;
        let anonymizer = self.anonymize.then(Anonymizer::new).flatten();
        let mut left_out = LeftOut::new();
        let objects = self.objects.iter().cloned();
        let items = objects.filter_map(|object| redacted(object, &mut left_out));
        let mut list =
            json!({"apiVersion": "v1", "kind": "List", "items": items.collect::<Vec<_>>()});
        if let Some(anonymizer) = &anonymizer {
            anonymizer.value(&mut list);
        }
        let yaml = serde_saphyr::to_string(&list).map_err(|error| SnapshotError::Io {
            path: folder.join("objects.yaml"),
            source: std::io::Error::other(error),
        })?;
        let mut manifest = json!({
            "apiVersion": "netpath/v1",
            "kind": "Snapshot",
            "takenAt": self.taken_at.to_string(),
            "serverVersion": self.server_version,
            "unread": self.unread,
            "anonymized": self.anonymize,
            "leftOut": left_out,
        });
        if let Some(coverage) = &self.coverage {
            manifest["asked"] = coverage.recorded();
        }
        if let Some(anonymizer) = &anonymizer {
            anonymizer.value(&mut manifest);
        }
        let mut files = vec![
            (PathBuf::from("objects.yaml"), yaml),
            (PathBuf::from("snapshot.json"), format!("{manifest:#}\n")),
        ];
        let facts = gathered(&self.facts).into_iter();
        files.extend(facts.map(|(name, text)| match &anonymizer {
            Some(anonymizer) => (name, anonymizer.text(&text).into_owned()),
            None => (name, text),
        }));
        let mut written = Vec::new();
        for (name, text) in files {
            let path = folder.join(name);
            if let Some(parent) = path.parent() {
                private::folder(parent).map_err(|source| io_error(parent, source))?;
            }
            private::file(&path, &text).map_err(|source| io_error(&path, source))?;
            written.push(path);
        }
        Ok(Written {
            files: written,
            left_out,
        })
    }
}

/// The files of `nodes/NODE/` and `pods/NAMESPACE/POD/`. A name that could lead out of the folder is none
/// of a node or a pod.
fn gathered(facts: &Facts) -> Vec<(PathBuf, String)> {
    let nodes = facts.nodes.iter().filter(|(name, _)| is_name(name));
    let nodes = nodes.flat_map(|(name, facts)| {
        let folder = Path::new("nodes").join(name);
        let files = NodeFacts::FILES.iter();
        files.filter_map(move |file| Some((folder.join(file), facts.get(file)?.to_owned())))
    });
    let pods = facts.pods.iter();
    let pods = pods.filter(|((namespace, name), _)| is_label(namespace) && is_name(name));
    let pods = pods.flat_map(|((namespace, name), facts)| {
        let folder = Path::new("pods").join(namespace).join(name);
        let files = PodFacts::FILES.iter();
        files.filter_map(move |file| Some((folder.join(file), facts.get(file)?.to_owned())))
    });
    nodes.chain(pods).collect()
}
