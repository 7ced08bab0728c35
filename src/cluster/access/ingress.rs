//! Which Ingress a host means.

use k8s_openapi::api::networking::v1::Ingress;

use crate::cluster::ClusterView;

// === impl ClusterView ===

impl ClusterView {
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
