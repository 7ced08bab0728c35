//! A change as a command to paste, and as YAML to put into a file.

use serde_json::Value;

use super::Change;
use crate::cluster::ClusterView;
use crate::diagnose::kubectl::policy_patch;
use crate::policy::{Closing, Fix, PolicyVerdict};

/// What admits a flow that is denied.
pub(super) fn opening(view: &ClusterView, fix: &Fix) -> Change {
    patch(view, fix, PolicyVerdict::Allow)
}

/// What denies a flow that is allowed.
pub(super) fn closing(view: &ClusterView, change: Closing) -> Vec<Change> {
    match change {
        Closing::Rules(fixes) => fixes
            .iter()
            .map(|fix| patch(view, fix, PolicyVerdict::Deny))
            .collect(),
        Closing::Policy { summary, object } => vec![create(summary, object)],
    }
}

fn patch(view: &ClusterView, fix: &Fix, to: PolicyVerdict) -> Change {
    Change {
        to,
        summary: fix.summary.clone(),
        object: fix.policy.object(),
        command: policy_patch(view, &fix.policy, &fix.patch),
        patch: fix.patch.clone(),
        yaml: steps(&fix.patch),
    }
}

fn create(summary: String, object: Value) -> Change {
    let yaml = serde_saphyr::to_string(&object).unwrap_or_default();
    let text = |pointer| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let reference = crate::cluster::ObjectRef::new(
        text("/kind"),
        text("/metadata/namespace"),
        text("/metadata/name"),
    );
    Change {
        to: PolicyVerdict::Deny,
        summary,
        object: reference,
        command: "kubectl apply -f -".to_owned(),
        patch: object,
        yaml,
    }
}

/// The steps of a JSON patch as YAML with the place in a comment.
fn steps(patch: &Value) -> String {
    let steps = patch.as_array().into_iter().flatten().map(step);
    steps.collect()
}

fn step(step: &Value) -> String {
    let path = step["path"].as_str().unwrap_or_default();
    let (parent, last) = path.rsplit_once('/').unwrap_or_default();
    let parent = field(parent);
    if step["op"] == "remove" {
        return format!("# {parent} loses entry {last}\n");
    }
    let value = &step["value"];
    let entries = |value: &Value| serde_saphyr::to_string(&[value]).unwrap_or_default();
    match last {
        "-" => format!("# {parent} gains\n{}", entries(value)),
        index if index.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("# {parent} gains, before entry {index}\n{}", entries(value))
        }
        name => {
            let object = serde_json::json!({name: value});
            format!(
                "# {parent} gains\n{}",
                serde_saphyr::to_string(&object).unwrap_or_default()
            )
        }
    }
}

/// `/spec/ingress/0/from` as `spec.ingress[0].from`.
fn field(pointer: &str) -> String {
    let parts = pointer.split('/').filter(|part| !part.is_empty());
    let fields = parts.map(|part| {
        if part.bytes().all(|byte| byte.is_ascii_digit()) {
            format!("[{part}]")
        } else {
            format!(".{part}")
        }
    });
    let joined: String = fields.collect();
    joined.trim_start_matches('.').to_owned()
}
