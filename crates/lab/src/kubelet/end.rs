//! Ending pods.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;

use super::pod::PodRun;
use crate::world::World;

/// The annotation that makes a pod take its time to end, in seconds.
const LINGERS: &str = "lab.netpath/terminates-in";

/// Ends everything a pod has, now.
pub fn stop(world: &World, run: &PodRun) {
    run.halt();
    if run
        .pod
        .spec
        .as_ref()
        .is_some_and(|spec| spec.host_network != Some(true))
    {
        world.wires.unplug(&run.key);
    }
}

/// Begins to end a pod whose object is marked; the object goes when the pod is gone.
pub fn begin(world: &Arc<World>, run: &Arc<PodRun>, object: &Value) {
    if run.leaving.swap(true, Ordering::SeqCst) {
        return;
    }
    let wanted = object["metadata"]["annotations"][LINGERS]
        .as_str()
        .and_then(|text| text.parse().ok());
    let Some(seconds) = wanted else {
        stop(world, run);
        world.store.remove(&run.store_key);
        return;
    };
    let (world, run) = (world.clone(), run.clone());
    world.runtime.clone().spawn(async move {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let (ended, gone) = (world.clone(), run.clone());
        let _ = tokio::task::spawn_blocking(move || stop(&ended, &gone)).await;
        world.store.remove(&run.store_key);
    });
}
