//! Whom a forwarding block asks, and what that says about names of the cluster.

use std::net::{IpAddr, SocketAddr};

use super::ClusterDns;
use crate::cluster::access::ServiceExt;
use crate::cluster::{ClusterView, Named, Pod};

/// What the manifest of NodeLocal DNSCache has in the place of the cluster's DNS, and of the servers
/// of the nodes (`cluster/addons/dns/nodelocaldns`).
const PILLAR_CLUSTER: &str = "__PILLAR__CLUSTER__DNS__";
const PILLAR_UPSTREAM: &str = "__PILLAR__UPSTREAM__SERVERS__";

/// A server of another kind than the cluster's own DNS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Upstream {
    /// The cluster's DNS itself.
    Cluster,
    /// A Service or pod of the cluster: what it knows is its own affair.
    Inside,
    /// A server that knows no name of the cluster.
    Outside,
}

/// Where one server of a `forward` leads.
pub(super) fn upstream(view: &ClusterView, dns: &ClusterDns<'_>, server: &str) -> Upstream {
    if server == PILLAR_CLUSTER {
        return Upstream::Cluster;
    }
    let Some(address) = address(server) else {
        return Upstream::Outside;
    };
    if dns.answers_at(view, address) {
        return Upstream::Cluster;
    }
    let is_of_service = view
        .services
        .iter()
        .any(|service| service.cluster_ips().contains(&address));
    let is_of_pod = || {
        let mut pods = view.pods.iter();
        pods.any(|pod: &Pod| !pod.is_host_network() && pod.ips().contains(&address))
    };
    if is_of_service || is_of_pod() || address.is_loopback() {
        Upstream::Inside
    } else {
        Upstream::Outside
    }
}

/// Whether every server of a `forward` is outside the cluster, and knows no name of it.
#[must_use]
pub fn knows_no_cluster(view: &ClusterView, dns: &ClusterDns<'_>, to: &[String]) -> bool {
    let is_outside = |server: &String| upstream(view, dns, server) == Upstream::Outside;
    !to.is_empty() && to.iter().all(is_outside)
}

/// The servers of a `forward` in words: Services by their name, `/etc/resolv.conf` by whose it is.
#[must_use]
pub fn servers(view: &ClusterView, to: &[String]) -> String {
    if to.is_empty() {
        return "the resolvers of the nodes".to_owned();
    }
    let words: Vec<String> = to.iter().map(|server| word(view, server)).collect();
    crate::text::list(&words)
}

fn word(view: &ClusterView, server: &str) -> String {
    if server.starts_with('/') || server == PILLAR_UPSTREAM {
        return "the resolvers of the nodes (/etc/resolv.conf)".to_owned();
    }
    let owner = address(server).and_then(|address| {
        let mut services = view.services.iter();
        services.find(|service| service.cluster_ips().contains(&address))
    });
    owner.map_or_else(
        || server.to_owned(),
        |service| {
            format!(
                "svc/{} in {} ({server})",
                service.name(),
                service.namespace()
            )
        },
    )
}

/// `10.0.0.53`, `10.0.0.53:5353`, `dns://10.0.0.53`, `tls://[fd00::1]:853`.
fn address(server: &str) -> Option<IpAddr> {
    let server = server.split_once("://").map_or(server, |(_, rest)| rest);
    let socket = server.parse::<SocketAddr>().map(|socket| socket.ip());
    socket.or_else(|_| server.parse()).ok()
}
