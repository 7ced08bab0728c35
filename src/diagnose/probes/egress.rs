//! An end that is no pod of the cluster, and does not answer.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::Service;

use super::backend::blamed;
use super::measured;
use super::network::heard;
use crate::causes::Code;
use crate::cluster::Named;
use crate::cluster::access::ServiceExt;
use crate::confirm::BackendSymptom;
use crate::diagnose::{Case, Finding};
use crate::observe::Attempts;
use crate::path::Stage;

/// EGR-01 to EGR-06, by what the address is and who else reaches it.
pub(super) fn cause(case: &Case<'_, '_>, symptom: &BackendSymptom<'_>) -> Finding {
    let at = |code, summary: String| measured(Finding::new(code, Stage::Route, summary));
    let address = symptom.address;
    let finding = match symptom.service {
        Some(service) if is_api(service) => at(Code::EGR_01, format!("the API server does not respond to {} at {address}", symptom.source.name()))
            .blame(service.reference(), "")
            .fix("check the address and firewall of the API server, and whether pods can reach the network of the nodes"),
        Some(service) => at(Code::EGR_04, format!("{address}, an endpoint of {}, does not respond", service.name()))
            .blame(service.reference(), "")
            .fix("check that the host is up and accepts connections from the cluster; correct the EndpointSlice if it is the wrong host"),
        None if is_link_local(address.ip()) => at(Code::EGR_05, format!("{address} is link-local and does not respond to pods"))
            .blame(blamed(symptom), "")
            .fix("cloud metadata is often blocked for pods on purpose: use workload identity, or allow it on the node"),
        None => unnamed(symptom),
    };
    let node = symptom.from_source_node.as_ref();
    let finding = match (symptom.attempts.refusal, node.map(Attempts::none_open)) {
        (Some(icmp), _) => finding.because(format!("{} answers \"{}\"", icmp.from, icmp.words())),
        (None, Some(true)) => finding.because("the node of the source does not reach it either"),
        (None, Some(false)) => finding.because("the node of the source reaches it"),
        (None, None) => finding.suspected(),
    };
    match heard(case.view, symptom) {
        Some(heard) => finding.because(heard),
        None => finding,
    }
}

/// EGR-02 where the node of the pod does not reach it either, else EGR-06: what keeps the pod alone from it is
/// not on the way of its node (masquerading, rules that treat pods differently), and without the node's
/// answer nobody knows which of the two it is.
fn unnamed(symptom: &BackendSymptom<'_>) -> Finding {
    let (address, name) = (symptom.address, symptom.source.name());
    let node = symptom.source.node_name().unwrap_or("its node");
    let reaches = symptom
        .from_source_node
        .as_ref()
        .map(|own| !own.none_open());
    let (code, summary, fix) = match reaches {
        Some(false) => (
            Code::EGR_02,
            format!("{address} responds neither to {name} nor to node/{node}"),
            "check the host, and the firewall, NAT gateway or proxy between the nodes and it",
        ),
        Some(true) => (
            Code::EGR_06,
            format!("{address} responds to node/{node} and not to {name}"),
            "check whether the node masquerades traffic of pods to that address, and whether rules on it drop that traffic",
        ),
        None => (
            Code::EGR_06,
            format!("{address} does not respond to {name}"),
            "run again with --deep: if the node of the pod reaches it, traffic of pods is not masqueraded or is filtered; otherwise the host or the path to it is down",
        ),
    };
    measured(Finding::new(code, Stage::Route, summary))
        .blame(blamed(symptom), "")
        .fix(fix)
}

fn is_api(service: &Service) -> bool {
    (service.namespace(), service.name()) == ("default", "kubernetes")
}

const fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}
