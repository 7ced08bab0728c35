//! Part of stage `dns`: the pod's hosts file, which is asked before any server (`hosts: files dns` in
//! nsswitch.conf; musl reads it first, too).
//!
//! The kubelet writes it (`pkg/kubelet/kubelet_pods.go`): loopback, the pod's own host name with its
//! addresses, then `hostAliases`. In its node's network a pod gets the node's file with the aliases.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use k8s_openapi::api::core::v1::Service;

use super::dns_name::{Found, find};
use super::endpoints::slices;
use crate::cluster::access::{EndpointExt, ServiceExt, ServicePortExt, SliceExt};
use crate::cluster::{Named, Pod};
use crate::dns::ResolvConf;
use crate::net::Family;
use crate::path::context::Walker;
use crate::path::trail::Trail;
use crate::path::{Break, Hop, NameTrouble, Stage, Status};
use crate::resolve::Place;
use crate::target::PortSpec;

/// The longest host name that the kubelet leaves as it is.
const MAX_HOST_NAME: usize = 63;

/// What a hosts file has for a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    Loopback(IpAddr),
    /// The pod itself.
    Own(IpAddr),
    /// `spec.hostAliases`
    Alias(IpAddr),
}

/// The line of the pod's hosts file that has a name, as it was typed: with a final dot it is in none.
pub(super) fn line(pod: &Pod, name: &str, family: Family, domain: &str) -> Option<Line> {
    let name = name.to_lowercase();
    if name == "localhost" {
        return Some(Line::Loopback(match family {
            Family::V4 => Ipv4Addr::LOCALHOST.into(),
            Family::V6 => Ipv6Addr::LOCALHOST.into(),
        }));
    }
    let is_own = !pod.is_host_network() && own_names(pod, domain).contains(&name);
    let own = pod.ip(family).filter(|_| is_own).map(Line::Own);
    own.or_else(|| alias(pod, &name).map(Line::Alias))
}

/// The host name, and with a subdomain the full name, that the kubelet gives a pod.
fn own_names(pod: &Pod, domain: &str) -> Vec<String> {
    let spec = pod.spec.as_ref();
    let written = spec.and_then(|spec| spec.hostname.as_deref());
    let written = written.filter(|name| !name.is_empty());
    let host: String = written
        .unwrap_or_else(|| pod.name())
        .chars()
        .take(MAX_HOST_NAME)
        .collect();
    let host = host.trim_end_matches(['-', '.']).to_lowercase();
    let subdomain = spec.and_then(|spec| spec.subdomain.as_deref());
    let subdomain = subdomain.filter(|name| !name.is_empty());
    let full =
        subdomain.map(|subdomain| format!("{host}.{subdomain}.{}.svc.{domain}", pod.namespace()));
    std::iter::once(host).chain(full).collect()
}

fn alias(pod: &Pod, name: &str) -> Option<IpAddr> {
    let aliases = pod.spec.as_ref()?.host_aliases.as_ref()?;
    let is_named = |host: &String| host.to_lowercase() == name;
    let alias = aliases
        .iter()
        .find(|alias| alias.hostnames.iter().flatten().any(is_named))?;
    alias.ip.parse().ok()
}

/// Adds the hop of a name that the hosts file answers, and gives where it leads.
pub(super) fn step<'v>(
    walker: &Walker<'_, 'v>,
    pod: &'v Pod,
    (name, line): (&str, Line),
    wanted: Option<&Place<'v>>,
    trail: &mut Trail<'v>,
) -> Place<'v> {
    let hop = |address: IpAddr, reference: String| {
        let text = format!("{name} → {address} (the pod's hosts file)");
        Hop::new(Stage::Dns, Status::Pass, text).fact(reference, format!("{address} {name}"))
    };
    let object = pod.reference();
    match line {
        Line::Loopback(address) => {
            trail.push(hop(address, format!("{object} /etc/hosts")));
            Place::Pods(vec![pod])
        }
        Line::Own(address) => {
            let hop = hop(address, format!("{object} /etc/hosts, its own host name"));
            if let Some(service) = own_name_taken(walker, pod, name, wanted) {
                let name = name.to_owned();
                let trouble = NameTrouble::OwnName { pod, name, service };
                trail.stop(hop, Break::Name(trouble));
                let address = None;
                Place::Service { service, address }
            } else {
                trail.push(hop);
                Place::Pods(vec![pod])
            }
        }
        Line::Alias(address) => {
            let hop = hop(address, format!("{object} spec.hostAliases"));
            match wanted {
                Some(Place::Service { service, .. })
                    if !service.cluster_ips().contains(&address) =>
                {
                    let name = name.to_owned();
                    let trouble = NameTrouble::HostAlias { pod, name, address };
                    trail.stop(hop, Break::Name(trouble));
                    Place::Service {
                        service,
                        address: None,
                    }
                }
                _ => {
                    trail.push(hop);
                    wanted.cloned().unwrap_or(Place::Address(address))
                }
            }
        }
    }
}

/// The Service that a name means and the pod's own host name hides; none where the pod answers for that
/// Service itself, at the same port.
fn own_name_taken<'v>(
    walker: &Walker<'_, 'v>,
    pod: &'v Pod,
    name: &str,
    wanted: Option<&Place<'v>>,
) -> Option<&'v Service> {
    let meant = match wanted {
        Some(Place::Service { service, .. }) => Some(*service),
        Some(_) => None,
        None => {
            let conf = ResolvConf::cluster_first(pod.namespace(), walker.dns);
            let family = pod.ips().first().map_or(Family::V4, |ip| Family::of(*ip));
            match find(walker, &conf, name, family, None) {
                Found::Place(Place::Service { service, .. }, _) => Some(service),
                _ => None,
            }
        }
    };
    meant.filter(|service| !answers_itself(walker, pod, service))
}

fn answers_itself(walker: &Walker<'_, '_>, pod: &Pod, service: &Service) -> bool {
    let asked = match walker.flow.destination.port {
        Some(PortSpec::Number(number)) => Some(number),
        _ => service.ports().first().map(ServicePortExt::number),
    };
    slices(walker.view, service).any(|slice| {
        let mut endpoints = slice.endpoints.iter().flatten();
        let lists = endpoints.any(|endpoint| endpoint.pod_name() == Some(pod.name()));
        lists
            && slice
                .ports
                .iter()
                .flatten()
                .any(|port| port.port.and_then(|port| u16::try_from(port).ok()) == asked)
            && slice.service_name() == Some(service.name())
    })
}
