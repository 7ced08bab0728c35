//! A container's mounts: what its volumes are made of here.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use k8s_openapi::api::core::v1::{Container, Volume};
use serde_json::Value;

use super::pod::PodRun;
use crate::launch::HOME;
use crate::runtime::Mount;
use crate::store::Key;
use crate::world::World;

/// The mounts of a container. Kinds the lab has nothing for show as empty folders.
pub fn of(world: &World, run: &PodRun, container: &Container) -> Result<Vec<Mount>> {
    let volumes = run
        .pod
        .spec
        .as_ref()
        .and_then(|spec| spec.volumes.clone())
        .unwrap_or_default();
    let mut mounts = Vec::new();
    for mount in container.volume_mounts.iter().flatten() {
        let Some(volume) = volumes.iter().find(|volume| volume.name == mount.name) else {
            continue;
        };
        let from = source(world, run, volume)?;
        let from = mount
            .sub_path
            .as_ref()
            .map_or_else(|| from.clone(), |below| from.join(below));
        if from.exists() {
            // The lab's host is somebody's machine: looked at, never written to.
            let read_only = mount.read_only == Some(true) || volume.host_path.is_some();
            mounts.push(Mount {
                from,
                at: PathBuf::from(&mount.mount_path),
                read_only,
            });
        }
    }
    Ok(mounts)
}

fn source(world: &World, run: &PodRun, volume: &Volume) -> Result<PathBuf> {
    if let Some(host) = &volume.host_path {
        return Ok(PathBuf::from(&host.path));
    }
    let folder = PathBuf::from(format!("{HOME}/volumes/{}/{}", run.uid, volume.name));
    fs::create_dir_all(&folder)?;
    let namespace = &run.store_key.namespace;
    if let Some(name) = volume.config_map.as_ref().map(|source| &source.name) {
        let map = world
            .store
            .get(&Key::new("", "configmaps", namespace, name));
        write(&folder, map.as_deref().map(|map| &map["data"]))?;
    }
    if volume.projected.is_some() {
        let account = run
            .pod
            .spec
            .as_ref()
            .and_then(|spec| spec.service_account_name.clone());
        let token = format!(
            "serviceaccount:{namespace}:{}",
            account.as_deref().unwrap_or("default")
        );
        fs::write(folder.join("token"), token)?;
        fs::write(folder.join("ca.crt"), world.authority.pem())?;
        fs::write(folder.join("namespace"), namespace)?;
    }
    Ok(folder)
}

fn write(folder: &Path, data: Option<&Value>) -> Result<()> {
    for (name, text) in data.and_then(Value::as_object).into_iter().flatten() {
        fs::write(folder.join(name), text.as_str().unwrap_or_default())?;
    }
    Ok(())
}
