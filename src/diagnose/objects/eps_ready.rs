//! Pods that a Service selects, none of which may take traffic: EPS-01, EPS-07, EPS-08, EPS-12 and
//! what lies below them.

use k8s_openapi::api::core::v1::Service;

use super::{ends, ext, rte, src};
use crate::causes::Code;
use crate::cluster::access::ServiceExt;
use crate::cluster::{Named, ObjectRef, Pod};
use crate::diagnose::kubectl::kubectl;
use crate::diagnose::{Case, Finding};
use crate::path::Stage;
use crate::text::count;

/// Why none of the selected pods is a ready endpoint.
pub(in crate::diagnose) fn none_ready(
    case: &Case<'_, '_>,
    service: &Service,
    pods: &[&Pod],
) -> Finding {
    let network = pods.iter().find_map(|pod| {
        rte::no_network_for(case, pod, Stage::Endpoints)
            .or_else(|| ext::host_port_taken(pod, Stage::Endpoints))
    });
    if let Some(deeper) = network {
        return deeper;
    }
    if pods.iter().all(|pod| src::is_on_silent_node(case, pod)) {
        return on_silent_nodes(service, pods);
    }
    if let Some((pod, gate)) = pods.iter().find_map(|pod| Some((*pod, closed_gate(pod)?))) {
        return closed(service, pod, &gate);
    }
    if let Some(pod) = pods.iter().find(|pod| is_collided(pod)) {
        return collided(case, service, pod);
    }
    if pods.iter().all(|pod| pod.is_ready()) {
        return not_followed(service, pods);
    }
    not_ready(case, service, pods)
}

/// EPS-01, with the probe's own words.
fn not_ready(case: &Case<'_, '_>, service: &Service, pods: &[&Pod]) -> Finding {
    let first = pods[0];
    let states: Vec<String> = pods
        .iter()
        .take(4)
        .map(|pod| format!("{}: {}", pod.reference(), state(pod)))
        .collect();
    let probe = readiness_probe(first);
    let field = if probe.is_some() {
        "spec.containers[].readinessProbe"
    } else {
        "status.conditions[Ready]"
    };
    let mut finding = Finding::new(
        Code::EPS_01,
        Stage::Endpoints,
        format!(
            "no pod of {} is ready ({})",
            service.name(),
            count(pods.len(), "pod")
        ),
    )
    .blame(ends::maker(first), field)
    .because_all(probe_failure(case, pods))
    .because_all(states);
    if let Some(probe) = probe {
        finding = finding.because(format!("readiness probe: {probe}"));
    }
    finding
        .fix("make the pods ready; if the application responds, the probe itself is wrong (EPS-02)")
        .run(kubectl(
            first.namespace(),
            format!("describe pod {}", first.name()),
        ))
        .run(kubectl(
            first.namespace(),
            format!("logs {} --all-containers", first.name()),
        ))
}

/// The kubelet's own words on why the readiness probe failed.
fn probe_failure(case: &Case<'_, '_>, pods: &[&Pod]) -> Option<String> {
    let of_pods = |name: Option<&str>| pods.iter().any(|pod| Some(pod.name()) == name);
    let mut events = case.view.events.in_namespace(pods.first()?.namespace());
    let event = events.find(|event| {
        let message = event.message.as_deref().unwrap_or_default();
        event.reason.as_deref() == Some("Unhealthy")
            && message.starts_with("Readiness")
            && of_pods(event.involved_object.name.as_deref())
    })?;
    let name = event.involved_object.name.as_deref().unwrap_or_default();
    Some(format!("{name}: {}", event.message.as_deref()?))
}

/// Why one pod is not ready.
fn state(pod: &Pod) -> String {
    if pod.phase() != "Running" || pod.waiting().is_some() {
        return src::why_down(pod).0;
    }
    let message = pod
        .condition("Ready")
        .and_then(|ready| ready.message.clone());
    let restarts: i32 = pod
        .container_statuses()
        .iter()
        .map(|status| status.restart_count)
        .sum();
    let restarts = match restarts {
        0 => String::new(),
        some => format!(
            ", {} so far",
            count(usize::try_from(some).unwrap_or_default(), "restart")
        ),
    };
    format!(
        "Running, not Ready{restarts}{}",
        message.map_or_else(String::new, |message| format!(": {message}"))
    )
}

/// `tcpSocket 9` or `httpGet :8080/healthz`, with the container it belongs to.
fn readiness_probe(pod: &Pod) -> Option<String> {
    pod.running_containers().into_iter().find_map(|container| {
        let probe = container.readiness_probe.as_ref()?;
        let what = if let Some(http) = &probe.http_get {
            format!(
                "httpGet {}{}",
                port_text(&http.port),
                http.path.as_deref().unwrap_or("/")
            )
        } else if let Some(socket) = &probe.tcp_socket {
            format!("tcpSocket {}", port_text(&socket.port))
        } else if let Some(grpc) = &probe.grpc {
            format!("grpc {}", grpc.port)
        } else {
            "exec".to_owned()
        };
        Some(format!("{what} of container {}", container.name))
    })
}

