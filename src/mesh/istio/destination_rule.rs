//! DestinationRule: how a client's sidecar speaks to a host.

use serde_json::Value;

use super::super::object::{Object, labels, number, texts};
use super::scope::{is_exported, is_host};
use super::{Istio, config::Config};
use crate::cluster::{Named, Pod};

/// Rules of one namespace for one host, oldest first: what the first leaves out the next may say.
#[derive(Debug, Clone, Default)]
pub(super) struct Rules<'v> {
    pub rules: Vec<Object<'v>>,
}

/// The host a rule is for: a name without a dot is one of its own namespace.
pub(super) fn full_host(host: &str, namespace: &str, domain: &str) -> String {
    if host.contains(['.', '*']) {
        host.to_owned()
    } else {
        format!("{host}.{namespace}.svc.{domain}")
    }
}

/// The client's namespace before the Service's before the root namespace: the first with a rule for
/// the host ends the search (istio `pilot/pkg/model/push_context.go`, destinationRule).
pub(super) fn lookup<'v>(
    istio: &Istio<'v>,
    config: &Config,
    client: &Pod,
    (host, namespace): (&str, &str),
) -> Rules<'v> {
    let own = client.namespace();
    let mut places = vec![namespace, config.root.as_str()];
    // Rules of the root namespace are meant for all: its own pods look there last, too.
    if own != config.root {
        places.insert(0, own);
    }
    for place in places {
        let seen = istio.destination_rules.iter().filter(|rule| {
            let to = texts(rule.at("/spec/exportTo"));
            let default: Vec<&str> = config.exports.rules.iter().map(String::as_str).collect();
            let to = if to.is_empty() { &default } else { &to };
            rule.namespace() == place && is_exported(to, rule.namespace(), own)
        });
        let fitting = seen.filter_map(|rule| {
            let pattern = full_host(rule.text("/spec/host"), rule.namespace(), &istio.domain);
            let fits = is_host(&pattern, host);
            fits.then_some((pattern.starts_with('*'), usize::MAX - pattern.len(), rule))
        });
        let fitting: Vec<_> = fitting.collect();
        let Some(best) = fitting.iter().map(|(wild, short, _)| (*wild, *short)).min() else {
            continue;
        };
        let best = fitting
            .into_iter()
            .filter(|(wild, short, _)| (*wild, *short) == best);
        let best: Vec<Object<'v>> = best.map(|(.., rule)| *rule).collect();
        return Rules::of(best, client);
    }
    Rules::default()
}

// === impl Rules ===

impl<'v> Rules<'v> {
    /// A rule with a selector that fits the client stands alone, else those without one count.
    fn of(rules: Vec<Object<'v>>, client: &Pod) -> Self {
        let selector = |rule: &Object<'v>| {
            let labels = labels(rule.at("/spec/workloadSelector/matchLabels"));
            (!labels.is_empty()).then_some(labels)
        };
        let selected = rules.iter().find(|rule| {
            rule.namespace() == client.namespace()
                && selector(rule).is_some_and(|labels| {
                    labels
                        .iter()
                        .all(|(key, value)| client.labels().get(key) == Some(value))
                })
        });
        if let Some(rule) = selected {
            return Self { rules: vec![*rule] };
        }
        let rules = rules.into_iter().filter(|rule| selector(rule).is_none());
        Self {
            rules: rules.collect(),
        }
    }

    /// The TLS mode for a port of the Service and a subset, with the rule and field that say so.
    pub(super) fn tls(
        &self,
        port: u16,
        subset: Option<&str>,
    ) -> Option<(&'v str, Object<'v>, String)> {
        let of_subset = subset.and_then(|name| self.subset(name));
        let of_subset = of_subset.and_then(|(rule, index, value)| {
            let path = format!("spec.subsets[{index}].trafficPolicy");
            setting(&value["trafficPolicy"], port, rule, &path)
        });
        of_subset.or_else(|| {
            let mut rules = self.rules.iter();
            let first = rules.find(|rule| rule.at("/spec/trafficPolicy").is_object())?;
            setting(
                first.at("/spec/trafficPolicy"),
                port,
                *first,
                "spec.trafficPolicy",
            )
        })
    }

    /// A subset by name; of two with one name the older counts.
    pub(super) fn subset(&self, name: &str) -> Option<(Object<'v>, usize, &'v Value)> {
        self.rules.iter().find_map(|rule| {
            let subsets = rule.items("/spec/subsets").iter().enumerate();
            let mut named = subsets.filter(|(_, subset)| subset["name"] == name);
            let (index, subset) = named.next()?;
            Some((*rule, index, subset))
        })
    }
}

/// What a policy says for a port. The entry of a port replaces the rest, also where it leaves TLS out.
fn setting<'v>(
    policy: &'v Value,
    port: u16,
    rule: Object<'v>,
    path: &str,
) -> Option<(&'v str, Object<'v>, String)> {
    let settings = super::super::object::items(&policy["portLevelSettings"]);
    let mut of_port = settings.iter().enumerate();
    let of_port = of_port.find(|(_, entry)| number(&entry["port"]["number"]) == Some(port));
    let (tls, path) = match of_port {
        Some((index, entry)) => (
            &entry["tls"],
            format!("{path}.portLevelSettings[{index}].tls.mode"),
        ),
        None => (&policy["tls"], format!("{path}.tls.mode")),
    };
    // `mode: DISABLE` is the zero value, which YAML may leave out.
    tls.is_object()
        .then(|| (tls["mode"].as_str().unwrap_or("DISABLE"), rule, path))
}
