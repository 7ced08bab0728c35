//! Which plugin of a Corefile answers a name.
//!
//! CoreDNS runs the plugins of a block in the fixed order of its plugin.cfg, not in the order of the
//! file: rewrite, template, hosts, kubernetes, forward are the ones that decide here.

use std::net::IpAddr;

use regex_lite::Regex;

use super::corefile::{At, Corefile, Plugin, ServerBlock, is_below};
use super::rewrite::{Rewritten, rewritten};
use super::{cluster_set, import};
use crate::net::Family;

/// Plugins that never decide what a name leads to (plugin.cfg of CoreDNS).
const INERT: [&str; 40] = [
    "root",
    "metadata",
    "geoip",
    "cancel",
    "proxyproto",
    "quic",
    "grpc_server",
    "https",
    "https3",
    "timeouts",
    "multisocket",
    "reload",
    "nsid",
    "bufsize",
    "bind",
    "debug",
    "trace",
    "ready",
    "health",
    "pprof",
    "shed",
    "prometheus",
    "errors",
    "log",
    "dnstap",
    "local",
    "dns64",
    "any",
    "chaos",
    "loadbalance",
    "tsig",
    "autopath",
    "cache",
    "header",
    "dnssec",
    "tls",
    "minimal",
    "transfer",
    "loop",
    "sign",
];
/// Plugins that are evaluated here.
const EVALUATED: [&str; 5] = ["rewrite", "template", "hosts", "kubernetes", "forward"];
/// Plugins that answer for zones of their own and are asked after `kubernetes` (plugin.cfg).
const BEHIND: [&str; 8] = [
    "file",
    "auto",
    "secondary",
    "etcd",
    "grpc",
    "erratic",
    "whoami",
    "nomad",
];

/// Who answers a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handler {
    /// The kubernetes plugin, for a name in one of its zones.
    Kubernetes {
        zone: String,
        /// What is looked up: the name itself, or what a rewrite made of it.
        name: String,
        /// The rewrite that did.
        rewritten_by: Option<At>,
        /// Whether names the zone lacks are passed on.
        falls_through: bool,
    },
    /// A plugin that serves the zone of a cluster set.
    ClusterSet {
        at: At,
        zone: String,
        name: String,
        rewritten_by: Option<At>,
        falls_through: bool,
    },
    /// Addresses written into the Corefile.
    Inline { at: At, addresses: Vec<IpAddr> },
    /// Another name written into the Corefile.
    Alias { at: At, target: String },
    /// A plugin that ends the search without an address (`hosts` without fallthrough answers
    /// SERVFAIL, `template` what its `rcode` says).
    Refusal {
        at: At,
        plugin: &'static str,
        rcode: String,
    },
    /// Other name servers, as they stand in the Corefile.
    Forward {
        to: Vec<String>,
        /// What they are asked: the name itself, or what a rewrite made of it.
        name: String,
        /// The rewrite that did.
        rewritten_by: Option<At>,
    },
    /// No block, or no plugin in it, takes the name.
    Nobody,
    /// A construct this reader does not evaluate.
    Unknown { at: At, why: String },
}

/// Finds who answers `name` (absolute, without its final dot) for addresses of a family.
#[must_use]
pub fn handler(corefile: &Corefile, name: &str, family: Family) -> Handler {
    let Some(block) = corefile.block_for(name) else {
        return Handler::Nobody;
    };
    let asked = match unread_part(block).map_or_else(|| rewritten(block, name), Err) {
        Ok(asked) => asked,
        Err(unknown) => return unknown,
    };
    from_template(block, &asked.name, family)
        .or_else(|| from_hosts(block, &asked.name, family))
        .or_else(|| from_cluster_set(block, &asked))
        .or_else(|| unevaluated(block, &asked.name, |plugin| !BEHIND.contains(&plugin)))
        .or_else(|| from_kubernetes(block, &asked))
        .unwrap_or_else(|| beyond(block, asked))
}

/// Who is asked when the kubernetes plugin does not take a name, or falls through.
#[must_use]
pub(super) fn beyond(block: &ServerBlock, asked: Rewritten) -> Handler {
    if let Some(unknown) = unevaluated(block, &asked.name, |plugin| BEHIND.contains(&plugin)) {
        return unknown;
    }
    let forward = block
        .all("forward")
        .find(|plugin| takes(plugin, &asked.name));
    forward.map_or(Handler::Nobody, |plugin| Handler::Forward {
        to: plugin.arguments.iter().skip(1).cloned().collect(),
        name: asked.name,
        rewritten_by: asked.by,
    })
}

/// Who is asked for a name that the kubernetes plugin passes on.
#[must_use]
pub(super) fn fallen_through(corefile: &Corefile, name: &str) -> Handler {
    let block = corefile.block_for(name);
    block.map_or(Handler::Nobody, |block| {
        beyond(block, Rewritten::plainly(name))
    })
}

