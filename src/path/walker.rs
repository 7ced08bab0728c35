//! The order in which stages are passed.

use std::net::{IpAddr, SocketAddr};

use k8s_openapi::api::core::v1::Service;

use super::endpoints::{self, Absent, Asker, Door};
use super::service::{self, Asked, Chosen};
use super::trail::Trail;
use super::{Backend, Basis, Break, Hop, Mode, Path, Stage, Status};
use super::{destination, dns, entry, group, ingress, nodes, policy, source};
use crate::cluster::access::{ServiceExt, ServiceKind, ServicePortExt};
use crate::cluster::{ClusterView, Named, Pod, Unread};
use crate::dns::ClusterDns;
use crate::net::{Family, Packet, Protocol};
use crate::node::Nodes;
use crate::policy::{Ends, Policies};
use crate::resolve::{Flow, Place, Site, owner_of};
use crate::target::PortSpec;

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

/// What every stage may look at.
pub(super) struct Walker<'v> {
    pub view: &'v ClusterView,
    pub flow: &'v Flow<'v>,
    pub dns: ClusterDns<'v>,
    pub policies: Policies,
    pub ends: Ends<'v>,
    pub nodes: Nodes<'v>,
    pub last: nodes::Last,
}

/// Walks a flow from every source to every backend.
#[must_use]
pub fn walk<'v>(view: &'v ClusterView, flow: &'v Flow<'v>) -> Walk<'v> {
    let walker = Walker {
        view,
        flow,
        dns: ClusterDns::of(view),
        policies: Policies::compile(view),
        ends: Ends::new(view),
        nodes: Nodes::of(view),
        last: nodes::Last::default(),
    };
    let mut paths = Vec::new();
    if flow.source.sites.is_empty() {
        let mut trail = Trail::default();
        let text = format!("{} has no pod", flow.source.object);
        let hop = Hop::new(Stage::Source, Status::Fail, text).at(flow.source.object.clone());
        trail.stop(hop, Break::NoSourcePod(flow.source.object.clone()));
        paths.push(trail.finish(Vec::new(), Vec::new(), None, Mode::PodToService));
    }
    for sites in group::sites(view, &walker.nodes, &flow.source.sites) {
        walker.from(&sites, &mut paths);
    }
    Walk {
        port: walked_port(flow, &paths),
        protocol: walked_protocol(flow),
        unread: unreadable(&walker.nodes),
        paths,
    }
}

/// What goes on from the source: the trail so far, and the way by which it came.
#[derive(Clone)]
pub(super) struct Leg<'a, 'v> {
    pub sites: &'a [Site<'v>],
    pub trail: Trail<'v>,
    pub mode: Mode,
    /// Where the packet met its first kube-proxy, if not on the source's own node.
    pub entry: Option<entry::Entry<'v>>,
    /// The address and port of the Service that is asked.
    pub asked: Option<SocketAddr>,
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

impl<'v> Walker<'v> {
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
            Place::Pods(pods) => self.to_pods(&leg, pods, paths),
            Place::Address(addr) => self.to_address(leg, *addr, paths),
            Place::Node { node, address } => entry::to_node(self, leg, node, *address, paths),
            Place::Ingress(ingress) => ingress::to_ingress(self, leg, ingress, paths),
            Place::NoService { .. } => paths.push(leg.end(None)),
            Place::Name(name) => {
                // A URL whose host an Ingress takes comes back in through its controller.
                let url = self.flow.destination.url.as_ref();
                if let Some(ingress) = url.and_then(|_| self.view.ingress_of(name)) {
                    return ingress::to_ingress(self, leg, ingress, paths);
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
        if paths.len() == start {
            leg.mode = Mode::ToOutside;
            let text = format!("{name}, outside the cluster");
            leg.trail
                .push(Hop::new(Stage::Destination, Status::Pass, text));
            paths.push(leg.end(None));
        }
    }

    /// The pod whose resolver is being walked.
    pub(super) fn pod_asking(&self) -> Option<&'v Pod> {
        self.flow.source.sites.first().and_then(Site::pod)
    }

