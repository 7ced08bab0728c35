//! From the client to the proxies of a door, told as one hop of the way behind them.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::plane::Plane;
use crate::cluster::access::{ServiceExt, ServicePortExt, target_port};
use crate::cluster::{ObjectRef, Pod};
use crate::net::{Family, Protocol, parse_address};
use crate::path::context::{Leg, Walker};
use crate::path::order::entry;
use crate::path::stages::service::{Chosen, PortRequest};
use crate::path::{Backend, Break, DoorTrouble, Hop, Outcome, Path, Stage, Status};
use crate::resolve::Site;
use crate::target::PortSpec;
use crate::text::list;

/// What a client asks of a door.
#[derive(Debug, Clone)]
pub struct Knock {
    /// The Gateway or the Ingress.
    pub door: ObjectRef,
    /// As the client asks it; none where it does not matter.
    pub port: Option<u16>,
    pub protocol: Protocol,
}

/// Walks from the client to the proxies and adds what came of it, as one hop, to the leg behind them.
/// The leg goes on with the proxies as its source.
pub fn pass<'v>(walker: &Walker<'_, 'v>, leg: &mut Leg<'_, 'v>, plane: &Plane<'v>, knock: &Knock) {
    let hop = |status, text: String| Hop::new(Stage::Entry, status, text).at(knock.door.clone());
    if plane.is_cloud() {
        let name = plane.product.map_or("", |product| product.name);
        let at = at(&plane.addresses);
        return leg.trail.push(hop(
            Status::Pass,
            format!("{name}, outside the cluster{at}"),
        ));
    }
    if plane.is_unknown() {
        // Manifests do not hold what serves them.
        if !walker.view.is_planned() {
            let text = format!(
                "nothing was found that serves it; looked for {}",
                plane.looked_for
            );
            leg.trail.push(hop(Status::Unknown, text));
        }
        return;
    }
    let paths = paths(walker, leg, plane, knock);
    if paths.is_empty() {
        return by_node(walker, leg, plane, knock);
    }
    fold(leg, plane, knock, &paths);
}

/// The walks from the client to the proxies, by the Services in front of them.
pub fn paths<'v>(
    walker: &Walker<'_, 'v>,
    leg: &Leg<'_, 'v>,
    plane: &Plane<'v>,
    knock: &Knock,
) -> Vec<Path<'v>> {
    let mut paths = Vec::new();
    for service in &plane.services {
        let Some(port) = service_port(service, plane, knock) else {
            continue;
        };
        to_service(walker, leg, service, plane, port, &mut paths);
        if !paths.is_empty() {
            break;
        }
    }
    paths
}

/// The port of a Service that leads to what a client asks: of that number, or to a port of that number
/// where the listeners of the product name those of its pods.
fn service_port<'v>(
    service: &'v Service,
    plane: &Plane<'_>,
    knock: &Knock,
) -> Option<&'v ServicePort> {
    let mut ports = service
        .ports()
        .iter()
        .filter(|port| port.protocol() == knock.protocol);
    let Some(asked) = knock.port else {
        // Ports for health checks stand beside those for traffic.
        let is_web = |port: &&ServicePort| matches!(port.number(), 80 | 443);
        let mut web = ports.clone().filter(is_web);
        return web.next().or_else(|| ports.next());
    };
    let by_number = ports.clone().find(|port| port.number() == asked);
    let by_target = || {
        ports.find(|port| match target_port(port) {
            IntOrString::Int(target) => target == i32::from(asked),
            IntOrString::String(name) => {
                let mut pods = plane.pods.iter();
                pods.any(|pod| pod.named_port(&name, knock.protocol) == Some(asked))
            }
        })
    };
    by_number.or_else(by_target)
}

fn to_service<'v>(
    walker: &Walker<'_, 'v>,
    leg: &Leg<'_, 'v>,
    service: &'v Service,
    plane: &Plane<'_>,
    port: &'v ServicePort,
    paths: &mut Vec<Path<'v>>,
) {
    // The door has its own way in: what was told before it stays with it.
    let mut leg = leg.clone();
    leg.trail.hops.clear();
    leg.trail.breaks.clear();
    let assigned = plane
        .addresses
        .iter()
        .filter_map(|text| parse_address(text));
    let own = |addr: &IpAddr| service.ingress_addresses().contains(&addr.to_string());
    let address = assigned.into_iter().find(own);
    if leg.sites[0].is_outside() {
        let number = PortSpec::Number(port.number());
        let asked = PortRequest {
            port: Some(&number),
            protocol: Some(port.protocol()),
        };
        return entry::to_service(walker, leg, service, address, asked, paths);
    }
    let chosen = Chosen {
        port,
        protocol: port.protocol(),
        number: port.number(),
    };
    walker.through_service(&leg, service, address, chosen, paths);
}

