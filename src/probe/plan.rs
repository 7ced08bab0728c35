//! What to ask next, from what is known so far. Pure: it ends when nothing is left to ask.
//!
//! ```text
//!  round 1   source pod      its facts · the name · the Service's address · every backend by itself
//!  round 2   source pod      other Services (is it the proxy?) · HTTP where a port speaks it
//!            destination pod its facts · its own port, by its address and by loopback
//!            nodes (--deep)  their rules, routes, sockets · the backends, without any policy
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::protocol::{Record, Task};
use super::speech::Speech;
use super::{Observations, Vantage};
use crate::cluster::access::{EndpointExt, PodExt, ServiceExt};
use crate::cluster::{ClusterView, Named};
use crate::diagnose::Case;
use crate::dns::{ClusterDns, Origin, ResolvConf};
use crate::net::{Family, Protocol};
use crate::path::{Mode, Path, Stage, name_asked, slices};
use crate::resolve::{Place, Site};

/// How deep to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// What the API says.
    Api,
    /// What the pods' own namespaces say, too.
    Probe,
    /// What the nodes say, too.
    Deep,
}

/// Questions for one vantage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub vantage: Vantage,
    pub tasks: Vec<Task>,
    /// Whether another pod can answer in its place: for where traffic starts, one on the same node with
    /// the same labels; for where it ends, none.
    pub takes_twin: bool,
}

/// Backends are asked one by one, but not all of a hundred.
const MAX_BACKENDS: usize = 16;
/// Sources that behave alike are asked once; so many groups of them at most.
const MAX_SOURCES: usize = 3;
/// Pods at the other end that are looked into.
const MAX_DESTINATIONS: usize = 3;
/// Attempts at a Service's address: each may meet another backend. Few enough not to meet the
/// kernel's limit on ICMP errors (6 at once, then one a second).
const VIP_ATTEMPTS: u32 = 5;
/// Attempts at each backend to tell how much is lost.
const LOSS_ATTEMPTS: u32 = 5;
const DNS_PORT: u16 = 53;
/// DNS pods that are asked one by one.
const MAX_DNS_PODS: usize = 4;
/// Names that a search list makes of one (resolv.conf takes six domains).
const MAX_EXPANSIONS: usize = 7;
/// Nodes that are looked into.
const MAX_NODES: usize = 4;
/// Addresses whose connections are asked for.
const MAX_ADDRESSES: usize = 64;
/// More routers than this lie between no two pods.
const MAX_HOPS: u8 = 6;

/// The next questions, grouped by vantage; empty when everything worth asking was asked.
#[must_use]
pub fn plan(case: Case<'_, '_>, seen: &Observations, depth: Depth, timeout: Duration) -> Vec<Step> {
    if depth == Depth::Api {
        return Vec::new();
    }
    let mut asker = Asker {
        case,
        seen,
        depth,
        timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
        wanted: BTreeMap::new(),
    };
    let sources = sources(case);
    for site in &sources {
        asker.source(*site);
    }
    if !seen.is_empty() {
        asker.measure();
        asker.applications();
        asker.destinations();
        asker.control();
    }
    if depth == Depth::Deep {
        asker.nodes();
    }
    let starts: Vec<Vantage> = sources.into_iter().filter_map(Vantage::of_site).collect();
    let steps = asker.wanted.into_iter().map(|(vantage, tasks)| Step {
        takes_twin: starts.contains(&vantage),
        vantage,
        tasks,
    });
    steps.collect()
}

/// One source of every group that behaves alike.
fn sources<'v>(case: Case<'_, 'v>) -> Vec<Site<'v>> {
    let mut leads: Vec<Site<'v>> = Vec::new();
    for path in case.paths() {
        let Some(lead) = path.sources.first() else {
            continue;
        };
        if !leads
            .iter()
            .any(|other| other.reference() == lead.reference())
        {
            leads.push(*lead);
        }
    }
    leads.truncate(MAX_SOURCES);
    leads
}

struct Asker<'c, 'v> {
    case: Case<'c, 'v>,
    seen: &'c Observations,
    depth: Depth,
    timeout_ms: u64,
    wanted: BTreeMap<Vantage, Vec<Task>>,
}

