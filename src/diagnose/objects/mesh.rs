//! Family MESH: what a service mesh stops.

use crate::causes::Code;
use crate::diagnose::Finding;
use crate::diagnose::kubectl::{json_patch, kubectl, merge_patch};
use crate::mesh::{Reason, Stop};
use crate::path::Stage;

/// The cause of a stop.
pub(in crate::diagnose) fn cause(stop: &Stop, stage: Stage) -> Finding {
    let finding = Finding::new(code(stop.reason), stage, stop.summary.clone());
    // Which protocol the application uses shows in no object.
    let finding = match stop.reason {
        Reason::Misread => finding.suspected(),
        _ => finding,
    };
    let finding = finding
        .blame(stop.object.clone(), stop.field.clone())
        .because_all(stop.because.iter().filter(|fact| !fact.is_empty()).cloned())
        .fix(stop.repair.summary.clone());
    match &stop.repair.patch {
        Some((object, true, patch)) => finding.patch(json_patch(object, patch), patch.to_string()),
        Some((object, false, patch)) => {
            finding.patch(merge_patch(object, patch), patch.to_string())
        }
        None => finding.run(kubectl(
            &stop.object.namespace,
            format!("get {} {} -o yaml", resource(stop), stop.object.name),
        )),
    }
}

const fn code(reason: Reason) -> Code {
    match reason {
        Reason::Plaintext => Code::MESH_01,
        Reason::TlsDisagrees => Code::MESH_02,
        Reason::Unauthorized => Code::MESH_03,
        Reason::ProxyDown => Code::MESH_04,
        Reason::NoRoute => Code::MESH_06,
        Reason::Misread => Code::MESH_05,
        Reason::OutOfScope => Code::MESH_07,
        Reason::Bypassed => Code::MESH_09,
        Reason::RulesLeftOut => Code::MESH_11,
        Reason::SeesWaypoint => Code::MESH_12,
        Reason::OtherMesh => Code::MESH_13,
        Reason::NothingAuthorizes => Code::MESH_14,
    }
}

fn resource(stop: &Stop) -> String {
    stop.object.kind.to_lowercase()
}
