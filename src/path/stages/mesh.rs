//! Stages `mesh`: what a service mesh takes over at either end, and whether it lets it through.
//!
//! What both ends agree on decides what the rest of the path sees: the port on the wire, and whether
//! the packet goes by way of a waypoint.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::Service;

use super::service::Chosen;
use crate::mesh::istio::{Routing, Target};
use crate::mesh::{Connection, HBONE, Mesh, Passage, Requested, Ruling, Stop, Waypoint};
use crate::net::{Packet, Protocol};
use crate::path::context::{Leg, Walker};
use crate::path::{Backend, Break, Hop, Stage, Status};
use crate::policy::Doubt;
use crate::resolve::Place;
use crate::text::list;

/// What packets between both ends look like.
#[derive(Debug, Clone, Default)]
pub(in crate::path) struct Wire {
    /// The port they carry, if not the backend's own.
    pub tunnel: Option<u16>,
    pub waypoint: Option<Waypoint>,
}

/// One way on from a Service: as everybody goes, or as a route sends it.
pub(in crate::path) struct Branch<'v> {
    pub service: &'v Service,
    pub chosen: Chosen<'v>,
    /// The subset with its labels.
    pub subset: Option<(String, Vec<(String, String)>)>,
}

/// Adds the hops of both ends.
pub(in crate::path) fn step<'v>(
    walker: &Walker<'_, 'v>,
    leg: &mut Leg<'_, 'v>,
    backend: &Backend<'v>,
    service: Option<&'v Service>,
    protocol: Protocol,
) -> Wire {
    if protocol != Protocol::Tcp {
        return Wire::default();
    }
    let host = match &walker.flow.destination.place {
        Place::Name(name) => Some(name.as_str()),
        _ => None,
    };
    let site = leg.sites[0];
    let address = backend
        .address
        .or_else(|| backend.pod?.ips().first().copied());
    let family = address.map(crate::net::Family::of);
    let client_address = family.and_then(|family| site.ip(family));
    let asked = match (service.zip(leg.port), backend.pod) {
        (Some((service, port)), _) => Requested::Service { service, port },
        (None, Some(_)) => Requested::Pod,
        (None, None) => host.map_or(Requested::Address, Requested::Host),
    };
    let subset = leg.subset.as_ref().map(|(name, _)| name.clone());
    let connection = Connection {
        client: site.pod(),
        client_address,
        asked,
        asked_address: leg.asked.map(|asked| asked.ip()).or(address),
        asked_port: leg
            .asked
            .map_or_else(|| asked_port(asked, backend), |asked| asked.port()),
        server: backend.pod,
        server_address: address,
        server_port: backend.port,
        request: walker.flow.http.as_ref(),
        subset: subset.as_deref(),
    };
    let Some(mut passage) = walker.meshes.judge(&connection) else {
        return Wire::default();
    };
    if leg.trail.hops.iter().any(|hop| hop.stage == Stage::Ingress) {
        leave_open(&mut passage);
    }
    let wire = Wire {
        tunnel: (passage.sent.wire_port(backend.port) == HBONE).then_some(HBONE),
        waypoint: passage.sent.waypoint.clone(),
    };
    if passage.sent.is_direct {
        // The client's proxy picks the backend: no node translates a Service's address.
        leg.asked = None;
    }
    let before = client_address
        .zip(connection.asked_address)
        .map(|(from, to)| Packet::new(from, to, connection.asked_port, protocol));
    push(leg, &passage, before, (backend, address));
    wire
}

fn asked_port(asked: Requested<'_, '_>, backend: &Backend<'_>) -> u16 {
    match asked {
        Requested::Service { port, .. } => crate::cluster::access::ServicePortExt::number(port),
        _ => backend.port,
    }
}

/// A name outside the cluster, whose address nobody knows: whether a mesh has judged it, and lets it out.
pub(in crate::path) fn to_name<'v>(
    walker: &Walker<'_, 'v>,
    leg: &mut Leg<'_, 'v>,
    name: &str,
) -> bool {
    let port = match &walker.flow.destination.port {
        Some(crate::target::PortSpec::Number(number)) => *number,
        _ => 0,
    };
    let connection = Connection {
        client: leg.sites[0].pod(),
        client_address: None,
        asked: Requested::Host(name),
        asked_address: None,
        asked_port: port,
        server: None,
        server_address: None,
        server_port: port,
        request: walker.flow.http.as_ref(),
        subset: None,
    };
    let side = walker
        .meshes
        .judge(&connection)
        .and_then(|passage| passage.client);
    let Some(side) = side else {
        return false;
    };
    let hop = Hop::new(Stage::MeshClient, Status::Pass, side.summary.clone()).at(side.pod.clone());
    push_side(leg, Stage::MeshClient, &side.ruling, hop);
    !matches!(side.ruling, Ruling::Open(_))
}

/// A proxy in front of the cluster is a client of its own, and what it sends is not known.
fn leave_open(passage: &mut Passage) {
    passage.client = None;
    if let Some(side) = &mut passage.server
        && let Ruling::Stop(stop) = &side.ruling
    {
        let text = format!(
            "what the Ingress controller sends is not known; from elsewhere: {}",
            stop.summary
        );
        side.ruling = Ruling::Open(vec![Doubt::Other(text)]);
    }
}

