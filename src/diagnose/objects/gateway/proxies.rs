//! ING-10: the proxies behind a Gateway or an Ingress are down.

use super::describe;
use crate::causes::Code;
use crate::cluster::ObjectRef;
use crate::diagnose::Finding;
use crate::path::Stage;

/// ING-10: what keeps the Service in front of the proxies from leading anywhere.
pub(super) fn proxies_down(door: &ObjectRef, deeper: Finding) -> Finding {
    let why = deeper.summary.clone();
    Finding {
        code: Code::ING_10,
        stage: Stage::Entry,
        summary: format!(
            "the proxies of {} are down: none of its hosts responds",
            door.name
        ),
        ..deeper
    }
    .because(why)
}

/// ING-10, where no Service stands in front of them.
pub(super) fn no_proxy_ready(door: &ObjectRef, pods: &[ObjectRef]) -> Finding {
    let summary = format!(
        "no proxy of {} is ready: none of its hosts responds",
        door.name
    );
    let finding = Finding::new(Code::ING_10, Stage::Entry, summary);
    let Some(first) = pods.first() else {
        return finding.blame(door.clone(), "");
    };
    finding
        .blame(first.clone(), "status.conditions")
        .fix("bring them up; their events and logs show why they are down")
        .run(describe(first))
}
