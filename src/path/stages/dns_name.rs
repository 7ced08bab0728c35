//! Part of stage `dns`: what a name leads to, by way of search list, Corefile and aliases.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::Service;

use crate::cluster::access::{EndpointExt, ServiceExt};
use crate::cluster::{ClusterView, Named};
use crate::dns::{
    Answer, At, Attempt, Corefile, Lookup, NoName, Origin, Reply, ResolvConf, is_of_cluster_set,
    knows_no_cluster, lookup, servers,
};
use crate::net::Family;
use crate::path::context::Walker;
use crate::path::{ClusterSetTrouble, NameTrouble};
use crate::resolve::Place;

/// How many aliases are followed before giving up, as resolvers do.
const MAX_ALIASES: usize = 8;

/// What a name turned out to be.
pub(in crate::path) enum Found<'v> {
    Place(Place<'v>, String),
    Trouble(NameTrouble<'v>, String),
    Doubt(String),
}

/// Follows a name, and the aliases behind it, to a place.
pub(in crate::path) fn find<'v>(
    walker: &Walker<'_, 'v>,
    conf: &ResolvConf,
    name: &str,
    family: Family,
    wanted: Option<&Place<'v>>,
) -> Found<'v> {
    let view = walker.view;
    let mut name = name.to_owned();
    let mut text = String::new();
    let mut alias = None;
    for _ in 0..MAX_ALIASES {
        let found = lookup(view, walker.dns, conf, &name, family);
        let Some(attempt) = found.deciding() else {
            return Found::Doubt("an empty name".to_owned());
        };
        let mut attempts = found.attempts.iter();
        if let Some((at, to)) = attempts.find_map(|attempt| elsewhere_by_rewrite(attempt, wanted)) {
            let what = format!("a rewrite makes it {to}");
            return misled(at, what, name, &text);
        }
        let is_as_asked = attempt.name == name.trim_end_matches('.');
        let shown = if is_as_asked || !attempt.reply.is_settled() {
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
                if let Some(why) = bad_alias(target) {
                    return of_alias(service, target.clone(), why);
                }
                alias = Some((*service, target.clone()));
                text = format!("{text}alias of {target} → ");
                name = format!("{target}.");
                continue;
            }
            Reply::Zone(answer) => {
                let answered = zone_answer(view, answer, &text, &found);
                return match (answered, alias) {
                    (Found::Trouble(_, why), Some((service, target))) => {
                        of_alias(service, target, why)
                    }
                    (answered, _) => answered,
                };
            }
            Reply::Delegated { to, answer } => {
                let text = format!("{text}asked of {} → ", servers(view, to));
                return zone_answer(view, answer, &text, &found);
            }
            Reply::Inline { at, addresses } => {
                return inline(at, addresses, &name, wanted, &text);
            }
            Reply::Alias { at, target } => {
                text = format!("{text}alias of {target} ({at}) → ");
                name = format!("{target}.");
                continue;
            }
            Reply::Refusal {
                at, plugin, rcode, ..
            } => {
                let what = format!("{plugin} answers {rcode}");
                return misled(at.clone(), what, name, &text);
            }
            Reply::Strayed {
                at,
                name: strayed,
                to,
            } => {
                let servers = servers(view, to);
                let what = format!(
                    "a rewrite makes it {strayed}, and its block asks {servers}, where no name of the cluster is known"
                );
                return misled(at.clone(), what, name, &text);
            }
            Reply::Nobody if is_of_cluster_set(&name) => {
                return undelegated(view, &name, &[], false, &text);
            }
            Reply::Nobody => {
                let what = "no server block matches the name".to_owned();
                let shown = format!("{text}{what}");
                let at = None;
                return Found::Trouble(NameTrouble::Corefile { at, what, name }, shown);
            }
            Reply::Unknown { at, why } => {
                return Found::Doubt(format!("{text}not understood: {why} ({at})"));
            }
            Reply::Forwarded { to, by_cache } if is_lost(walker, &name, to) => {
                return undelegated(view, &name, to, *by_cache, &text);
            }
            Reply::Forwarded { to, by_cache } => {
                let asked = asked_of(view, to, *by_cache);
                (forwarded(view, walker, conf, &name, wanted, &found), asked)
            }
        };
        return match place {
            (Ok(place), asked) => Found::Place(place, format!("{text}{name} is asked of {asked}")),
            (Err((trouble, why)), _) => Found::Trouble(trouble, format!("{text}{why}")),
        };
    }
    Found::Doubt(format!("{text}more than {MAX_ALIASES} aliases"))
}

