//! Which Ingress a host means.

use k8s_openapi::api::networking::v1::Ingress;

use crate::cluster::ClusterView;

// === impl ClusterView ===

impl ClusterView {
    /// The Ingresses with a rule for a host: those that name it, else those with a wildcard for it, else
    /// those that take every host.
    #[must_use]
    pub fn ingresses_of(&self, host: &str) -> Vec<&Ingress> {
        let rank = |ingress: &Ingress| {
            let spec = ingress.spec.iter();
            let rules = spec.flat_map(|spec| spec.rules.iter().flatten());
            let ranks = rules.filter_map(|rule| match rule.host.as_deref() {
                None | Some("") => Some(0),
                Some(own) if own == host => Some(2),
                Some(own) => host_matches(own, host).then_some(1),
            });
            let alias = ingress.metadata.annotations.as_ref();
            let alias = alias.and_then(|all| all.get("nginx.ingress.kubernetes.io/server-alias"));
            let is_alias = alias.is_some_and(|all| all.split(',').any(|one| one.trim() == host));
            let has_default = ingress
                .spec
                .as_ref()
                .is_some_and(|spec| spec.default_backend.is_some());
            ranks
                .max()
                .max(is_alias.then_some(2))
                .max(has_default.then_some(0))
        };
        let all = self.ingresses.iter();
        let ranked: Vec<(i32, &Ingress)> = all.filter_map(|one| Some((rank(one)?, one))).collect();
        let best = ranked.iter().map(|(rank, _)| *rank).max();
        let taking = ranked.into_iter().filter(|(rank, _)| Some(*rank) == best);
        taking.map(|(_, ingress)| ingress).collect()
    }

    /// The Ingress whose rules name a host: one that takes it as it is before one with a wildcard.
    #[must_use]
    pub fn ingress_of(&self, host: &str) -> Option<&Ingress> {
        let takes = |ingress: &Ingress, exactly: bool| {
            let rules = ingress
                .spec
                .iter()
                .flat_map(|spec| spec.rules.iter().flatten());
            let mut hosts = rules.filter_map(|rule| rule.host.as_deref());
            hosts.any(|own| own == host || !exactly && host_matches(own, host))
        };
        let find = |exactly| {
            let mut all = self.ingresses.iter();
            all.find(|ingress| takes(ingress, exactly))
        };
        find(true).or_else(|| find(false))
    }
}

/// An empty host takes all; `*.foo.com` exactly one label more (Ingress specification).
#[must_use]
pub fn host_matches(rule: &str, asked: &str) -> bool {
    match rule.strip_prefix("*.") {
        Some(parent) => asked
            .split_once('.')
            .is_some_and(|(_, rest)| rest == parent),
        None => rule.is_empty() || rule == asked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_match_as_the_specification_says() {
        for (rule, asked, expected) in [
            ("", "a.example", true),
            ("a.example", "a.example", true),
            ("*.example", "a.example", true),
            ("*.example", "a.b.example", false),
            ("*.example", "example", false),
        ] {
            assert_eq!(host_matches(rule, asked), expected, "{rule} {asked}");
        }
    }
}
