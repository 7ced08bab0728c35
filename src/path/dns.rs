//! Stage `dns`: does the source's resolver turn the name into the destination?

use std::net::IpAddr;

use k8s_openapi::api::core::v1::Pod;

use super::breaks::{DnsTrouble, NameTrouble};
use super::trail::Trail;
use super::walker::Walker;
use super::{Break, Hop, Stage, Status, dns_server};
use crate::cluster::access::{EndpointExt, PodExt, ServiceExt};
use crate::cluster::{ClusterView, Named};
use crate::dns::{Answer, Lookup, NoName, Origin, Reply, ResolvConf, lookup};
use crate::net::Family;
use crate::resolve::Place;

/// How many aliases are followed before giving up, as resolvers do.
const MAX_ALIASES: usize = 8;

/// What a name turned out to be.
enum Found<'v> {
    Place(Place<'v>, String),
    Trouble(NameTrouble<'v>, String),
    Doubt(String),
}

/// Adds the hop of a lookup by a pod and returns where the name leads. `wanted` is the place the
/// user named, when the name is only the way there.
pub(super) fn step<'v>(
    walker: &Walker<'v>,
    pod: &'v Pod,
    name: &str,
    wanted: Option<&Place<'v>>,
    trail: &mut Trail<'v>,
) -> Option<Place<'v>> {
    let view = walker.view;
    if let Some(address) = host_alias(pod, name) {
        return alias_step(pod, name, address, wanted, trail);
    }
    let conf = configuration(view, walker, pod);
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
fn configuration(view: &ClusterView, walker: &Walker<'_>, pod: &Pod) -> ResolvConf {
    let recorded = view.facts.pod(pod.namespace(), pod.name());
    recorded
        .and_then(|facts| facts.resolv_conf.as_deref())
        .map_or_else(|| ResolvConf::predict(pod, &walker.dns), ResolvConf::parse)
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
fn asks_elsewhere(walker: &Walker<'_>, conf: &ResolvConf) -> bool {
    if conf.origin == Origin::Node {
        return true;
    }
    let own = walker.dns.service_addresses();
    let is_ours = |server: &IpAddr| own.contains(server) || dns_server::is_link_local(*server);
    // A recorded file that names another server is the kubelet's doing and judged as such.
    conf.origin == Origin::Predicted
        && !own.is_empty()
        && !conf.nameservers.is_empty()
        && !conf.nameservers.iter().any(is_ours)
}

fn elsewhere_step<'v>(
    walker: &Walker<'v>,
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
    let own = ResolvConf::cluster_first(pod.namespace(), &walker.dns);
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

/// Follows a name, and the aliases behind it, to a place.
fn find<'v>(
    walker: &Walker<'v>,
    conf: &ResolvConf,
    name: &str,
    family: Family,
    wanted: Option<&Place<'v>>,
) -> Found<'v> {
    let view = walker.view;
    let mut name = name.to_owned();
    let mut text = String::new();
    for _ in 0..MAX_ALIASES {
        let found = lookup(view, &walker.dns, conf, &name, family);
        let Some(attempt) = found.deciding() else {
            return Found::Doubt("an empty name".to_owned());
        };
        let shown = if attempt.name == name.trim_end_matches('.') {
            String::new()
        } else {
            let position = found.deciding_position();
            format!(
                "{} (search {position} of {}) → ",
                attempt.name,
                conf.searches.len()
            )
        };
        text.push_str(&shown);
        let place = match &attempt.reply {
            Reply::Zone(Answer::Alias { service, target }) => {
                if let Some(text) = bad_alias(target) {
                    let trouble = NameTrouble::BadAlias {
                        service,
                        target: target.clone(),
                    };
                    return Found::Trouble(trouble, text);
                }
                text = format!("{text}alias of {target} → ");
                name = format!("{target}.");
                continue;
            }
            Reply::Zone(answer) => return zone_answer(view, answer, &text, &found),
            Reply::Inline { line, addresses } => {
                return inline(*line, addresses, &name, wanted, &text);
            }
            Reply::Refusal {
                line,
                plugin,
                rcode,
            } => {
                let what = format!("{plugin} answers {rcode}");
                let trouble = NameTrouble::Corefile {
                    line: *line,
                    what: what.clone(),
                    name,
                };
                return Found::Trouble(trouble, format!("{text}{what} (Corefile line {line})"));
            }
            Reply::Nobody => {
                let what = "no server block takes the name".to_owned();
                let trouble = NameTrouble::Corefile {
                    line: 0,
                    what: what.clone(),
                    name,
                };
                return Found::Trouble(trouble, format!("{text}{what}"));
            }
            Reply::Unknown { line, why } => {
                return Found::Doubt(format!(
                    "{text}not understood: {why} (Corefile line {line})"
                ));
            }
            Reply::Forwarded { .. } => forwarded(view, walker, conf, &name, wanted, &found),
        };
        return match place {
            Ok(place) => Found::Place(place, format!("{text}{name}, answered outside the cluster")),
            Err((trouble, why)) => Found::Trouble(trouble, format!("{text}{why}")),
        };
    }
    Found::Doubt(format!("{text}more than {MAX_ALIASES} aliases"))
}

