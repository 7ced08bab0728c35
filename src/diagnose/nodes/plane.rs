//! What the tables of a dataplane prove.

use std::net::IpAddr;

use super::at;
use crate::causes::Code;
use crate::cluster::{Named, ObjectRef, Pod};
use crate::diagnose::{Case, Finding};
use crate::nat::dataplane::Dataplane;
use crate::nat::proxy::{Difference, DifferenceKind};
use crate::path::{NodeFault, PlaneFault};
use crate::policy::Direction;
use crate::text::list;

pub(super) fn cause(case: &Case<'_, '_>, fault: &NodeFault, kind: &PlaneFault) -> Finding {
    let node = &fault.at.name;
    match kind {
        PlaneFault::Services {
            dataplane,
            difference,
            is_meant,
            others,
        } => services(case, fault, *dataplane, difference, *is_meant, *others),
        PlaneFault::KeptBack { endpoint, state } => {
            let summary =
                format!("Cilium on {node} keeps {endpoint} back from its Service: it is {state}");
            at(fault, Code::KPX_21, "Service table", summary)
                .because(format!("Node/{node} cilium-dbg service list: {endpoint} {state}"))
                .fix("check what its health check sees; a backend that responds is added back automatically")
                .run(agent(case, node, "cilium-dbg service list"))
        }
        PlaneFault::PolicyMap { .. } => policy_map(case, fault, kind),
        PlaneFault::Identity {
            address,
            noted,
            real,
            pod,
        } => {
            let summary = format!(
                "{node} takes {address} for identity {noted}; it is {pod} with identity {real}, which policies allow"
            );
            at(fault, Code::POL_24, "Cilium ipcache", summary)
                .because(format!("Node/{node} cilium-dbg bpf ipcache get {address}: identity {noted}"))
                .because(format!("{pod}: identity {real}"))
                .fix("find out why the agent does not have the identity of the pod; its status shows what it lost")
                .run(agent(case, node, "cilium-dbg status --verbose"))
                .run(restart(case, node))
        }
        PlaneFault::NotManaged { pod } => {
            let summary = format!(
                "Cilium on {node} has no endpoint for {pod}: no policy holds it, and its traffic may go other ways"
            );
            at(fault, Code::RTE_35, "Cilium endpoints", summary)
                .suspected()
                .because(format!("Node/{node} cilium-dbg endpoint list: {} is not in it", pod.name))
                .fix("make the pod again: one that was there before Cilium gets its endpoint only then")
                .run(agent(case, node, "cilium-dbg endpoint list"))
        }
        PlaneFault::NoProgram { pod, endpoint } => {
            let summary =
                format!("no program of Cilium is attached to the interface of {pod} on {node}");
            at(fault, Code::RTE_36, "BPF programs", summary)
                .suspected()
                .because(format!(
                    "Node/{node} /sys/fs/bpf/cilium/endpoints/{endpoint}/links: empty"
                ))
                .fix(
                    "have the agent load the endpoint's programs again; its log says why it failed",
                )
                .run(agent(
                    case,
                    node,
                    &format!("cilium-dbg endpoint log {endpoint}"),
                ))
                .run(agent(
                    case,
                    node,
                    &format!("cilium-dbg endpoint regenerate {endpoint}"),
                ))
        }
        PlaneFault::Tunnel { to, leads_to, peer } => tunnel(case, fault, *to, *leads_to, peer),
        PlaneFault::Dropped {
            source,
            destination,
            reason,
        } => {
            let is_policy = reason.starts_with("Policy denied");
            let code = if is_policy {
                Code::POL_16
            } else {
                Code::RTE_31
            };
            let summary =
                format!("Cilium on {node} drops packets from {source} to {destination}: {reason}");
            at(fault, code, "Cilium drops", summary)
                .because(format!("Node/{node} cilium-dbg monitor --type drop: {source} → {destination}, {reason}"))
                .fix("the reason says what the program missed; the endpoints and the agent's status say since when")
                .run(agent(case, node, "cilium-dbg status --verbose"))
                .run(agent(case, node, "cilium-dbg monitor --type drop"))
        }
    }
}

