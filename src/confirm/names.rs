//! Stage `dns`: what the servers really said.

use std::net::{IpAddr, SocketAddr};

use super::symptom::{NameSymptom, Server, Symptom, reply_words};
use super::{Confirmed, proxy};
use crate::cluster::access::{EndpointExt, ServiceExt};
use crate::cluster::{ClusterView, Named, ObjectRef, Pod};
use crate::dns::{ClusterDns, ResolvConf};
use crate::observe::{Observations, Vantage};
use crate::path::{Path, Stage, Status, slices};
use crate::resolve::{Flow, Place, Site};
use crate::world::World;
use netpath_protocol::{DnsReply, Failure, Record, Task};

/// Lays the answers over the hop of every path that looks a name up.
pub(super) fn confirm<'v>(
    confirmed: &mut Confirmed<'v>,
    world: &World<'v>,
    flow: &Flow<'v>,
    observations: &Observations,
) {
    let (view, dns) = (world.view, world.dns());
    let control = dns.control_name();
    let mut symptoms: Vec<Symptom<'v>> = Vec::new();
    for path in &mut confirmed.walk.paths {
        let Some(pod) = path.sources.first().and_then(Site::pod) else {
            continue;
        };
        let vantage = Vantage::of_pod(pod);
        let all: Vec<NameLookup<'_>> = observations
            .dns(&vantage)
            .filter_map(NameLookup::of)
            .collect();
        let Some(resolver) = resolver(world, pod, &all) else {
            continue;
        };
        if !path.hops.iter().any(|hop| hop.stage == Stage::Dns) {
            continue;
        }
        let is_control =
            |asked: &&NameLookup<'_>| asked.name == control && !is_meant(flow, &control, dns);
        let control = all.iter().find(is_control).map(NameLookup::has_address);
        let asked: Vec<&NameLookup<'_>> = all.iter().filter(|asked| !is_control(asked)).collect();
        let own: Vec<&NameLookup<'_>> = asked
            .iter()
            .copied()
            .filter(|asked| asked.server == resolver && !asked.over_tcp)
            .collect();
        let servers = servers(view, dns, &asked, resolver);
        let node = pod.node_name().unwrap_or_default();
        let node_vantage = Vantage::Node(node.to_owned());
        let of_node: Vec<NameLookup<'_>> = observations
            .dns(&node_vantage)
            .filter_map(NameLookup::of)
            .collect();
        let mut asker = pod.reference();
        let mut replies: Vec<String> = asked.iter().map(|asked| asked.words()).collect();
        let kind = match best(flow, dns, &own) {
            Ok(text) => {
                set(path, Status::Pass, &text);
                // Whatever kept the name from being found, it was found.
                path.breaks.retain(|seen| seen.stage() != Stage::Dns);
                partly(&asked, &servers, resolver)
            }
            Err((kind, text)) => {
                let was_predicted = path.breaks.iter().any(|seen| seen.stage() == Stage::Dns);
                set(path, Status::Fail, &text);
                if was_predicted {
                    asker = ObjectRef::cluster_wide("Node", node);
                    replies = of_node.iter().map(NameLookup::words).collect();
                    behind(flow, dns, &of_node)
                } else {
                    Some(kind)
                }
            }
        };
        let is_said = symptoms.iter().any(
            |other| matches!(other, Symptom::Name { source, .. } if std::ptr::eq(*source, pod)),
        );
        if let Some(kind) = kind.filter(|_| !is_said) {
            symptoms.push(Symptom::Name {
                source: pod,
                name: asked
                    .last()
                    .map_or_else(String::new, |asked| asked.name.to_owned()),
                kind,
                resolver: resolver.ip(),
                by_tcp: asked
                    .iter()
                    .find(|asked| asked.server == resolver && asked.over_tcp)
                    .map(|asked| asked.reply.rcode.is_some()),
                replies,
                asker,
                servers,
                control,
                others_answer: proxy::others_answer(view, &vantage, &[], observations),
            });
        }
    }
    confirmed.symptoms.extend(symptoms);
}

/// What is wrong behind what keeps the pod from asking: its node may ask, and gets an error.
fn behind(
    flow: &Flow<'_>,
    dns: &ClusterDns<'_>,
    of_node: &[NameLookup<'_>],
) -> Option<NameSymptom> {
    let all: Vec<&NameLookup<'_>> = of_node.iter().collect();
    let (kind, _) = best(flow, dns, &all).err()?;
    matches!(kind, NameSymptom::Error(_)).then_some(kind)
}

/// The server that the pod's own file names, which is asked as soon as the file was read; before that, the
/// one that was asked first.
fn resolver(world: &World<'_>, pod: &Pod, all: &[NameLookup<'_>]) -> Option<SocketAddr> {
    let recorded = world.pod_facts(pod.namespace(), pod.name());
    let text = recorded.and_then(|facts| facts.resolv_conf.as_deref());
    let named = text.and_then(|text| ResolvConf::parse(text).nameservers.first().copied());
    let own = all.iter().find(|asked| Some(asked.server.ip()) == named);
    own.or_else(|| all.first()).map(|asked| asked.server)
}

/// Whether the control name is itself what was asked for.
fn is_meant(flow: &Flow<'_>, control: &str, dns: &ClusterDns<'_>) -> bool {
    match &flow.destination.place {
        Place::Service { service, .. } => {
            control
                == format!(
                    "{}.{}.svc.{}",
                    service.name(),
                    service.namespace(),
                    dns.domain
                )
        }
        Place::Name(name) => name.trim_end_matches('.') == control,
        _ => false,
    }
}

