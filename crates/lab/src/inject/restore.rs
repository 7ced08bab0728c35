//! Taking the objects back to what they were, so that one lab can be broken many times.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use serde_json::Value;

use crate::controllers::delete_pod;
use crate::store::Key;
use crate::world::World;

/// The objects that somebody made, as they were.
pub type Kept = BTreeMap<Key, Arc<Value>>;

/// What is there now and was made by nobody's controller.
pub fn keep(world: &World) -> Kept {
    let all = world.store.everything().into_iter();
    all.filter(|(key, object)| is_made(key, object)).collect()
}

/// Puts back what was changed or removed, removes what was added, and waits until the cluster has taken it in.
pub fn restore(world: &Arc<World>, kept: &Kept) -> Result<()> {
    for (key, now) in keep(world) {
        if kept.contains_key(&key) {
            continue;
        }
        if key.plural == "pods" {
            delete_pod(&world.store, &now);
        } else {
            world.store.remove(&key);
        }
    }
    for (key, then) in kept {
        match world.store.get(key) {
            Some(now) if meant(&now) == meant(then) => {}
            Some(_) => {
                world.store.modify(key, |now| {
                    let status = now["status"].take();
                    *now = (**then).clone();
                    if !status.is_null() {
                        now["status"] = status;
                    }
                });
            }
            None => {
                world.store.admit((**then).clone())?;
            }
        }
    }
    for agent in world.proxies.values() {
        agent.lock().restart();
    }
    world
        .engine
        .lock()
        .switch(world.settings.policy.unwrap_or(true), &world.wires)?;
    world.settle();
    Ok(())
}

/// What controllers make comes and goes with its owner.
fn is_made(key: &Key, object: &Value) -> bool {
    let meta = &object["metadata"];
    let is_derived = ["events", "leases", "endpoints"].contains(&key.plural.as_str());
    let managed = meta["labels"]["endpointslice.kubernetes.io/managed-by"]
        == "endpointslice-controller.k8s.io";
    !is_derived && !managed && meta["ownerReferences"][0].is_null()
}

/// What the object says, without what the cluster notes on it.
fn meant(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(meta) = object["metadata"].as_object_mut() {
        for noted in ["resourceVersion", "generation", "managedFields"] {
            meta.remove(noted);
        }
    }
    object
}