/// KPX-09 for one address; KPX-02 where the agent does not know better, or many addresses differ.
fn services(
    case: &Case<'_, '_>,
    fault: &NodeFault,
    dataplane: Dataplane,
    difference: &Difference,
    is_meant: bool,
    others: usize,
) -> Finding {
    let (node, who) = (&fault.at.name, dataplane.name());
    let service = fault
        .service
        .as_ref()
        .map_or_else(String::new, |service| format!(" of {service}"));
    let is_stale = others > 0 && !is_meant;
    let code = if is_stale { Code::KPX_02 } else { Code::KPX_09 };
    let entry = &difference.entry;
    let endpoint = difference.endpoint.map(|endpoint| endpoint.to_string());
    let summary = match (difference.kind, endpoint) {
        (DifferenceKind::EndpointMissing, Some(endpoint)) => {
            format!("{who}'s Service table on {node} leaves out endpoint {endpoint}{service}")
        }
        (DifferenceKind::EndpointStale, Some(endpoint)) => {
            format!(
                "{who}'s Service table on {node} leads {entry} to {endpoint}, which is no endpoint{service}"
            )
        }
        (DifferenceKind::EndpointMissing, None) => {
            format!(
                "{who}'s Service table on {node} has a hole at {entry}: a share of all connections{service} is lost"
            )
        }
        _ => format!(
            "{who}'s Service table on {node} has no whole entry for {entry}{service}: packets leave untranslated"
        ),
    };
    let mut finding = at(fault, code, "Service table", summary).because(format!(
        "Node/{node} {who} {entry}: to be {}, is {}",
        list(&difference.expected),
        list(&difference.actual)
    ));
    if is_meant {
        finding = finding.because("the agent's own list is right: the map alone is not");
    }
    finding = match others {
        0 => finding.because("the entries of all other Services are right"),
        1 => finding.because("1 address of another Service differs too"),
        many => finding.because(format!("{many} addresses of other Services differ too")),
    };
    if matches!(
        (difference.kind, difference.endpoint),
        (DifferenceKind::EndpointStale, _) | (DifferenceKind::EndpointMissing, None)
    ) {
        finding = finding.degraded();
    }
    match dataplane {
        Dataplane::Cilium => finding
            .fix("have the agent write its maps again; its status says whether it follows the API")
            .run(agent(case, node, "cilium-dbg status --verbose"))
            .run(restart(case, node)),
        Dataplane::CalicoEbpf => finding
            .fix("have calico-node write its maps again; its log says whether it follows the API")
            .run(format!("kubectl get pods -A -l k8s-app=calico-node -o wide --field-selector spec.nodeName={node}")),
        _ => finding
            .fix("see whether ovnkube-controller follows the API; its log says what it could not write")
            .run(format!("kubectl get pods -A -l app=ovnkube-node -o wide --field-selector spec.nodeName={node}")),
    }
}

/// POL-16: the map of an endpoint is not what policies say.
fn policy_map(case: &Case<'_, '_>, fault: &NodeFault, kind: &PlaneFault) -> Finding {
    let PlaneFault::PolicyMap {
        pod,
        endpoint,
        direction,
        admits,
        identity,
        port,
        behind,
        state,
    } = kind
    else {
        return at(fault, Code::POL_16, "policy map", String::new());
    };
    let node = &fault.at.name;
    let verb = if *admits { "allows" } else { "denies" };
    let way = match direction {
        Direction::Ingress => "from",
        Direction::Egress => "to",
    };
    let summary = format!(
        "{node} {verb} traffic {way} identity {identity} at port {port} of {pod}, which is not what the policies say"
    );
    let mut finding = at(fault, Code::POL_16, "Cilium policy map", summary).because(format!(
        "Node/{node} cilium-dbg bpf policy get {endpoint}: {verb} identity {identity}"
    ));
    if let Some((wanted, realized)) = behind {
        finding = finding.because(format!(
            "endpoint {endpoint} is {state}: policy revision {realized} is in force, {wanted} is wanted"
        ));
    }
    if *admits {
        finding = finding.notice();
    }
    finding
        .fix("see what keeps the endpoint from its new policy: its log, and the proxy if a rule needs one")
        .run(agent(case, node, &format!("cilium-dbg endpoint log {endpoint}")))
        .run(agent(case, node, &format!("cilium-dbg endpoint regenerate {endpoint}")))
}

fn tunnel(
    case: &Case<'_, '_>,
    fault: &NodeFault,
    to: IpAddr,
    leads_to: Option<IpAddr>,
    peer: &[IpAddr],
) -> Finding {
    let node = &fault.at.name;
    let peer: Vec<String> = peer.iter().map(ToString::to_string).collect();
    let finding = match leads_to {
        Some(other) => at(
            fault,
            Code::RTE_06,
            "Cilium ipcache",
            format!("{node} sends packets for {to} to {other}, which is not the node with the pod"),
        )
        .because(format!(
            "Node/{node} cilium-dbg bpf ipcache get {to}: tunnelendpoint {other}; the node has {}",
            list(&peer)
        )),
        None => at(
            fault,
            Code::RTE_05,
            "Cilium ipcache",
            format!("{node} does not know to which node it has to send packets for {to}"),
        )
        .because(format!(
            "Node/{node} cilium-dbg bpf ipcache get {to}: no tunnelendpoint"
        )),
    };
    finding
        .fix("have the agent learn the addresses of pods and nodes again; its status says whether it follows the API")
        .run(agent(case, node, "cilium-dbg status --verbose"))
        .run(restart(case, node))
}

/// The agent's pod on a node, if it was read.
fn pod_on<'v>(case: &Case<'_, 'v>, node: &str) -> Option<&'v Pod> {
    case.view.pods.iter().find(|pod| {
        let labels = pod.metadata.labels.as_ref();
        let is_agent = labels
            .and_then(|labels| labels.get("k8s-app"))
            .is_some_and(|app| app == "cilium");
        is_agent && pod.node_name() == Some(node)
    })
}

/// A command in the agent's container on a node.
fn agent(case: &Case<'_, '_>, node: &str, command: &str) -> String {
    pod_on(case, node).map_or_else(
        || format!("kubectl -n kube-system exec $(kubectl -n kube-system get pod -l k8s-app=cilium --field-selector spec.nodeName={node} -o name) -c cilium-agent -- {command}"),
        |pod| format!("kubectl -n {} exec {} -c cilium-agent -- {command}", pod.namespace(), pod.name()),
    )
}

/// The agent's pod, made again: what it has programmed goes on working meanwhile.
fn restart(case: &Case<'_, '_>, node: &str) -> String {
    let agent = pod_on(case, node).map(Pod::reference);
    let agent = agent.unwrap_or_else(|| ObjectRef::new("Pod", "kube-system", ""));
    format!(
        "kubectl -n {} delete pod -l k8s-app=cilium --field-selector spec.nodeName={node}",
        agent.namespace
    )
}
