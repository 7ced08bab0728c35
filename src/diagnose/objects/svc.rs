//! Family SVC: ports and families of a Service. Its selector is in `eps` and `svc_near`.

use serde_json::json;

use crate::causes::Code;
use crate::cluster::ObjectRef;
use crate::cluster::access::{ServiceExt, ServicePortExt, target_port};
use crate::diagnose::kubectl::{json_patch, kubectl};
use crate::diagnose::{Case, Finding};
use crate::net::Family;
use crate::path::{PortTrouble, Stage, ports_text};
use crate::target::PortSpec;

use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// What is wrong with a port.
pub(in crate::diagnose) fn port(case: &Case<'_, '_>, trouble: &PortTrouble<'_>) -> Finding {
    match trouble {
        PortTrouble::Undeclared {
            service,
            asked,
            protocol,
        } => {
            let finding = undeclared(service, asked);
            match proxy_mode(case) {
                Some("nftables") => finding.because(format!(
                    "in nftables mode kube-proxy rejects {protocol} to a port that the Service does not declare"
                )),
                Some(mode) => finding.because(format!(
                    "in {mode} mode the packet matches no rule and is dropped: the connection times out"
                )),
                None => finding.because(
                    "the connection times out (iptables mode) or is refused (nftables mode)",
                ),
            }
        }
        PortTrouble::Protocol {
            service,
            port,
            asked,
        } => {
            let object = service.reference();
            let number = port.number();
            let value = json!({"name": format!("{}-{number}", asked.lower()), "port": number, "targetPort": port.target_port.clone().unwrap_or(IntOrString::Int(port.port)), "protocol": asked});
            let patch = json!([{"op": "add", "path": "/spec/ports/-", "value": value}]);
            Finding::new(
                Code::SVC_07,
                Stage::Service,
                format!(
                    "port {number} of {} is {} only, but the client uses {asked}",
                    object.name,
                    port.protocol()
                ),
            )
            .blame(object.clone(), "spec.ports")
            .because(format!("{object} has {}", ports_text(service)))
            .fix(format!(
                "use {}, or add the port for {asked}",
                port.protocol()
            ))
            .patch(json_patch(&object, &patch), patch.to_string())
        }
        PortTrouble::Headless {
            service,
            port,
            target,
        } => {
            let object = service.reference();
            let index = service
                .ports()
                .iter()
                .position(|own| own.number() == *port)
                .unwrap_or_default();
            let patch = json!([{"op": "replace", "path": format!("/spec/ports/{index}/port"), "value": target}]);
            Finding::new(Code::SVC_09, Stage::Service, format!("{} is headless: its port {port} is not translated to {target}", object.name))
                .blame(object.clone(), format!("spec.ports[{index}]"))
                .because(format!("clusterIP is None: clients connect to port {port} of the pods, which listen on {target}"))
                .fix(format!("connect to port {target}, or make port and targetPort equal"))
                .patch(json_patch(&object, &patch), patch.to_string())
        }
    }
}

/// SVC-06; with the hint of SRC-07 when the port is the pods' own.
fn undeclared(service: &Service, asked: &PortSpec) -> Finding {
    let object = service.reference();
    let behind: Option<&ServicePort> =
        service
            .ports()
            .iter()
            .find(|port| match (asked, target_port(port)) {
                (PortSpec::Number(number), IntOrString::Int(target)) => {
                    target == i32::from(*number)
                }
                (PortSpec::Name(name), IntOrString::String(target)) => target == *name,
                _ => false,
            });
    let finding = Finding::new(
        Code::SVC_06,
        Stage::Service,
        format!("{} has no port {asked}", object.name),
    )
    .blame(object.clone(), "spec.ports")
    .because(format!("{object} has {}", ports_text(service)));
    match (behind, service.ports()) {
        (Some(port), _) => finding
            .because(format!(
                "{asked} is the targetPort; clients of the Service use port {} (SRC-07)",
                port.number()
            ))
            .fix(format!("use port {}", port.number())),
        (None, [only]) => finding.fix(format!(
            "use port {}, or add {asked} to the Service",
            only.number()
        )),
        (None, _) => finding.fix(format!("use a port that it declares, or add {asked}")),
    }
    .run(kubectl(
        &object.namespace,
        format!("get svc {} -o wide", object.name),
    ))
}

/// SVC-13, seen from a source that has none of the Service's families.
pub(in crate::diagnose) fn no_common_family(
    case: &Case<'_, '_>,
    source: &ObjectRef,
    wanted: &[Family],
) -> Finding {
    let families: Vec<String> = wanted.iter().map(ToString::to_string).collect();
    let object = case.flow.destination.object.clone();
    Finding::new(
        Code::SVC_13,
        Stage::Service,
        format!(
            "{} serves {} only, and {} has no such address",
            object.name,
            families.join(" and "),
            source.name
        ),
    )
    .blame(object.clone(), "spec.ipFamilies")
    .because(format!(
        "{object} spec.ipFamilies is [{}]",
        families.join(", ")
    ))
    .fix("set ipFamilyPolicy to PreferDualStack, or serve the family of the client")
    .run(kubectl(
        &object.namespace,
        format!("get svc {} -o yaml", object.name),
    ))
}

/// The mode kube-proxy runs in, where its ConfigMap or a recorded node says so.
pub(in crate::diagnose) fn proxy_mode<'c>(case: &'c Case<'_, '_>) -> Option<&'c str> {
    let mut facts = case.world.nodes().all_facts();
    let recorded = facts.find_map(|facts| facts.proxy_mode.as_deref());
    if let Some(mode) = recorded.map(str::trim).filter(|mode| !mode.is_empty()) {
        return Some(mode);
    }
    let config = case.view.config_maps.get("kube-system", "kube-proxy")?;
    let text = config.data.as_ref()?.get("config.conf")?;
    let line = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("mode:"))?;
    let mode = line.trim().trim_matches('"');
    // An empty mode is the platform's default, iptables on Linux (kube-proxy v1alpha1 configuration).
    Some(if mode.is_empty() { "iptables" } else { mode })
}
