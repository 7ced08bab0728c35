//! Family DST: what the destination's own network namespace holds.

use serde_json::json;

use super::at;
use super::proxy::{field, held};
use crate::causes::Code;
use crate::cluster::access::{ServiceExt, ServicePortExt, target_port};
use crate::cluster::{ObjectRef, Pod};
use crate::diagnose::kubectl::{json_patch, kubectl};
use crate::diagnose::{Case, Finding, Path};
use crate::path::{Break, Fault, NodeFault, Outcome, PodFault, Stage, resolve_port};
use crate::text::list;

pub(super) fn cause(
    case: &Case<'_, '_>,
    path: &Path<'_>,
    fault: &NodeFault,
    kind: &PodFault,
) -> Finding {
    // The same in several pods is one cause, told of the first.
    let pods = if fault.stage == Stage::Source {
        vec![fault.at.clone()]
    } else {
        alike(case, path, kind)
    };
    let first = pods.first().cloned().unwrap_or_else(|| fault.at.clone());
    let fault = &NodeFault {
        at: first,
        ..fault.clone()
    };
    let pod = &fault.at;
    let name = match pods.len() {
        0 | 1 => pod.name.clone(),
        many => format!("{} (like {} more)", pod.name, many - 1),
    };
    let logs = kubectl(&pod.namespace, format!("logs {}", pod.name));
    let finding = match kind {
        PodFault::NotListening { port, open } => {
            if let Some(finding) = other_port(path, fault, *port, open) {
                return one_of_many(case, path, fault, pods.len(), finding);
            }
            let finding = at(fault, Code::DST_01, "", format!("nothing in {name} listens on port {port}"))
                .fix("find out why the server does not run, or which port it uses")
                .run(logs);
            if open.is_empty() {
                finding.because(format!("{pod} sockets: none listens for others"))
            } else {
                let open: Vec<String> = open.iter().map(ToString::to_string).collect();
                finding.because(format!("{pod} sockets: it listens on {}", list(&open)))
            }
        }
        PodFault::LoopbackOnly { port, address } => at(fault, Code::DST_02, "", format!("{name} listens on {address}:{port} only, which other pods cannot reach"))
            .because(format!("{pod} sockets: the only one on port {port} is bound to {address}"))
            .fix("bind the server to all addresses (0.0.0.0 or [::]) instead of localhost")
            .run(logs),
        PodFault::OtherFamily {
            port,
            address,
            family,
        } => at(fault, Code::DST_03, "", format!("{name} does not listen on port {port} for {family}"))
            .because(format!("{pod} sockets: bound to {address}"))
            .fix("bind the server to both IP families"),
        PodFault::QueueFull {
            port,
            waiting,
            backlog,
        } => at(fault, Code::DST_04, "", format!("the accept queue of port {port} of {name} is full: the server does not accept connections"))
            .degraded()
            .because(format!("{pod} sockets: {waiting} connections are waiting, the backlog is {backlog}"))
            .fix("the application hangs or is too slow: check its threads, limits and logs")
            .run(logs),
        PodFault::Filtered { port, rule, is_source } => {
            let what = if *is_source { "packets to" } else { "packets from" };
            at(fault, Code::DST_05, &field(rule), format!("a firewall inside {name} blocks {what} port {port}"))
                .because(held("pod", rule).replace("Node/pod", &pod.to_string()))
                .fix("check init containers and sidecars that write rules in the pod")
                .run(kubectl(&pod.namespace, format!("get pod {} -o yaml", pod.name)))
        }
        PodFault::NoRoute { to, why } => at(fault, Code::SRC_10, "ip route", format!("{name} has no way to {to}: {why}"))
            .because(format!("{pod} ip route: {why} for {to}"))
            .fix("find out what the CNI plugin left out (a second network often replaces the default route), and recreate the pod")
            .run(kubectl(&pod.namespace, format!("get pod {} -o yaml", pod.name)))
            .run(kubectl(&pod.namespace, format!("delete pod {}", pod.name))),
        PodFault::AnswersFrom { address, entries } => {
            let [question, answer] = entries;
            at(fault, Code::DST_10, "", format!("{name} replies to datagrams from {address}, not from the address they were sent to: clients ignore the replies"))
                .degraded()
                .because(format!("conntrack of its node: {question} has no reply, and {answer} belongs to no connection"))
                .fix("bind the server to the address that clients use, or reply from it (IP_PKTINFO)")
        }
        PodFault::AddressGone { address, has } => {
            let has: Vec<String> = has.iter().map(ToString::to_string).collect();
            at(fault, Code::DST_09, "status.podIPs", format!("{name} no longer has {address}"))
                .because(format!("{pod} interfaces: {}", list(&has)))
                .fix("delete the pod; if its status stays wrong, restart the kubelet of its node")
                .run(kubectl(&pod.namespace, format!("delete pod {}", pod.name)))
        }
    };
    one_of_many(case, path, fault, pods.len(), finding)
}