/// Proxies that listen on their nodes, by hostNetwork or by host port.
fn by_node<'v>(walker: &Walker<'_, 'v>, leg: &mut Leg<'_, 'v>, plane: &Plane<'v>, knock: &Knock) {
    let hop = |status, text: String| Hop::new(Stage::Entry, status, text).at(knock.door.clone());
    let ready = plane.ready();
    if plane.pods.is_empty() {
        // Manifests do not hold them.
        if !walker.view.is_planned() {
            let text = format!(
                "no Service serves this entry point, and no proxy was found; looked for {}",
                plane.looked_for
            );
            leg.trail.push(hop(Status::Unknown, text));
        }
        return;
    }
    if ready.is_empty() {
        let text = format!("no proxy of {} is ready", knock.door);
        let pods = plane.pods.iter().map(|pod| pod.reference()).collect();
        let trouble = DoorTrouble::NoProxyReady {
            door: knock.door.clone(),
            pods,
        };
        return leg
            .trail
            .stop(hop(Status::Fail, text), Break::Door(Box::new(trouble)));
    }
    let port = knock.port.unwrap_or(80);
    let on_nodes: Vec<&Pod> = ready.into_iter().filter(|pod| listens(pod, port)).collect();
    if on_nodes.is_empty() {
        let text = format!("no Service and no host port exposes port {port} of its proxies");
        return leg.trail.push(hop(Status::Unknown, text));
    }
    let mut paths = Vec::new();
    for pod in &on_nodes {
        let mut leg = leg.clone();
        leg.trail.hops.clear();
        leg.trail.breaks.clear();
        let number = host_port(pod, port).unwrap_or(port);
        let family = pod.ips().first().map_or(Family::V4, |ip| Family::of(*ip));
        let backend = Backend::of_pod(pod, family, number);
        walker.to_backend(leg, None, family, knock.protocol, vec![backend], &mut paths);
    }
    let nodes: Vec<&str> = on_nodes.iter().filter_map(|pod| pod.node_name()).collect();
    let start = leg.trail.hops.len();
    fold(leg, plane, knock, &paths);
    if let Some(hop) = leg
        .trail
        .hops
        .get_mut(start)
        .filter(|hop| hop.status == Status::Pass)
    {
        hop.summary = format!("port {port} of {}, where its proxies listen", list(&nodes));
    }
}

/// Whether a pod listens on a port of its node. What a process does on hostNetwork is not declared: it
/// may.
fn listens(pod: &Pod, port: u16) -> bool {
    pod.is_host_network() || host_port(pod, port).is_some()
}

fn host_port(pod: &Pod, port: u16) -> Option<u16> {
    let declared = pod.declared_ports().into_iter();
    let mut own = declared.filter(|own| own.host_port == Some(i32::from(port)));
    own.next()
        .and_then(|own| u16::try_from(own.container_port).ok())
}

/// Tells the walks to the proxies as one hop: it fails where all of them fail.
fn fold<'v>(leg: &mut Leg<'_, 'v>, plane: &Plane<'v>, knock: &Knock, paths: &[Path<'v>]) {
    let hop = |status, text: String| Hop::new(Stage::Entry, status, text).at(knock.door.clone());
    let failing: Vec<&Path<'v>> = paths
        .iter()
        .filter(|path| path.outcome() == Outcome::Fails)
        .collect();
    let why = failing.first().and_then(|path| path.failing());
    let why = why.map_or_else(String::new, |hop| {
        format!("{}: {}", hop.stage.name(), hop.summary)
    });
    let breaks = failing.iter().flat_map(|path| path.breaks.iter().cloned());
    let is_all = !failing.is_empty() && failing.len() == paths.len();
    let breaks: Vec<Break<'v>> = breaks
        .map(|seen| told(seen, plane, knock, is_all))
        .collect();
    if is_all {
        leg.trail
            .push(hop(Status::Fail, format!("to the proxies, {why}")));
    } else if !failing.is_empty() {
        leg.trail
            .push(hop(Status::Warn, format!("to some of the proxies, {why}")));
    } else if let Some(unknown) = paths.iter().find(|path| path.outcome() == Outcome::Unknown) {
        let mut hops = unknown.hops.iter();
        let why = hops.find(|hop| hop.status == Status::Unknown);
        let text = why.map_or_else(String::new, |hop| hop.summary.clone());
        leg.trail
            .push(hop(Status::Unknown, format!("to the proxies, {text}")));
    } else {
        leg.trail.push(hop(Status::Pass, passed(plane, paths)));
    }
    leg.trail.breaks.extend(breaks);
}

/// A front that leads nowhere is the proxies' trouble, not the backend's.
fn told<'v>(seen: Break<'v>, plane: &Plane<'v>, knock: &Knock, is_all: bool) -> Break<'v> {
    let seen = match seen {
        Break::NoEndpoints {
            service,
            port,
            family,
        } => Break::Door(Box::new(DoorTrouble::ProxiesDown {
            door: knock.door.clone(),
            service,
            port,
            family,
        })),
        other => other,
    };
    if is_all || plane.pods.is_empty() {
        return seen;
    }
    Break::Door(Box::new(DoorTrouble::PartOfFront(seen)))
}

/// `198.51.100.20:443 → 10.244.1.5:443, 10.244.2.7:443`
fn passed(plane: &Plane<'_>, paths: &[Path<'_>]) -> String {
    const SHOWN: usize = 3;
    let mut backends: Vec<String> = paths
        .iter()
        .flat_map(|path| &path.backends)
        .map(Backend::display)
        .collect();
    backends.sort_unstable();
    backends.dedup();
    let all = backends.len();
    backends.truncate(SHOWN);
    let more = if all > SHOWN { " …" } else { "" };
    let name = plane.product.map_or("its proxies", |product| product.name);
    let by = paths
        .iter()
        .flat_map(|path| &path.hops)
        .find(|hop| hop.stage == Stage::Entry);
    let by = by.map_or_else(|| at(&plane.addresses), |hop| format!(", {}", hop.summary));
    format!("{name}{by} → {}{more}", backends.join(", "))
}

/// `, at 198.51.100.20`
pub(in crate::path) fn at(addresses: &[String]) -> String {
    match addresses {
        [] => String::new(),
        some => format!(", at {}", some.join(", ")),
    }
}

/// The proxies as sources of what comes behind them; the client itself where there are none to name.
#[must_use]
pub fn sites<'v>(plane: &Plane<'v>) -> Vec<Site<'v>> {
    let ready = plane.ready();
    ready.into_iter().map(Site::Pod).collect()
}