fn zone_answer<'v>(
    view: &'v ClusterView,
    answer: &Answer<'v>,
    text: &str,
    found: &Lookup<'v>,
) -> Found<'v> {
    match answer {
        Answer::Service(service) => {
            let addresses: Vec<String> = service
                .cluster_ips()
                .iter()
                .map(ToString::to_string)
                .collect();
            let addresses = if addresses.is_empty() {
                "its cluster IP".to_owned()
            } else {
                addresses.join(", ")
            };
            Found::Place(
                Place::Service {
                    service,
                    address: None,
                },
                format!("{text}{addresses}"),
            )
        }
        Answer::Headless(service) => {
            let place = Place::Service {
                service,
                address: None,
            };
            Found::Place(place, format!("{text}its ready pods"))
        }
        Answer::Endpoint { service, hostname } => endpoint(view, service, hostname, text),
        Answer::Address(addr) => Found::Place(Place::Address(*addr), format!("{text}{addr}")),
        Answer::Alias { target, .. } => Found::Doubt(format!("{text}alias of {target}")),
        Answer::None(_) => {
            let (trouble, why) = no_name(found);
            Found::Trouble(trouble, format!("{text}{why}"))
        }
    }
}

fn endpoint<'v>(
    view: &'v ClusterView,
    service: &'v k8s_openapi::api::core::v1::Service,
    hostname: &str,
    text: &str,
) -> Found<'v> {
    let found = super::endpoints::slices(view, service)
        .flat_map(|slice| slice.endpoints.iter().flatten())
        .find(|endpoint| endpoint.hostname.as_deref() == Some(hostname) && endpoint.is_ready());
    let Some(endpoint) = found else {
        return Found::Doubt(format!("{text}an endpoint that the slices do not show"));
    };
    let pod = endpoint
        .pod_name()
        .and_then(|name| view.pods.get(service.namespace(), name));
    match (pod, endpoint.address()) {
        (Some(pod), addr) => {
            let addr = addr.map_or_else(String::new, |addr| format!(" ({addr})"));
            Found::Place(
                Place::Pods(vec![pod]),
                format!("{text}pod {}{addr}", pod.name()),
            )
        }
        (None, Some(addr)) => Found::Place(Place::Address(addr), format!("{text}{addr}")),
        (None, None) => Found::Doubt(format!("{text}an endpoint without an address")),
    }
}

/// Addresses from the Corefile: fine for a name of its own, a trap for the name of a Service.
fn inline<'v>(
    line: usize,
    addresses: &[IpAddr],
    name: &str,
    wanted: Option<&Place<'v>>,
    text: &str,
) -> Found<'v> {
    let shown: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let shown = format!("{} (Corefile line {line})", shown.join(", "));
    let is_meant = match wanted {
        Some(Place::Service { service, .. }) => addresses
            .iter()
            .any(|addr| service.cluster_ips().contains(addr)),
        _ => true,
    };
    match addresses.first() {
        Some(first) if is_meant => {
            let place = wanted.cloned().unwrap_or(Place::Address(*first));
            Found::Place(place, format!("{text}{shown}"))
        }
        _ => {
            let what = format!("answers {shown}");
            let name = name.to_owned();
            Found::Trouble(
                NameTrouble::Corefile { line, what, name },
                format!("{text}{shown}"),
            )
        }
    }
}

