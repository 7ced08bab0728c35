//! activeDeadlineSeconds: a pod that ends itself.

use std::sync::Arc;
use std::time::Duration;

use super::pod::PodRun;
use super::status::{State, condition};
use crate::store::now;
use crate::world::World;

/// Ends the pod when its time is over.
pub fn watch(world: &Arc<World>, run: &Arc<PodRun>) {
    let seconds = run
        .pod
        .spec
        .as_ref()
        .and_then(|spec| spec.active_deadline_seconds);
    let Some(seconds) = seconds.and_then(|seconds| u64::try_from(seconds).ok()) else {
        return;
    };
    let (world, run) = (world.clone(), run.clone());
    // Not one of the pod's own tasks: those end here.
    world.runtime.clone().spawn(async move {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        if !run.is_ending() {
            expire(&world, &run);
        }
    });
}

fn expire(world: &World, run: &PodRun) {
    run.halt();
    let seen = {
        let mut seen = run.seen.lock();
        for one in seen.iter_mut() {
            if let State::Running { since } = &one.state {
                one.state = State::Terminated {
                    // SIGTERM.
                    code: 143,
                    reason: "Error".to_owned(),
                    since: since.clone(),
                    until: now(),
                };
            }
            one.ready = false;
        }
        seen.clone()
    };
    world.store.modify(&run.store_key, |pod| {
        let generation = pod["metadata"]["generation"].clone();
        let status = &mut pod["status"];
        status["containerStatuses"] = seen.iter().map(|one| one.value(false)).collect();
        status["phase"] = "Failed".into();
        status["reason"] = "DeadlineExceeded".into();
        status["message"] = "Pod was active on the node longer than the specified deadline".into();
        let failed = || Some(("PodFailed", String::new()));
        condition(
            status,
            &generation,
            "PodReadyToStartContainers",
            false,
            None,
        );
        condition(status, &generation, "Ready", false, failed());
        condition(status, &generation, "ContainersReady", false, failed());
    });
}
