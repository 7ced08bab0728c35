//! The order in which stages are passed: what follows what, for every kind of destination.

mod backend;
mod door;
mod entry;
mod heading;
mod import;
mod ingress;
mod service;

use super::context::{Leg, Memo, Walker};
use super::stages::{dns, group, mesh, source};
use super::trail::Trail;
use super::{Basis, Break, Hop, Mode, NameTrouble, Path, Stage, Status};
use crate::cluster::access::{ServiceExt, ServiceKind};
use crate::cluster::{Named, Unread};
use crate::net::{Family, Protocol};
use crate::resolve::{Flow, Place, Site, owner_of};
use crate::target::PortSpec;
use crate::world::World;

pub(crate) use entry::EXCLUDED;
pub(crate) use ingress::{
    addresses as ingress_addresses, class_name, reference as ingress_reference,
};

/// How many addresses of a name are walked to.
const MAX_ADDRESSES: usize = 4;

/// Every walk of a flow.
#[derive(Debug, Clone)]
pub struct Walk<'v> {
    pub paths: Vec<Path<'v>>,
    /// The port and protocol that were walked, for the head of the report.
    pub port: Option<u16>,
    pub protocol: Protocol,
    /// Files of nodes on the way that are not what their names say.
    pub unread: Vec<Unread>,
}

/// Walks a flow from every source to every backend.
#[must_use]
pub fn walk<'v>(world: &World<'v>, flow: &Flow<'v>) -> Walk<'v> {
    let view = world.view;
    let walker = Walker {
        view,
        flow,
        dns: world.dns(),
        policies: world.policies(),
        ends: world.ends(),
        meshes: world.meshes(),
        nodes: world.nodes(),
        memo: Memo::default(),
    };
    let mut paths = Vec::new();
    if flow.source.sites.is_empty() {
        let mut trail = Trail::default();
        let text = format!("{} has no pod", flow.source.object);
        let hop = Hop::new(Stage::Source, Status::Fail, text).at(flow.source.object.clone());
        trail.stop(hop, Break::NoSourcePod(flow.source.object.clone()));
        paths.push(trail.finish(Vec::new(), Vec::new(), None, Mode::PodToService));
    }
    for sites in group::sites(view, walker.nodes, &flow.source.sites) {
        walker.from(&sites, &mut paths);
    }
    Walk {
        port: heading::walked_port(flow, &paths),
        protocol: heading::walked_protocol(flow),
        unread: heading::unreadable(walker.nodes),
        paths,
    }
}

// === impl Walk ===

impl Walk<'_> {
    /// What it rests on: the objects of the API, and what nodes and pods hold where that was read.
    #[must_use]
    pub fn basis(&self) -> Vec<Basis> {
        let mut hops = self.paths.iter().flat_map(|path| &path.hops);
        let has_node = hops.any(|hop| hop.evidence.iter().any(|one| one.source == Basis::Node));
        let mut basis = vec![Basis::Api];
        basis.extend(has_node.then_some(Basis::Node));
        basis
    }
}

// === impl Walker ===

