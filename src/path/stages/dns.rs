//! Stage `dns`: does the source's resolver turn the name into the destination?

use std::net::IpAddr;

use super::dns_name::{Found, find};
use super::dns_server;
use crate::cluster::access::ServiceExt;
use crate::cluster::{Named, Pod};
use crate::dns::{Origin, ResolvConf, is_link_local};
use crate::net::Family;
use crate::path::context::Walker;
use crate::path::trail::Trail;
use crate::path::{Break, Hop, Stage, Status};
use crate::path::{DnsTrouble, NameTrouble};
use crate::resolve::Place;

/// Adds the hop of a lookup by a pod and returns where the name leads. `wanted` is the place the
/// user named, when the name is only the way there.
pub(in crate::path) fn step<'v>(
    walker: &Walker<'_, 'v>,
    pod: &'v Pod,
    name: &str,
    wanted: Option<&Place<'v>>,
    trail: &mut Trail<'v>,
) -> Option<Place<'v>> {
    if let Some(address) = host_alias(pod, name) {
        return alias_step(pod, name, address, wanted, trail);
    }
    let conf = configuration(walker, pod);
    let family = pod.ips().first().map_or(Family::V4, |ip| Family::of(*ip));
    if asks_elsewhere(walker, &conf) {
        return elsewhere_step(walker, pod, name, family, trail);
    }
    let mut hop = Hop::new(Stage::Dns, Status::Pass, String::new()).fact(
        format!("{} /etc/resolv.conf", pod.reference()),
        configuration_text(&conf),
    );
    let servers = dns_server::check(walker, pod, &conf, family);
    let found = find(walker, &conf, name, family, wanted);
    let (place, text) = match found {
        Found::Place(place, text) => (Some(place), text),
        Found::Trouble(trouble, text) => {
            hop.status = Status::Fail;
            trail.breaks.push(Break::Name(trouble));
            (None, text)
        }
        Found::Doubt(text) => {
            hop.status = Status::Unknown;
            (None, text)
        }
    };
    hop.summary = format!("{name} → {text}");
    servers.apply(&mut hop, trail);
    trail.push(hop);
    place
}

/// The pod's resolver configuration: the recorded one before the predicted one.
fn configuration(walker: &Walker<'_, '_>, pod: &Pod) -> ResolvConf {
    let recorded = walker.nodes.pod_facts(pod.namespace(), pod.name());
    recorded
        .and_then(|facts| facts.resolv_conf.as_deref())
        .map_or_else(|| ResolvConf::predict(pod, walker.dns), ResolvConf::parse)
}

fn configuration_text(conf: &ResolvConf) -> String {
    let servers: Vec<String> = conf.nameservers.iter().map(ToString::to_string).collect();
    let origin = match conf.origin {
        Origin::Recorded => "",
        Origin::Predicted => " (as the kubelet writes it)",
        Origin::Node => " (the node's)",
    };
    format!(
        "nameserver {}, search {}, ndots:{}{origin}",
        servers.join(" "),
        conf.searches.join(" "),
        conf.ndots
    )
}

fn host_alias(pod: &Pod, name: &str) -> Option<IpAddr> {
    let aliases = pod.spec.as_ref()?.host_aliases.as_ref()?;
    let name = name.trim_end_matches('.');
    let alias = aliases
        .iter()
        .find(|alias| alias.hostnames.iter().flatten().any(|host| host == name))?;
    alias.ip.parse().ok()
}

/// The hosts file answers before the DNS is asked (nsswitch.conf: `hosts: files dns`).
fn alias_step<'v>(
    pod: &'v Pod,
    name: &str,
    address: IpAddr,
    wanted: Option<&Place<'v>>,
    trail: &mut Trail<'v>,
) -> Option<Place<'v>> {
    let is_meant = match wanted {
        Some(Place::Service { service, .. }) => service.cluster_ips().contains(&address),
        _ => true,
    };
    let hop = Hop::new(
        Stage::Dns,
        Status::Pass,
        format!("{name} → {address} (the pod's hosts file)"),
    )
    .fact(
        format!("{} spec.hostAliases", pod.reference()),
        format!("{address} {name}"),
    );
    if is_meant {
        trail.push(hop);
        return Some(wanted.cloned().unwrap_or(Place::Address(address)));
    }
    let name = name.to_owned();
    trail.stop(
        hop,
        Break::Name(NameTrouble::HostAlias { pod, name, address }),
    );
    wanted.cloned()
}

