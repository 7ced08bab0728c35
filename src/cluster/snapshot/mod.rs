//! A view from files: a snapshot folder, a file, a folder of manifests, or standard input.
//!
//! ```text
//!  PATH is a folder with snapshot.json or objects.yaml  → a recording, with nodes/ and pods/
//!  PATH is another folder                               → manifests, every *.yaml *.yml *.json below it
//!  PATH is a file, or -                                 → one YAML stream, JSON document or List
//! ```

mod anonymize;
mod folder;
mod private;
mod redact;
mod text;
mod write;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Builder, ClusterView};

pub use text::{BadText, document, documents, objects};
pub use write::{Capture, Written};

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
        let content = read_from(path, std::io::stdin().lock())?;
        add_text(&mut builder, "standard input", &content)?;
    } else if path.is_dir() {
        folder::add(&mut builder, path)?;
    } else {
        // Somebody named it: a pipe of the shell's is as good as a file.
        let file = File::open(path).map_err(|source| io_error(path, source))?;
        add_text(&mut builder, &name, &read_from(path, file)?)?;
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

/// The most bytes of one file of a snapshot: ten thousand pods are a tenth of it.
const LARGEST: u64 = 1 << 30;

/// Reads a file of a folder. Nobody named it, so that what could make us wait, or never end, is none.
fn read_file(path: &Path) -> Result<String, SnapshotError> {
    let broken = |source| io_error(path, source);
    if !std::fs::metadata(path).map_err(broken)?.is_file() {
        let why = "it is no regular file";
        return Err(broken(std::io::Error::other(why)));
    }
    read_from(path, File::open(path).map_err(broken)?)
}

/// Reads all of something that ends.
fn read_from(path: &Path, source: impl Read) -> Result<String, SnapshotError> {
    let mut bytes = Vec::new();
    let read = source.take(LARGEST).read_to_end(&mut bytes);
    read.map_err(|source| io_error(path, source))?;
    if bytes.len() as u64 == LARGEST {
        let why = format!("it is larger than {} MiB", LARGEST >> 20);
        return Err(io_error(path, std::io::Error::other(why)));
    }
    Ok(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

fn io_error(path: &Path, source: std::io::Error) -> SnapshotError {
    SnapshotError::Io {
        path: path.to_owned(),
        source,
    }
}
