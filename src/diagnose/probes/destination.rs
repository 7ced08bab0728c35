//! Faults of the destination itself: its sockets and what sits in front of them inside the pod.

use serde_json::json;

use super::backend::blamed;
use super::measured;
use crate::causes::Code;
use crate::cluster::Named;
use crate::cluster::access::{ServiceExt, ServicePortExt, target_port};
use crate::confirm::{BackendSymptom, Inside};
use crate::diagnose::kubectl::{json_patch, kubectl};
use crate::diagnose::{Case, Finding};
use crate::path::{Stage, resolve_port};
use crate::text::list;

/// Refused: a reset by the pod's own kernel, or a firewall that says so.
pub(super) fn refused(case: &Case<'_, '_>, symptom: &BackendSymptom<'_>) -> Finding {
    let (addr, port) = (symptom.address.ip(), symptom.address.port());
    let protocol = case.walk.protocol;
    let pod = symptom
        .backend
        .pod
        .map_or_else(|| addr.to_string(), |pod| pod.name().to_owned());
    let Some(inside) = symptom
        .inside
        .as_ref()
        .filter(|inside| inside.listeners.is_some())
    else {
        return at_pod(
            symptom,
            Code::DST_01,
            format!("nothing listens on port {port} of {pod}, or only on its loopback address"),
        )
        .suspected()
        .fix(match symptom.backend.pod {
            Some(_) => "check what listens in the pod",
            None => "check what listens there, and whether the port is right",
        })
        .run(look_inside(symptom));
    };
    let own: Vec<_> = inside.on_port(protocol, port).collect();
    if own.is_empty() {
        return nothing_on_port(case, symptom, inside);
    }
    if own.iter().all(|listener| listener.is_loopback()) {
        return measured(at_pod(
            symptom,
            Code::DST_02,
            format!(
                "{pod} listens on {}:{port} only, which other pods cannot reach",
                own[0].address
            ),
        ))
        .because(format!(
            "the only socket on port {port} is bound to {}",
            own[0].address
        ))
        .fix("bind the server to all addresses (0.0.0.0 or [::]) instead of localhost");
    }
    if !own.iter().any(|listener| listener.takes(addr)) {
        let family = crate::net::Family::of(addr);
        return measured(at_pod(
            symptom,
            Code::DST_03,
            format!("{pod} does not listen on port {port} for {family}"),
        ))
        .because(format!("its socket is bound to {}", own[0].address))
        .fix("bind the server to both IP families");
    }
    let from_inside = inside
        .by_address
        .as_ref()
        .is_some_and(crate::observe::Attempts::all_open);
    let finding = at_pod(
        symptom,
        Code::RTE_21,
        format!("a firewall rejects {addr}:{port} although {pod} listens there"),
    )
    .because(format!("the pod listens on {}:{port}", own[0].address))
    .fix("look for REJECT rules on the nodes of the pod and of the source; --deep reads them");
    let finding = if from_inside {
        finding.because("the port is open from inside the pod")
    } else {
        finding
    };
    Finding {
        stage: Stage::Route,
        ..finding
    }
    .suspected()
}

/// SVC-03 where the pod listens elsewhere, DST-01 where it does not listen at all.
fn nothing_on_port(case: &Case<'_, '_>, symptom: &BackendSymptom<'_>, inside: &Inside) -> Finding {
    let port = symptom.address.port();
    let open = inside.open_ports(case.walk.protocol);
    let pod = symptom
        .backend
        .pod
        .map_or_else(String::new, |pod| pod.name().to_owned());
    let listening: Vec<String> = open.iter().map(ToString::to_string).collect();
    let (Some(service), Some(first)) = (symptom.service, open.first()) else {
        let finding = measured(at_pod(
            symptom,
            Code::DST_01,
            format!("nothing in {pod} listens on port {port}"),
        ))
        .fix("find out why the server does not run, or which port it uses")
        .run(look_inside(symptom));
        return if open.is_empty() {
            finding.because("no socket of the pod listens on a reachable address")
        } else {
            finding.because(format!("it listens on {}", list(&listening)))
        };
    };
    let index = service.ports().iter().position(|own| {
        let resolved = symptom
            .backend
            .pod
            .and_then(|pod| resolve_port(pod, &target_port(own), own.protocol()));
        resolved == Some(port)
    });
    let index = index.unwrap_or_default();
    let object = service.reference();
    let patch = json!([{"op": "replace", "path": format!("/spec/ports/{index}/targetPort"), "value": first}]);
    measured(Finding::new(
        Code::SVC_03,
        Stage::Destination,
        format!(
            "targetPort {port} of {} has no listener: the pods listen on {}",
            object.name,
            list(&listening)
        ),
    ))
    .blame(object.clone(), format!("spec.ports[{index}].targetPort"))
    .because(format!(
        "no socket in {pod} listens on {port}; it listens on {}",
        list(&listening)
    ))
    .fix(format!(
        "use targetPort {first}, or make the server listen on {port}"
    ))
    .patch(json_patch(&object, &patch), patch.to_string())
}

/// Even from inside the pod nothing comes back: a full accept queue, a hung server, or a filter.
pub(super) fn silent(symptom: &BackendSymptom<'_>) -> Finding {
    let port = symptom.address.port();
    let inside = symptom.inside.as_ref();
    if let Some(finding) = overrun(symptom) {
        return finding;
    }
    let by_loopback = inside.and_then(|inside| inside.by_loopback.as_ref());
    let loopback_works = by_loopback.is_some_and(crate::observe::Attempts::all_open);
    let finding = measured(at_pod(
        symptom,
        Code::DST_05,
        format!("a firewall inside the pod drops packets to port {port}"),
    ));
    let finding = if loopback_works {
        finding.because("it is open on the loopback address, but not on the address of the pod")
    } else {
        finding.suspected()
    };
    finding
        .because("even from inside the pod its own address does not respond")
        .fix("check init containers and sidecars that write iptables rules in the pod")
}

/// DST-04: a full accept queue drops new connections without a word, so that they hang, or open only
/// after a second or more (Linux: a queue is full when more than `backlog` wait).
pub(super) fn overrun(symptom: &BackendSymptom<'_>) -> Option<Finding> {
    let port = symptom.address.port();
    let all = symptom.inside.as_ref()?.listeners.as_ref()?;
    let listener = all.iter().find(|listener| {
        listener.port == port && listener.backlog > 0 && listener.waiting > listener.backlog
    })?;
    let summary =
        format!("the accept queue of port {port} is full: the server does not accept connections");
    Some(
        measured(at_pod(symptom, Code::DST_04, summary))
            .because(format!(
                "{} connections are waiting, the backlog is {}",
                listener.waiting, listener.backlog
            ))
            .fix("the application hangs or is too slow: check its threads, limits and logs"),
    )
}

/// Accepted and dropped at once.
pub(super) fn reset(symptom: &BackendSymptom<'_>) -> Finding {
    measured(at_pod(
        symptom,
        Code::DST_07,
        format!("{} resets the connection", symptom.address),
    ))
    .suspected()
    .fix("the server may expect TLS or another protocol; check its log")
    .run(look_inside(symptom))
}

fn at_pod(symptom: &BackendSymptom<'_>, code: Code, summary: String) -> Finding {
    Finding::new(code, Stage::Destination, summary).blame(blamed(symptom), "")
}

fn look_inside(symptom: &BackendSymptom<'_>) -> String {
    symptom.backend.pod.map_or_else(
        || format!("nc -vz {} {}", symptom.address.ip(), symptom.address.port()),
        |pod| kubectl(pod.namespace(), format!("logs {}", pod.name())),
    )
}
