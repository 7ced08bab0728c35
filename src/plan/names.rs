//! The name, as the pod's own resolver asks for it; and every DNS pod.

use std::net::SocketAddr;

use super::Asker;
use crate::cluster::access::EndpointExt;
use crate::cluster::{ClusterView, Named, Pod};
use crate::dns::{ClusterDns, Origin, ResolvConf};
use crate::net::Family;
use crate::observe::{Depth, Vantage};
use crate::path::{name_asked, slices};
use crate::resolve::{Place, Site};
use netpath_protocol::{DnsReply, Record, Task};

const DNS_PORT: u16 = 53;
/// DNS pods that are asked one by one.
const MAX_DNS_PODS: usize = 4;
/// Names that a search list makes of one (resolv.conf takes six domains).
const MAX_EXPANSIONS: usize = 7;

// === impl Asker ===

impl<'v> Asker<'_, 'v> {
    /// The name, as the pod's own resolver asks for it; and every DNS pod, if that went wrong.
    pub(super) fn names(&mut self, pod: &'v Pod, site: Site<'v>, vantage: &Vantage) {
        let Some(name) = name_asked(site, &self.case.flow.destination.place) else {
            return;
        };
        let view = self.view();
        let dns = self.case.world.dns();
        let recorded = self.case.world.pod_facts(pod.namespace(), pod.name());
        let conf = recorded
            .and_then(|facts| facts.resolv_conf.as_deref())
            .map_or_else(|| ResolvConf::predict(pod, dns), ResolvConf::parse);
        // Where the API does not say which servers the pod asks, its own file will in a moment.
        if conf.origin == Origin::Node || conf.nameservers.is_empty() {
            return;
        }
        let full = self.full_name(dns);
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
        for server in dns_endpoints(view, dns) {
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
        // What a policy keeps from the pod, its node may ask: something else may be wrong behind it.
        let is_unheard = self
            .seen
            .dns(vantage)
            .all(|(_, reply)| reply.rcode.is_none());
        if let (true, true, Some(node)) = (
            self.depth == Depth::Deep,
            is_silent && is_unheard,
            pod.node_name(),
        ) {
            let node = Vantage::Node(node.to_owned());
            for server in dns_endpoints(view, dns) {
                self.query(&node, server, &full, record, false);
            }
        }
        // Over TCP, too, where the Service's address does not: is it the servers, or the way to them?
        let is_mute = |(task, reply): (&Task, &DnsReply)| {
            matches!(task, Task::Dns { over_tcp: true, server, .. } if *server == resolver)
                && reply.rcode.is_none()
        };
        if self.seen.dns(vantage).any(is_mute) {
            for server in dns_endpoints(view, dns) {
                self.query(vantage, server, &full, record, true);
            }
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

const fn record_of(family: Family) -> Record {
    match family {
        Family::V4 => Record::A,
        Family::V6 => Record::Aaaa,
    }
}
