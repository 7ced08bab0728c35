//! Ephemeral containers: added to a pod that runs, started once, never removed.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Container, EphemeralContainer};
use serde::Deserialize;
use serde_json::{Value, json};

use super::container::{ContainerRun, Made, ended_state, pull_failure};
use super::pod::PodRun;
use super::status::{Seen, State};
use crate::store::now;
use crate::world::World;

/// Starts those of the object that were not started yet.
pub fn sync(world: &Arc<World>, run: &Arc<PodRun>, object: &Value) {
    let listed = object["spec"]["ephemeralContainers"].as_array();
    for one in listed.into_iter().flatten() {
        let Ok(wanted) = EphemeralContainer::deserialize(one) else {
            continue;
        };
        let known = object["status"]["ephemeralContainerStatuses"].as_array();
        if known
            .into_iter()
            .flatten()
            .any(|status| status["name"] == wanted.name.as_str())
        {
            continue;
        }
        start(world, run, &wanted);
    }
}

fn start(world: &Arc<World>, run: &Arc<PodRun>, wanted: &EphemeralContainer) {
    let container = as_container(wanted);
    let mut seen = Seen {
        name: wanted.name.clone(),
        image: wanted.image.clone().unwrap_or_default(),
        state: State::creating(),
        last: None,
        restarts: 0,
        ready: false,
        user: None,
    };
    publish(world, run, &seen);
    let target = wanted
        .target_container_name
        .as_ref()
        .and_then(|name| run.containers.lock().get(name).cloned());
    let beside = target
        .and_then(|target| target.process(world, run).ok())
        .map(|process| process.pid);
    match ContainerRun::make(world, run, &container, beside) {
        Made::Refused { reason, message } => {
            run.note(world, "Failed", &message);
            seen.state = State::Waiting {
                reason: reason.clone(),
                message,
            };
            publish(world, run, &seen);
            if reason == "ErrImagePull" {
                back_off(world, run, seen);
            }
        }
        Made::Ready(made) => {
            seen.user = Some((made.security.uid, made.security.gid));
            run.containers
                .lock()
                .insert(made.name.clone(), made.clone());
            let (world, run) = (world.clone(), run.clone());
            world
                .runtime
                .clone()
                .spawn(async move { live(&world, &run, &made, seen).await });
        }
    }
}

/// Runs it to its end.
async fn live(world: &Arc<World>, run: &Arc<PodRun>, made: &Arc<ContainerRun>, mut seen: Seen) {
    let starter = (world.clone(), run.clone(), made.clone());
    let started = tokio::task::spawn_blocking(move || {
        let (world, run, made) = starter;
        let words = made.words();
        made.start(&world, &run, words)
    });
    match started.await {
        Ok(Ok(process)) => {
            *made.process.lock() = Some(process.clone());
            seen.state = State::Running { since: now() };
            publish(world, run, &seen);
            run.note(world, "Started", "Container started");
            let code = process.ended().await;
            seen.state = ended_state(&process, code);
        }
        Ok(Err(error)) => {
            seen.state = State::Terminated {
                code: 128,
                reason: "StartError".to_owned(),
                since: now(),
                until: now(),
            };
            run.note(world, "Failed", &format!("Error: {error:#}"));
        }
        Err(_) => return,
    }
    publish(world, run, &seen);
}

/// After a failed pull: the words change, nothing else ever does.
fn back_off(world: &Arc<World>, run: &Arc<PodRun>, mut seen: Seen) {
    let (world, run) = (world.clone(), run.clone());
    let keeper = run.clone();
    keeper.keep(world.runtime.clone().spawn(async move {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let why = pull_failure(&seen.image);
        seen.state = State::Waiting {
            reason: "ImagePullBackOff".to_owned(),
            message: format!(
                "Back-off pulling image \"{}\": ErrImagePull: {why}",
                seen.image
            ),
        };
        publish(&world, &run, &seen);
    }));
}

fn publish(world: &World, run: &PodRun, seen: &Seen) {
    world.store.modify(&run.store_key, |pod| {
        let generation = pod["metadata"]["generation"].clone();
        let status = &mut pod["status"];
        status["observedGeneration"] = generation.clone();
        for condition in status["conditions"].as_array_mut().into_iter().flatten() {
            condition["observedGeneration"] = generation.clone();
        }
        let entry = seen.value(true);
        if !status["ephemeralContainerStatuses"].is_array() {
            status["ephemeralContainerStatuses"] = json!([]);
        }
        let Some(list) = status["ephemeralContainerStatuses"].as_array_mut() else {
            return;
        };
        match list.iter_mut().find(|one| one["name"] == entry["name"]) {
            Some(place) => *place = entry,
            None => list.push(entry),
        }
    });
}

fn as_container(wanted: &EphemeralContainer) -> Container {
    let wanted = wanted.clone();
    Container {
        name: wanted.name,
        image: wanted.image,
        command: wanted.command,
        args: wanted.args,
        env: wanted.env,
        working_dir: wanted.working_dir,
        security_context: wanted.security_context,
        stdin: wanted.stdin,
        tty: wanted.tty,
        volume_mounts: wanted.volume_mounts,
        ..Container::default()
    }
}
