//! The part of a Corefile that decides answers.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// The server blocks, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Corefile {
    blocks: Vec<Block>,
}

/// One server block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Block {
    /// Zones in lower case without the final dot; the root is empty.
    pub zones: Vec<String>,
    pub plugins: Vec<Plugin>,
}

/// A plugin that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plugin {
    Kubernetes {
        zones: Vec<String>,
        fallthrough: bool,
        ttl: u32,
    },
    Hosts {
        names: BTreeMap<String, Vec<IpAddr>>,
        fallthrough: bool,
    },
    /// `rewrite name FROM TO`.
    Rewrite {
        from: String,
        to: String,
    },
    /// `template CLASS TYPE … { rcode NXDOMAIN }`.
    Template {
        kind: String,
        zone: String,
        rcode: String,
    },
    Forward {
        from: String,
        to: Vec<String>,
    },
}

// === impl Corefile ===

impl Corefile {
    /// Reads a file. What decides no answer (`cache`, `log` …) is passed over.
    pub fn parse(text: &str) -> Self {
        let mut corefile = Self::default();
        let mut lines = text
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default().trim());
        while let Some(line) = lines.next() {
            if let Some(head) = line.strip_suffix('{') {
                let zones = head
                    .split([' ', ','])
                    .filter(|zone| !zone.is_empty())
                    .map(zone_of)
                    .collect();
                let plugins = plugins(&mut lines);
                corefile.blocks.push(Block { zones, plugins });
            }
        }
        corefile
    }

    /// The block of the longest zone that holds the name.
    pub fn block(&self, name: &str) -> Option<&Block> {
        let zones = self
            .blocks
            .iter()
            .flat_map(|block| block.zones.iter().map(move |zone| (zone, block)));
        let fitting = zones.filter(|(zone, _)| is_below(name, zone));
        fitting
            .max_by_key(|(zone, _)| zone.len())
            .map(|(_, block)| block)
    }
}

fn plugins<'a>(lines: &mut impl Iterator<Item = &'a str>) -> Vec<Plugin> {
    let mut plugins = Vec::new();
    while let Some(line) = lines.next() {
        if line == "}" {
            break;
        }
        let (head, has_body) = line
            .strip_suffix('{')
            .map_or((line, false), |head| (head, true));
        let words: Vec<&str> = head.split_whitespace().collect();
        let mut body = Vec::new();
        if has_body {
            for inner in lines.by_ref() {
                if inner == "}" {
                    break;
                }
                body.push(inner.split_whitespace().collect::<Vec<_>>());
            }
        }
        plugins.extend(plugin(&words, &body));
    }
    plugins
}

fn plugin(words: &[&str], body: &[Vec<&str>]) -> Option<Plugin> {
    let option = |name: &str| body.iter().find(|line| line.first() == Some(&name));
    match words {
        ["kubernetes", zones @ ..] => Some(Plugin::Kubernetes {
            zones: zones.iter().map(|zone| zone_of(zone)).collect(),
            // Only for the reverse zones, as usual; a bare one counts for all.
            fallthrough: option("fallthrough").is_some_and(|line| line.len() == 1),
            ttl: option("ttl")
                .and_then(|line| line.get(1)?.parse().ok())
                .unwrap_or(5),
        }),
        ["hosts", ..] => {
            let mut names: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
            for line in body {
                let Some(address) = line.first().and_then(|word| word.parse().ok()) else {
                    continue;
                };
                for name in &line[1..] {
                    names.entry(name.to_lowercase()).or_default().push(address);
                }
            }
            let fallthrough = option("fallthrough").is_some();
            Some(Plugin::Hosts { names, fallthrough })
        }
        ["rewrite", "name", "exact", from, to] | ["rewrite", "name", from, to] => {
            Some(Plugin::Rewrite {
                from: zone_of(from),
                to: zone_of(to),
            })
        }
        ["template", _, kind, rest @ ..] => Some(Plugin::Template {
            kind: (*kind).to_uppercase(),
            zone: rest.first().map_or_else(String::new, |zone| zone_of(zone)),
            rcode: option("rcode")
                .and_then(|line| line.get(1))
                .unwrap_or(&"NOERROR")
                .to_string(),
        }),
        ["forward", from, to @ ..] => Some(Plugin::Forward {
            from: zone_of(from),
            to: to.iter().map(|one| (*one).to_owned()).collect(),
        }),
        _ => None,
    }
}

/// `.:53` is the root, `Lab.Example:53` is `lab.example`.
fn zone_of(text: &str) -> String {
    let text = text.strip_prefix("dns://").unwrap_or(text);
    let name = match text.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => text,
    };
    name.trim_end_matches('.').to_lowercase()
}

/// Whether a name is a zone's or below it. Both without the final dot.
pub fn is_below(name: &str, zone: &str) -> bool {
    zone.is_empty()
        || name
            .strip_suffix(zone)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}
