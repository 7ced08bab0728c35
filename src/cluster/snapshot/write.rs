//! Writing a capture: `snapshot.json`, `objects.yaml` and what was gathered on nodes and in pods, without
//! anything that is nobody's business.

use std::fs;
use std::path::{Path, PathBuf};

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::{SnapshotError, io_error};
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
}

// === impl Capture ===

impl Capture {
    /// Writes the folder, which must not exist or be empty; gives back the files it wrote.
    ///
    /// # Errors
    /// When the folder holds something, or cannot be written.
    pub fn write(&self, folder: &Path) -> Result<Vec<PathBuf>, SnapshotError> {
        let occupied = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
        if occupied {
            return Err(SnapshotError::Occupied {
                path: folder.to_owned(),
            });
        }
        fs::create_dir_all(folder).map_err(|source| io_error(folder, source))?;
        let mut items = self.objects.clone();
        items.iter_mut().for_each(redact);
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
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
        });
        if let Some(coverage) = &self.coverage {
            manifest["asked"] = coverage.recorded();
        }
        let mut files = vec![
            (PathBuf::from("objects.yaml"), yaml),
            (PathBuf::from("snapshot.json"), format!("{manifest:#}\n")),
        ];
        files.extend(gathered(&self.facts));
        let mut written = Vec::new();
        for (name, text) in files {
            let path = folder.join(name);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(|source| io_error(parent, source))?;
            }
            fs::write(&path, text).map_err(|source| io_error(&path, source))?;
            written.push(path);
        }
        Ok(written)
    }
}

/// The files of `nodes/NODE/` and `pods/NAMESPACE/POD/`.
fn gathered(facts: &Facts) -> Vec<(PathBuf, String)> {
    let nodes = facts.nodes.iter().flat_map(|(name, facts)| {
        let folder = Path::new("nodes").join(name);
        let files = NodeFacts::FILES.iter();
        files.filter_map(move |file| Some((folder.join(file), facts.get(file)?.to_owned())))
    });
    let pods = facts.pods.iter().flat_map(|((namespace, name), facts)| {
        let folder = Path::new("pods").join(namespace).join(name);
        let files = PodFacts::FILES.iter();
        files.filter_map(move |file| Some((folder.join(file), facts.get(file)?.to_owned())))
    });
    nodes.chain(pods).collect()
}

/// Takes out what a diagnosis never looks at and a reader should not see: values of environment
/// variables, what was last applied, which fields somebody changed and when.
fn redact(object: &mut Value) {
    if let Some(meta) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        let managers = meta.get_mut("managedFields").and_then(Value::as_array_mut);
        for entry in managers
            .into_iter()
            .flatten()
            .filter_map(Value::as_object_mut)
        {
            entry.retain(|key, _| ["manager", "operation", "subresource"].contains(&key.as_str()));
        }
        if let Some(annotations) = meta.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
    blank_environment(object);
}

/// Proxy settings stay: they decide where requests go (SRC-05), and name no secret unless somebody
/// wrote one into the URL, which is then cut out.
fn blank_environment(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::Array(variables)) = fields.get_mut("env") {
                variables.iter_mut().for_each(blank_variable);
            }
            fields.values_mut().for_each(blank_environment);
        }
        Value::Array(items) => items.iter_mut().for_each(blank_environment),
        _ => {}
    }
}

fn blank_variable(variable: &mut Value) {
    let name = variable
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let is_proxy = name.to_uppercase().ends_with("_PROXY");
    let Some(value) = variable.get_mut("value") else {
        return;
    };
    let has_password = value.as_str().is_some_and(|value| value.contains('@'));
    if !is_proxy || has_password {
        *value = json!("");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stay_out_and_proxies_stay_in() {
        let mut pod = json!({
            "metadata": {
                "name": "a",
                "managedFields": [{"manager": "helm", "operation": "Update", "time": "then", "fieldsV1": {"f:spec": {}}}],
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "keep": "1"},
            },
            "spec": {"containers": [{"env": [
                {"name": "PASSWORD", "value": "secret"},
                {"name": "HTTP_PROXY", "value": "http://proxy:3128"},
                {"name": "https_proxy", "value": "http://me:secret@proxy:3128"},
                {"name": "FROM", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            ]}]},
        });
        redact(&mut pod);
        let text = pod.to_string();
        assert!(
            !text.contains("secret\"")
                && !text.contains("f:spec")
                && text.contains("helm")
                && !text.contains("last-applied")
        );
        assert!(!text.contains("me:secret"));
        assert!(text.contains("http://proxy:3128") && text.contains("keep"));
    }
}