// === impl Asker ===

impl<'c, 'v> Asker<'c, 'v> {
    fn ask(&mut self, vantage: &Vantage, task: Task) {
        if self.seen.settles(vantage, &task) {
            return;
        }
        let tasks = self.wanted.entry(vantage.clone()).or_default();
        if !tasks.contains(&task) {
            tasks.push(task);
        }
    }

    const fn view(&self) -> &'v ClusterView {
        self.case.view
    }

    /// The paths that start at a site.
    fn paths_from(&self, site: Site<'v>) -> impl Iterator<Item = &'c Path<'v>> + use<'c, 'v> {
        let reference = site.reference();
        self.case.paths().filter(move |path| {
            path.sources
                .first()
                .is_some_and(|lead| lead.reference() == reference)
        })
    }

    fn source(&mut self, site: Site<'v>) {
        let Some(vantage) = self.vantage(site) else {
            return;
        };
        if let Some(pod) = site.pod() {
            self.ask(&vantage, Task::PodFacts);
            self.names(pod, site, &vantage);
        }
        let addresses: Vec<SocketAddr> =
            self.paths_from(site).filter_map(service_address).collect();
        for to in addresses {
            let attempts = VIP_ATTEMPTS;
            self.reach(&vantage, to, (attempts, 0), false);
        }
        let backends: Vec<(SocketAddr, bool)> = self
            .paths_from(site)
            .flat_map(|path| backend_addresses(path).map(move |to| (to, is_explained(path))))
            .take(MAX_BACKENDS)
            .collect();
        for (to, is_explained) in backends {
            // One attempt confirms what was predicted; what was not is asked again.
            let attempts = if is_explained { 1 } else { 3 };
            self.reach(&vantage, to, (attempts, 1_000), true);
        }
    }

    /// Where to ask for a site, if anything can be asked there.
    fn vantage(&self, site: Site<'v>) -> Option<Vantage> {
        let is_able = match site {
            Site::Pod(pod) => !pod.ips().is_empty() && !pod.is_finished(),
            // A node's network is only entered to look into the node.
            Site::Node(_) => self.depth == Depth::Deep,
            Site::Address(_) | Site::Outside(_) => false,
        };
        Vantage::of_site(site).filter(|_| is_able)
    }

    fn reach(
        &mut self,
        vantage: &Vantage,
        to: SocketAddr,
        (attempts, spacing_ms): (u32, u64),
        until_open: bool,
    ) {
        let timeout_ms = self.timeout_ms;
        let task = match self.case.walk.protocol {
            Protocol::Udp => Task::Udp {
                to,
                payload: "0000".to_owned(),
                attempts: 2,
                spacing_ms: 1_000,
                timeout_ms: timeout_ms.min(2_000),
            },
            protocol => Task::Connect {
                to,
                protocol,
                attempts,
                spacing_ms,
                timeout_ms,
                until_open,
                exchange: None,
            },
        };
        self.ask(vantage, task);
    }

    /// Where anything failed or was slow, every backend again, a few times and a while apart: by which of
    /// them, and how much, is lost.
    fn measure(&mut self) {
        for site in sources(self.case) {
            let Some(vantage) = self.vantage(site) else {
                continue;
            };
            let backends: Vec<SocketAddr> = self
                .paths_from(site)
                .filter(|path| !is_explained(path))
                .flat_map(backend_addresses)
                .take(MAX_BACKENDS)
                .collect();
            let services = self.paths_from(site).filter_map(service_address);
            let mut all = services.chain(backends.iter().copied());
            let is_ailing = |to| {
                let attempts = self.seen.attempts(&vantage, to);
                attempts.is_some_and(|attempts| attempts.open > 0 && !attempts.are_fine())
            };
            if self.case.walk.protocol == Protocol::Udp || !all.any(is_ailing) {
                continue;
            }
            for to in backends {
                let is_dead = self
                    .seen
                    .attempts(&vantage, to)
                    .is_some_and(|own| own.none_open());
                if !is_dead {
                    self.reach(&vantage, to, (LOSS_ATTEMPTS, 1_000), false);
                }
            }
        }
    }

    /// The name, as the pod's own resolver asks for it; and every DNS pod, if that went wrong.
    fn names(
        &mut self,
        pod: &'v k8s_openapi::api::core::v1::Pod,
        site: Site<'v>,
        vantage: &Vantage,
    ) {
        let Some(name) = name_asked(site, &self.case.flow.destination.place) else {
            return;
        };
        let view = self.view();
        let dns = ClusterDns::of(view);
        let recorded = view.facts.pod(pod.namespace(), pod.name());
        let conf = recorded
            .and_then(|facts| facts.resolv_conf.as_deref())
            .map_or_else(|| ResolvConf::predict(pod, &dns), ResolvConf::parse);
        // Where the API does not say which servers the pod asks, its own file will in a moment.
        if conf.origin == Origin::Node || conf.nameservers.is_empty() {
            return;
        }
        let full = self.full_name(&dns);
        let resolver = SocketAddr::new(conf.nameservers[0], DNS_PORT);
        let record = record_of(pod.ips().first().map_or(Family::V4, |ip| Family::of(*ip)));
        for expansion in conf.expansions(&name).into_iter().take(MAX_EXPANSIONS) {
            let is_last = Some(&expansion) == full.as_ref();
            self.query(vantage, resolver, &expansion, record, false);
            if is_last {
                break;
            }
        }
        let Some(full) = full else {
            return;
        };
        // Every server by itself: through the Service a dead one shows as one lookup in N that hangs.
        self.query(vantage, resolver, &full, record, true);
        for server in dns_endpoints(view, &dns) {
            self.query(vantage, server, &full, record, false);
        }
        let is_silent = self
            .seen
            .dns(vantage)
            .any(|(_, reply)| reply.rcode.is_none());
        for server in dns.service_addresses().into_iter().filter(|_| is_silent) {
            let server = SocketAddr::new(server, DNS_PORT);
            self.query(vantage, server, &full, record, false);
        }
        // A name that every cluster has: does the server know any, or not this one?
        let is_found = self
            .seen
            .dns(vantage)
            .any(|(_, reply)| !reply.answers.is_empty());
        if !is_found && self.seen.dns(vantage).next().is_some() {
            let control = dns.control_name();
            self.query(vantage, resolver, &control, record, false);
        }
    }

    fn query(
        &mut self,
        vantage: &Vantage,
        server: SocketAddr,
        name: &str,
        record: Record,
        over_tcp: bool,
    ) {
        let task = Task::Dns {
            server,
            name: name.to_owned(),
            record,
            over_tcp,
            edns: false,
            timeout_ms: self.timeout_ms.min(3_000),
        };
        self.ask(vantage, task);
    }

    /// The whole name of what is meant.
    fn full_name(&self, dns: &ClusterDns<'_>) -> Option<String> {
        match &self.case.flow.destination.place {
            Place::Service { service, .. } => Some(format!(
                "{}.{}.svc.{}",
                service.name(),
                service.namespace(),
                dns.domain
            )),
            Place::NoService { namespace, name } => {
                Some(format!("{name}.{namespace}.svc.{}", dns.domain))
            }
            Place::Name(name) => Some(name.trim_end_matches('.').to_owned()),
            _ => None,
        }
    }

    /// Speaks to the ports that are open: HTTP where a port speaks it, small and too large for one
    /// packet; a handshake where TLS was asked; and the size of packets that passes between nodes.
    fn applications(&mut self) {
        let speech = Speech::of(self.case);
        let mut sized = false;
        for path in self.case.paths() {
            let Some(source) = path.sources.first().copied() else {
                continue;
            };
            let Some(vantage) = self.vantage(source) else {
                continue;
            };
            for backend in path.backends.iter().take(MAX_BACKENDS) {
                let Some(to) = backend
                    .address
                    .map(|addr| SocketAddr::new(addr, backend.port))
                else {
                    continue;
                };
                if self
                    .seen
                    .attempts(&vantage, to)
                    .is_none_or(|attempts| attempts.open == 0)
                {
                    continue;
                }
                for task in speech.tasks(to, self.timeout_ms) {
                    self.ask(&vantage, task);
                }
                let crosses = backend.node.is_some() && backend.node != source.node_name();
                if crosses && !sized {
                    sized = true;
                    self.ask(
                        &vantage,
                        Task::PathMtu {
                            to,
                            timeout_ms: 1_000,
                        },
                    );
                }
            }
        }
    }

    /// Looks into the pods at the other end that do not answer.
    fn destinations(&mut self) {
        let speech = Speech::of(self.case);
        let mut looked = 0;
        let failing: Vec<(&Path<'v>, usize)> = self
            .case
            .paths()
            .flat_map(|path| (0..path.backends.len()).map(move |index| (path, index)))
            .collect();
        for (path, index) in failing {
            let backend = &path.backends[index];
            let source = path.sources.first().copied();
            let (Some(pod), Some(addr), Some(from_source)) = (
                backend.pod,
                backend.address,
                source.and_then(|site| self.vantage(site)),
            ) else {
                continue;
            };
            let to = SocketAddr::new(addr, backend.port);
            let is_failing = self
                .seen
                .attempts(&from_source, to)
                .is_some_and(|attempts| !attempts.are_fine() && !attempts.say_nothing());
            let mut replies = self.seen.http(&from_source, to);
            let is_mute =
                replies.any(|(_, reply)| reply.connect_us.is_some() && reply.received == 0);
            // What a policy explains needs no container in somebody else's pod.
            let is_settled = is_explained(path) || path.mode == Mode::ContainerToContainer;
            // The Service's address fails, and this backend is on the source's own node: whether its
            // answers pass that node's rules depends on its own routes.
            let is_near = self.depth == Depth::Deep
                && backend.node.is_some()
                && backend.node == source.and_then(|site| site.node_name())
                && service_address(path)
                    .and_then(|vip| self.seen.attempts(&from_source, vip))
                    .is_some_and(|attempts| !attempts.are_fine());
            if !(is_failing || is_mute || is_near) || is_settled || pod.ips().is_empty() {
                continue;
            }
            let vantage = Vantage::of_pod(pod);
            if !self.seen.has_seen(&vantage) && looked >= MAX_DESTINATIONS {
                continue;
            }
            looked += 1;
            let loopback = match addr {
                IpAddr::V4(_) => IpAddr::from([127, 0, 0, 1]),
                IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            };
            self.ask(&vantage, Task::PodFacts);
            if is_failing {
                self.ask(
                    &from_source,
                    Task::Trace {
                        to,
                        tcp: self.case.walk.protocol != Protocol::Udp,
                        max_hops: MAX_HOPS,
                        timeout_ms: 1_000,
                    },
                );
            }
            self.reach(&vantage, to, (1, 0), true);
            let loopback = SocketAddr::new(loopback, backend.port);
            self.reach(&vantage, loopback, (1, 0), true);
            for task in speech
                .tasks(to, self.timeout_ms)
                .into_iter()
                .filter(|_| is_mute)
            {
                self.ask(&vantage, task);
            }
        }
    }

    /// Other Services, where this one's address fails and its backends answer: is it the proxy?
    fn control(&mut self) {
        for site in sources(self.case) {
            let Some(vantage) = self.vantage(site) else {
                continue;
            };
            let addresses: Vec<SocketAddr> =
                self.paths_from(site).filter_map(service_address).collect();
            let fails = |to: &SocketAddr| {
                self.seen
                    .attempts(&vantage, *to)
                    .is_some_and(|attempts| !attempts.all_open())
            };
            let no_dns = self
                .seen
                .dns(&vantage)
                .any(|(_, reply)| reply.rcode.is_none());
            if !addresses.iter().any(fails) && !no_dns {
                continue;
            }
            let others = [("default", "kubernetes"), ("kube-system", "kube-dns")];
            for (namespace, name) in others {
                let service = self.view().services.get(namespace, name);
                let to = service.and_then(|service| {
                    let port = service
                        .ports()
                        .iter()
                        .find(|port| port.protocol.as_deref() != Some("UDP"))?;
                    let address = service.cluster_ips().into_iter().next()?;
                    Some(SocketAddr::new(address, u16::try_from(port.port).ok()?))
                });
                if let Some(to) = to.filter(|to| !addresses.contains(to)) {
                    let timeout_ms = self.timeout_ms;
                    self.ask(
                        &vantage,
                        Task::Connect {
                            to,
                            protocol: Protocol::Tcp,
                            attempts: 1,
                            spacing_ms: 0,
                            timeout_ms,
                            until_open: true,
                            exchange: None,
                        },
                    );
                }
            }
        }
    }

    /// The nodes of the path: their facts, and the backends as the nodes themselves reach them, whom no
    /// policy stops.
    fn nodes(&mut self) {
        let mut names: Vec<&str> = Vec::new();
        for path in self.case.paths() {
            let source = path.sources.first().and_then(Site::node_name);
            let entry = path.hops.iter().filter_map(|hop| hop.at.as_ref());
            let entry = entry
                .filter(|at| at.kind == "Node")
                .map(|at| at.name.as_str());
            let backends = path.backends.iter().filter_map(|backend| backend.node);
            for name in source.into_iter().chain(entry).chain(backends) {
                if !names.contains(&name) && self.view().nodes.get("", name).is_some() {
                    names.push(name);
                }
            }
        }
        let addresses = self.addresses();
        for name in names.into_iter().take(MAX_NODES) {
            let vantage = Vantage::Node(name.to_owned());
            let addresses = addresses.clone();
            self.ask(&vantage, Task::NodeFacts { addresses });
            let backends: Vec<SocketAddr> = self
                .case
                .paths()
                .flat_map(backend_addresses)
                .take(MAX_BACKENDS)
                .collect();
            for to in backends {
                self.reach(&vantage, to, (1, 0), true);
            }
        }
    }

    /// The addresses of the path, whose connections a node is asked for.
    fn addresses(&self) -> Vec<IpAddr> {
        let mut all = BTreeSet::new();
        for path in self.case.paths() {
            all.extend(
                path.sources
                    .iter()
                    .filter_map(Site::pod)
                    .flat_map(PodExt::ips),
            );
            all.extend(service_address(path).map(|to| to.ip()));
            all.extend(path.backends.iter().filter_map(|backend| backend.address));
        }
        all.extend(ClusterDns::of(self.view()).service_addresses());
        all.into_iter().take(MAX_ADDRESSES).collect()
    }
}

