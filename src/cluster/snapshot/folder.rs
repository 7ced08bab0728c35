//! Folders: a recording with its node and pod facts, or manifests as in a Git repository.

use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};

use k8s_openapi::jiff::Timestamp;
use serde::Deserialize;

use super::{SnapshotError, add_text, documents, io_error, read_file};
use crate::cluster::builder::Header;
use crate::cluster::{Builder, Coverage, NodeFacts, ObjectRef, PodFacts, Rejected, Unread};

/// `snapshot.json` (design: only ever gains fields).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Manifest {
    server_version: Option<String>,
    taken_at: Option<Timestamp>,
    unread: Vec<RecordedUnread>,
    /// What was asked of the cluster; everything, where this is not written.
    asked: Option<RecordedCoverage>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RecordedCoverage {
    lists: Vec<String>,
    absent: Vec<String>,
    unmet: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct RecordedUnread {
    what: String,
    why: String,
    grant: String,
}

/// Adds all that a folder holds.
pub(super) fn add(builder: &mut Builder, folder: &Path) -> Result<(), SnapshotError> {
    let objects = folder.join("objects.yaml");
    let manifest = folder.join("snapshot.json");
    if !objects.exists() && !manifest.exists() {
        return add_manifests(builder, folder);
    }
    if manifest.exists() {
        add_manifest(builder, &manifest)?;
    }
    if objects.exists() {
        add_text(
            builder,
            &objects.display().to_string(),
            &read_file(&objects)?,
        )?;
    }
    add_facts(builder, folder)
}

fn add_manifest(builder: &mut Builder, path: &Path) -> Result<(), SnapshotError> {
    let manifest: Manifest =
        serde_json::from_str(&read_file(path)?).map_err(|error| SnapshotError::Text {
            name: path.display().to_string(),
            source: super::BadText {
                line: error.line() as u64,
                message: error.to_string(),
            },
        })?;
    let view = builder.view();
    view.server_version = manifest.server_version;
    view.taken_at = manifest.taken_at;
    for RecordedUnread { what, why, grant } in manifest.unread {
        view.unread.push(Unread::recorded(what, why, grant));
    }
    if let Some(asked) = manifest.asked {
        view.cover(Coverage::read(&asked.lists, &asked.absent, &asked.unmet));
    }
    Ok(())
}

/// Reads every manifest below a folder. A file that is no YAML (a Helm template, say) is listed and
/// passed over: the rest of the repository is still worth reading.
fn add_manifests(builder: &mut Builder, folder: &Path) -> Result<(), SnapshotError> {
    for path in manifests_below(folder)? {
        let name = path.display().to_string();
        match documents(&read_file(&path)?) {
            // Values files, Kustomizations and the like are no objects of a cluster.
            Ok(documents) => documents
                .iter()
                .filter(|document| Header::of(document).is_some_and(|header| header.has_version()))
                .for_each(|document| builder.add_json(document)),
            Err(bad) => builder.view().rejected.push(Rejected {
                group: String::new(),
                object: ObjectRef::cluster_wide("File", name),
                resource: None,
                why: bad.to_string(),
            }),
        }
    }
    Ok(())
}

fn manifests_below(folder: &Path) -> Result<Vec<PathBuf>, SnapshotError> {
    let mut found = Vec::new();
    for entry in sorted_entries(folder)? {
        let path = entry.path();
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if path.is_dir() && !hidden {
            found.extend(manifests_below(&path)?);
        } else if path
            .extension()
            .is_some_and(|ending| ["yaml", "yml", "json"].iter().any(|known| ending == *known))
        {
            found.push(path);
        }
    }
    Ok(found)
}

fn add_facts(builder: &mut Builder, folder: &Path) -> Result<(), SnapshotError> {
    for node in subfolders(&folder.join("nodes"))? {
        let mut facts = NodeFacts::default();
        for file in NodeFacts::FILES {
            if let Some(text) = optional_file(&node.join(file))? {
                facts.set(file, text);
            }
        }
        builder.view().facts.nodes.insert(file_name(&node), facts);
    }
    for namespace in subfolders(&folder.join("pods"))? {
        for pod in subfolders(&namespace)? {
            let mut facts = PodFacts::default();
            for file in PodFacts::FILES {
                if let Some(text) = optional_file(&pod.join(file))? {
                    facts.set(file, text);
                }
            }
            let key = (file_name(&namespace), file_name(&pod));
            builder.view().facts.pods.insert(key, facts);
        }
    }
    Ok(())
}

fn optional_file(path: &Path) -> Result<Option<String>, SnapshotError> {
    if path.exists() {
        read_file(path).map(Some)
    } else {
        Ok(None)
    }
}

fn subfolders(folder: &Path) -> Result<Vec<PathBuf>, SnapshotError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = sorted_entries(folder)?;
    let paths = entries.iter().map(DirEntry::path);
    Ok(paths.filter(|path| path.is_dir()).collect())
}

fn sorted_entries(folder: &Path) -> Result<Vec<DirEntry>, SnapshotError> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut entries = entries.map_err(|source| io_error(folder, source))?;
    entries.sort_by_key(DirEntry::file_name);
    Ok(entries)
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
