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
                    "in nftables mode kube-proxy refuses {protocol} to a port the Service lacks"
                )),
                Some(mode) => finding.because(format!(
                    "in {mode} mode the packet matches no rule and is lost: a timeout"
                )),
                None => finding.because(
                    "the client sees a timeout (iptables mode) or a refusal (nftables mode)",
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
                    "port {number} of {} is {} only, the client speaks {asked}",
                    object.name,
                    port.protocol()
                ),
            )
            .blame(object.clone(), "spec.ports")
            .because(format!("{object} has {}", ports_text(service)))
            .fix(format!(
                "ask with {}, or add the port for {asked} too",
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
            Finding::new(Code::SVC_09, Stage::Service, format!("{} is headless: its port {port} is not turned into {target}", object.name))
                .blame(object.clone(), format!("spec.ports[{index}]"))
                .because(format!("clusterIP None: clients get pod addresses and connect to {port} there, the pods listen on {target}"))
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
            .because(format!("{asked} is the pods' own port (targetPort); clients of the Service use {} (SRC-07)", port.number()))
            .fix(format!("ask for port {}", port.number())),
        (None, [only]) => finding.fix(format!("ask for port {}, or add {asked} to the Service", only.number())),
        (None, _) => finding.fix(format!("ask for a port it has, or add {asked}")),
    }
    .run(kubectl(&object.namespace, format!("get svc {} -o wide", object.name)))
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
            "{} answers on {} only, which {} has no address of",
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
    .fix("use ipFamilyPolicy PreferDualStack, or give the Service the family the client has")
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
