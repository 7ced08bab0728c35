//! What makes pods, whatever its kind: a selector, how many, and the template.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use serde::Deserialize;

use super::{Named, Pod};

/// A Deployment, ReplicaSet, StatefulSet, DaemonSet, Job or CronJob.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(from = "Object")]
pub struct Workload {
    pub meta: ObjectMeta,
    /// The pods it wants, where it says so.
    pub replicas: Option<i32>,
    /// Which pods are its own. A CronJob has none.
    pub selector: Option<LabelSelector>,
    /// What its pods are made from. A ReplicaSet may have none.
    pub template: Option<Pod>,
    /// The Service that gives a StatefulSet's pods their names.
    pub service_name: Option<String>,
    /// How many pods of a DaemonSet are ready, where its controller said so.
    pub number_ready: Option<i32>,
    /// Why it cannot make its pods: the message of the condition `ReplicaFailure`.
    pub replica_failure: Option<String>,
}

/// The form on the wire.
#[derive(Deserialize)]
struct Object {
    #[serde(default)]
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    replicas: Option<i32>,
    selector: Option<LabelSelector>,
    template: Option<Pod>,
    service_name: Option<String>,
    /// A CronJob's, which makes Jobs.
    job_template: Option<Box<Object>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    number_ready: Option<i32>,
    conditions: Option<Vec<Condition>>,
}

#[derive(Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    message: Option<String>,
}

// === impl Workload ===

impl From<Object> for Workload {
    fn from(object: Object) -> Self {
        let Object {
            metadata: meta,
            spec,
            status,
        } = object;
        let of_jobs = spec.job_template.and_then(|job| job.spec.template);
        let mut conditions = status.conditions.into_iter().flatten();
        Self {
            meta,
            replicas: spec.replicas,
            selector: spec.selector,
            template: spec.template.or(of_jobs),
            service_name: spec.service_name,
            number_ready: status.number_ready,
            replica_failure: conditions
                .find(|condition| condition.kind == "ReplicaFailure")
                .and_then(|condition| condition.message),
        }
    }
}

impl Named for Workload {
    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}
