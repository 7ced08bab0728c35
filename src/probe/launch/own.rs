//! What is ours: what was made here in every part, not what bears our name.
//!
//! Labels and names are free for everybody. What is deleted, ended or used again looks in all of this
//! as it was made: a StatefulSet's pod that carries our label, a container of `kubectl debug` that is
//! called `netpath-7`, or one that somebody planted with more rights, is not ours.

use super::program::Program;
use crate::cluster::{Container, Pod};
use crate::probe::{LABEL, RUN};

/// The beginning of every name of ours, pods' and containers'.
pub(super) const PREFIX: &str = "netpath-";

/// The only container of a pod of ours.
pub(super) const CONTAINER: &str = "netpath";

/// Whether netpath made a pod: its labels, the name the server gave it, the run in an annotation as in
/// the label, no owner, and one container of our name.
pub(in crate::probe) fn is_own_pod(pod: &Pod) -> bool {
    let meta = &pod.metadata;
    let label = |key: &str| pod.labels().get(key).map(String::as_str);
    let annotations = meta.annotations.as_ref();
    let run = annotations.and_then(|all| all.get(RUN)).map(String::as_str);
    let suffix = meta
        .name
        .as_deref()
        .and_then(|name| name.strip_prefix(PREFIX));
    let is_generated = meta.generate_name.as_deref() == Some(PREFIX)
        && suffix.is_some_and(|suffix| suffix.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let spec = pod.spec.as_ref();
    let is_alone = spec.is_some_and(|spec| {
        let has_others = [&spec.init_containers, &spec.ephemeral_containers]
            .into_iter()
            .any(|list| list.as_ref().is_some_and(|list| !list.is_empty()));
        matches!(spec.containers.as_slice(), [only] if only.name == CONTAINER) && !has_others
    });
    let is_labeled = label(LABEL.0) == Some(LABEL.1);
    let is_of_a_run = run.is_some() && run == label(RUN);
    is_generated
        && is_alone
        && is_labeled
        && is_of_a_run
        && meta.owner_references.as_ref().is_none_or(Vec::is_empty)
}

/// Whether netpath made an ephemeral container: its numbered name, what it runs, the settings it runs
/// with, and nobody's processes before its eyes.
pub(in crate::probe) fn is_own_container(own: &Container) -> bool {
    let number = own.name.strip_prefix(PREFIX);
    let is_numbered = number.is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    });
    is_numbered
        && own.target_container_name.is_none()
        && own.args.as_ref().is_none_or(Vec::is_empty)
        && Program::has_made(own)
        && has_strictest(own)
}

/// The settings of [`strictest`](super::ephemeral::strictest).
fn has_strictest(own: &Container) -> bool {
    own.security_context.as_ref().is_some_and(|security| {
        let adds = security
            .capabilities
            .as_ref()
            .and_then(|own| own.add.as_ref());
        let drops = security
            .capabilities
            .as_ref()
            .and_then(|own| own.drop.as_deref());
        security.privileged != Some(true)
            && security.run_as_non_root == Some(true)
            && security.allow_privilege_escalation == Some(false)
            && adds.is_none_or(Vec::is_empty)
            && matches!(drops, Some([all]) if all == "ALL")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::probe::launch::ephemeral::strictest;

    fn changed(object: &Value, pointer: &str, value: Value) -> Value {
        let mut object = object.clone();
        let (parent, last) = pointer.rsplit_once('/').expect("a pointer");
        object.pointer_mut(parent).expect("a parent")[last] = value;
        object
    }

    #[test]
    fn a_pod_is_ours_in_every_part_or_not() {
        let own = json!({
            "metadata": {"name": "netpath-x7k2p", "generateName": "netpath-", "annotations": {RUN: "r"},
                "labels": {LABEL.0: LABEL.1, RUN: "r"}},
            "spec": {"containers": [{"name": "netpath"}]},
        });
        let is_own = |pod: &Value| is_own_pod(&serde_json::from_value(pod.clone()).expect("a pod"));
        assert!(is_own(&own));
        for (pointer, value) in [
            ("/metadata/name", json!("web-0")),
            ("/metadata/generateName", json!("web-")),
            ("/metadata/labels", json!({LABEL.0: LABEL.1})),
            ("/metadata/annotations", json!({RUN: "other"})),
            (
                "/metadata/ownerReferences",
                json!([{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": "u"}]),
            ),
            ("/spec/containers", json!([{"name": "web"}])),
            (
                "/spec/containers",
                json!([{"name": "netpath"}, {"name": "web"}]),
            ),
        ] {
            assert!(
                !is_own(&changed(&own, pointer, value.clone())),
                "{pointer} {value}"
            );
        }
    }

    #[test]
    fn a_container_is_ours_in_every_part_or_not() {
        let own = Program::idle("busybox", 60).container("netpath-7", &strictest());
        let is_own = |own: &Value| {
            is_own_container(&serde_json::from_value(own.clone()).expect("a container"))
        };
        assert!(is_own(&own));
        assert!(is_own(
            &Program::agent("x", "{}".to_owned()).container("netpath-1", &strictest())
        ));
        for (pointer, value) in [
            ("/name", json!("netpath-debug")),
            ("/command", json!(["sh"])),
            (
                "/command",
                json!(["sh", "-c", "trap 'exit 0' TERM; sleep 60 & wait; evil"]),
            ),
            ("/args", json!(["evil"])),
            ("/targetContainerName", json!("app")),
            ("/env", json!([{"name": "LD_PRELOAD", "value": "/evil.so"}])),
            ("/securityContext/privileged", json!(true)),
            ("/securityContext/runAsNonRoot", json!(null)),
            (
                "/securityContext/capabilities",
                json!({"add": ["SYS_ADMIN"], "drop": ["ALL"]}),
            ),
        ] {
            assert!(
                !is_own(&changed(&own, pointer, value.clone())),
                "{pointer} {value}"
            );
        }
    }
}