/// A name that upstream servers decide. Names of the cluster are unknown there: those mean that no
/// expansion of the search list fits.
fn forwarded<'v>(
    view: &'v ClusterView,
    walker: &Walker<'v>,
    conf: &ResolvConf,
    name: &str,
    wanted: Option<&Place<'v>>,
    found: &Lookup<'v>,
) -> Result<Place<'v>, (NameTrouble<'v>, String)> {
    let absolute = name.trim_end_matches('.');
    let labels: Vec<&str> = absolute.split('.').collect();
    let in_cluster = match labels.as_slice() {
        [_] => wanted.is_some() || is_nxdomain_in_zone(found),
        [_, namespace] | [_, namespace, "svc"] => is_namespace(view, namespace),
        _ => false,
    };
    if !in_cluster {
        return Ok(Place::Name(absolute.to_owned()));
    }
    if let (Some(Place::Service { service, .. }), Some(pod)) = (wanted, walker.pod_asking()) {
        let full = format!(
            "{}.{}.svc.{}",
            service.name(),
            service.namespace(),
            walker.dns.domain
        );
        let why = format!(
            "no expansion is {full} (search {}, ndots:{})",
            if conf.searches.is_empty() {
                "empty".to_owned()
            } else {
                conf.searches.join(" ")
            },
            conf.ndots
        );
        let trouble = NameTrouble::Search {
            pod,
            name: name.to_owned(),
            full,
        };
        return Err((trouble, why));
    }
    Err(no_name(found))
}

fn is_nxdomain_in_zone(found: &Lookup<'_>) -> bool {
    found
        .attempts
        .iter()
        .any(|attempt| matches!(attempt.reply, Reply::Zone(Answer::None(_))))
}

fn is_namespace(view: &ClusterView, name: &str) -> bool {
    view.namespaces.get("", name).is_some() || view.services.namespaces().any(|other| other == name)
}

/// The most telling of the refusals: the first that names an object.
fn no_name<'v>(found: &Lookup<'v>) -> (NameTrouble<'v>, String) {
    let refusals = found
        .attempts
        .iter()
        .filter_map(|attempt| match &attempt.reply {
            Reply::Zone(Answer::None(why)) => Some((attempt, why)),
            _ => None,
        });
    let telling = refusals
        .clone()
        .find(|(_, why)| matches!(why, NoName::NothingReady(_) | NoName::Hostname { .. }))
        .or_else(|| {
            refusals
                .clone()
                .find(|(_, why)| !matches!(why, NoName::Form))
        });
    match telling {
        Some((_, NoName::Service { namespace, name })) => {
            let trouble = NameTrouble::NoService {
                namespace: namespace.clone(),
                name: name.clone(),
            };
            (
                trouble,
                format!("NXDOMAIN: no Service {name} in namespace {namespace}"),
            )
        }
        Some((_, NoName::NothingReady(service))) => (
            NameTrouble::NothingReady(service),
            format!(
                "NXDOMAIN: {} is headless and has nothing ready",
                service.reference()
            ),
        ),
        Some((_, NoName::Hostname { service, hostname })) => (
            NameTrouble::NoHostname {
                service,
                hostname: hostname.clone(),
            },
            format!(
                "NXDOMAIN: {} has no endpoint named {hostname}",
                service.reference()
            ),
        ),
        Some((attempt, NoName::Form)) => (
            NameTrouble::Form(attempt.name.clone()),
            format!(
                "NXDOMAIN: {} has no form the cluster's DNS knows",
                attempt.name
            ),
        ),
        None => (NameTrouble::Form(found.name.clone()), "NXDOMAIN".to_owned()),
    }
}

/// What no CNAME can be.
fn bad_alias(target: &str) -> Option<String> {
    let is_address = target.parse::<IpAddr>().is_ok();
    let is_name = !target.is_empty() && !target.contains(['/', ':', ' ']);
    if is_address {
        Some(format!(
            "externalName {target} is an address, which no CNAME can hold"
        ))
    } else if is_name {
        None
    } else {
        Some(format!("externalName {target:?} is no host name"))
    }
}

/// Which DNS trouble the servers have, kept apart so that the hop stays one.
pub(super) struct Servers<'v> {
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
                hop.status = Status::Fail;
                hop.summary = format!("{} ({})", self.text, hop.summary);
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
            hop.evidence.push(super::Evidence {
                source: super::Basis::Api,
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
