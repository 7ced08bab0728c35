//! Waiting for a container to run, and giving up at once when it cannot.

use std::pin::pin;
use std::time::Duration;

use futures::TryStreamExt;
use k8s_openapi::api::core::v1::ContainerState;
use kube::api::WatchEvent;

use super::ephemeral::status_of;
use crate::cluster::{Pod, PodStatus};
use crate::observe::ProbeError;
use crate::probe::pods::{self, Pods};

/// How long an image may take to be pulled and a container to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long before looking again, also where a watch breaks off each time.
const AGAIN: Duration = Duration::from_millis(300);

/// Reasons that never pass by themselves within a minute.
const HOPELESS: [&str; 8] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "ImageInspectError",
];

/// Whether an ephemeral container runs.
pub(in crate::probe) fn is_running(status: Option<&PodStatus>, name: &str) -> bool {
    status_of(status, name).is_some_and(|state| state.running.is_some())
}

/// Waits until an ephemeral container runs or has ended.
pub(super) async fn for_ephemeral(pods: &Pods, pod: &str, name: &str) -> Result<(), ProbeError> {
    let what = format!("ephemeral container {name} in pod {pod}");
    until(pods, pod, &what, |pod| {
        verdict(status_of(pod.status.as_ref(), name))
    })
    .await
}

/// Waits until the only container of a pod runs or has ended.
pub(super) async fn for_pod(pods: &Pods, pod: &str) -> Result<(), ProbeError> {
    let what = format!("pod {pod}");
    until(pods, pod, &what, |pod| {
        let status = pod.status.as_ref();
        let conditions = status
            .and_then(|status| status.conditions.as_deref())
            .unwrap_or_default();
        let unschedulable = conditions
            .iter()
            .find(|condition| condition.type_ == "PodScheduled" && condition.status == "False");
        if let Some(condition) = unschedulable {
            return Some(Err(condition.message.clone().unwrap_or_default()));
        }
        if status.is_some_and(|status| status.phase.as_deref() == Some("Failed")) {
            return Some(Err(status
                .and_then(|status| status.message.clone())
                .unwrap_or_else(|| "it failed".to_owned())));
        }
        let containers = status.and_then(|status| status.container_statuses.as_ref());
        verdict(containers.and_then(|all| all.first()?.state.as_ref()))
    })
    .await
}

/// Done, hopeless with the reason, or neither yet.
fn verdict(state: Option<&ContainerState>) -> Option<Result<(), String>> {
    let state = state?;
    if state.running.is_some() || state.terminated.is_some() {
        return Some(Ok(()));
    }
    let waiting = state.waiting.as_ref()?;
    let reason = waiting.reason.as_deref().unwrap_or_default();
    HOPELESS.contains(&reason).then(|| {
        let message = waiting.message.as_deref().unwrap_or_default();
        Err(format!("{reason}: {message}"))
    })
}

/// Watches one pod until `ready` decides; a watch that ends or expires starts again.
async fn until(
    pods: &Pods,
    pod: &str,
    what: &str,
    ready: impl Fn(&Pod) -> Option<Result<(), String>> + Sync,
) -> Result<(), ProbeError> {
    let not_started = |why: String| ProbeError::NotStarted {
        what: what.to_owned(),
        why,
    };
    let watching = async {
        loop {
            let Ok(stream) = pods.watch(pod).await else {
                // Without the right to watch: look now and then.
                let current = pods
                    .get(pod)
                    .await
                    .map_err(|error| not_started(error.to_string()))?;
                if let Some(decided) = ready(&current) {
                    return decided.map_err(&not_started);
                }
                tokio::time::sleep(AGAIN).await;
                continue;
            };
            let mut stream = pin!(stream);
            while let Ok(Some(event)) = stream.try_next().await {
                match event {
                    WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                        let pod =
                            pods::pod(object).map_err(|error| not_started(error.to_string()))?;
                        if let Some(decided) = ready(&pod) {
                            return decided.map_err(&not_started);
                        }
                    }
                    WatchEvent::Deleted(_) => {
                        return Err(not_started("the pod was deleted".to_owned()));
                    }
                    WatchEvent::Bookmark(_) => {}
                    WatchEvent::Error(_) => break,
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    };
    match tokio::time::timeout(PATIENCE, watching).await {
        Ok(outcome) => outcome,
        Err(_) => Err(not_started(format!(
            "not running after {} s",
            PATIENCE.as_secs()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn state(state: &serde_json::Value) -> ContainerState {
        serde_json::from_value(state.clone()).expect("a state")
    }

    #[test]
    fn what_cannot_start_is_given_up_at_once_with_its_reason() {
        for reason in HOPELESS {
            let waiting = state(&json!({"waiting": {"reason": reason, "message": "not found"}}));
            let told = verdict(Some(&waiting))
                .expect("decided")
                .expect_err("hopeless");
            assert!(
                told.contains(reason) && told.contains("not found"),
                "{told}"
            );
        }
    }

    #[test]
    fn what_is_on_its_way_is_waited_for() {
        for reason in ["ContainerCreating", "PodInitializing"] {
            assert_eq!(
                verdict(Some(&state(&json!({"waiting": {"reason": reason}})))),
                None
            );
        }
        assert_eq!(verdict(None), None);
        assert_eq!(verdict(Some(&state(&json!({"running": {}})))), Some(Ok(())));
        // One that has run already may have left its answers in its log.
        assert_eq!(
            verdict(Some(&state(&json!({"terminated": {"exitCode": 0}})))),
            Some(Ok(()))
        );
    }
}