/// The pods of this family's walks that the same thing ails.
fn alike(case: &Case<'_, '_>, path: &Path<'_>, kind: &PodFault) -> Vec<ObjectRef> {
    let is_same = |seen: &Break<'_>| match seen {
        Break::Node(fault) => matches!(
            &fault.kind,
            Fault::Pod(other) if std::mem::discriminant(other) == std::mem::discriminant(kind)
        ),
        _ => false,
    };
    let paths = case.paths().filter(|other| other.family == path.family);
    let ailing = paths.filter(|other| other.breaks.iter().any(is_same));
    let mut pods: Vec<ObjectRef> = Vec::new();
    for backend in ailing.flat_map(|other| &other.backends) {
        let own = backend.pod.map(Pod::reference);
        pods.extend(own.filter(|own| !pods.contains(own)));
    }
    pods
}

/// SVC-03: every pod listens, on another port than the Service asks.
fn other_port(path: &Path<'_>, fault: &NodeFault, port: u16, open: &[u16]) -> Option<Finding> {
    let (service, first) = (path.service?, open.first()?);
    let pod = path.backends.first()?.pod?;
    let index = service
        .ports()
        .iter()
        .position(|own| resolve_port(pod, &target_port(own), own.protocol()) == Some(port))?;
    let object = service.reference();
    let listening: Vec<String> = open.iter().map(ToString::to_string).collect();
    let change = json!([{"op": "replace", "path": format!("/spec/ports/{index}/targetPort"), "value": first}]);
    let summary = format!(
        "targetPort {port} of {} has no listener: the pods listen on {}",
        object.name,
        list(&listening)
    );
    Some(
        Finding::new(Code::SVC_03, Stage::Destination, summary)
            .blame(object.clone(), format!("spec.ports[{index}].targetPort"))
            .because(format!("{} sockets: {}", fault.at, list(&listening)))
            .fix(format!(
                "use targetPort {first}, or make the server listen on {port}"
            ))
            .patch(json_patch(&object, &change), change.to_string()),
    )
}

/// EPS-04: among siblings that nothing ails, the endpoint is the fault; what ails it is the proof.
fn one_of_many(
    case: &Case<'_, '_>,
    path: &Path<'_>,
    fault: &NodeFault,
    failing: usize,
    finding: Finding,
) -> Finding {
    let siblings = case.paths().filter(|other| other.family == path.family);
    let working: usize = siblings
        .filter(|other| other.outcome() == Outcome::Works)
        .map(|other| other.backends.len())
        .sum();
    let is_dead = path.outcome() == Outcome::Fails
        && finding.code != Code::DST_09
        && finding.code != Code::SRC_10
        && fault.stage != Stage::Source;
    if path.service.is_none() || working == 0 || !is_dead {
        return finding;
    }
    let readiness = path
        .backends
        .iter()
        .filter_map(|backend| backend.pod)
        .any(|pod| {
            let mut containers = pod.running_containers().into_iter();
            containers.any(|container| container.readiness_probe.is_some())
        });
    Finding {
        code: Code::EPS_04,
        summary: format!(
            "no response from {failing} of {} endpoints, although ready: {} ({})",
            failing + working,
            fault.at.name,
            finding.summary
        ),
        ..finding
    }
    .blame(fault.at.clone(), "")
    .because(format!("{working} of the other endpoints listen"))
    .because(if readiness {
        "its readiness probe does not detect it"
    } else {
        "it has no readiness probe, so a running pod counts as ready"
    })
}
