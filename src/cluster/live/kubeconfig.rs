//! Kubeconfig files, found, read and merged as kubectl does.
//!
//! ```text
//!  --kubeconfig | $KUBECONFIG, a list | ~/.kube/config ─► kube reads each ─► merged
//! ```
//!
//! kube's own loader fails on a list one file of which is missing. kubectl passes such a file over
//! (client-go, `ClientConfigLoadingRules.Load`), and so do we.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use kube::config::{Kubeconfig, KubeconfigError};

use super::LiveError;

/// Reads the file of `--kubeconfig`, or else what the environment names.
///
/// # Errors
/// When there is no such file, or one cannot be understood.
pub(super) fn read(named: Option<&Path>) -> Result<Kubeconfig, LiveError> {
    if let Some(path) = named {
        return of_file(path)?.ok_or_else(|| bad(path, "there is no such file"));
    }
    let paths = paths();
    let mut merged: Option<Kubeconfig> = None;
    for path in &paths {
        merged = match (merged, of_file(path)?) {
            (Some(all), Some(next)) => Some(
                all.merge(next)
                    .map_err(|error| bad(path, &error.to_string()))?,
            ),
            (all, next) => all.or(next),
        };
    }
    merged.ok_or_else(|| match paths.first() {
        Some(path) => bad(path, "there is no such file"),
        None => LiveError::Config("there is no kubeconfig, and no home to look for one".to_owned()),
    })
}

/// The files of `$KUBECONFIG`, else the one in the home directory.
fn paths() -> Vec<PathBuf> {
    let listed = std::env::var_os("KUBECONFIG").unwrap_or_default();
    let paths: Vec<PathBuf> = std::env::split_paths(&listed)
        .filter(|path| !path.as_os_str().is_empty())
        .collect();
    if !paths.is_empty() {
        return paths;
    }
    let home = std::env::home_dir().into_iter();
    home.map(|home| home.join(".kube").join("config")).collect()
}

/// One file, with its paths made absolute. None without it.
fn of_file(path: &Path) -> Result<Option<Kubeconfig>, LiveError> {
    match Kubeconfig::read_from(path) {
        Ok(config) => Ok(Some(config)),
        Err(KubeconfigError::ReadConfig(error, _)) if error.kind() == ErrorKind::NotFound => {
            Ok(None)
        }
        // The parser quotes what it cannot read, which may be a token.
        Err(KubeconfigError::Parse(error)) => {
            let line = error.location().map_or(1, |at| at.line());
            Err(bad(
                path,
                &format!("line {line} is not what a kubeconfig holds"),
            ))
        }
        Err(error) => Err(bad(path, &error.to_string())),
    }
}

fn bad(path: &Path, why: &str) -> LiveError {
    let why = why.lines().next().unwrap_or_default();
    LiveError::Config(format!(
        "cannot use the kubeconfig {}: {why}",
        path.display()
    ))
}
