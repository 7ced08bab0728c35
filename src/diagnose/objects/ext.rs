//! Family EXT: ways in from outside.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::{Node, Service};
use serde_json::json;

use crate::causes::Code;
use crate::cluster::access::{NodeExt, ServiceExt, ServicePortExt, target_port};
use crate::cluster::{Named, ObjectRef, Pod};
use crate::diagnose::kubectl::{kubectl, merge_patch};
use crate::diagnose::{Case, Finding};
use crate::net::Family;
use crate::path::{EXCLUDED, Stage};
use crate::text::list;

/// EXT-03 from outside, SVC-11 from inside.
pub(in crate::diagnose) fn no_local_endpoint(
    service: &Service,
    node: &str,
    elsewhere: &[String],
    from_outside: bool,
) -> Finding {
    let (code, field, word) = if from_outside {
        (
            Code::EXT_03,
            "spec.externalTrafficPolicy",
            "externalTrafficPolicy",
        )
    } else {
        (
            Code::SVC_11,
            "spec.internalTrafficPolicy",
            "internalTrafficPolicy",
        )
    };
    let object = service.reference();
    let patch = json!({"spec": {word: "Cluster"}});
    let has = list(elsewhere);
    let summary = format!(
        "{word} is Local, and node/{node} has no ready endpoint of {}",
        service.name()
    );
    let finding = Finding::new(code, Stage::Endpoints, summary)
        .blame(object.clone(), field)
        .because(format!(
            "ready endpoints are on {has} only; kube-proxy on {node} drops the packet"
        ));
    let finding = if from_outside {
        finding.fix(format!("use {has}, let the health check of a load balancer choose, or set the policy to Cluster (which hides the client address)"))
    } else {
        finding.fix(format!(
            "run an endpoint on {node} (a DaemonSet), or set the policy to Cluster"
        ))
    };
    finding.patch(merge_patch(&object, &patch), patch.to_string())
}

/// EXT-15: nothing leads in.
pub(in crate::diagnose) fn no_entry(case: &Case<'_, '_>, object: &ObjectRef) -> Finding {
    let port = case
        .walk
        .port
        .map_or_else(String::new, |port| format!(" {port}"));
    if object.kind == "Pod" {
        return Finding::new(
            Code::EXT_15,
            Stage::Entry,
            format!(
                "{} has an address of the pod network, which is usually not routed outside the cluster",
                object.name
            ),
        )
        .suspected()
        .blame(object.clone(), "")
        .fix("use a Service of type LoadBalancer or NodePort, an Ingress, or port-forward")
        .run(kubectl(
            &object.namespace,
            format!("port-forward pod/{}{port}", object.name),
        ));
    }
    let patch = json!({"spec": {"type": "NodePort"}});
    Finding::new(
        Code::EXT_15,
        Stage::Entry,
        format!("{} is reachable inside the cluster only", object.name),
    )
    .blame(object.clone(), "spec.type")
    .because("it has no node port, no load-balancer address and no external IP")
    .fix(
        "use port-forward, put an Ingress in front, or change the type to NodePort or LoadBalancer",
    )
    .patch(merge_patch(object, &patch), patch.to_string())
    .run(kubectl(
        &object.namespace,
        format!("port-forward svc/{}{port}", object.name),
    ))
}

/// EXT-04.
pub(in crate::diagnose) fn no_balancer_address(case: &Case<'_, '_>, service: &Service) -> Finding {
    let object = service.reference();
    let spec = service.spec.as_ref();
    let class = spec.and_then(|spec| spec.load_balancer_class.as_deref());
    let events = case
        .view
        .events
        .in_namespace(service.namespace())
        .filter(|event| {
            event.involved_object.name.as_deref() == Some(service.name())
                && event.involved_object.kind.as_deref() == Some("Service")
                && event.type_.as_deref() == Some("Warning")
        });
    let mut finding = Finding::new(
        Code::EXT_04,
        Stage::Entry,
        format!(
            "no load balancer serves {}: its address is pending",
            service.name()
        ),
    )
    .blame(object, "status.loadBalancer")
    .because("status.loadBalancer.ingress is empty");
    if let Some(class) = class {
        finding = finding.because(format!(
            "spec.loadBalancerClass is {class}: only the controller of that class serves it"
        ));
    }
    for event in events.take(2) {
        finding = finding.because(format!(
            "event {}: {}",
            event.reason.as_deref().unwrap_or("Warning"),
            event.message.as_deref().unwrap_or_default()
        ));
    }
    let node_ports: Vec<String> = service
        .ports()
        .iter()
        .filter_map(|port| port.node_port)
        .map(|port| port.to_string())
        .collect();
    if !node_ports.is_empty() {
        finding = finding.because(format!(
            "every node serves it by node port: {}",
            list(&node_ports)
        ));
    }
    finding
        .fix("install a load-balancer controller (cloud controller, MetalLB …) or free an address in its pool")
        .run(kubectl(service.namespace(), format!("describe svc {}", service.name())))
}