fn set(path: &mut Path<'_>, status: Status, text: &str) {
    for hop in path.hops.iter_mut().filter(|hop| hop.stage == Stage::Dns) {
        hop.predicted = Some(hop.summary.clone());
        hop.status = status;
        hop.observed = Some(text.to_owned());
    }
}

/// One question and its answer.
struct NameLookup<'o> {
    server: SocketAddr,
    name: &'o str,
    record: Record,
    over_tcp: bool,
    reply: &'o DnsReply,
}

/// The answer of the resolver's own server that decides: the expected address, else any address; or
/// the worst that was said.
fn best(
    flow: &Flow<'_>,
    dns: &ClusterDns<'_>,
    own: &[&NameLookup<'_>],
) -> Result<String, (NameSymptom, String)> {
    let expected: Vec<IpAddr> = match &flow.destination.place {
        Place::Service { service, .. } => service.cluster_ips(),
        _ => Vec::new(),
    };
    if let Some(positive) = own.iter().find(|asked| asked.has_address()) {
        let found = positive.addresses();
        let text = positive.words();
        if !expected.is_empty() && !found.iter().any(|addr| expected.contains(addr)) {
            let got = positive.reply.answers.join(", ");
            return Err((NameSymptom::Wrong(got), text));
        }
        return match &flow.destination.place {
            Place::Name(name) if positive.is_hijacked(name, &dns.domain) => {
                Err((NameSymptom::Hijacked(positive.name.to_owned()), text))
            }
            _ => Ok(text),
        };
    }
    let text = own.last().map(|asked| asked.words()).unwrap_or_default();
    let has = |failure: Failure| {
        own.iter()
            .any(|asked| asked.reply.error.as_ref() == Some(&failure))
    };
    let rcodes = own.iter().filter_map(|asked| asked.reply.rcode.as_deref());
    let error = rcodes
        .clone()
        .find(|rcode| !matches!(*rcode, "NOERROR" | "NXDOMAIN"));
    let kind = if let Some(rcode) = error {
        NameSymptom::Error(rcode.to_owned())
    } else if rcodes.count() > 0 {
        NameSymptom::NoName
    } else if has(Failure::Refused) {
        NameSymptom::Refused
    } else {
        NameSymptom::Silent
    };
    Err((kind, text))
}

/// The servers that were asked beside the resolver's own, and whether each answered.
fn servers(
    view: &ClusterView,
    dns: &ClusterDns<'_>,
    asked: &[&NameLookup<'_>],
    resolver: SocketAddr,
) -> Vec<Server> {
    let service = dns.service_addresses();
    let mut servers: Vec<Server> = Vec::new();
    for one in asked.iter().filter(|asked| asked.server != resolver) {
        let address = one.server.ip();
        if servers.iter().any(|server| server.address == address) {
            continue;
        }
        let mut questions = asked.iter().filter(|other| other.server == one.server);
        let endpoints = dns
            .service
            .into_iter()
            .flat_map(|service| slices(view, service));
        let mut endpoints = endpoints.flat_map(|slice| slice.endpoints.iter().flatten());
        servers.push(Server {
            address,
            is_service: service.contains(&address),
            pod: endpoints
                .find(|endpoint| endpoint.address() == Some(address))
                .and_then(|endpoint| endpoint.target_ref.as_ref()?.name.clone()),
            answers: questions.any(|asked| asked.reply.rcode.is_some()),
        });
    }
    servers
}

/// What is wrong although the name was found: a silent server among the others, or no TCP.
fn partly(
    asked: &[&NameLookup<'_>],
    servers: &[Server],
    resolver: SocketAddr,
) -> Option<NameSymptom> {
    let pods: Vec<&Server> = servers.iter().filter(|server| !server.is_service).collect();
    if pods.iter().any(|server| !server.answers) {
        // Where none answers by itself and the Service's address does, something tells them apart by
        // address (a policy, say), and lookups work.
        return pods
            .iter()
            .any(|server| server.answers)
            .then_some(NameSymptom::Sometimes);
    }
    let answers = |is_own: bool| {
        let mut tcp = asked
            .iter()
            .filter(|asked| asked.over_tcp && (asked.server == resolver) == is_own)
            .peekable();
        tcp.peek().is_some().then_some(())?;
        Some(tcp.any(|asked| asked.reply.rcode.is_some()))
    };
    // Where the servers themselves answer over TCP, it is not the DNS.
    (answers(true) == Some(false) && answers(false) != Some(true)).then_some(NameSymptom::NoTcp)
}

// === impl NameLookup ===

impl<'o> NameLookup<'o> {
    fn of((task, reply): (&'o Task, &'o DnsReply)) -> Option<Self> {
        match task {
            Task::Dns {
                server,
                name,
                record,
                over_tcp,
                ..
            } => Some(Self {
                server: *server,
                name,
                record: *record,
                over_tcp: *over_tcp,
                reply,
            }),
            _ => None,
        }
    }

    fn addresses(&self) -> Vec<IpAddr> {
        let answers = self.reply.answers.iter();
        answers.filter_map(|answer| answer.parse().ok()).collect()
    }

    fn has_address(&self) -> bool {
        self.record != Record::Srv && !self.addresses().is_empty()
    }

    /// Whether a name outside the cluster was found under a search domain that is not the cluster's:
    /// some zone there answers every name.
    fn is_hijacked(&self, name: &str, domain: &str) -> bool {
        let name = name.trim_end_matches('.');
        self.name != name && !self.name.ends_with(domain)
    }

    fn words(&self) -> String {
        reply_words(self.server, self.name, self.reply)
    }
}