impl<'v> Walker<'_, 'v> {
    fn from(&self, sites: &[Site<'v>], paths: &mut Vec<Path<'v>>) {
        let site = sites[0];
        let mut trail = Trail::default();
        source::step(self.view, site, &mut trail);
        let leg = Leg {
            sites,
            trail,
            mode: Mode::PodToService,
            entry: None,
            asked: None,
            port: None,
            subset: None,
            import: None,
        };
        self.to_place(leg, &self.flow.destination.place, paths);
    }

    /// Goes on to what the destination is, by way of the DNS where a name is the way there.
    fn to_place(&self, mut leg: Leg<'_, 'v>, place: &Place<'v>, paths: &mut Vec<Path<'v>>) {
        let site = leg.sites[0];
        let looked_up = match (site.pod(), name_asked(site, place)) {
            (Some(pod), Some(name)) => {
                let wanted = matches!(place, Place::Service { .. }).then_some(place);
                match dns::step(self, pod, &name, wanted, &mut leg.trail) {
                    Some(found) => Some(found),
                    // The Service that was meant is walked on: it may have troubles of its own.
                    None => match place {
                        Place::Service { service, .. }
                            if service.service_kind() != ServiceKind::ExternalName =>
                        {
                            None
                        }
                        _ => return paths.push(leg.end(None)),
                    },
                }
            }
            _ => None,
        };
        match looked_up.as_ref().unwrap_or(place) {
            Place::Service { service, address } => self.to_service(leg, service, *address, paths),
            Place::Import(import) => self.to_import(leg, *import, paths),
            Place::Pods(pods) => self.to_pods(&leg, pods, paths),
            Place::Address(addr) => self.to_address(leg, *addr, paths),
            Place::Node { node, address } => entry::to_node(self, leg, node, *address, paths),
            Place::Ingress(ingress) => ingress::to_ingress(self, leg, ingress, paths),
            Place::Gateway(gateway) => door::to_gateway(self, leg, gateway, None, paths),
            Place::ListenerSet(set) => door::to_listener_set(self, leg, set, paths),
            Place::Route(kind, route) => door::to_route(self, &leg, (*kind, route), paths),
            Place::NoService { namespace, name } => {
                let text = format!("there is no Service {namespace}/{name}");
                let trouble = NameTrouble::NoService {
                    namespace: namespace.clone(),
                    name: name.clone(),
                };
                let hop = Hop::new(Stage::Service, Status::Fail, text);
                leg.trail.stop(hop, Break::Name(trouble));
                paths.push(leg.end(None));
            }
            Place::Name(name) => {
                // A URL whose host a door takes comes back in through its proxies.
                if let Some(asked) = self.asked_url(name)
                    && door::to_url(self, &leg, &asked, paths)
                {
                    return;
                }
                self.to_name(leg, name, paths);
            }
        }
    }

    /// A name of nobody in the cluster: to what it is known to resolve to.
    fn to_name(&self, mut leg: Leg<'_, 'v>, name: &str, paths: &mut Vec<Path<'v>>) {
        let families = leg.sites[0].families();
        let known = self.flow.addresses_of(name).iter().copied();
        let usable = known.filter(|addr| families.contains(&Family::of(*addr)));
        let start = paths.len();
        for addr in usable.take(MAX_ADDRESSES) {
            let mut own = Vec::new();
            // Where it is somebody's in the cluster after all, it is their way that is gone.
            self.to_place(leg.clone(), &owner_of(self.view, addr), &mut own);
            for path in own {
                let mut known = paths[start..].iter_mut();
                match known.find(|known| known.family == path.family && known.is_like(&path)) {
                    Some(known) => known.backends.extend(path.backends),
                    None => paths.push(path),
                }
            }
        }
        let has_doors = !self.view.ingresses.is_empty() || !self.view.gateway_api.is_empty();
        let from_outside = leg.sites[0].is_outside() && self.flow.destination.url.is_some();
        if paths.len() == start && from_outside && has_doors {
            return door::nobody(self, leg, name, paths);
        }
        if paths.len() == start {
            leg.mode = Mode::ToOutside;
            let is_judged = mesh::to_name(self, &mut leg, name);
            let (status, text) = if is_judged {
                // The proxy decides by the name; who resolves it outside is not the cluster's.
                let hops = leg.trail.hops.iter_mut();
                let open =
                    hops.filter(|hop| hop.stage == Stage::Dns && hop.status == Status::Unknown);
                open.for_each(|hop| hop.status = Status::Pass);
                (Status::Pass, format!("{name}, outside the cluster"))
            } else {
                let text = format!("{name}: its target is unknown here");
                (Status::Unknown, text)
            };
            leg.trail.push(Hop::new(Stage::Destination, status, text));
            paths.push(leg.end(None));
        }
    }

    /// The request that a URL stands for; its host may be another one than was asked, by a header.
    fn asked_url(&self, name: &str) -> Option<door::AskedUrl> {
        let destination = &self.flow.destination;
        destination.url.as_ref()?;
        let mut request = destination.request()?;
        request.host.get_or_insert_with(|| name.to_owned());
        let port = match destination.port {
            Some(PortSpec::Number(port)) => Some(port),
            _ => None,
        };
        Some(door::AskedUrl { request, port })
    }
}

/// The name the source looks up, if the way leads through the DNS.
pub(crate) fn name_asked(site: Site<'_>, place: &Place<'_>) -> Option<String> {
    let (namespace, name) = match place {
        Place::Name(name) => return Some(name.clone()),
        Place::NoService { namespace, name } => (namespace.as_str(), name.as_str()),
        Place::Service {
            service,
            address: None,
        } => (service.namespace(), service.name()),
        _ => return None,
    };
    let is_own = site.pod().is_some_and(|pod| pod.namespace() == namespace);
    Some(if is_own {
        name.to_owned()
    } else {
        format!("{name}.{namespace}")
    })
}