    fn to_service(
        &self,
        mut leg: Leg<'_, 'v>,
        service: &'v Service,
        address: Option<IpAddr>,
        paths: &mut Vec<Path<'v>>,
    ) {
        let site = leg.sites[0];
        if site.is_outside() && leg.entry.is_none() {
            return entry::to_service(self, leg, service, address, paths);
        }
        let asked = Asked {
            port: self.flow.destination.port.as_ref(),
            protocol: self.flow.protocol,
        };
        let Some(chosen) = service::step(service, asked, &mut leg.trail) else {
            return paths.push(leg.end(None));
        };
        self.through_service(&leg, service, address, chosen, paths);
    }

    /// Every family of a chosen port, to every backend.
    pub(super) fn through_service(
        &self,
        leg: &Leg<'_, 'v>,
        service: &'v Service,
        address: Option<IpAddr>,
        chosen: Chosen<'v>,
        paths: &mut Vec<Path<'v>>,
    ) {
        let site = leg.sites[0];
        let mut leg = leg.clone();
        leg.trail.service = Some(service);
        let mut families = match address {
            Some(addr) => vec![Family::of(addr)],
            None => families(self.view, site, service),
        };
        if families.is_empty() {
            let wanted = service.families();
            // The Service is walked on as it is: it may have troubles of its own.
            families.clone_from(&wanted);
            let text = format!(
                "{} has no address of the Service's families",
                site.reference()
            );
            let seen = Break::NoCommonFamily {
                source: site.reference(),
                wanted,
            };
            leg.trail.stop(
                Hop::new(Stage::Service, Status::Fail, text).at(service.reference()),
                seen,
            );
        }
        if families.is_empty() {
            return paths.push(leg.end(None));
        }
        for family in families {
            let mut leg = leg.clone();
            let node = leg.entry.as_ref().map(|entry| entry.node_name);
            let is_external = |addr: IpAddr| !service.cluster_ips().contains(&addr);
            let asker = Asker {
                node: node.or_else(|| site.node_name()),
                door: match &leg.entry {
                    Some(entry) if site.node_name() != Some(entry.node_name) => Door::Outer,
                    Some(_) => Door::ShortCut,
                    None if address.is_some_and(is_external) => Door::ShortCut,
                    None => Door::Inner,
                },
            };
            let backends =
                endpoints::step(self.view, service, chosen, family, asker, &mut leg.trail);
            let vip = address.or_else(|| service.cluster_ip(family));
            leg.asked = vip.map(|vip| SocketAddr::new(vip, chosen.number));
            if backends.is_empty() {
                paths.push(leg.end(Some(family)));
                continue;
            }
            for alike in group::backends(self.view, &backends) {
                let mut leg = leg.clone();
                leg.translate(
                    site,
                    family,
                    vip.map(|vip| (vip, chosen.number)),
                    &alike[0],
                    chosen.protocol,
                );
                self.to_backend(leg, Some(service), family, chosen.protocol, alike, paths);
            }
        }
    }