/// `forward FROM TO… { except NAME… }`.
fn takes(forward: &Plugin, name: &str) -> bool {
    let zone = |text: &String| text.trim_matches('.').to_lowercase();
    let from = forward.arguments.first().map(zone).unwrap_or_default();
    let except = forward.option("except").unwrap_or_default();
    is_below(name, &from) && !except.iter().any(|ignored| is_below(name, &zone(ignored)))
}

/// A part of a block that was not read, or that only some clients see.
fn unread_part(block: &ServerBlock) -> Option<Handler> {
    let imported = block.all(import::DIRECTIVE).next();
    let unknown = |plugin: &Plugin, why: String| Handler::Unknown {
        at: plugin.at.clone(),
        why,
    };
    let import = imported.map(|plugin| {
        let files = plugin.arguments.join(" ");
        unknown(plugin, format!("it imports {files}, which was not read"))
    });
    let view = || {
        let why = "its block answers only some clients (view)".to_owned();
        block.all("view").next().map(|plugin| unknown(plugin, why))
    };
    import.or_else(view)
}

/// A plugin that may answer the name and is not evaluated here.
fn unevaluated(
    block: &ServerBlock,
    name: &str,
    is_asked: impl Fn(&str) -> bool,
) -> Option<Handler> {
    let mut others = block.plugins.iter().filter(|plugin| {
        let own = plugin.name.as_str();
        is_asked(own) && !INERT.contains(&own) && !EVALUATED.contains(&own) && own != "view"
    });
    let may_answer = |plugin: &&Plugin| {
        let mut zones = zones(plugin).peekable();
        zones.peek().is_none() || zones.any(|zone| is_below(name, &zone))
    };
    let plugin = others.find(may_answer)?;
    Some(Handler::Unknown {
        at: plugin.at.clone(),
        why: format!("plugin {} may answer it", plugin.name),
    })
}

/// The zones that a plugin is for, as its arguments say; none where it is for all of its block.
fn zones(plugin: &Plugin) -> impl Iterator<Item = String> {
    // `file DBFILE ZONE…`; `route53 ZONE:ID…` and `azure GROUP:ZONE`.
    let skip = usize::from(plugin.name == "file");
    let words = plugin.arguments.iter().skip(skip);
    let words = words.flat_map(|word| word.split(':'));
    words
        .map(|zone| zone.trim_matches('.').to_lowercase())
        .filter(|zone| !zone.is_empty())
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
        let is_asked = (class == "IN" || class == "ANY")
            && (kind == asked || kind == "ANY")
            && (zones.is_empty()
                || zones
                    .iter()
                    .any(|zone| is_below(name, zone.trim_matches('.'))));
        is_asked.then(|| template(plugin, name)).flatten()
    })
}

/// What a template answers: the first of its `match` that fits is enough, and without one all do.
/// What none fits ends there with SERVFAIL, unless it falls through (`plugin/template/template.go`).
fn template(plugin: &Plugin, name: &str) -> Option<Handler> {
    let dotted = format!("{name}.");
    let mut patterns = plugin
        .body
        .iter()
        .filter(|line| line[0] == "match")
        .flat_map(|line| &line[1..])
        .peekable();
    let is_any = patterns.peek().is_none();
    let mut fits = is_any;
    for pattern in patterns {
        match Regex::new(pattern) {
            Ok(pattern) => fits |= pattern.is_match(&dotted),
            Err(_) => return Some(unknown(plugin, format!("template match {pattern:?}"))),
        }
    }
    if !fits {
        return (!falls_through(plugin, name)).then(|| refusal(plugin, "SERVFAIL"));
    }
    if let Some(answer) = plugin.option("answer") {
        return Some(record(plugin, &answer.join(" ")));
    }
    let rcode = plugin.option("rcode").and_then(<[String]>::first);
    rcode.map(|rcode| refusal(plugin, rcode))
}

/// The record that a template writes: addresses, or another name.
fn record(plugin: &Plugin, text: &str) -> Handler {
    let words: Vec<&str> = text.split_whitespace().collect();
    let at = plugin.at.clone();
    let addresses: Vec<IpAddr> = words.iter().filter_map(|word| word.parse().ok()).collect();
    let target = words
        .iter()
        .position(|word| *word == "CNAME")
        .and_then(|position| words.get(position + 1))
        .filter(|target| !target.contains('{'));
    match target {
        _ if !addresses.is_empty() => Handler::Inline { at, addresses },
        Some(target) => Handler::Alias {
            at,
            target: target.trim_end_matches('.').to_lowercase(),
        },
        None => unknown(plugin, format!("template answer {text:?}")),
    }
}

