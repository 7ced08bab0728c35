//! Which plugin of a Corefile answers a name.
//!
//! CoreDNS runs the plugins of a block in the fixed order of its plugin.cfg, not in the order of the
//! file: rewrite, template, hosts, kubernetes, forward are the ones that decide here.

use std::net::IpAddr;

use regex_lite::Regex;

use super::corefile::{Corefile, Plugin, ServerBlock, is_below};
use crate::net::Family;

/// Who answers a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handler {
    /// The kubernetes plugin, for a name in one of its zones.
    Kubernetes {
        zone: String,
        /// What is looked up: the name itself, or what a rewrite made of it.
        name: String,
        /// The line of the rewrite that did.
        rewritten_by: Option<usize>,
        /// Whether names the zone lacks are passed on.
        falls_through: bool,
    },
    /// Addresses written into the Corefile.
    Inline { line: usize, addresses: Vec<IpAddr> },
    /// A plugin that ends the search without an address (`hosts` without fallthrough answers
    /// SERVFAIL, `template` what its `rcode` says).
    Refusal {
        line: usize,
        plugin: &'static str,
        rcode: String,
    },
    /// Other name servers, as they stand in the Corefile.
    Forward { to: Vec<String> },
    /// No block, or no plugin in it, takes the name.
    Nobody,
    /// A construct this reader does not evaluate.
    Unknown { line: usize, why: String },
}

/// Finds who answers `name` (absolute, without its final dot) for addresses of a family.
#[must_use]
pub fn handler(corefile: &Corefile, name: &str, family: Family) -> Handler {
    let Some(block) = corefile.block_for(name) else {
        return Handler::Nobody;
    };
    let (name, rewritten_by) = match rewritten(block, name) {
        Ok(outcome) => outcome,
        Err(unknown) => return unknown,
    };
    from_template(block, &name, family)
        .or_else(|| from_hosts(block, &name, family))
        .or_else(|| from_kubernetes(block, &name, rewritten_by))
        .unwrap_or_else(|| beyond(block, &name))
}

/// What answers when the kubernetes plugin falls through.
#[must_use]
pub(super) fn beyond(block: &ServerBlock, name: &str) -> Handler {
    let forward = block.all("forward").find(|plugin| {
        let from = plugin
            .arguments
            .first()
            .map_or("", |zone| zone.trim_matches('.'));
        is_below(name, from)
    });
    forward.map_or(Handler::Nobody, |plugin| Handler::Forward {
        to: plugin.arguments.iter().skip(1).cloned().collect(),
    })
}

/// The first rewrite rule of the name that fits.
fn rewritten(block: &ServerBlock, name: &str) -> Result<(String, Option<usize>), Handler> {
    for plugin in block.all("rewrite") {
        let one_line = (!plugin.arguments.is_empty()).then_some(&plugin.arguments);
        for rule in one_line.into_iter().chain(&plugin.body) {
            if let Some(new) = apply_rewrite(rule, name).map_err(|why| Handler::Unknown {
                line: plugin.line,
                why,
            })? {
                return Ok((new, Some(plugin.line)));
            }
        }
    }
    Ok((name.to_owned(), None))
}

/// `[continue|stop] name [exact|prefix|suffix|substring|regex] FROM TO …`; none when it does not fit.
fn apply_rewrite(rule: &[String], name: &str) -> Result<Option<String>, String> {
    let words: Vec<&str> = rule.iter().map(String::as_str).collect();
    let words = match words.as_slice() {
        ["continue" | "stop", rest @ ..] => rest,
        all => all,
    };
    let dotted = format!("{name}.");
    let fit = match words {
        ["name", "regex", pattern, to, ..] => {
            let pattern = Regex::new(pattern).map_err(|_| format!("rewrite regex {pattern:?}"))?;
            // CoreDNS numbers groups as {1}; the crate writes ${1}.
            let to = to.replace('{', "${");
            pattern
                .is_match(&dotted)
                .then(|| pattern.replace(&dotted, to.as_str()).into_owned())
        }
        ["name", "prefix", from, to, ..] => {
            dotted.strip_prefix(from).map(|rest| format!("{to}{rest}"))
        }
        ["name", "suffix", from, to, ..] => dotted
            .trim_end_matches('.')
            .strip_suffix(from.trim_end_matches('.'))
            .map(|rest| format!("{rest}{to}")),
        ["name", "substring", from, to, ..] => {
            dotted.contains(from).then(|| dotted.replace(from, to))
        }
        ["name", "exact", from, to, ..] | ["name", from, to, ..] => {
            (from.trim_end_matches('.') == name).then(|| (*to).to_owned())
        }
        _ => None,
    };
    Ok(fit.map(|new| new.trim_end_matches('.').to_lowercase()))
}

