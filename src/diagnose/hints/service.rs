//! Hints about the Service itself.

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{hint, is_probed};
use crate::causes::Code;
use crate::cluster::access::{ServiceExt, target_port};
use crate::cluster::{Named, Pod, Resource};
use crate::diagnose::objects::ends;
use crate::diagnose::{Case, Finding};
use crate::net::parse_prefix;
use crate::path::{Stage, selected};
use crate::text::list;

pub(super) fn findings(case: &Case<'_, '_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for service in ends::services(case) {
        found.extend(one_client_one_endpoint(service));
        if !is_probed(case) {
            found.extend(undeclared_target(case, service));
            found.extend(out_of_range(case, service));
        }
    }
    found
}

/// SVC-12.
fn one_client_one_endpoint(service: &Service) -> Option<Finding> {
    let spec = service.spec.as_ref()?;
    (spec.session_affinity.as_deref() == Some("ClientIP")).then(|| {
        Finding::new(
            Code::SVC_12,
            Stage::Endpoints,
            format!(
                "{} keeps a client on one endpoint (sessionAffinity ClientIP)",
                service.name()
            ),
        )
        .notice()
        .blame(service.reference(), "spec.sessionAffinity")
        .because("a client on a bad endpoint fails until the affinity times out")
    })
}

/// SVC-03: the pods declare ports, and none of them is the one the Service leads to. Declarations
/// are informational, so this proves nothing.
fn undeclared_target(case: &Case<'_, '_>, service: &Service) -> Option<Finding> {
    let pods: Vec<&Pod> = selected(case.view, service).collect();
    service
        .ports()
        .iter()
        .enumerate()
        .find_map(|(index, port)| {
            let IntOrString::Int(target) = target_port(port) else {
                return None;
            };
            let declared: Vec<String> = pods
                .first()?
                .declared_ports()
                .iter()
                .map(|port| port.container_port.to_string())
                .collect();
            let is_elsewhere = |pod: &&Pod| {
                let ports = pod.declared_ports();
                !ports.is_empty() && ports.iter().all(|port| port.container_port != target)
            };
            pods.iter().all(is_elsewhere).then(|| {
                hint(
                    Code::SVC_03,
                    Stage::Service,
                    format!("targetPort {target} is not a port that the pods declare"),
                )
                .blame(
                    service.reference(),
                    format!("spec.ports[{index}].targetPort"),
                )
                .because(format!(
                    "they declare {}; containerPort is informational, so only a probe can tell what listens",
                    list(&declared)
                ))
                .fix("compare it with the port that the application listens on")
            })
        })
}

/// SVC-10: an address no ServiceCIDR holds; routers may send it elsewhere.
fn out_of_range(case: &Case<'_, '_>, service: &Service) -> Option<Finding> {
    let ranges: Vec<&String> = case
        .view
        .service_cidrs
        .iter()
        .flat_map(|range| {
            range
                .spec
                .iter()
                .flat_map(|spec| spec.cidrs.iter().flatten())
        })
        .collect();
    if ranges.is_empty() || !case.view.holds_all(Resource::ServiceCidrs, "") {
        return None;
    }
    let is_inside = |addr: &std::net::IpAddr| {
        ranges
            .iter()
            .filter_map(|range| parse_prefix(range).ok())
            .any(|range| range.contains(addr))
    };
    let stray = service
        .cluster_ips()
        .into_iter()
        .find(|addr| !is_inside(addr))?;
    Some(
        hint(
            Code::SVC_10,
            Stage::Service,
            format!(
                "cluster IP {stray} of {} is outside the Service ranges of the cluster",
                service.name()
            ),
        )
        .blame(service.reference(), "spec.clusterIP")
        .because(format!("the ServiceCIDRs are {}", list(&ranges)))
        .fix("if it does not respond, recreate the Service to get an address from the range"),
    )
}