/// Whether a name of the cluster set is asked of servers that know none. What somebody's lookup found is right.
fn is_lost(walker: &Walker<'_, '_>, name: &str, to: &[String]) -> bool {
    is_of_cluster_set(name)
        && walker.flow.addresses_of(name).is_empty()
        && walker.dns.readable_corefile().is_some()
        && knows_no_cluster(walker.view, walker.dns, to)
}

fn undelegated<'v>(
    view: &ClusterView,
    name: &str,
    to: &[String],
    by_cache: bool,
    text: &str,
) -> Found<'v> {
    let name = name.trim_end_matches('.').to_owned();
    let shown = if to.is_empty() {
        format!("{text}no server block matches the name")
    } else {
        let asked = asked_of(view, to, by_cache);
        format!("{text}asked of {asked}, who do not know the cluster set")
    };
    let to = to.to_vec();
    let trouble = ClusterSetTrouble::Undelegated { name, to, by_cache };
    Found::Trouble(NameTrouble::ClusterSet(Box::new(trouble)), shown)
}

/// A line of the Corefile that leads away from what was asked.
fn misled<'v>(at: At, what: String, name: String, text: &str) -> Found<'v> {
    let shown = format!("{text}{what} ({at})");
    let at = Some(at);
    Found::Trouble(NameTrouble::Corefile { at, what, name }, shown)
}

/// Who is asked for a name of nobody here.
fn asked_of(view: &ClusterView, to: &[String], by_cache: bool) -> String {
    let by = if by_cache {
        " by the cache of the node (node-local-dns)"
    } else {
        ""
    };
    format!("{}{by}", servers(view, to))
}

fn of_alias(service: &Service, target: String, why: String) -> Found<'_> {
    let text = why.clone();
    let trouble = NameTrouble::BadAlias {
        service,
        target,
        why,
    };
    Found::Trouble(trouble, text)
}

/// The rewrite that leads away from what was meant, and where to.
fn elsewhere_by_rewrite(attempt: &Attempt<'_>, wanted: Option<&Place<'_>>) -> Option<(At, String)> {
    let at = attempt.rewritten_by.clone()?;
    let Some(Place::Service { service: meant, .. }) = wanted else {
        return None;
    };
    let to = match &attempt.reply {
        Reply::Zone(Answer::Service(service) | Answer::Headless(service)) => {
            service.reference().to_string()
        }
        Reply::Zone(Answer::None(NoName::Service { namespace, name })) => {
            format!("{name}.{namespace}, which does not exist")
        }
        _ => return None,
    };
    (to != meant.reference().to_string()).then_some((at, to))
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
        Answer::Import(import) => {
            let ips: Vec<String> = import.ips().iter().map(ToString::to_string).collect();
            let shown = match ips.as_slice() {
                ips if ips.is_empty() || import.is_headless() => "its ready endpoints".to_owned(),
                ips => ips.join(", "),
            };
            Found::Place(Place::Import(*import), format!("{text}{shown}"))
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
    service: &'v Service,
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
    at: &At,
    addresses: &[IpAddr],
    name: &str,
    wanted: Option<&Place<'v>>,
    text: &str,
) -> Found<'v> {
    let shown: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let shown = format!("{} ({at})", shown.join(", "));
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
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            let what = format!("answers {}", addresses.join(", "));
            let (at, name) = (Some(at.clone()), name.to_owned());
            Found::Trouble(
                NameTrouble::Corefile { at, what, name },
                format!("{text}{shown}"),
            )
        }
    }
}

