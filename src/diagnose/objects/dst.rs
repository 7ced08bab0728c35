//! Family DST, as far as the API shows it: a pod where nothing can answer.

use super::{ext, rte, src};
use crate::causes::Code;
use crate::cluster::{Named, Pod};
use crate::diagnose::kubectl::kubectl;
use crate::diagnose::{Case, Finding};
use crate::path::Stage;

/// DST-11 for a pod without a network or past its end, DST-01 where no container runs.
pub(in crate::diagnose) fn down(case: &Case<'_, '_>, pod: &Pod) -> Finding {
    let deeper = rte::no_network_for(case, pod, Stage::Destination)
        .or_else(|| ext::host_port_taken(pod, Stage::Destination));
    if let Some(deeper) = deeper {
        return deeper;
    }
    let name = pod.name();
    let (state, field) = src::why_down(pod);
    let has_network = !pod.ips().is_empty() && !pod.is_finished();
    let finding = if has_network {
        Finding::new(
            Code::DST_01,
            Stage::Destination,
            format!("nothing runs in {name}: {state}"),
        )
    } else {
        Finding::new(
            Code::DST_11,
            Stage::Destination,
            format!("{name} is not up: {state}"),
        )
    };
    finding
        .blame(pod.reference(), field)
        .because(format!(
            "Pod {}/{name} status.phase is {}",
            pod.namespace(),
            pod.phase()
        ))
        .fix("bring the pod up; its events and logs say why it is down")
        .run(kubectl(pod.namespace(), format!("describe pod {name}")))
        .run(kubectl(
            pod.namespace(),
            format!("logs {name} --previous --all-containers"),
        ))
}
