//! A backend that does not answer, or badly.

use super::{destination, measured, network};
use crate::causes::Code;
use crate::cluster::{Named, ObjectRef, Pod};
use crate::confirm::BackendSymptom;
use crate::diagnose::{Case, Finding};
use crate::path::Stage;
use netpath_protocol::Failure;

/// The cause: at the socket, in the network between, or one sick endpoint among healthy ones.
pub(super) fn cause(case: &Case<'_, '_>, symptom: &BackendSymptom<'_>) -> Finding {
    let attempts = &symptom.attempts;
    if !attempts.none_open() {
        return shaky(symptom);
    }
    let failure = attempts
        .first_failure()
        .map(|(failure, elapsed)| (failure.clone(), *elapsed));
    let finding = match failure {
        Some((Failure::Refused, _))
            if symptom.attempts.refusal.is_some() && !is_of_backend(symptom) =>
        {
            network::rejected(case, symptom)
        }
        Some((Failure::Refused, _)) => destination::refused(case, symptom),
        Some((Failure::Timeout, _)) if symptom.is_closed_inside() => destination::silent(symptom),
        Some((Failure::Reset | Failure::Closed, _)) => destination::reset(symptom),
        Some((failure, elapsed)) => network::cause(case, symptom, &failure, elapsed),
        None => network::cause(case, symptom, &Failure::Timeout, 0),
    };
    one_of_many(symptom, finding.because(seen(symptom)))
}

/// EPS-04: among siblings that answer, the endpoint is the fault; what ails it is the proof.
fn one_of_many(symptom: &BackendSymptom<'_>, finding: Finding) -> Finding {
    let is_pods_own = matches!(
        finding.code,
        Code::DST_01 | Code::DST_02 | Code::DST_04 | Code::DST_05 | Code::SVC_03
    );
    let Some(pod) = symptom
        .backend
        .pod
        .filter(|_| symptom.others.open > 0 && is_pods_own)
    else {
        return finding;
    };
    let total = symptom.others.open + symptom.others.failing + 1;
    let failing = symptom.others.failing + 1;
    Finding {
        code: Code::EPS_04,
        summary: format!(
            "no response from {failing} of {total} endpoints, although ready: {} ({})",
            pod.name(),
            finding.summary
        ),
        ..finding
    }
    .blame(pod.reference(), "")
    .because(format!(
        "{} of the other endpoints respond to the same client",
        symptom.others.open
    ))
    .because(if has_readiness(pod) {
        "its readiness probe does not detect it".to_owned()
    } else {
        "it has no readiness probe, so a running pod counts as ready".to_owned()
    })
}

fn has_readiness(pod: &Pod) -> bool {
    pod.running_containers()
        .iter()
        .any(|container| container.readiness_probe.is_some())
}

/// Whether the refusal came from the backend's own address: datagrams to a closed port are refused by
/// ICMP as well.
fn is_of_backend(symptom: &BackendSymptom<'_>) -> bool {
    let refusal = symptom.attempts.refusal;
    refusal.is_some_and(|icmp| icmp.from == symptom.address.ip())
}

/// RTE-24: it answers, but not at once or not always. Whom that happens with tells where.
fn shaky(symptom: &BackendSymptom<'_>) -> Finding {
    if let Some(finding) = destination::overrun(symptom) {
        return finding.degraded();
    }
    let (attempts, others) = (&symptom.attempts, symptom.others);
    let lost = attempts.late + attempts.failures.len();
    let node = |name: &str| ObjectRef::cluster_wide("Node", name);
    let (object, where_) = match (symptom.source.node_name(), symptom.backend.node) {
        (Some(from), _)
            if others.fine_on_its_node + others.fine_elsewhere == 0 && others.shaky > 0 =>
        {
            (node(from), format!("from node {from}, to every backend"))
        }
        (_, Some(to)) if others.ailing_on_its_node > 0 && others.ailing_elsewhere == 0 => {
            (node(to), format!("to pods on node {to}"))
        }
        _ => (blamed(symptom), format!("to {}", symptom.backend.display())),
    };
    measured(Finding::new(Code::RTE_24, Stage::Route, format!("packets {where_} are lost: {lost} of {} attempts were affected", attempts.total())).degraded())
        .blame(object, "")
        .because(seen(symptom))
        .because(format!(
            "of the other backends, {} respond normally and {} do not",
            others.fine_on_its_node + others.fine_elsewhere,
            others.ailing_on_its_node + others.ailing_elsewhere
        ))
        .fix("look for packet loss: interface errors, a saturated link, a full conntrack table (nstat, ip -s link, conntrack -S)")
}

/// `client-1 → 10.244.2.5:9090: timeout after 5.0 s`
pub(super) fn seen(symptom: &BackendSymptom<'_>) -> String {
    format!(
        "{} → {}: {}",
        symptom.source.name(),
        symptom.address,
        symptom.attempts.words()
    )
}

/// The backend's pod, else the address.
pub(super) fn blamed(symptom: &BackendSymptom<'_>) -> crate::cluster::ObjectRef {
    symptom.backend.pod.map_or_else(
        || crate::cluster::ObjectRef::cluster_wide("Address", symptom.address.ip().to_string()),
        Pod::reference,
    )
}

// === impl BackendSymptom ===

impl BackendSymptom<'_> {
    /// Whether even a client in the backend's own network namespace gets no answer at its address.
    fn is_closed_inside(&self) -> bool {
        let inside = self
            .inside
            .as_ref()
            .and_then(|inside| inside.by_address.as_ref());
        inside.is_some_and(crate::observe::Attempts::none_open)
    }
}