/// Whether the pod asks servers that know nothing of the cluster. A link-local server is the cache
/// of its node (NodeLocal DNSCache), which forwards to the cluster's DNS.
fn asks_elsewhere(walker: &Walker<'_, '_>, conf: &ResolvConf) -> bool {
    if conf.origin == Origin::Node {
        return true;
    }
    let own = walker.dns.service_addresses();
    let is_ours = |server: &IpAddr| own.contains(server) || is_link_local(*server);
    // A recorded file that names another server is the kubelet's doing and judged as such.
    conf.origin == Origin::Predicted
        && !own.is_empty()
        && !conf.nameservers.is_empty()
        && !conf.nameservers.iter().any(is_ours)
}

fn elsewhere_step<'v>(
    walker: &Walker<'_, 'v>,
    pod: &'v Pod,
    name: &str,
    family: Family,
    trail: &mut Trail<'v>,
) -> Option<Place<'v>> {
    let policy = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.dns_policy.as_deref());
    let policy = policy.unwrap_or("ClusterFirst");
    let hop = Hop::new(Stage::Dns, Status::Pass, String::new())
        .fact(format!("{} spec.dnsPolicy", pod.reference()), policy);
    let own = ResolvConf::cluster_first(pod.namespace(), walker.dns);
    match find(walker, &own, name, family, None) {
        Found::Place(Place::Name(name), _) => {
            let summary = format!("{name} is asked of servers outside the cluster's DNS");
            trail.push(Hop { summary, ..hop });
            Some(Place::Name(name))
        }
        Found::Place(place, _) => {
            let summary =
                format!("{name}: the pod does not ask the cluster's DNS (dnsPolicy {policy})");
            let trouble = NameTrouble::Bypassed {
                pod,
                name: name.to_owned(),
            };
            trail.stop(Hop { summary, ..hop }, Break::Name(trouble));
            Some(place)
        }
        Found::Trouble(trouble, text) => {
            let summary = format!("{name} → {text}");
            trail.stop(Hop { summary, ..hop }, Break::Name(trouble));
            None
        }
        Found::Doubt(summary) => {
            trail.push(Hop {
                status: Status::Unknown,
                summary,
                ..hop
            });
            None
        }
    }
}

/// Which DNS trouble the servers have, kept apart so that the hop stays one.
pub(in crate::path) struct Servers<'v> {
    pub status: Status,
    pub text: String,
    pub facts: Vec<(String, String)>,
    pub troubles: Vec<DnsTrouble<'v>>,
}

// === impl Servers ===

impl<'v> Servers<'v> {
    fn apply(self, hop: &mut Hop, trail: &mut Trail<'v>) {
        match (hop.status, self.status) {
            (_, Status::Fail) => {
                hop.summary = match hop.status {
                    Status::Pass => format!("{} (they would say: {})", self.text, hop.summary),
                    _ => format!("{}; besides, {}", self.text, hop.summary),
                };
                hop.status = Status::Fail;
            }
            (Status::Pass, other) => {
                hop.status = other;
                if !self.text.is_empty() {
                    hop.summary = format!("{}, {}", hop.summary, self.text);
                }
            }
            _ => {}
        }
        for (reference, text) in self.facts {
            hop.evidence.push(crate::path::Evidence {
                source: crate::path::Basis::Api,
                reference,
                text,
            });
        }
        // A name cannot be asked for before a server answers: the deeper trouble comes first.
        let troubles = self.troubles.into_iter().map(Break::Dns);
        let at = trail
            .breaks
            .iter()
            .position(|seen| matches!(seen, Break::Name(_)));
        let at = at.unwrap_or(trail.breaks.len());
        trail.breaks.splice(at..at, troubles);
    }
}