fn from_template(block: &ServerBlock, name: &str, family: Family) -> Option<Handler> {
    block.all("template").find_map(|plugin| {
        let [class, kind, zones @ ..] = plugin.arguments.as_slice() else {
            return None;
        };
        let asked = match family {
            Family::V4 => "A",
            Family::V6 => "AAAA",
        };
        let takes = (class == "IN" || class == "ANY")
            && (kind == asked || kind == "ANY")
            && (zones.is_empty()
                || zones
                    .iter()
                    .any(|zone| is_below(name, zone.trim_matches('.'))));
        takes.then(|| template(plugin, name)).flatten()
    })
}

fn template(plugin: &Plugin, name: &str) -> Option<Handler> {
    let dotted = format!("{name}.");
    for pattern in plugin
        .body
        .iter()
        .filter(|line| line[0] == "match")
        .flat_map(|line| &line[1..])
    {
        match Regex::new(pattern) {
            Ok(pattern) if pattern.is_match(&dotted) => {}
            Ok(_) => return None,
            Err(_) => {
                return Some(Handler::Unknown {
                    line: plugin.line,
                    why: format!("template match {pattern:?}"),
                });
            }
        }
    }
    if let Some(answer) = plugin.option("answer") {
        let text = answer.join(" ");
        let addresses = text.split_whitespace().filter_map(|word| word.parse().ok());
        let addresses: Vec<IpAddr> = addresses.collect();
        return Some(if addresses.is_empty() {
            Handler::Unknown {
                line: plugin.line,
                why: format!("template answer {text:?}"),
            }
        } else {
            Handler::Inline {
                line: plugin.line,
                addresses,
            }
        });
    }
    let rcode = plugin.option("rcode").and_then(<[String]>::first);
    rcode.map(|rcode| Handler::Refusal {
        line: plugin.line,
        plugin: "template",
        rcode: rcode.clone(),
    })
}

/// The inline table of `hosts`. Names it lacks end there with SERVFAIL unless it falls through.
fn from_hosts(block: &ServerBlock, name: &str, family: Family) -> Option<Handler> {
    block.all("hosts").find_map(|plugin| {
        let zones = plugin.arguments.get(1..).unwrap_or_default();
        let is_in_zone = zones.is_empty()
            || zones
                .iter()
                .any(|zone| is_below(name, zone.trim_matches('.')));
        if !is_in_zone {
            return None;
        }
        let addresses: Vec<IpAddr> = plugin
            .body
            .iter()
            .filter(|line| {
                line[1..]
                    .iter()
                    .any(|host| host.trim_end_matches('.') == name)
            })
            .filter_map(|line| line[0].parse().ok())
            .collect();
        if !addresses.is_empty() {
            let mut wanted = addresses;
            wanted.retain(|addr| Family::of(*addr) == family);
            return Some(Handler::Inline {
                line: plugin.line,
                addresses: wanted,
            });
        }
        match plugin.option("fallthrough") {
            Some([]) => None,
            Some(zones)
                if zones
                    .iter()
                    .any(|zone| is_below(name, zone.trim_matches('.'))) =>
            {
                None
            }
            _ => Some(Handler::Refusal {
                line: plugin.line,
                plugin: "hosts",
                rcode: "SERVFAIL".to_owned(),
            }),
        }
    })
}