/// EXT-07.
pub(in crate::diagnose) fn source_range(
    case: &Case<'_, '_>,
    service: &Service,
    client: IpAddr,
) -> Finding {
    let ranges = service
        .spec
        .as_ref()
        .and_then(|spec| spec.load_balancer_source_ranges.clone())
        .unwrap_or_default();
    let mut wanted = ranges.clone();
    wanted.push(format!(
        "{client}/{}",
        if client.is_ipv4() { 32 } else { 128 }
    ));
    let patch = json!({"spec": {"loadBalancerSourceRanges": wanted}});
    let object = service.reference();
    Finding::new(
        Code::EXT_07,
        Stage::Entry,
        format!(
            "loadBalancerSourceRanges of {} do not include {client}",
            service.name()
        ),
    )
    .blame(object.clone(), "spec.loadBalancerSourceRanges")
    .because(format!(
        "it allows {}; everything else is dropped",
        list(&ranges)
    ))
    .fix(if is_inside(case, client) {
        "use its name or cluster IP, which the ranges do not restrict, or add the range of the client"
    } else {
        "add the range of the client"
    })
    .patch(merge_patch(&object, &patch), patch.to_string())
}

/// Whether a client is one of the cluster's own.
fn is_inside(case: &Case<'_, '_>, client: IpAddr) -> bool {
    let mut sites = case.paths().flat_map(|path| &path.sources);
    sites.any(|site| !site.is_outside() && site.ip(Family::of(client)) == Some(client))
}

/// EXT-05: every node is kept out of load balancers.
pub(in crate::diagnose) fn nobody_announces(case: &Case<'_, '_>, service: &Service) -> Finding {
    let addresses = service.ingress_addresses().join(", ");
    let summary =
        format!("{addresses} is not announced: every node is excluded from load balancers");
    let first = case.view.nodes.iter().next();
    let object = first.map_or_else(|| service.reference(), NodeExt::reference);
    Finding::new(Code::EXT_05, Stage::Entry, summary)
        .suspected()
        .blame(object, "metadata.labels")
        .because(format!("every node has the label {EXCLUDED}"))
        .because("MetalLB and cloud controllers leave such nodes out; kubeadm labels its control plane so")
        .fix("remove the label from the nodes that should receive traffic")
        .run(kubectl("", format!("label nodes --all {EXCLUDED}-")))
}

/// EXT-10: a pod that no node can take, because others hold the host port it wants.
pub(in crate::diagnose) fn host_port_taken(pod: &Pod, stage: Stage) -> Option<Finding> {
    let scheduled = pod.condition("PodScheduled")?;
    let message = scheduled.message.as_deref()?;
    let wants: Vec<String> = pod
        .declared_ports()
        .iter()
        .filter_map(|port| port.host_port)
        .map(|port| port.to_string())
        .collect();
    let is_taken = scheduled.status == "False" && message.contains("free ports");
    (is_taken && !wants.is_empty()).then(|| {
        Finding::new(
            Code::EXT_10,
            stage,
            format!(
                "{} is not scheduled: host port {} is taken on every node",
                pod.name(),
                list(&wants)
            ),
        )
        .blame(pod.reference(), "spec.containers[].ports[].hostPort")
        .because(message)
        .fix("use another host port, fewer replicas than nodes, or a Service instead")
        .run(kubectl(
            pod.namespace(),
            format!("describe pod {}", pod.name()),
        ))
    })
}

/// EXT-02.
pub(in crate::diagnose) fn no_such_node_port(
    case: &Case<'_, '_>,
    node: &Node,
    port: u16,
) -> Finding {
    let known = case
        .view
        .services
        .iter()
        .flat_map(|service| {
            let ports = service
                .ports()
                .iter()
                .filter(|own| own.node_port.is_some_and(|port| port > 0));
            ports.map(move |own| {
                let target = target_port(own);
                let target = match target {
                    k8s_openapi::apimachinery::pkg::util::intstr::IntOrString::Int(number) => {
                        number.to_string()
                    }
                    k8s_openapi::apimachinery::pkg::util::intstr::IntOrString::String(name) => name,
                };
                format!(
                    "{}/{} {}/{} (port {}, target {target})",
                    service.namespace(),
                    service.name(),
                    own.node_port.unwrap_or_default(),
                    own.protocol(),
                    own.number()
                )
            })
        })
        .take(6);
    let finding = Finding::new(
        Code::EXT_02,
        Stage::Entry,
        format!("no Service has node port {port}"),
    )
    .blame(node.reference(), "")
    .fix("use a node port that exists; it may have changed when the Service was recreated")
    .run("kubectl get svc -A -o wide");
    known.fold(finding, |finding, known| {
        finding.because(format!("there is {known}"))
    })
}