fn push(
    leg: &mut Leg<'_, '_>,
    passage: &Passage,
    before: Option<Packet>,
    (backend, address): (&Backend<'_>, Option<IpAddr>),
) {
    let sides = [
        (&passage.client, Stage::MeshClient),
        (&passage.server, Stage::MeshServer),
    ];
    for (side, stage) in sides {
        let Some(side) = side else {
            continue;
        };
        let mut hop = Hop::new(stage, Status::Pass, side.summary.clone()).at(side.pod.clone());
        if stage == Stage::MeshClient {
            let to = match &passage.sent.waypoint {
                Some(waypoint) => waypoint.address,
                None => address,
            };
            let after = before
                .zip(to)
                .map(|(packet, to)| packet.to(to, passage.sent.wire_port(backend.port)));
            hop = hop.translating(before, after);
        }
        push_side(leg, stage, &side.ruling, hop);
    }
    for notice in &passage.notices {
        leg.trail.breaks.push(Break::Mesh {
            stop: Box::new(notice.clone()),
            stage: Stage::MeshClient,
            is_notice: true,
        });
    }
}

fn push_side(leg: &mut Leg<'_, '_>, stage: Stage, ruling: &Ruling, hop: Hop) {
    match ruling {
        Ruling::Pass => leg.trail.push(hop),
        Ruling::Stop(stop) => stopped(leg, stage, stop, hop),
        Ruling::Open(doubts) => {
            let mut texts: Vec<String> = doubts.iter().map(ToString::to_string).collect();
            texts.dedup();
            let taken = hop.summary.clone();
            leg.trail.push(Hop {
                status: Status::Unknown,
                summary: list(&texts),
                ..hop.fact("mesh", taken)
            });
        }
    }
}

fn stopped(leg: &mut Leg<'_, '_>, stage: Stage, stop: &Stop, hop: Hop) {
    let hop = Hop {
        summary: stop.summary.clone(),
        at: Some(stop.object.clone()),
        ..hop
    };
    let hop = hop.fact(
        format!("{} {}", stop.object, stop.field),
        stop.because.join("; "),
    );
    let stop = Box::new(stop.clone());
    leg.trail.stop(
        hop,
        Break::Mesh {
            stop,
            stage,
            is_notice: false,
        },
    );
}

/// Where the client's proxy sends what is meant for a Service; what leads nowhere ends here.
pub(in crate::path) fn branches<'v>(
    walker: &Walker<'_, 'v>,
    leg: &mut Leg<'_, 'v>,
    service: &'v Service,
    chosen: Chosen<'v>,
    mut dead: impl FnMut(Leg<'_, 'v>),
) -> Vec<Branch<'v>> {
    let as_is = || {
        vec![Branch {
            service,
            chosen,
            subset: None,
        }]
    };
    let Some(client) = leg.sites[0]
        .pod()
        .filter(|_| chosen.protocol == Protocol::Tcp)
    else {
        return as_is();
    };
    let request = walker.flow.http.as_ref();
    let routing = match walker.meshes.member(client).mesh() {
        Some(Mesh::Istio | Mesh::Ambient) => {
            walker
                .meshes
                .istio
                .routing(client, service, chosen.port, request)
        }
        _ => Routing::AsIs,
    };
    let (object, targets) = match routing {
        Routing::AsIs => return as_is(),
        Routing::Open(object, doubts) => {
            let texts: Vec<String> = doubts.iter().map(ToString::to_string).collect();
            leg.trail
                .push(Hop::new(Stage::MeshClient, Status::Unknown, list(&texts)).at(object));
            return as_is();
        }
        Routing::To(object, targets) => (object, targets),
    };
    let whole: u64 = targets.iter().map(|target| target.weight).sum();
    let mut branches = Vec::new();
    for target in targets {
        let share = 100 * target.weight / whole.max(1);
        if let Some(stop) = &target.stop {
            let mut leg = leg.clone();
            let mut stop = stop.as_ref().clone();
            if share < 100 {
                stop.because
                    .push(format!("{share} % of the traffic goes there"));
            }
            stopped(
                &mut leg,
                Stage::MeshClient,
                &stop,
                Hop::new(Stage::MeshClient, Status::Fail, ""),
            );
            dead(leg);
        } else if let Some(branch) = branch(&target) {
            branches.push(branch);
        }
    }
    if let Some(first) = branches.first().filter(|_| branches.len() == 1) {
        let to = crate::cluster::access::ServiceExt::reference(first.service);
        let subset = first
            .subset
            .as_ref()
            .map_or_else(String::new, |(name, _)| format!(", subset {name}"));
        let text = format!("{object} sends it to {to}{subset}");
        leg.trail
            .push(Hop::new(Stage::MeshClient, Status::Pass, text).at(object));
    }
    branches
}

fn branch<'v>(target: &Target<'v>) -> Option<Branch<'v>> {
    let (service, port) = target.service?;
    let labels = target.labels.clone().into_iter().collect();
    Some(Branch {
        service,
        chosen: Chosen::of(port),
        subset: target.subset.clone().map(|name| (name, labels)),
    })
}
