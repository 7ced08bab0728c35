//! Stage `service`: which port, and where it leads.

use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::cluster::access::{ServiceExt, ServiceKind, ServicePortExt, target_port};
use crate::cluster::{ClusterView, Pod, selected};
use crate::net::Protocol;
use crate::path::trail::Trail;
use crate::path::{Break, Hop, PortTrouble, Stage, Status};
use crate::target::PortSpec;
use crate::text::list;

/// What the client asks of a Service.
#[derive(Debug, Clone, Copy)]
pub(in crate::path) struct PortRequest<'a> {
    pub port: Option<&'a PortSpec>,
    pub protocol: Option<Protocol>,
}

/// The port a client gets.
#[derive(Debug, Clone, Copy)]
pub(in crate::path) struct Chosen<'v> {
    pub port: &'v ServicePort,
    pub protocol: Protocol,
    /// The number in the client's packets.
    pub number: u16,
}

// === impl Chosen ===

impl<'v> Chosen<'v> {
    /// A port as its Service has it.
    pub(in crate::path) fn of(port: &'v ServicePort) -> Self {
        Self {
            port,
            protocol: port.protocol(),
            number: port.number(),
        }
    }
}

/// Adds the hop of a Service and chooses the port. None when there is none to go on with.
pub(in crate::path) fn step<'v>(
    view: &ClusterView,
    service: &'v Service,
    asked: PortRequest<'_>,
    trail: &mut Trail<'v>,
) -> Option<Chosen<'v>> {
    if service.service_kind() == ServiceKind::Headless && service.ports().is_empty() {
        let text = "headless without ports: clients choose a port of its pods; ask one of them by pod/NAME:PORT";
        trail.push(hop(service, Status::Unknown, text.to_owned()));
        return None;
    }
    match choose(view, service, asked) {
        Ok(chosen) => {
            trail.push(hop(service, Status::Pass, chosen_text(service, chosen)));
            Some(chosen)
        }
        Err(Refused {
            trouble,
            text,
            instead,
        }) => {
            trail.stop(hop(service, Status::Fail, text), Break::Port(trouble));
            instead
        }
    }
}

struct Refused<'v> {
    trouble: PortTrouble<'v>,
    text: String,
    /// The port that was evidently meant, to walk on with.
    instead: Option<Chosen<'v>>,
}

fn choose<'v>(
    view: &ClusterView,
    service: &'v Service,
    asked: PortRequest<'_>,
) -> Result<Chosen<'v>, Refused<'v>> {
    let ports = service.ports();
    let fits = |port: &&ServicePort| {
        asked
            .protocol
            .is_none_or(|protocol| port.protocol() == protocol)
    };
    let protocol = asked.protocol.unwrap_or_default();
    let chosen = Chosen::of;
    let found = match asked.port {
        None => ports.iter().find(fits),
        Some(PortSpec::Name(name)) => ports
            .iter()
            .filter(fits)
            .find(|port| port.name.as_deref() == Some(name)),
        Some(PortSpec::Number(number)) => ports
            .iter()
            .find(|port| port.number() == *number && port.protocol() == protocol),
    };
    if let Some(port) = found {
        return headless_translation(view, service, port, asked)
            .map_or_else(|| Ok(chosen(port)), Err);
    }
    // Behind a headless Service every port of a pod can be asked.
    if let (ServiceKind::Headless, Some(PortSpec::Number(number))) =
        (service.service_kind(), asked.port)
    {
        let target = ports
            .iter()
            .find(|port| target_port(port) == IntOrString::Int((*number).into()));
        if let Some(port) = target {
            return Ok(Chosen {
                number: *number,
                ..chosen(port)
            });
        }
    }
    Err(refused(service, asked, protocol, chosen))
}

/// A headless Service is a list of pod addresses: nothing turns its port into the targetPort.
fn headless_translation<'v>(
    view: &ClusterView,
    service: &'v Service,
    port: &'v ServicePort,
    asked: PortRequest<'_>,
) -> Option<Refused<'v>> {
    let IntOrString::Int(target) = target_port(port) else {
        return None;
    };
    let target = u16::try_from(target).ok()?;
    if service.service_kind() != ServiceKind::Headless || target == port.number() {
        return None;
    }
    // Asked by name the client resolves SRV records, which carry the pod's own port.
    if matches!(asked.port, Some(PortSpec::Name(_))) {
        return None;
    }
    let number = port.number();
    // Clients get to the port of that number, and the pods say they have it: the targetPort is what is wrong, and
    // nobody uses it.
    if all_declare(view, service, number, port.protocol()) {
        return None;
    }
    Some(Refused {
        trouble: PortTrouble::Headless {
            service,
            port: number,
            target,
        },
        text: format!("headless: nothing turns port {number} into targetPort {target}"),
        instead: Some(Chosen {
            port,
            protocol: port.protocol(),
            number: target,
        }),
    })
}