fn from_kubernetes(
    block: &ServerBlock,
    name: &str,
    rewritten_by: Option<usize>,
) -> Option<Handler> {
    let zones = block.kubernetes_zones();
    let zone = zones
        .into_iter()
        .filter(|zone| is_below(name, zone))
        .max_by_key(String::len)?;
    let plugin = block.all("kubernetes").next()?;
    let falls_through = match plugin.option("fallthrough") {
        Some([]) => true,
        Some(zones) => zones
            .iter()
            .any(|zone| is_below(name, zone.trim_matches('.'))),
        None => false,
    };
    Some(Handler::Kubernetes {
        zone,
        name: name.to_owned(),
        rewritten_by,
        falls_through,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(corefile: &str, name: &str) -> Handler {
        let corefile = Corefile::parse(corefile).expect("a Corefile");
        handler(&corefile, name, Family::V4)
    }

    fn kubernetes(name: &str, rewritten_by: Option<usize>) -> Handler {
        Handler::Kubernetes {
            zone: "cluster.local".into(),
            name: name.into(),
            rewritten_by,
            falls_through: false,
        }
    }

    #[test]
    fn the_plugin_that_decides_is_found() {
        let usual =
            ".:53 {\n kubernetes cluster.local in-addr.arpa\n forward . /etc/resolv.conf\n}";
        assert_eq!(
            who(usual, "a.b.svc.cluster.local"),
            kubernetes("a.b.svc.cluster.local", None)
        );
        assert_eq!(
            who(usual, "example.com"),
            Handler::Forward {
                to: vec!["/etc/resolv.conf".into()]
            }
        );
        assert_eq!(
            who("corp.example {\n forward . 10.0.0.1\n}", "x.org"),
            Handler::Nobody
        );
    }

    #[test]
    fn rewrites_change_the_name_that_is_looked_up() {
        for (rule, asked, looked_up) in [
            (
                "rewrite name old.example api.shop.svc.cluster.local",
                "old.example",
                "api.shop.svc.cluster.local",
            ),
            (
                "rewrite name suffix .corp.example .shop.svc.cluster.local",
                "api.corp.example",
                "api.shop.svc.cluster.local",
            ),
            (
                "rewrite stop {\n name regex (.*)\\.in\\.example\\. {1}.shop.svc.cluster.local\n }",
                "web.in.example",
                "web.shop.svc.cluster.local",
            ),
        ] {
            let corefile = format!(".:53 {{\n {rule}\n kubernetes cluster.local\n}}");
            assert_eq!(
                who(&corefile, asked),
                kubernetes(looked_up, Some(2)),
                "{rule}"
            );
        }
    }

    #[test]
    fn hosts_and_templates_come_before_the_cluster_zone() {
        let hosts = ".:53 {\n hosts {\n 10.9.9.9 api.shop.svc.cluster.local\n fallthrough\n }\n kubernetes cluster.local\n}";
        assert_eq!(
            who(hosts, "api.shop.svc.cluster.local"),
            Handler::Inline {
                line: 2,
                addresses: vec![[10, 9, 9, 9].into()]
            }
        );
        assert_eq!(
            who(hosts, "b.shop.svc.cluster.local"),
            kubernetes("b.shop.svc.cluster.local", None)
        );
        let closed = ".:53 {\n hosts {\n 10.9.9.9 other.example\n }\n kubernetes cluster.local\n}";
        assert_eq!(
            who(closed, "api.shop.svc.cluster.local"),
            Handler::Refusal {
                line: 2,
                plugin: "hosts",
                rcode: "SERVFAIL".into()
            }
        );
        let template = ".:53 {\n template IN A lab.example {\n match \"^x[.]\"\n rcode NXDOMAIN\n }\n forward . 1.1.1.1\n}";
        assert_eq!(
            who(template, "x.lab.example"),
            Handler::Refusal {
                line: 2,
                plugin: "template",
                rcode: "NXDOMAIN".into()
            }
        );
        assert!(matches!(
            who(template, "y.lab.example"),
            Handler::Forward { .. }
        ));
    }
}
