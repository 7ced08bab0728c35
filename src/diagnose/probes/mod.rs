//! Causes that a probe shows: one file per kind of symptom.

mod answer;
mod backend;
mod destination;
mod name;
mod network;
mod proxy;
mod speech;

use crate::causes::Code;
use crate::confirm::Symptom;
use crate::diagnose::{Case, Confidence, Finding};

/// The cause of a symptom, as far as what was seen around it tells.
pub(super) fn cause(case: &Case<'_, '_>, symptom: &Symptom<'_>) -> Option<Finding> {
    let finding = match symptom {
        Symptom::Stall { .. } => speech::stall(symptom),
        Symptom::Certificate { .. } => return speech::certificate(case, symptom),
        Symptom::Answer { .. } => return answer::answer(case, symptom),
        Symptom::Name { .. } => return name::cause(case, symptom),
        Symptom::Backend(backend) => backend::cause(case, backend),
        Symptom::Proxy { .. } => proxy::cause(case, symptom),
        // Named like the break it is about, where breaks are.
        Symptom::WorksAnyway { .. } => return None,
        Symptom::OpenThoughDenied {
            source,
            denied,
            address,
        } => {
            let policies: Vec<String> = denied
                .judgement
                .selecting
                .iter()
                .map(|policy| policy.name.clone())
                .collect();
            let policies = crate::text::list(&policies);
            measured(Finding::new(Code::POL_15, denied.stage, format!("{policies} denies {} {address}, but the connection succeeds: nothing enforces the policy", source.name())).notice())
                .because(format!("{} → {address} connects", source.name()))
                .fix("install or repair the policy engine of the CNI, if the policy is intended")
        }
    };
    Some(finding)
}

/// A finding that a probe saw.
fn measured(finding: Finding) -> Finding {
    Finding {
        confidence: Confidence::Measured,
        ..finding
    }
}
