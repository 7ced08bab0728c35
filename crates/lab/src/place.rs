//! Running scripts with the host's own tools at a place of the lab.
//!
//! | place | where |
//! | --- | --- |
//! | `node1`, `ext`, `cp`, `fabric` | in that host's network namespace |
//! | `shop/client-1` | in the pod's network namespace, with the pod's resolv.conf |
//! | `wire shop/client-1` | on the pod's node; `$VETH` is its end of the pod's cable, `$BRIDGE` the bridge |

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Pod;
use nix::mount::MsFlags;
use nix::sched::CloneFlags;
use serde::Deserialize;

use super::launch::HOME;
use super::net::{BRIDGE, Ns, Outcome};
use super::resolver::Kubelet;
use super::store::Key;
use super::world::World;

/// Runs a shell script to its end.
pub fn run(world: &World, place: &str, script: &str) -> Result<Outcome> {
    if let Some(key) = place.strip_prefix("wire ") {
        let wire = world
            .wires
            .pod(key)
            .with_context(|| format!("the pod {key} has no cable"))?;
        let variables = BTreeMap::from([("VETH", wire.veth.as_str()), ("BRIDGE", BRIDGE)]);
        return shell(world.wires.host(&wire.node)?, script, &variables, None);
    }
    let Some((namespace, name)) = place.split_once('/') else {
        let host = world.wires.host(place)?;
        let kubelet = kubelet(world, place);
        return shell(host, script, &BTreeMap::new(), Some(&kubelet.node_file()));
    };
    let object = world
        .store
        .get(&Key::pod(namespace, name))
        .with_context(|| format!("no pod {place}"))?;
    let pod = Pod::deserialize(&*object)?;
    let node = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.node_name.clone())
        .unwrap_or_default();
    let resolver = kubelet(world, &node).pod_file(&pod);
    let ns = namespace_of(world, place, &node)?;
    shell(&ns, script, &BTreeMap::new(), Some(&resolver))
}

/// The network namespace of a pod: its own, or its node's.
pub fn namespace_of(world: &World, key: &str, node: &str) -> Result<Ns> {
    match world.wires.pod(key) {
        Some(wire) => Ok(wire.ns),
        None => world
            .wires
            .host(node)
            .cloned()
            .with_context(|| format!("the pod {key} does not run")),
    }
}

/// What kubelet is told on a node.
pub fn kubelet(world: &World, node: &str) -> Kubelet {
    Kubelet::of(
        &world.store,
        node,
        &world.wires.plan.outside.primary().to_string(),
    )
}

fn shell(
    ns: &Ns,
    script: &str,
    variables: &BTreeMap<&str, &str>,
    resolver: Option<&str>,
) -> Result<Outcome> {
    let path = std::env::var("PATH").unwrap_or_default();
    ns.enter(|| {
        if let Some(text) = resolver {
            cover_resolver(text)?;
        }
        let output = Command::new("sh")
            .args(["-c", script])
            // The node's own iptables comes first.
            .env("PATH", format!("{HOME}/bin:{path}"))
            .envs(variables)
            .stdin(Stdio::null())
            .output()
            .context("sh")?;
        Ok(Outcome::from(output))
    })?
}

/// Puts a resolv.conf in the place of the system's, for this thread and its children alone.
fn cover_resolver(text: &str) -> Result<()> {
    nix::sched::unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS)
        .context("unshare(CLONE_NEWNS)")?;
    let file = format!("{HOME}/resolv-{:?}.conf", std::thread::current().id());
    std::fs::write(&file, text)?;
    let system = Path::new("/etc/resolv.conf");
    let bound = nix::mount::mount(
        Some(Path::new(&file)),
        system,
        None::<&str>,
        MsFlags::MS_BIND,
        None::<&str>,
    );
    bound.with_context(|| format!("mounting over {}", system.display()))?;
    Ok(std::fs::remove_file(&file)?)
}
