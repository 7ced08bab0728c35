//! Hints about the cluster's DNS.

use super::hint;
use crate::causes::Code;
use crate::cluster::{Named, Pod};
use crate::diagnose::kubectl::kubectl;

use crate::diagnose::objects::ends;
use crate::diagnose::{Case, Finding};
use crate::path::Stage;

/// How long ago a container may have died of hunger to be worth a word.
const RECENT_SECONDS: i64 = 3600;

pub(super) fn findings(case: &Case<'_, '_>) -> Vec<Finding> {
    if !ends::passes(case, Stage::Dns) {
        return Vec::new();
    }
    let dns = case.world.dns();
    let starved = dns
        .pods(case.view)
        .into_iter()
        .find(|pod| is_starved(case, pod));
    let unreadable = dns.corefile.as_ref().and_then(|read| read.as_ref().err());
    let starved = starved.map(|pod| {
        hint(
            Code::DNS_05,
            Stage::Dns,
            format!("{} was recently OOM-killed", pod.name()),
        )
        .blame(pod.reference(), "spec.containers[].resources.limits.memory")
        .because(format!(
            "{}: last terminated as OOMKilled; queries are lost while it restarts",
            pod.reference()
        ))
        .fix("raise the memory limit of CoreDNS, or run more replicas")
        .run(kubectl(
            pod.namespace(),
            format!("describe pod {}", pod.name()),
        ))
    });
    let broken = unreadable.map(|bad| {
        let object = dns.object_of(&bad.at);
        hint(
            Code::DNS_10,
            Stage::Dns,
            "CoreDNS rejects its Corefile: running servers keep the old one, and the next start fails",
        )
        .blame(object.clone(), format!("data.{}", bad.at))
        .because(bad.to_string())
        .fix("correct the Corefile before a DNS pod restarts")
        .run(kubectl(
            &object.namespace,
            format!("edit configmap {}", object.name),
        ))
    });
    starved.into_iter().chain(broken).collect()
}

fn is_starved(case: &Case<'_, '_>, pod: &Pod) -> bool {
    pod.container_statuses().iter().any(|status| {
        let ended = status
            .last_state
            .as_ref()
            .and_then(|state| state.terminated.as_ref());
        ended.is_some_and(|ended| {
            let age = case
                .view
                .taken_at
                .zip(ended.finished_at.as_ref())
                .map(|(now, time)| now.as_second() - time.0.as_second());
            ended.reason.as_deref() == Some("OOMKilled")
                && age.is_none_or(|seconds| seconds < RECENT_SECONDS)
        })
    })
}
