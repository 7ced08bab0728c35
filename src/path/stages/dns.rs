//! Stage `dns`: does the source's resolver turn the name into the destination?

use std::net::IpAddr;

use super::dns_name::{Found, find};
use super::{dns_server, hosts};
use crate::cluster::{Named, Pod};
use crate::dns::{Origin, ResolvConf, is_cache, servers};
use crate::net::Family;
use crate::path::context::Walker;
use crate::path::trail::Trail;
use crate::path::{Break, Hop, Stage, Status};
use crate::path::{DnsTrouble, NameTrouble};
use crate::resolve::{Place, owner_of};

/// Adds the hop of a lookup by a pod and returns where the name leads. `wanted` is the place the
/// user named, when the name is only the way there.
pub(in crate::path) fn step<'v>(
    walker: &Walker<'_, 'v>,
    pod: &'v Pod,
    name: &str,
    wanted: Option<&Place<'v>>,
    trail: &mut Trail<'v>,
) -> Option<Place<'v>> {
    let family = pod.ips().first().map_or(Family::V4, |ip| Family::of(*ip));
    let conf = configuration(walker, pod);
    if let Some(line) = hosts::line(pod, name, family, &walker.dns.domain) {
        let place = hosts::step(walker, pod, (name, line), wanted, trail);
        return Some(place);
    }
    if asks_elsewhere(walker, pod, &conf) {
        return elsewhere_step(walker, pod, (name, &conf), family, trail);
    }
    let mut hop = Hop::new(Stage::Dns, Status::Pass, String::new()).fact(
        format!("{} /etc/resolv.conf", pod.reference()),
        configuration_text(&conf),
    );
    let servers = dns_server::check(walker, pod, &conf, family);
    let found = find(walker, &conf, name, family, wanted);
    let (place, text) = match found {
        Found::Place(place, text) => {
            if is_open(walker, &place) {
                hop.status = Status::Unknown;
            }
            (Some(place), text)
        }
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

/// Whether nobody here knows what a name leads to: no object has it, and nobody looked it up.
fn is_open(walker: &Walker<'_, '_>, place: &Place<'_>) -> bool {
    matches!(place, Place::Name(name) if walker.flow.addresses_of(name).is_empty())
}

/// Whether the pod asks servers that know nothing of the cluster, by a setting of its own. The cache of
/// its node (NodeLocal DNSCache) forwards to the cluster's DNS.
fn asks_elsewhere(walker: &Walker<'_, '_>, pod: &Pod, conf: &ResolvConf) -> bool {
    if conf.origin == Origin::Node {
        return true;
    }
    let own = walker.dns.service_addresses();
    let is_ours = |server: &IpAddr| own.contains(server) || is_cache(*server);
    let policy = policy_of(pod);
    // Under ClusterFirst a recorded file that names another server is the kubelet's doing and judged as
    // such. Of several servers the first answers, also that there is no such name.
    let is_its_own =
        matches!(policy, "None" | "Default") || policy == "ClusterFirst" && pod.is_host_network();
    let first = conf.nameservers.first();
    is_its_own && !own.is_empty() && first.is_some_and(|first| !is_ours(first))
}

/// `spec.dnsPolicy`.
fn policy_of(pod: &Pod) -> &str {
    let spec = pod.spec.as_ref();
    let policy = spec.and_then(|spec| spec.dns_policy.as_deref());
    policy.unwrap_or("ClusterFirst")
}

/// The servers of a pod's own that are part of the cluster: what they know is their own affair.
fn own_servers_inside(walker: &Walker<'_, '_>, conf: &ResolvConf) -> Option<String> {
    let first = conf.nameservers.first()?;
    let is_inside = !matches!(owner_of(walker.view, *first), Place::Address(_));
    is_inside.then(|| servers(walker.view, &[first.to_string()]))
}

fn elsewhere_step<'v>(
    walker: &Walker<'_, 'v>,
    pod: &'v Pod,
    (name, conf): (&str, &ResolvConf),
    family: Family,
    trail: &mut Trail<'v>,
) -> Option<Place<'v>> {
    let policy = policy_of(pod);
    let hop = Hop::new(Stage::Dns, Status::Pass, String::new())
        .fact(format!("{} spec.dnsPolicy", pod.reference()), policy);
    let own = ResolvConf::cluster_first(pod.namespace(), walker.dns);
    match find(walker, &own, name, family, None) {
        Found::Place(Place::Name(name), _) => {
            let place = Place::Name(name);
            let status = if is_open(walker, &place) {
                Status::Unknown
            } else {
                Status::Pass
            };
            let asked: Vec<String> = conf.nameservers.iter().map(ToString::to_string).collect();
            let servers = servers(walker.view, &asked);
            let Place::Name(name) = &place else {
                return None;
            };
            let summary = format!("{name} is asked of {servers} (dnsPolicy {policy})");
            trail.push(Hop {
                status,
                summary,
                ..hop
            });
            Some(place)
        }
        Found::Place(place, _) => {
            if let Some(servers) = own_servers_inside(walker, conf) {
                let summary = format!("{name} is asked of {servers} (dnsPolicy {policy})");
                trail.push(Hop {
                    status: Status::Unknown,
                    summary,
                    ..hop
                });
                return Some(place);
            }
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
                    Status::Pass => format!("{} (they would answer: {})", self.text, hop.summary),
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