/// Whether every pod of a Service declares a port.
fn all_declare(view: &ClusterView, service: &Service, number: u16, protocol: Protocol) -> bool {
    let mut pods = selected(view, service).peekable();
    let declares = |pod: &Pod| {
        let mut ports = pod.declared_ports().into_iter();
        ports.any(|port| {
            u16::try_from(port.container_port) == Ok(number)
                && port.protocol.as_deref().unwrap_or("TCP") == protocol.to_string()
        })
    };
    pods.peek().is_some() && pods.all(declares)
}

fn refused<'v>(
    service: &'v Service,
    asked: PortRequest<'_>,
    protocol: Protocol,
    chosen: impl Fn(&'v ServicePort) -> Chosen<'v>,
) -> Refused<'v> {
    let ports = service.ports();
    let asked_text = asked
        .port
        .map_or_else(|| "any port".to_owned(), ToString::to_string);
    let same_port = ports.iter().find(|port| match asked.port {
        Some(PortSpec::Number(number)) => port.number() == *number,
        Some(PortSpec::Name(name)) => port.name.as_deref() == Some(name),
        None => true,
    });
    if let Some(port) = same_port {
        let declared = port.protocol();
        return Refused {
            trouble: PortTrouble::Protocol {
                service,
                port,
                asked: protocol,
            },
            text: format!(
                "port {asked_text} is declared for {declared} only, {protocol} was asked"
            ),
            instead: None,
        };
    }
    let meant = ports
        .iter()
        .find(|port| match (asked.port, target_port(port)) {
            (Some(PortSpec::Number(number)), IntOrString::Int(target)) => {
                target == i32::from(*number)
            }
            (Some(PortSpec::Name(name)), IntOrString::String(target)) => target == *name,
            _ => false,
        });
    Refused {
        trouble: PortTrouble::Undeclared {
            service,
            asked: asked.port.cloned().unwrap_or(PortSpec::Number(0)),
            protocol,
        },
        text: format!("no port {asked_text}; it has {}", ports_text(service)),
        instead: meant.map(chosen),
    }
}

fn hop(service: &Service, status: Status, text: String) -> Hop {
    Hop::new(Stage::Service, status, text)
        .at(service.reference())
        .fact(
            format!("{} spec.ports", service.reference()),
            ports_text(service),
        )
}

fn chosen_text(service: &Service, chosen: Chosen<'_>) -> String {
    let number = chosen.number;
    let target = match target_port(chosen.port) {
        IntOrString::Int(target) => target.to_string(),
        IntOrString::String(name) => name,
    };
    let more = match service.ports().len() {
        0 | 1 => String::new(),
        ports => format!(" (one of {ports} ports)"),
    };
    match service.service_kind() {
        ServiceKind::Headless => format!("headless, the pods themselves at port {number}{more}"),
        ServiceKind::ExternalName => "ExternalName".to_owned(),
        kind => {
            let addresses: Vec<String> = service
                .cluster_ips()
                .iter()
                .map(ToString::to_string)
                .collect();
            let kind = match kind {
                ServiceKind::NodePort => "NodePort",
                ServiceKind::LoadBalancer => "LoadBalancer",
                _ => "ClusterIP",
            };
            let address = match addresses.as_slice() {
                [] => String::new(),
                some => format!(" {}", some.join(", ")),
            };
            format!("{kind}{address}:{number} → targetPort {target}{more}")
        }
    }
}

/// `8080/TCP (http) → 9090 and 81/UDP → 8081`.
pub(crate) fn ports_text(service: &Service) -> String {
    let texts: Vec<String> = service.ports().iter().map(port_text).collect();
    if texts.is_empty() {
        return "no port at all".to_owned();
    }
    list(&texts)
}

fn port_text(port: &ServicePort) -> String {
    let name = port
        .name
        .as_deref()
        .map_or_else(String::new, |name| format!(" ({name})"));
    let target = match target_port(port) {
        IntOrString::Int(target) => target.to_string(),
        IntOrString::String(target) => target,
    };
    format!("{}/{}{name} → {target}", port.number(), port.protocol())
}
