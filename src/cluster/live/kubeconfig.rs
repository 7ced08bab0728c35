//! Kubeconfig files, found, read and merged as kubectl does.
//!
//! ```text
//!  --kubeconfig | $KUBECONFIG, a list | ~/.kube/config ─► text ─► Kubeconfig, paths absolute ─► merged
//! ```
//!
//! kube's own loader fails on a list one file of which is missing. kubectl passes such a file over
//! (client-go, `ClientConfigLoadingRules.Load`), and so do we.

use std::io::ErrorKind;
use std::path::{MAIN_SEPARATOR, Path, PathBuf};

use kube::config::Kubeconfig;

use super::LiveError;
use crate::cluster::snapshot::objects;

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

/// One file, of one document or several. None without it.
fn of_file(path: &Path) -> Result<Option<Kubeconfig>, LiveError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(bad(path, &error.to_string())),
    };
    let documents = objects(&text).map_err(|error| bad(path, &error.to_string()))?;
    let mut merged = Kubeconfig::default();
    for document in documents {
        let mut next: Kubeconfig =
            serde_json::from_value(document).map_err(|error| bad(path, &error.to_string()))?;
        anchor(&mut next, path.parent().unwrap_or_else(|| Path::new("")));
        merged = merged
            .merge(next)
            .map_err(|error| bad(path, &error.to_string()))?;
    }
    Ok(Some(merged))
}

/// Paths in a kubeconfig are relative to the file; of a plugin's command only one that is a path.
fn anchor(config: &mut Kubeconfig, folder: &Path) {
    let clusters = config.clusters.iter_mut();
    let authorities =
        clusters.filter_map(|named| named.cluster.as_mut()?.certificate_authority.as_mut());
    let users = config.auth_infos.iter_mut();
    let users = users.filter_map(|named| named.auth_info.as_mut());
    let of_users = users.flat_map(|user| {
        let exec = user.exec.as_mut();
        let command = exec.and_then(|exec| exec.command.as_mut());
        let files = [
            user.client_certificate.as_mut(),
            user.client_key.as_mut(),
            user.token_file.as_mut(),
            command.filter(|command| command.contains(MAIN_SEPARATOR)),
        ];
        files.into_iter().flatten()
    });
    for file in authorities.chain(of_users) {
        // An absolute path replaces the folder.
        if let Some(anchored) = folder.join(&*file).to_str() {
            anchored.clone_into(file);
        }
    }
}

fn bad(path: &Path, why: &str) -> LiveError {
    let why = why.lines().next().unwrap_or_default();
    LiveError::Config(format!(
        "cannot use the kubeconfig {}: {why}",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_file() {
        let text = "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: 'https://c', certificate-authority: ca.crt}}]\n\
            users: [{name: u, user: {client-key: /etc/key, exec: {command: ./plugin}}}, {name: v, user: {exec: {command: aws}}}]";
        let mut config: Kubeconfig =
            serde_json::from_value(objects(text).expect("YAML").remove(0)).expect("a kubeconfig");
        anchor(&mut config, Path::new("/home/x"));
        let cluster = config.clusters[0].cluster.as_ref().expect("a cluster");
        assert_eq!(
            cluster.certificate_authority.as_deref(),
            Some("/home/x/ca.crt")
        );
        let user = |number: usize| {
            config.auth_infos[number]
                .auth_info
                .as_ref()
                .expect("a user")
        };
        assert_eq!(user(0).client_key.as_deref(), Some("/etc/key"));
        let command = |number| {
            user(number)
                .exec
                .as_ref()
                .and_then(|exec| exec.command.clone())
        };
        assert_eq!(command(0).as_deref(), Some("/home/x/./plugin"));
        assert_eq!(command(1).as_deref(), Some("aws"));
    }
}
