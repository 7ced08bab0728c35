//! What to ask next, from what is known so far. Pure: it ends when nothing is left to ask.
//!
//! ```text
//!  round 1   source pod      its facts · the name · the Service's address · every backend by itself
//!  round 2   source pod      other Services (is it the proxy?) · HTTP where a port speaks it
//!            destination pod its facts · its own port, by its address and by loopback
//!            nodes (--deep)  their rules, routes, sockets · the backends, without any policy
//! ```

use std::collections::BTreeMap;
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

/// The next questions, grouped by vantage; empty when everything worth asking was asked.
#[must_use]
pub fn plan(case: Case<'_, '_>, seen: &Observations, depth: Depth, timeout: Duration) -> Vec<Step> {
    if depth == Depth::Api {
        return Vec::new();
    }
    let mut asker = Asker {
        case,
        seen,
        timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
        wanted: BTreeMap::new(),
    };
    for site in sources(case) {
        asker.source(site);
    }
    if !seen.is_empty() {
        asker.applications();
        asker.destinations();
        asker.control();
    }
    if depth == Depth::Deep {
        asker.nodes();
    }
    let steps = asker.wanted.into_iter();
    steps
        .map(|(vantage, tasks)| Step { vantage, tasks })
        .collect()
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
        let Some(pod) = site
            .pod()
            .filter(|pod| !pod.ips().is_empty() && !pod.is_finished())
        else {
            return;
        };
        let vantage = Vantage::of_pod(pod);
        self.ask(&vantage, Task::PodFacts);
        self.names(pod, site, &vantage);
        let addresses: Vec<SocketAddr> =
            self.paths_from(site).filter_map(service_address).collect();
        for to in addresses {
            let attempts = VIP_ATTEMPTS;
            self.reach(&vantage, to, (attempts, 0), false);
        }
        let backends: Vec<(SocketAddr, bool)> = self
            .paths_from(site)
            .flat_map(|path| path.backends.iter().map(move |backend| (path, backend)))
            .filter(|(_, backend)| backend.port != 0)
            .filter_map(|(path, backend)| {
                let to = SocketAddr::new(backend.address?, backend.port);
                Some((to, is_explained(path)))
            })
            .take(MAX_BACKENDS)
            .collect();
        for (to, is_explained) in backends {
            // One attempt confirms what was predicted; what was not is asked again.
            let attempts = if is_explained { 1 } else { 3 };
            self.reach(&vantage, to, (attempts, 1_000), true);
        }
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
        let record = record_of(pod.ips().first().map_or(Family::V4, |ip| Family::of(*ip)));
        for expansion in conf.expansions(&name).into_iter().take(6) {
            let is_last = Some(&expansion) == full.as_ref();
            self.query(vantage, conf.nameservers[0], &expansion, record, false);
            if is_last {
                break;
            }
        }
        let Some(full) = full else {
            return;
        };
        // Every server by itself: through the Service a dead one shows as one lookup in N that hangs.
        self.query(vantage, conf.nameservers[0], &full, record, true);
        for server in dns_endpoints(view, &dns) {
            self.query(vantage, server, &full, record, false);
        }
        let is_silent = self
            .seen
            .dns(vantage)
            .any(|(_, reply)| reply.rcode.is_none());
        for server in dns.service_addresses().into_iter().filter(|_| is_silent) {
            self.query(vantage, server, &full, record, false);
        }
    }

    fn query(
        &mut self,
        vantage: &Vantage,
        server: IpAddr,
        name: &str,
        record: Record,
        over_tcp: bool,
    ) {
        let task = Task::Dns {
            server: SocketAddr::new(server, 53),
            name: name.to_owned(),
            record,
            over_tcp,
            edns: false,
            timeout_ms: self.timeout_ms.min(3_000),
        };
        self.ask(vantage, task);
    }

    /// The whole name of the Service that is meant.
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
            _ => None,
        }
    }

    /// Speaks to the ports that are open: HTTP where a port speaks it, small and too large for one
    /// packet; a handshake where TLS was asked; and the size of packets that passes between nodes.
    fn applications(&mut self) {
        let speech = Speech::of(self.case);
        let mut sized = false;
        for path in self.case.paths() {
            let Some(source) = path.sources.first().and_then(Site::pod) else {
                continue;
            };
            let vantage = Vantage::of_pod(source);
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
            let (Some(pod), Some(addr), Some(source)) = (
                backend.pod,
                backend.address,
                path.sources.first().and_then(Site::pod),
            ) else {
                continue;
            };
            let to = SocketAddr::new(addr, backend.port);
            let from_source = Vantage::of_pod(source);
            let is_failing = self
                .seen
                .attempts(&from_source, to)
                .is_some_and(|attempts| !attempts.all_open() || attempts.lost_a_packet());
            let mut replies = self.seen.http(&from_source, to);
            let is_mute =
                replies.any(|(_, reply)| reply.connect_us.is_some() && reply.received == 0);
            // What a policy explains needs no container in somebody else's pod.
            let is_settled = is_explained(path) || path.mode == Mode::ContainerToContainer;
            if !(is_failing || is_mute) || is_settled || pod.ips().is_empty() {
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
            let Some(pod) = site.pod() else {
                continue;
            };
            let vantage = Vantage::of_pod(pod);
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

    /// The nodes of the path: their facts, and the backends as the nodes themselves reach them.
    fn nodes(&mut self) {
        let mut names: Vec<&str> = Vec::new();
        for path in self.case.paths() {
            let source = path.sources.first().and_then(Site::node_name);
            let backends = path.backends.iter().filter_map(|backend| backend.node);
            for name in source.into_iter().chain(backends) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        for name in names.into_iter().take(4) {
            let vantage = Vantage::Node(name.to_owned());
            self.ask(
                &vantage,
                Task::NodeFacts {
                    addresses: Vec::new(),
                },
            );
            let backends: Vec<SocketAddr> = self
                .case
                .paths()
                .flat_map(|path| &path.backends)
                .filter_map(|backend| Some(SocketAddr::new(backend.address?, backend.port)))
                .filter(|to| to.port() != 0)
                .take(MAX_BACKENDS)
                .collect();
            for to in backends {
                self.reach(&vantage, to, (1, 0), true);
            }
        }
    }
}

/// The addresses of the DNS pods that are ready, a few of them.
fn dns_endpoints(view: &ClusterView, dns: &ClusterDns<'_>) -> Vec<IpAddr> {
    let Some(service) = dns.service else {
        return Vec::new();
    };
    let endpoints = slices(view, service).flat_map(|slice| slice.endpoints.iter().flatten());
    let ready = endpoints.filter(|endpoint| endpoint.is_ready());
    ready.filter_map(EndpointExt::address).take(4).collect()
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
