//! Where an object stands in the manifests that were looked at: file and line.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cluster::ObjectRef;

/// The files of a snapshot that are manifests.
#[derive(Debug, Clone, Default)]
pub struct Manifests {
    places: Vec<ManifestLine>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct ManifestLine {
    file: PathBuf,
    line: usize,
    kind: String,
    namespace: Option<String>,
    name: String,
}

// === impl Manifests ===

impl Manifests {
    /// Looks through a file or a folder; nothing without one. What cannot be read has no places.
    #[must_use]
    pub fn of(snapshot: Option<&Path>) -> Self {
        let mut files = Vec::new();
        if let Some(path) = snapshot.filter(|path| *path != Path::new("-")) {
            collect(path, &mut files);
        }
        files.sort();
        let places = files.into_iter().flat_map(|file| {
            let text = fs::read_to_string(&file).unwrap_or_default();
            places(&file, &text)
        });
        Self {
            places: places.collect(),
        }
    }

    /// The file and line where an object begins; a manifest without a namespace is applied to any.
    #[must_use]
    pub fn find(&self, object: &ObjectRef) -> Option<(&Path, usize)> {
        let is_it = |place: &&ManifestLine| {
            let namespace = place.namespace.as_ref();
            place.kind == object.kind
                && place.name == object.name
                && namespace.is_none_or(|namespace| *namespace == object.namespace)
        };
        let place = self.places.iter().find(is_it)?;
        Some((&place.file, place.line))
    }
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    if path.is_dir() {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.for_each(|entry| collect(&entry.path(), files));
    } else if path
        .extension()
        .is_some_and(|end| end == "yaml" || end == "yml")
    {
        files.push(path.to_owned());
    }
}

/// The documents of a text that name a kind and a name at their top.
fn places(file: &Path, text: &str) -> Vec<ManifestLine> {
    let mut places = Vec::new();
    let mut document = Document::default();
    for (number, line) in (1..).zip(text.lines()) {
        if line.starts_with("---") {
            places.extend(std::mem::take(&mut document).place(file));
        } else {
            document.read(number, line);
        }
    }
    places.extend(document.place(file));
    places
}

/// What was read of one document.
#[derive(Default)]
struct Document {
    line: usize,
    kind: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
    is_in_metadata: bool,
    /// The indentation of what stands right under metadata.
    indent: Option<usize>,
}

// === impl Document ===

impl Document {
    fn read(&mut self, number: usize, line: &str) {
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') {
            return;
        }
        if self.line == 0 {
            self.line = number;
        }
        let own = line.len() - line.trim_start().len();
        let Some((key, value)) = text.split_once(':') else {
            return;
        };
        let value = value.trim().trim_matches(['"', '\'']).to_owned();
        if own == 0 {
            self.is_in_metadata = key == "metadata";
            if key == "kind" {
                self.kind = Some(value);
            }
        } else if self.is_in_metadata && own == *self.indent.get_or_insert(own) {
            match key {
                "name" => self.name = Some(value),
                "namespace" => self.namespace = Some(value),
                _ => {}
            }
        }
    }

    fn place(self, file: &Path) -> Option<ManifestLine> {
        Some(ManifestLine {
            file: file.to_owned(),
            line: self.line,
            kind: self.kind?,
            namespace: self.namespace,
            name: self.name?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_found_where_its_document_begins() {
        let text = "# two\napiVersion: v1\nkind: Service\nmetadata:\n  labels:\n    name: other\n  name: api\nspec: {}\n---\n\
                    kind: Service\napiVersion: v1\nmetadata:\n  name: \"web\"\n  namespace: shop\n";
        let manifests = Manifests {
            places: places(Path::new("all.yaml"), text),
        };
        let line = |namespace, name| {
            let object = ObjectRef::new("Service", namespace, name);
            manifests.find(&object).map(|(_, line)| line)
        };
        assert_eq!(line("shop", "api"), Some(2));
        assert_eq!(line("shop", "web"), Some(10));
        assert_eq!(line("data", "web"), None);
        assert_eq!(line("shop", "other"), None);
    }
}