/// Where the backends of a path listen.
fn backend_addresses<'p>(path: &'p Path<'_>) -> impl Iterator<Item = SocketAddr> + use<'p> {
    let known = path.backends.iter().filter(|backend| backend.port != 0);
    known.filter_map(|backend| Some(SocketAddr::new(backend.address?, backend.port)))
}

/// Where the DNS pods that are ready listen, a few of them.
fn dns_endpoints(view: &ClusterView, dns: &ClusterDns<'_>) -> Vec<SocketAddr> {
    let Some(service) = dns.service else {
        return Vec::new();
    };
    let endpoints = slices(view, service).flat_map(|slice| {
        let mut ports = slice.ports.iter().flatten();
        let port = ports.find(|port| port.protocol.as_deref() == Some("UDP"));
        let port = port.and_then(|port| u16::try_from(port.port?).ok());
        let port = port.unwrap_or(DNS_PORT);
        let ready = slice.endpoints.iter().flatten();
        ready
            .filter(|endpoint| endpoint.is_ready())
            .filter_map(move |endpoint| Some(SocketAddr::new(endpoint.address()?, port)))
    });
    endpoints.take(MAX_DNS_PODS).collect()
}

/// Whether something was predicted to stop traffic between the endpoints and the destination.
fn is_explained(path: &Path<'_>) -> bool {
    path.breaks
        .iter()
        .any(|seen| matches!(seen.stage(), Stage::EgressPolicy | Stage::IngressPolicy))
}

const fn record_of(family: Family) -> Record {
    match family {
        Family::V4 => Record::A,
        Family::V6 => Record::Aaaa,
    }
}

/// The address a client of the Service sends to, on one path.
pub(crate) fn service_address(path: &Path<'_>) -> Option<SocketAddr> {
    let hop = path.hops.iter().find(|hop| hop.packet.is_some())?;
    let packet = &hop.packet.as_ref()?.before;
    Some(SocketAddr::new(packet.dst, packet.dport))
}
