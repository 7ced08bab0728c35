//! Breaking a cluster that runs: the acts of a scenario, one after the other.

mod names;

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::api;
use super::controllers::delete_pod;
use super::proxy::State;
use super::scenario::{Act, Injection};
use super::servers::parse_list;
use super::store::Key;
use super::world::World;

pub use names::expand;

/// Does everything on a list and waits until the cluster has taken it in.
pub fn inject(world: &Arc<World>, list: &[Injection]) -> Result<()> {
    for injection in list {
        act(world, &injection.act).with_context(|| format!("{:?}", injection.act))?;
    }
    world.settle();
    Ok(())
}

fn act(world: &Arc<World>, act: &Act) -> Result<()> {
    match act {
        Act::Run { at, run } => {
            let outcome = world.run(&expand(world, at)?, &expand(world, run)?)?;
            if outcome.code != 0 {
                bail!(
                    "exit code {}: {}{}",
                    outcome.code,
                    outcome.stdout,
                    outcome.stderr
                );
            }
        }
        Act::Patch { patch, with } => {
            let key = key(world, &expand(world, patch)?)?;
            let changed = world.store.modify(&key, |object| api::merge(object, with));
            changed.with_context(|| format!("no {patch}"))?;
        }
        Act::Apply { apply } => {
            for object in apply {
                self::apply(world, object.clone())?;
            }
        }
        Act::Delete { delete } => {
            let key = key(world, &expand(world, delete)?)?;
            let object = world
                .store
                .get(&key)
                .with_context(|| format!("no {delete}"))?;
            if key.plural == "pods" {
                delete_pod(&world.store, &object);
            } else {
                world.store.remove(&key);
            }
        }
        Act::Proxy {
            proxy,
            state,
            flush,
            hostname,
        } => {
            let agent = world
                .proxies
                .get(proxy)
                .with_context(|| format!("no node {proxy}"))?;
            let mut agent = agent.lock();
            if *flush {
                agent.flush()?;
            }
            if let Some(hostname) = hostname {
                agent.rename(hostname);
            }
            if *state == State::Running {
                agent.restart();
            }
            agent.state = *state;
        }
        Act::Policy { policy } => world.engine.lock().switch(*policy, &world.wires)?,
        Act::Servers { servers, are } => {
            let pod = expand(world, servers)?;
            let run = world.kubelet.pod(&pod);
            let run = run.with_context(|| format!("no pod {pod} runs"))?;
            run.serve(world, &parse_list(are)?);
            run.stir();
        }
        Act::Api { api } => world.faults.add(api.clone()),
    }
    Ok(())
}

/// Adds an object, or puts it in the place of the one of its name, whose status it keeps.
fn apply(world: &World, mut object: Value) -> Result<()> {
    let known = world.store.with(|inner| {
        inner.registry.admit(&object);
        let key = Key::of(&inner.registry, &object)?;
        anyhow::Ok(inner.get(&key))
    })?;
    if let Some(old) = known.filter(|old| object["status"].is_null() && !old["status"].is_null()) {
        object["status"] = old["status"].clone();
    }
    world.store.admit(object).map(drop)
}

/// `Service/shop/api`, `Node/node1`.
fn key(world: &World, name: &str) -> Result<Key> {
    let words: Vec<&str> = name.split('/').collect();
    let (kind, namespace, name) = match words.as_slice() {
        [kind, name] => (kind, "", name),
        [kind, namespace, name] => (kind, *namespace, name),
        _ => bail!("{name}: an object is Kind/namespace/name or Kind/name"),
    };
    let found = world.store.with(|inner| {
        let types = inner.registry.types().iter();
        let mut named = types.filter(|one| one.kind == *kind);
        named
            .next()
            .map(|one| (one.group.clone(), one.plural.clone()))
    });
    let (group, plural) = found.with_context(|| format!("no kind {kind}"))?;
    Ok(Key::new(&group, &plural, namespace, name))
}
