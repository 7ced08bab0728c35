//! Hints about the endpoints of a Service.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{hint, is_probed};
use crate::causes::Code;
use crate::cluster::access::{EndpointExt, NodeExt, ServiceExt, ServicePortExt, target_port};
use crate::cluster::endpoints::{ProxyNode, Topology, TrafficPolicies, categorize, endpoints_of};
use crate::cluster::{Named, Pod};
use crate::diagnose::objects::ends;
use crate::diagnose::{Case, Finding};
use crate::path::{Stage, selected, slices};
use crate::text::list;

pub(super) fn findings(case: &Case<'_, '_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for service in ends::services(case) {
        found.extend(unready_published(case, service));
        found.extend(one_of_a_zone(case, service));
        if !is_probed(case) {
            found.extend(several_owners(case, service));
            found.extend(probe_elsewhere(case, service));
            found.extend(probe_unanswered(case, service));
        }
    }
    found
}

/// EPS-09: peers that find each other want exactly this.
fn unready_published(case: &Case<'_, '_>, service: &Service) -> Option<Finding> {
    let publishes = service.spec.as_ref()?.publish_not_ready_addresses?;
    let unready: Vec<&str> = selected(case.view, service)
        .filter(|pod| !pod.is_ready())
        .map(Named::name)
        .collect();
    (publishes && !unready.is_empty()).then(|| {
        Finding::new(
            Code::EPS_09,
            Stage::Endpoints,
            format!(
                "{} sends traffic to pods that are not ready: {}",
                service.name(),
                list(&unready)
            ),
        )
        .notice()
        .blame(service.reference(), "spec.publishNotReadyAddresses")
        .because("publishNotReadyAddresses is true: right for peer discovery, wrong for clients")
    })
}

/// SVC-16: hints of topology leave the source's node a single endpoint of several.
fn one_of_a_zone(case: &Case<'_, '_>, service: &Service) -> Option<Finding> {
    let name = case.flow.source.sites.first()?.node_name()?;
    let zone = case.view.nodes.get("", name).and_then(NodeExt::zone);
    let node = ProxyNode { name, zone };
    let port = service.ports().first()?;
    let all = endpoints_of(
        slices(case.view, service),
        *service.families().first()?,
        port.name.as_deref(),
        port.protocol(),
        node,
    );
    let ready = all
        .iter()
        .filter(|endpoint| endpoint.endpoint.is_ready())
        .count();
    let choice = categorize(&all, TrafficPolicies::of(service, port), node);
    let is_narrow = choice.topology != Topology::Any && choice.internal().len() == 1;
    (is_narrow && ready > 1).then(|| {
        hint(
            Code::SVC_16,
            Stage::Endpoints,
            format!("from {name} all traffic goes to 1 of {ready} endpoints of {}", service.name()),
        )
        .blame(service.reference(), "spec.trafficDistribution")
        .because(format!(
            "topology hints keep traffic in the {}: if that endpoint is bad or slow, every client here is affected",
            if choice.topology == Topology::SameNode { "same node" } else { "same zone" }
        ))
        .fix("run more endpoints there, or remove the preference")
    })
}

/// SVC-08: endpoints of different makers. Right for a canary, wrong for a Job that shares labels.
fn several_owners(case: &Case<'_, '_>, service: &Service) -> Option<Finding> {
    let mut owners: BTreeMap<String, &Pod> = BTreeMap::new();
    for pod in selected(case.view, service).filter(|pod| pod.is_ready()) {
        owners.entry(maker_text(pod)).or_insert(pod);
    }
    if owners.len() < 2 {
        return None;
    }
    let job = owners.iter().find(|(name, _)| name.starts_with("Job "));
    let (_, pod) = job.or_else(|| owners.iter().next_back())?;
    let names: Vec<&String> = owners.keys().collect();
    Some(
        hint(
            Code::SVC_08,
            Stage::Endpoints,
            format!("{} selects pods of {}", service.name(), list(&names)),
        )
        .blame(service.reference(), "spec.selector")
        .because(format!(
            "{} has the labels too; intended for a canary or blue-green deployment, often a mistake for a Job",
            pod.reference()
        ))
        .fix("if some of them do not belong, narrow the selector by a label that they do not have"),
    )
}

/// `Deployment api`, so that Jobs can be told from it.
fn maker_text(pod: &Pod) -> String {
    let maker = ends::maker(pod);
    format!("{} {}", maker.kind, maker.name)
}

/// EPS-02: nothing is ready, and the probe asks a port that is neither declared nor served.
fn probe_elsewhere(case: &Case<'_, '_>, service: &Service) -> Option<Finding> {
    let pods: Vec<&Pod> = selected(case.view, service).collect();
    if pods.is_empty() || pods.iter().any(|pod| pod.is_ready()) {
        return None;
    }
    let pod = pods[0];
    pod.running_containers().into_iter().find_map(|container| {
        let probe = container.readiness_probe.as_ref()?;
        let asked = probe
            .http_get
            .as_ref()
            .map(|http| &http.port)
            .or_else(|| probe.tcp_socket.as_ref().map(|socket| &socket.port))?;
        let IntOrString::Int(asked) = asked else {
            return None;
        };
        let is_declared = pod
            .declared_ports()
            .iter()
            .any(|port| port.container_port == *asked);
        let is_served = service
            .ports()
            .iter()
            .any(|port| target_port(port) == IntOrString::Int(*asked));
        (!is_declared && !is_served).then(|| {
            hint(
                Code::EPS_02,
                Stage::Endpoints,
                format!("the readiness probe uses port {asked}, which neither the pod nor the Service declares"),
            )
            .blame(pod.reference(), "spec.containers[].readinessProbe")
            .because(format!(
                "container {} does not declare the port, and {} does not target it",
                container.name,
                service.name()
            ))
            .fix("if the application responds on its own port, correct the port of the probe")
        })
    })
}

/// POL-22: nothing is ready, and the kubelet's probes time out instead of being refused: something
/// may keep the node from its pods.
fn probe_unanswered(case: &Case<'_, '_>, service: &Service) -> Option<Finding> {
    let pods: Vec<&Pod> = selected(case.view, service).collect();
    if pods.iter().any(|pod| pod.is_ready()) {
        return None;
    }
    let silent = [
        "context deadline exceeded",
        "i/o timeout",
        "no route to host",
    ];
    let mut events = case.view.events.in_namespace(service.namespace());
    let event = events.find(|event| {
        let message = event.message.as_deref().unwrap_or_default();
        event.reason.as_deref() == Some("Unhealthy")
            && silent.iter().any(|words| message.contains(words))
            && pods
                .iter()
                .any(|pod| Some(pod.name()) == event.involved_object.name.as_deref())
    })?;
    let pod = pods
        .iter()
        .find(|pod| Some(pod.name()) == event.involved_object.name.as_deref())?;
    Some(
        hint(
            Code::POL_22,
            Stage::Endpoints,
            format!("kubelet probes of {} time out", pod.name()),
        )
        .blame(pod.reference(), "status.conditions[Ready]")
        .because(event.message.clone().unwrap_or_default())
        .because("either the application is slow, or a host policy blocks the node from its own pods")
        .fix("request the probe URL from the node; if that hangs, allow the host in the host policy of the CNI"),
    )
}
