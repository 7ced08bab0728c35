//! An ephemeral container in a pod: its network namespace, and nothing else of it.

use k8s_openapi::api::core::v1::ContainerState;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use serde_json::{Value, json};

use super::own::{PREFIX, is_own_container};
use super::program::Program;
use super::refusal::refused;
use super::wait;
use crate::cluster::{Container, Named, Pod, PodStatus};
use crate::observe::ProbeError;
use crate::probe::gate::Gate;
use crate::probe::pods::Pods;

/// A container that runs, or ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ephemeral {
    pub namespace: String,
    pub pod: String,
    pub container: String,
    /// Whether it was there before.
    pub is_reused: bool,
}

/// The user that owns nothing.
const NOBODY: i64 = 65534;

/// Hears of a container before it is made, and never hears that it was.
pub type OnStart<'a> = &'a (dyn Fn(Ephemeral) + Sync);

/// Starts a container in a pod, or takes one of ours that still runs there.
///
/// The settings are the strictest that Pod Security knows, so that every level takes them. The patch
/// is tried as a dry run first: a container that violates a policy must never stay in a pod's spec,
/// where it blocks every later change.
///
/// # Errors
/// When the server refuses it, or it does not start.
pub async fn start(
    client: &Client,
    pod: &Pod,
    program: &Program,
    (gate, on_start): (&Gate, OnStart<'_>),
) -> Result<Ephemeral, ProbeError> {
    let pods = Pods::new(client, Some(pod.namespace()));
    let what = format!("ephemeral container in pod {}", pod.name());
    if is_static(pod) {
        return Err(ProbeError::Refused {
            what,
            why: "it is a static pod, which does not accept ephemeral containers".to_owned(),
            grant: String::new(),
        });
    }
    let of = |container: String, is_reused: bool| Ephemeral {
        namespace: pod.namespace().to_owned(),
        pod: pod.name().to_owned(),
        container,
        is_reused,
    };
    let grant = format!("patch pods/ephemeralcontainers in {}", pod.namespace());
    // A container with an image of its own answers one plan and ends; only an idle one is reusable.
    if let Some(running) = running(pod, program, Timestamp::now()) {
        return Ok(of(running, true));
    }
    let name = free_name(pod);
    let patch = json!({"spec": {"ephemeralContainers": [program.container(&name, &strictest())]}});
    for dry_run in [true, false] {
        if !dry_run {
            on_start(of(name.clone(), false));
        }
        let patched = pods
            .patch_ephemeral(gate, pod.name(), &patch, dry_run)
            .await;
        patched.map_err(|error| refused(&what, &grant, &error))?;
    }
    wait::for_ephemeral(&pods, pod.name(), &name).await?;
    Ok(of(name, false))
}

/// The settings that Pod Security's level `restricted` asks for, and a user that owns nothing.
pub(super) fn strictest() -> Value {
    json!({
        "runAsNonRoot": true,
        "runAsUser": NOBODY,
        "runAsGroup": NOBODY,
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    })
}

/// Whether a container of ours still idles in the pod, so that nothing has to be created.
#[must_use]
pub fn is_reusable(pod: &Pod, program: &Program) -> bool {
    running(pod, program, Timestamp::now()).is_some()
}

/// A container of ours that still runs with the same image, for as long as a new one would be needed.
fn running(pod: &Pod, program: &Program, now: Timestamp) -> Option<String> {
    let needed = program.seconds()?;
    let spec = pod.spec.as_ref()?.ephemeral_containers.as_ref()?;
    let mut ours = spec.iter().filter(|container| {
        is_own_container(container) && container.image.as_deref() == Some(program.image())
    });
    let lasts = |container: &Container| {
        let state = status_of(pod.status.as_ref(), &container.name);
        let since = state.and_then(|state| state.running.as_ref()?.started_at.as_ref());
        let elapsed = since.map(|since| now.duration_since(since.0).as_secs());
        let left = Program::lifetime(container)
            .zip(elapsed.and_then(|elapsed| u64::try_from(elapsed).ok()))
            .map(|(lifetime, elapsed)| lifetime.saturating_sub(elapsed));
        left.is_some_and(|left| left >= needed)
    };
    Some(ours.find(|container| lasts(container))?.name.clone())
}

/// A name no container of the pod has, the same for the same history: `netpath-1`, `netpath-2` …
fn free_name(pod: &Pod) -> String {
    let taken = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.ephemeral_containers.as_ref())
        .map_or(0, |all| {
            all.iter()
                .filter(|container| container.name.starts_with(PREFIX))
                .count()
        });
    format!("{PREFIX}{}", taken + 1)
}

/// Mirror pods show what a kubelet runs by itself (annotation set by the kubelet).
fn is_static(pod: &Pod) -> bool {
    let annotations = pod.metadata.annotations.as_ref();
    annotations.is_some_and(|all| all.contains_key("kubernetes.io/config.mirror"))
}

/// The status of one ephemeral container.
pub(super) fn status_of<'s>(
    status: Option<&'s PodStatus>,
    name: &str,
) -> Option<&'s ContainerState> {
    let all = status?.ephemeral_container_statuses.as_ref()?;
    all.iter().find(|own| own.name == name)?.state.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_container_asks_for_as_little_as_there_is() {
        let container = Program::idle("busybox", 60).container("netpath-1", &strictest());
        let security = &container["securityContext"];
        assert_eq!(security["runAsNonRoot"], json!(true));
        assert_eq!(security["allowPrivilegeEscalation"], json!(false));
        assert_eq!(security["capabilities"], json!({"drop": ["ALL"]}));
        assert_eq!(security["seccompProfile"]["type"], json!("RuntimeDefault"));
        assert!(security.get("privileged").is_none());
    }

    #[test]
    fn names_go_on_counting() {
        let own = Program::idle("busybox", 60).container("netpath-1", &strictest());
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "a"},
            "spec": {"containers": [], "ephemeralContainers": [
                {"name": "debugger-x"}, own,
            ]},
            "status": {"ephemeralContainerStatuses": [
                {"name": "netpath-1", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}},
            ]},
        }))
        .expect("a pod");
        assert_eq!(free_name(&pod), "netpath-2");
        let at = |time: &str| time.parse::<Timestamp>().expect("a time");
        let early = at("2026-01-01T00:00:20Z");
        let wanted = Program::idle("busybox", 40);
        assert_eq!(running(&pod, &wanted, early).as_deref(), Some("netpath-1"));
        assert_eq!(running(&pod, &Program::idle("other", 40), early), None);
        // It would end before the run does.
        let late = at("2026-01-01T00:00:30Z");
        assert_eq!(running(&pod, &wanted, late), None);
    }
}