fn refusal(plugin: &Plugin, rcode: &str) -> Handler {
    Handler::Refusal {
        at: plugin.at.clone(),
        plugin: if plugin.name == "hosts" {
            "hosts"
        } else {
            "template"
        },
        rcode: rcode.to_owned(),
    }
}

fn unknown(plugin: &Plugin, why: String) -> Handler {
    Handler::Unknown {
        at: plugin.at.clone(),
        why,
    }
}

/// `fallthrough [ZONE…]`.
fn falls_through(plugin: &Plugin, name: &str) -> bool {
    match plugin.option("fallthrough") {
        Some([]) => true,
        Some(zones) => zones
            .iter()
            .any(|zone| is_below(name, zone.trim_matches('.'))),
        None => false,
    }
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
                at: plugin.at.clone(),
                addresses: wanted,
            });
        }
        (!falls_through(plugin, name)).then(|| refusal(plugin, "SERVFAIL"))
    })
}

fn from_cluster_set(block: &ServerBlock, asked: &Rewritten) -> Option<Handler> {
    let (plugin, zone) = cluster_set::plugin(block, &asked.name)?;
    Some(Handler::ClusterSet {
        at: plugin.at.clone(),
        zone,
        name: asked.name.clone(),
        rewritten_by: asked.by.clone(),
        falls_through: falls_through(plugin, &asked.name),
    })
}

fn from_kubernetes(block: &ServerBlock, asked: &Rewritten) -> Option<Handler> {
    let zones = block.kubernetes_zones();
    let zone = zones
        .into_iter()
        .filter(|zone| is_below(&asked.name, zone))
        .max_by_key(String::len)?;
    let plugin = block.all("kubernetes").next()?;
    Some(Handler::Kubernetes {
        zone,
        name: asked.name.clone(),
        rewritten_by: asked.by.clone(),
        falls_through: falls_through(plugin, &asked.name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(corefile: &str, name: &str) -> Handler {
        let corefile = Corefile::parse(corefile).expect("a Corefile");
        handler(&corefile, name, Family::V4)
    }

    fn line(line: usize) -> At {
        At { file: None, line }
    }

    fn kubernetes(name: &str, rewritten_by: Option<usize>) -> Handler {
        Handler::Kubernetes {
            zone: "cluster.local".into(),
            name: name.into(),
            rewritten_by: rewritten_by.map(line),
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
                to: vec!["/etc/resolv.conf".into()],
                name: "example.com".into(),
                rewritten_by: None
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
                at: line(2),
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
                at: line(2),
                plugin: "hosts",
                rcode: "SERVFAIL".into()
            }
        );
        let template = ".:53 {\n template IN A lab.example {\n match \"^x[.]\"\n rcode NXDOMAIN\n fallthrough\n }\n forward . 1.1.1.1\n}";
        assert_eq!(
            who(template, "x.lab.example"),
            Handler::Refusal {
                at: line(2),
                plugin: "template",
                rcode: "NXDOMAIN".into()
            }
        );
        assert!(matches!(
            who(template, "y.lab.example"),
            Handler::Forward { .. }
        ));
    }

    #[test]
    fn templates_answer_with_names_and_refuse_what_they_do_not_match() {
        let aliased = ". {\n template IN ANY corp.example {\n answer \"{{ .Name }} 60 IN CNAME api.shop.svc.cluster.local.\"\n }\n}";
        assert_eq!(
            who(aliased, "x.corp.example"),
            Handler::Alias {
                at: line(2),
                target: "api.shop.svc.cluster.local".into()
            }
        );
        let picky = ". {\n template IN A corp.example {\n match \"^x[.]\"\n match \"^y[.]\"\n rcode NOERROR\n }\n}";
        for (name, rcode) in [
            ("y.corp.example", "NOERROR"),
            ("z.corp.example", "SERVFAIL"),
        ] {
            let Handler::Refusal { rcode: own, .. } = who(picky, name) else {
                panic!("{name}")
            };
            assert_eq!(own, rcode, "{name}");
        }
    }

    #[test]
    fn what_is_not_evaluated_is_unknown_where_it_may_answer() {
        let file = ". {\n file /etc/zone corp.example\n kubernetes cluster.local\n forward . 1.1.1.1 {\n except lan.example\n }\n}";
        assert!(matches!(
            who(file, "a.corp.example"),
            Handler::Unknown { .. }
        ));
        assert!(matches!(who(file, "a.example"), Handler::Forward { .. }));
        assert_eq!(who(file, "a.lan.example"), Handler::Nobody);
        assert_eq!(
            who(file, "a.b.svc.cluster.local"),
            kubernetes("a.b.svc.cluster.local", None)
        );
        let imports = ". {\n import other/*.conf\n forward . 1.1.1.1\n}";
        assert!(matches!(who(imports, "a.example"), Handler::Unknown { .. }));
    }
}