    /// Straight to pods, at a port of their own.
    fn to_pods(&self, leg: &Leg<'_, 'v>, pods: &[&'v Pod], paths: &mut Vec<Path<'v>>) {
        let site = leg.sites[0];
        let protocol = self.flow.protocol.unwrap_or_default();
        let mut backends = Vec::new();
        for pod in pods {
            let port = pod_port(pod, self.flow.destination.port.as_ref(), protocol);
            // A pod is asked at its primary address, as by everything that names a pod; its others
            // are asked by address.
            let of_source = site.families();
            let mut own = pod.ips().into_iter().map(Family::of);
            let primary = own.find(|family| of_source.contains(family));
            let asked = self.flow.destination.family.or(primary);
            let family = asked.unwrap_or(Family::V4);
            backends.push((family, Backend::of_pod(pod, family, port.unwrap_or(0))));
        }
        if backends.is_empty() {
            let mut leg = leg.clone();
            let object = self.flow.destination.object.clone();
            let text = format!("{object} has no pod");
            leg.trail.stop(
                Hop::new(Stage::Destination, Status::Fail, text).at(object.clone()),
                Break::NoDestinationPod(object),
            );
            return paths.push(leg.end(None));
        }
        for family in Family::ALL {
            let own: Vec<Backend<'v>> = backends
                .iter()
                .filter(|(of, _)| *of == family)
                .map(|(_, backend)| backend.clone())
                .collect();
            for alike in group::backends(self.view, &own) {
                let mut leg = leg.clone();
                if site.is_outside() {
                    entry::straight_from_outside(&mut leg, &alike[0]);
                }
                leg.mode = match site.pod() {
                    Some(pod) if alike.iter().any(|backend| backend.is(pod)) => {
                        Mode::ContainerToContainer
                    }
                    _ => Mode::PodToPod,
                };
                self.to_backend(leg, None, family, protocol, alike, paths);
            }
        }
    }

    /// An address that no object of the view has.
    fn to_address(&self, mut leg: Leg<'_, 'v>, addr: IpAddr, paths: &mut Vec<Path<'v>>) {
        leg.mode = Mode::ToOutside;
        let port = match &self.flow.destination.port {
            Some(PortSpec::Number(number)) => *number,
            _ => 0,
        };
        let backend = Backend {
            address: Some(addr),
            port,
            pod: None,
            node: None,
            is_hypothetical: false,
        };
        let protocol = self.flow.protocol.unwrap_or_default();
        self.to_backend(leg, None, Family::of(addr), protocol, vec![backend], paths);
    }

    /// Policies, nodes and the destination of one group of backends.
    pub(super) fn to_backend(
        &self,
        leg: Leg<'_, 'v>,
        service: Option<&'v Service>,
        family: Family,
        protocol: Protocol,
        backends: Vec<Backend<'v>>,
        paths: &mut Vec<Path<'v>>,
    ) {
        // The API shows them alike; nodes and pods may hold something else for each.
        if self.nodes.is_empty() {
            return self.to_alike(leg, service, (family, protocol), backends, paths);
        }
        let start = paths.len();
        for backend in backends {
            let mut own = Vec::new();
            let mut leg = leg.clone();
            leg.retranslate(&backend);
            self.to_alike(leg, service, (family, protocol), vec![backend], &mut own);
            for path in own {
                let mut known = paths[start..].iter_mut();
                match known.find(|known| known.is_like(&path)) {
                    Some(known) => known.backends.extend(path.backends),
                    None => paths.push(path),
                }
            }
        }
    }

    fn to_alike(
        &self,
        mut leg: Leg<'_, 'v>,
        service: Option<&'v Service>,
        (family, protocol): (Family, Protocol),
        backends: Vec<Backend<'v>>,
        paths: &mut Vec<Path<'v>>,
    ) {
        let backend = &backends[0];
        let absent = service
            .zip(backend.address)
            .filter(|_| backend.pod.is_none())
            .and_then(|(service, addr)| {
                Some((service, addr, endpoints::absent(self.view, service, addr)?))
            });
        if let Some((.., Absent::Unread(pod))) = absent {
            for stage in [Stage::IngressPolicy, Stage::Destination] {
                let text = format!("pod {pod} was not read");
                leg.trail.push(Hop::new(stage, Status::Unknown, text));
            }
            let sites = leg.sites.to_vec();
            return paths.push(leg.trail.finish(sites, backends, Some(family), leg.mode));
        }
        // Of an address that is nobody's no policy says anything of use.
        if leg.mode != Mode::ContainerToContainer && absent.is_none() {
            policy::step(self, &mut leg, backend, protocol);
        }
        match absent {
            Some((service, address, Absent::Gone(slice))) => {
                let text = format!("{address}: the pod that {slice} names does not exist");
                let hop = Hop::new(Stage::Destination, Status::Fail, text).at(slice.clone());
                leg.trail.stop(
                    hop,
                    Break::StaleEndpoint {
                        service,
                        slice,
                        address,
                    },
                );
            }
            _ => destination::step(self.view, backend, &mut leg.trail),
        }
        nodes::step(self, &mut leg, backend, service, (family, protocol));
        paths.push(
            leg.trail
                .finish(leg.sites.to_vec(), backends, Some(family), leg.mode),
        );
    }
}

// === impl Leg ===

impl<'v> Leg<'_, 'v> {
    /// Ends a walk before any backend.
    pub(super) fn end(self, family: Option<Family>) -> Path<'v> {
        self.trail
            .finish(self.sites.to_vec(), Vec::new(), family, self.mode)
    }

    /// Notes at the endpoints hop what the Service's address turns into.
    fn translate(
        &mut self,
        site: Site<'v>,
        family: Family,
        vip: Option<(IpAddr, u16)>,
        backend: &Backend<'v>,
        protocol: Protocol,
    ) {
        let packet = site
            .ip(family)
            .zip(vip)
            .map(|(from, (vip, port))| Packet::new(from, vip, port, protocol));
        let after = packet
            .zip(backend.address)
            .map(|(packet, addr)| packet.to(addr, backend.port));
        if let Some(hop) = self
            .trail
            .hops
            .iter_mut()
            .find(|hop| hop.stage == Stage::Endpoints)
        {
            *hop = hop.clone().translating(packet, after);
        }
    }

    /// The same for another backend of the group.
    fn retranslate(&mut self, backend: &Backend<'v>) {
        let mut hops = self.trail.hops.iter_mut();
        let hop = hops.find(|hop| hop.stage == Stage::Endpoints);
        if let (Some(hop), Some(address)) = (hop, backend.address)
            && let Some(translation) = &mut hop.packet
        {
            translation.after = translation.before.to(address, backend.port);
        }
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

/// The families to walk: those of the Service that the source has, too.
fn families(view: &ClusterView, site: Site<'_>, service: &Service) -> Vec<Family> {
    let mut own = service.families();
    if own.is_empty() && (view.is_planned() || service.service_kind() == ServiceKind::Headless) {
        own.push(Family::V4);
    }
    // Nothing is known of addresses that are not assigned yet; a source without any is judged at its
    // own stage.
    let of_source = site.families();
    if !of_source.is_empty() {
        own.retain(|family| of_source.contains(family));
    }
    own
}

/// The port of a pod that was asked: a number, a name the pod knows, or the first it declares.
fn pod_port(pod: &Pod, asked: Option<&PortSpec>, protocol: Protocol) -> Option<u16> {
    match asked {
        Some(PortSpec::Number(number)) => Some(*number),
        Some(PortSpec::Name(name)) => pod.named_port(name, protocol),
        None => {
            let declared = pod.declared_ports().into_iter();
            let mut fitting = declared
                .filter(|port| Protocol::from_field(port.protocol.as_deref()) == Ok(protocol));
            fitting
                .next()
                .and_then(|port| u16::try_from(port.container_port).ok())
        }
    }
}

fn unreadable(nodes: &Nodes<'_>) -> Vec<Unread> {
    /// What is wrong with a dump shows in its first lines.
    const NOTES: usize = 3;
    let unread = |what: String, why: &str| Unread {
        what,
        why: why.to_owned(),
        grant: "that file gathered again".to_owned(),
        resource: None,
        namespace: String::new(),
    };
    let all = nodes.read().flat_map(|node| {
        let files = node.state.unreadable.iter();
        let files = files.map(|bad| unread(format!("{} of {}", bad.file, node.name), &bad.why));
        let notes = node.state.rules.iter().flat_map(|rules| &rules.notes);
        let notes = notes.take(NOTES);
        files.chain(notes.map(|note| unread(format!("part of the rules of {}", node.name), note)))
    });
    all.collect()
}

fn walked_protocol(flow: &Flow<'_>) -> Protocol {
    let of_service = || match &flow.destination.place {
        Place::Service { service, .. } => service.ports().first().map(ServicePortExt::protocol),
        _ => None,
    };
    flow.protocol.or_else(of_service).unwrap_or_default()
}

fn walked_port(flow: &Flow<'_>, paths: &[Path<'_>]) -> Option<u16> {
    match (&flow.destination.port, &flow.destination.place) {
        (Some(PortSpec::Number(number)), _) => Some(*number),
        (Some(PortSpec::Name(name)), Place::Service { service, .. }) => {
            let mut ports = service.ports().iter();
            ports
                .find(|port| port.name.as_ref() == Some(name))
                .map(ServicePortExt::number)
        }
        (None, Place::Service { service, .. }) => {
            let mut ports = service.ports().iter();
            let fitting = ports.find(|port| {
                flow.protocol
                    .is_none_or(|protocol| port.protocol() == protocol)
            });
            fitting.map(ServicePortExt::number)
        }
        // What an Ingress leads to has its own ports.
        (None, Place::Ingress(_)) => None,
        _ => paths
            .iter()
            .flat_map(|path| &path.backends)
            .map(|backend| backend.port)
            .find(|port| *port != 0),
    }
}
