//! `/etc/resolv.conf` of a pod: recorded, or as the kubelet writes it.

use std::net::{IpAddr, Ipv4Addr};

use super::ClusterDns;
use crate::cluster::{Named, Pod};

/// Where the contents come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Read inside the pod.
    Recorded,
    /// What the kubelet writes for this pod spec.
    Predicted,
    /// The node's own file, which the API does not show.
    Node,
}

/// A resolver configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvConf {
    pub nameservers: Vec<IpAddr>,
    pub searches: Vec<String>,
    /// Names with fewer dots are tried with the search list first.
    pub ndots: usize,
    pub origin: Origin,
}

/// Resolvers of clouds at link-local addresses: they know nothing of the cluster (AWS, GCP and
/// OpenStack).
const CLOUD_RESOLVERS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 253)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
];

/// Whether an address is that of the cache of the pod's own node (NodeLocal DNSCache).
#[must_use]
pub fn is_cache(addr: IpAddr) -> bool {
    is_link_local(addr) && !CLOUD_RESOLVERS.contains(&addr)
}

const fn is_link_local(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(addr) => addr.is_link_local(),
        IpAddr::V6(addr) => addr.is_unicast_link_local(),
    }
}

// === impl ResolvConf ===

impl ResolvConf {
    /// The file's text, read as the resolver does (resolv.conf(5)): the last `search` counts, at
    /// most three name servers, `ndots` capped at 15.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut conf = Self::empty(Origin::Recorded);
        for line in text.lines() {
            let mut words = line
                .split(['#', ';'])
                .next()
                .unwrap_or_default()
                .split_whitespace();
            match words.next() {
                Some("nameserver") => conf.nameservers.extend(
                    words
                        .next()
                        .map(|addr| addr.split('%').next().unwrap_or(addr))
                        .and_then(|addr| addr.parse::<IpAddr>().ok()),
                ),
                Some("search" | "domain") => conf.searches = words.map(str::to_owned).collect(),
                Some("options") => words.for_each(|option| conf.set_option(option)),
                _ => {}
            }
        }
        conf.nameservers.truncate(3);
        conf
    }

    /// What the kubelet writes for a pod (`pkg/kubelet/network/dns`): `ClusterFirst` falls back to
    /// the node's file for hostNetwork pods.
    #[must_use]
    pub fn predict(pod: &Pod, dns: &ClusterDns<'_>) -> Self {
        let spec = pod.spec.as_ref();
        let policy = spec.and_then(|spec| spec.dns_policy.as_deref());
        let mut conf = match policy.unwrap_or("ClusterFirst") {
            "None" => Self::empty(Origin::Predicted),
            "Default" => Self::empty(Origin::Node),
            "ClusterFirst" if pod.is_host_network() => Self::empty(Origin::Node),
            _ => Self::cluster_first(pod.namespace(), dns),
        };
        let Some(config) = spec.and_then(|spec| spec.dns_config.as_ref()) else {
            return conf;
        };
        let servers = config.nameservers.iter().flatten();
        conf.nameservers
            .extend(servers.filter_map(|server| server.parse::<IpAddr>().ok()));
        for search in config.searches.iter().flatten() {
            if !conf.searches.contains(search) {
                conf.searches.push(search.clone());
            }
        }
        for option in config.options.iter().flatten() {
            let name = option.name.as_deref().unwrap_or_default();
            match &option.value {
                Some(value) => conf.set_option(&format!("{name}:{value}")),
                None => conf.set_option(name),
            }
        }
        conf
    }

    /// The file of a pod with dnsPolicy ClusterFirst. What the node adds to the search list is not in the
    /// API and left out.
    #[must_use]
    pub fn cluster_first(namespace: &str, dns: &ClusterDns<'_>) -> Self {
        let domain = &dns.domain;
        Self {
            nameservers: dns.service_addresses(),
            searches: vec![
                format!("{namespace}.svc.{domain}"),
                format!("svc.{domain}"),
                domain.clone(),
            ],
            ndots: 5,
            origin: Origin::Predicted,
        }
    }

    const fn empty(origin: Origin) -> Self {
        Self {
            nameservers: Vec::new(),
            searches: Vec::new(),
            ndots: 1,
            origin,
        }
    }

    fn set_option(&mut self, option: &str) {
        let ndots = option.strip_prefix("ndots:");
        if let Some(ndots) = ndots.and_then(|number| number.parse::<usize>().ok()) {
            self.ndots = ndots.min(15);
        }
    }

    /// The absolute names the resolver asks for, in order (resolv.conf(5), `search` and `ndots`):
    /// a final dot ends the search; enough dots put the name itself first.
    #[must_use]
    pub fn expansions(&self, name: &str) -> Vec<String> {
        if let Some(absolute) = name.strip_suffix('.') {
            return vec![absolute.to_owned()];
        }
        let searched = self
            .searches
            .iter()
            .map(|search| match search.trim_matches('.') {
                "" => name.to_owned(),
                search => format!("{name}.{search}"),
            });
        let as_typed = std::iter::once(name.to_owned());
        let dots = name.matches('.').count();
        if dots >= self.ndots {
            as_typed.chain(searched).collect()
        } else {
            searched.chain(as_typed).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_read_as_the_resolver_reads_it() {
        let conf = ResolvConf::parse(
            "# made by kubelet\nsearch old.example\nsearch shop.svc.cluster.local svc.cluster.local\n\
             nameserver 10.96.0.10\nnameserver fe80::1%eth0\noptions edns0 ndots:5\n",
        );
        assert_eq!(conf.nameservers.len(), 2);
        assert_eq!(
            conf.searches,
            ["shop.svc.cluster.local", "svc.cluster.local"]
        );
        assert_eq!(conf.ndots, 5);
    }

    #[test]
    fn expansions_follow_dots_and_the_final_dot() {
        let conf = ResolvConf::parse("search a.example b.example\noptions ndots:2");
        assert_eq!(conf.expansions("x"), ["x.a.example", "x.b.example", "x"]);
        assert_eq!(
            conf.expansions("x.y.z"),
            ["x.y.z", "x.y.z.a.example", "x.y.z.b.example"]
        );
        assert_eq!(conf.expansions("x."), ["x"]);
    }
}
