//! A suite as a Job or CronJob that asks from inside the cluster: Kubernetes runs it, and its exit code and log are
//! the result.
//!
//! ```text
//!  ServiceAccount ◄─ bindings ─► roles (those of `rbac`)
//!  ConfigMap (the suite) ─► Job | CronJob, Indexed where the suite is large: one pod for a share of its sources
//! ```

use serde_json::{Value, json};

use super::Suite;
use crate::observe::Depth;
use crate::probe::rights::{Subjects, Wanted, roles};

/// Checks that one pod takes.
const CHECKS_OF_A_POD: usize = 50;
/// Pods that ask at the same time.
const SIDE_BY_SIDE: usize = 4;
/// A run that hangs is ended.
const DEADLINE_S: u64 = 900;
/// What has ended is kept for a day.
const KEPT_S: u64 = 86_400;
/// The user that owns nothing.
const NOBODY: u64 = 65_534;
/// Where the suite is in the container.
const FOLDER: &str = "/suite";
const FILE: &str = "suite.yaml";

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Wish<'a> {
    /// Names every object.
    pub name: &'a str,
    pub namespace: &'a str,
    /// The image that holds the plugin.
    pub image: &'a str,
    /// A CronJob's schedule; a Job without one.
    pub schedule: Option<&'a str>,
    pub depth: Depth,
    /// Where the pods of `--deep` are created.
    pub debug_namespace: &'a str,
    /// Whether a twin may stand in for a pod.
    pub with_twins: bool,
    /// Further words of `check`.
    pub flags: &'a [String],
}

/// The objects, in the order in which they can be created.
#[must_use]
pub fn objects(suite: &Suite, text: &str, wish: &Wish<'_>) -> Vec<Value> {
    let account = [(wish.namespace.to_owned(), wish.name.to_owned())];
    let subjects = Subjects {
        users: &[],
        accounts: &account,
    };
    let mut all =
        vec![json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(wish)})];
    let wanted = Wanted {
        depth: wish.depth,
        namespace: only_namespace(suite, wish.namespace),
        debug_namespace: wish.debug_namespace,
        with_twins: wish.with_twins,
    };
    let roles = roles(wanted, subjects).into_iter();
    all.extend(roles.map(|role| own(role, wish)));
    all.push(json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(wish),
        "data": {FILE: text},
    }));
    let job = job(suite, wish);
    all.push(match wish.schedule {
        None => json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": metadata(wish),
            "spec": job,
        }),
        Some(schedule) => json!({
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": metadata(wish),
            "spec": {
                "schedule": schedule,
                "concurrencyPolicy": "Forbid",
                "jobTemplate": {"spec": job},
            },
        }),
    });
    all
}

fn metadata(wish: &Wish<'_>) -> Value {
    json!({"name": wish.name, "namespace": wish.namespace, "labels": labels(wish)})
}

fn labels(wish: &Wish<'_>) -> Value {
    json!({"app.kubernetes.io/name": wish.name, "app.kubernetes.io/part-of": "kubectl-netpath"})
}

/// Roles and bindings of this Job alone: those of others stay as they are.
fn own(mut role: Value, wish: &Wish<'_>) -> Value {
    let prefixed = |name: &Value| {
        json!(format!(
            "{}-{}",
            wish.name,
            name.as_str().unwrap_or_default()
        ))
    };
    role["metadata"]["name"] = prefixed(&role["metadata"]["name"]);
    role["metadata"]["labels"] = labels(wish);
    if let Some(reference) = role.get_mut("roleRef") {
        reference["name"] = prefixed(&reference["name"]);
    }
    role
}

/// The namespace that every source is in, where it is one and the Job's own: probing is granted there alone.
fn only_namespace<'a>(suite: &Suite, namespace: &'a str) -> Option<&'a str> {
    let is_here = |check: &super::Check| {
        let own = check.namespace.as_deref().unwrap_or(namespace);
        own == namespace && check.source.matches('/').count() < 2
    };
    suite.checks.iter().all(is_here).then_some(namespace)
}

/// How many pods share the work: none has many more checks than another could take.
#[must_use]
pub fn shards(suite: &Suite) -> usize {
    let sources = suite.sources().len();
    suite
        .checks
        .len()
        .div_ceil(CHECKS_OF_A_POD)
        .min(sources)
        .max(1)
}

fn job(suite: &Suite, wish: &Wish<'_>) -> Value {
    let shards = shards(suite);
    let mut words = vec![
        "check".to_owned(),
        format!("{FOLDER}/{FILE}"),
        "--namespace".to_owned(),
        wish.namespace.to_owned(),
    ];
    words.extend(wish.flags.iter().cloned());
    if shards > 1 {
        // The Job controller gives every pod this variable (Indexed Jobs, `completionMode`).
        words.extend([
            "--shard".to_owned(),
            format!("$(JOB_COMPLETION_INDEX)/{shards}"),
        ]);
    }
    let mut spec = json!({
        "backoffLimit": 0,
        "activeDeadlineSeconds": DEADLINE_S,
        "ttlSecondsAfterFinished": KEPT_S,
        "template": {
            "metadata": {"labels": labels(wish)},
            "spec": {
                "serviceAccountName": wish.name,
                "restartPolicy": "Never",
                "securityContext": {
                    "runAsNonRoot": true,
                    "runAsUser": NOBODY,
                    "runAsGroup": NOBODY,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [{
                    "name": "netpath",
                    "image": wish.image,
                    "args": words,
                    "securityContext": {
                        "allowPrivilegeEscalation": false,
                        "readOnlyRootFilesystem": true,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
                    "volumeMounts": [{"name": "suite", "mountPath": FOLDER, "readOnly": true}],
                }],
                "volumes": [{"name": "suite", "configMap": {"name": wish.name}}],
            },
        },
    });
    if shards > 1 {
        // Every share is asked, also where another one failed (KEP-3850).
        spec["completionMode"] = json!("Indexed");
        spec["completions"] = json!(shards);
        spec["parallelism"] = json!(shards.min(SIDE_BY_SIDE));
        spec["backoffLimitPerIndex"] = json!(0);
        if let Some(fields) = spec.as_object_mut() {
            fields.remove("backoffLimit");
        }
    }
    spec
}