/// A name that upstream servers decide. Names of the cluster are unknown there: those mean that no
/// expansion of the search list fits.
fn forwarded<'v>(
    view: &'v ClusterView,
    walker: &Walker<'_, 'v>,
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
    // What the zone knows and has no records for was asked of the cluster, not of the world.
    if found
        .attempts
        .iter()
        .any(|attempt| is_known_but_empty(&attempt.reply))
    {
        return Err(no_name(found));
    }
    if !in_cluster {
        return Ok(Place::Name(absolute.to_owned()));
    }
    let serves_cluster = walker
        .dns
        .readable_corefile()
        .is_none_or(Corefile::serves_a_cluster);
    if !serves_cluster {
        let name = name.to_owned();
        let why = "no server block of the Corefile has the kubernetes plugin".to_owned();
        return Err((NameTrouble::Unserved { name }, why));
    }
    if let (Some(pod), Some(searched)) = (walker.pod_asking(), other_domain(walker, conf)) {
        let why = format!(
            "the search list ends in {searched}, the cluster's DNS serves {}",
            walker.dns.domain
        );
        let name = name.to_owned();
        let trouble = NameTrouble::Domain {
            pod,
            name,
            searched,
        };
        return Err((trouble, why));
    }
    if let (Some(Place::Service { service, .. }), Some(pod)) = (wanted, walker.pod_asking()) {
        let full = format!(
            "{}.{}.svc.{}",
            service.name(),
            service.namespace(),
            walker.dns.domain
        );
        if let Some(what) = sent_away(walker, conf, &full, Family::V4) {
            let (at, name) = (None, name.to_owned());
            let shown = format!("the Corefile {what}");
            return Err((NameTrouble::Corefile { at, what, name }, shown));
        }
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

/// The cluster domain of a search list that a kubelet wrote, if it is not the one served.
fn other_domain(walker: &Walker<'_, '_>, conf: &ResolvConf) -> Option<String> {
    let domains = conf.searches.iter();
    let mut domains =
        domains.filter_map(|search| search.trim_end_matches('.').strip_prefix("svc."));
    let searched = domains.next().filter(|_| conf.origin == Origin::Recorded)?;
    (searched != walker.dns.domain).then(|| searched.to_owned())
}

const fn is_known_but_empty(reply: &Reply<'_>) -> bool {
    matches!(
        reply,
        Reply::Zone(Answer::None(
            NoName::NothingReady(_) | NoName::Hostname { .. }
        ))
    )
}

/// Where the Corefile sends the full name of a Service, if not to the kubernetes plugin.
fn sent_away(
    walker: &Walker<'_, '_>,
    conf: &ResolvConf,
    full: &str,
    family: Family,
) -> Option<String> {
    let asked = lookup(walker.view, walker.dns, conf, &format!("{full}."), family);
    match &asked.deciding()?.reply {
        Reply::Forwarded { to, .. } => {
            let servers = servers(walker.view, to);
            Some(format!("forwards {full} to {servers}"))
        }
        _ => None,
    }
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

fn of_set(trouble: ClusterSetTrouble<'_>) -> NameTrouble<'_> {
    NameTrouble::ClusterSet(Box::new(trouble))
}

/// The most telling of the refusals: the first that names an object.
fn no_name<'v>(found: &Lookup<'v>) -> (NameTrouble<'v>, String) {
    let refusals = found
        .attempts
        .iter()
        .filter_map(|attempt| match &attempt.reply {
            Reply::Zone(Answer::None(why))
            | Reply::Delegated {
                answer: Answer::None(why),
                ..
            } => Some((attempt, why)),
            _ => None,
        });
    let telling = refusals
        .clone()
        .find(|(_, why)| is_telling(why))
        .or_else(|| refusals.clone().find(|(_, why)| is_typed(why, &found.name)))
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
        Some((_, NoName::Import { namespace, name })) => {
            let shown = format!("NXDOMAIN: no ServiceImport {name} in namespace {namespace}");
            let (namespace, name) = (namespace.clone(), name.clone());
            (
                of_set(ClusterSetTrouble::NoImport { namespace, name }),
                shown,
            )
        }
        Some((_, NoName::NoClusterSetIp(import))) => {
            let shown = format!("no record: {} has no address", import.reference());
            (of_set(ClusterSetTrouble::NoAddress(*import)), shown)
        }
        Some((attempt, NoName::Form)) => (
            NameTrouble::Form(attempt.name.clone()),
            format!(
                "NXDOMAIN: {} is not a name form that the cluster DNS serves",
                attempt.name
            ),
        ),
        None => (NameTrouble::Form(found.name.clone()), "NXDOMAIN".to_owned()),
    }
}

const fn is_telling(why: &NoName<'_>) -> bool {
    matches!(
        why,
        NoName::NothingReady(_)
            | NoName::Hostname { .. }
            | NoName::Import { .. }
            | NoName::NoClusterSetIp(_)
    )
}

/// Whether a refusal is of the Service that the typed name spells, with its namespace if that was
/// typed, too: `api.shop` asks for api in shop before it asks for a pod api of a Service shop.
fn is_typed(why: &NoName<'_>, typed: &str) -> bool {
    let NoName::Service { namespace, name } = why else {
        return false;
    };
    let mut labels = typed.split('.');
    labels.next() == Some(name) && labels.next().is_none_or(|second| second == namespace)
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
        Some(format!("externalName {target:?} is not a host name"))
    }
}
