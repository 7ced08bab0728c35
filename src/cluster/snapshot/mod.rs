//! A view from files: a snapshot folder, a file, a folder of manifests, or standard input.
//!
//! ```text
//!  PATH is a folder with snapshot.json or objects.yaml  → a recording, with nodes/ and pods/
//!  PATH is another folder                               → manifests, every *.yaml *.yml *.json below it
//!  PATH is a file, or -                                 → one YAML stream, JSON document or List
//! ```

mod folder;
mod text;
mod write;

use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Builder, ClusterView};

pub use text::{BadText, document, documents, objects};
pub use write::Capture;

/// Why a snapshot could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("cannot read {}: {source}", path.display())]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{name}: {source}")]
    Text { name: String, source: BadText },
    #[error("{} is not empty", path.display())]
    Occupied { path: PathBuf },
    #[error("{name} holds no Kubernetes object that netpath reads")]
    Nothing { name: String },
}

/// Reads the view that `path` holds; `-` is standard input. Notes on what was passed over go to
/// [`ClusterView::rejected`].
///
/// # Errors
/// When a file cannot be read or parsed, or nothing in it is of use.
pub fn load(path: &Path) -> Result<ClusterView, SnapshotError> {
    let name = path.display().to_string();
    let mut builder = Builder::default();
    if name == "-" {
        let mut content = String::new();
        let read = std::io::stdin().lock().read_to_string(&mut content);
        read.map_err(|source| io_error(path, source))?;
        add_text(&mut builder, "standard input", &content)?;
    } else if path.is_dir() {
        folder::add(&mut builder, path)?;
    } else {
        add_text(&mut builder, &name, &read_file(path)?)?;
    }
    let view = builder.finish();
    if view.is_empty() {
        return Err(SnapshotError::Nothing { name });
    }
    Ok(view)
}

/// Reads the view that a text holds: a YAML stream, a JSON document or a List.
///
/// # Errors
/// When the text cannot be parsed.
pub fn parse(name: &str, content: &str) -> Result<ClusterView, SnapshotError> {
    let mut builder = Builder::default();
    add_text(&mut builder, name, content)?;
    Ok(builder.finish())
}

fn add_text(builder: &mut Builder, name: &str, content: &str) -> Result<(), SnapshotError> {
    let documents = documents(content).map_err(|source| SnapshotError::Text {
        name: name.to_owned(),
        source,
    })?;
    for document in documents {
        builder.add_json(&document);
    }
    Ok(())
}

fn read_file(path: &Path) -> Result<String, SnapshotError> {
    let bytes = std::fs::read(path).map_err(|source| io_error(path, source))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn io_error(path: &Path, source: std::io::Error) -> SnapshotError {
    SnapshotError::Io {
        path: path.to_owned(),
        source,
    }
}