fn port_text(port: &k8s_openapi::apimachinery::pkg::util::intstr::IntOrString) -> String {
    use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
    match port {
        IntOrString::Int(number) => format!("port {number}"),
        IntOrString::String(name) => format!("port {name}"),
    }
}

/// The first readiness gate without a true condition, if the containers themselves are ready.
fn closed_gate(pod: &Pod) -> Option<String> {
    let gates = pod.spec.as_ref()?.readiness_gates.as_ref()?;
    let containers_ready = pod.condition("ContainersReady")?.status == "True";
    let is_open = |gate: &str| {
        pod.condition(gate)
            .is_some_and(|condition| condition.status == "True")
    };
    let closed = gates
        .iter()
        .map(|gate| &gate.condition_type)
        .find(|gate| !is_open(gate))?;
    (containers_ready && !pod.is_ready()).then(|| closed.clone())
}

/// EPS-08.
fn closed(service: &Service, pod: &Pod, gate: &str) -> Finding {
    Finding::new(
        Code::EPS_08,
        Stage::Endpoints,
        format!(
            "the readiness gate {gate} keeps the pods of {} from becoming ready",
            service.name()
        ),
    )
    .blame(pod.reference(), format!("status.conditions[{gate}]"))
    .because(format!(
        "{}: ContainersReady is True, Ready is False",
        pod.reference()
    ))
    .because(format!(
        "condition {gate} is not True; the controller that owns it must set it"
    ))
    .fix("run the controller that owns the gate, or remove the gate from the pod template")
    .run(kubectl(
        pod.namespace(),
        format!("get pod {} -o yaml", pod.name()),
    ))
}

/// EPS-12.
fn on_silent_nodes(service: &Service, pods: &[&Pod]) -> Finding {
    let mut nodes: Vec<&str> = pods.iter().filter_map(|pod| pod.node_name()).collect();
    nodes.sort_unstable();
    nodes.dedup();
    let first = nodes.first().copied().unwrap_or_default();
    Finding::new(
        Code::EPS_12,
        Stage::Endpoints,
        format!(
            "every pod of {} is on a node that is not ready: {}",
            service.name(),
            nodes.join(", ")
        ),
    )
    .blame(
        ObjectRef::cluster_wide("Node", first),
        "status.conditions[Ready]",
    )
    .because(format!(
        "{} on {}",
        count(pods.len(), "pod"),
        nodes.join(", ")
    ))
    .fix("bring the node back, or let its pods be recreated elsewhere")
    .run(kubectl("", format!("describe node {first}")))
}

/// EPS-07: ready pods that no slice lists.
fn not_followed(service: &Service, pods: &[&Pod]) -> Finding {
    Finding::new(Code::EPS_07, Stage::Endpoints, format!("{} of {} are ready, but no EndpointSlice lists them", count(pods.len(), "pod"), service.name()))
        .suspected()
        .blame(service.reference(), "")
        .because("the EndpointSlice controller has not caught up; a pod that became ready a moment ago looks the same")
        .fix("check that kube-controller-manager runs and renews its lease")
        .run(kubectl("kube-system", "get lease kube-controller-manager -o yaml"))
}

/// A crash that the environment of Services explains (SVC-17): docker-style links in its last words.
fn is_collided(pod: &Pod) -> bool {
    let links = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.enable_service_links)
        .unwrap_or(true);
    links
        && pod.container_statuses().iter().any(|status| {
            let ended = status
                .last_state
                .as_ref()
                .and_then(|state| state.terminated.as_ref());
            let message = ended
                .and_then(|ended| ended.message.as_deref())
                .unwrap_or_default();
            message.contains("_PORT") && message.contains("tcp://")
        })
}

/// SVC-17.
fn collided(case: &Case<'_, '_>, service: &Service, pod: &Pod) -> Finding {
    let message = pod.container_statuses().iter().find_map(|status| {
        status
            .last_state
            .as_ref()?
            .terminated
            .as_ref()?
            .message
            .clone()
    });
    let message = message.unwrap_or_default();
    let culprit = case
        .view
        .services
        .in_namespace(pod.namespace())
        .find(|other| {
            let variable = format!("{}_PORT", other.name().to_uppercase().replace('-', "_"));
            message.contains(&variable)
        });
    let object = culprit.unwrap_or(service).reference();
    Finding::new(
        Code::SVC_17,
        Stage::Endpoints,
        format!(
            "the environment variables of service/{} break the start of {}",
            object.name,
            pod.name()
        ),
    )
    .blame(pod.reference(), "spec.enableServiceLinks")
    .because(format!("{}: {}", pod.reference(), message.trim()))
    .because(format!(
        "every Service of the namespace sets environment variables such as {}_PORT=tcp://…",
        object.name.to_uppercase().replace('-', "_")
    ))
    .fix("set enableServiceLinks: false in the pod template")
}
