//! `ipset save` and `ipset list`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::BadDump;
use crate::nat::model::{Data, Elements, Ipset, Member, Part, address_number, prefix_range};
use crate::net::parse_prefix;

/// Reads what was gathered of ipset: `ipset save`, or the listing `ipset list`. No text at all is no set.
///
/// # Errors
/// When it is neither: names alone (`ipset list -n`), XML, JSON.
pub fn read_ipset(text: &str) -> Result<BTreeMap<String, Ipset>, BadDump> {
    if text.lines().any(|line| line.starts_with("Name: ")) {
        return Ok(ipsets(&as_commands(text)));
    }
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let is_empty = lines.clone().all(|line| line.starts_with('#'));
    if is_empty || lines.any(|line| line.starts_with("create ")) {
        return Ok(ipsets(text));
    }
    Err(BadDump {
        tool: "ipset save",
        message: "no line creates a set".to_owned(),
    })
}

/// The listing as the commands that make its sets.
fn as_commands(text: &str) -> String {
    let mut commands = String::new();
    let (mut name, mut kind) = ("", "");
    let mut has_members = false;
    for line in text.lines().map(str::trim) {
        let value = |key: &str| line.strip_prefix(key).map(str::trim);
        if let Some(text) = value("Name:") {
            (name, has_members) = (text, false);
        } else if let Some(text) = value("Type:").filter(|_| !has_members) {
            kind = text;
        } else if let Some(text) = value("Header:").filter(|_| !has_members) {
            commands.push_str(&format!("create {name} {kind} {text}\n"));
        } else if line == "Members:" {
            has_members = true;
        } else if has_members && !line.is_empty() {
            commands.push_str(&format!("add {name} {line}\n"));
        }
    }
    commands
}

/// The sets that `ipset save` prints, by name. Lines that are no command are passed over; a member
/// that is not understood stands for anything, so that the set answers "unknown" rather than "no".
#[must_use]
pub fn ipsets(text: &str) -> BTreeMap<String, Ipset> {
    let mut drafts: BTreeMap<&str, Draft<'_>> = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        match (words.next(), words.next()) {
            (Some("create"), Some(name)) => {
                drafts.insert(name, Draft::new(words));
            }
            (Some("add"), Some(name)) => {
                if let (Some(draft), Some(member)) = (drafts.get_mut(name), words.next()) {
                    draft.add(member, words);
                }
            }
            _ => {}
        }
    }
    drafts
        .into_iter()
        .map(|(name, draft)| (name.to_owned(), draft.finish()))
        .collect()
}

struct Draft<'a> {
    columns: Vec<&'a str>,
    is_v4: bool,
    members: Vec<Member>,
}

// === impl Draft ===

impl<'a> Draft<'a> {
    /// From the words behind `create NAME`.
    fn new(mut words: impl Iterator<Item = &'a str>) -> Self {
        let kind = words.next().unwrap_or_default();
        let columns = kind
            .split_once(':')
            .map_or("", |(_method, columns)| columns);
        let mut is_v4 = true;
        while let Some(word) = words.next() {
            if word == "family" {
                is_v4 = words.next() != Some("inet6");
            }
        }
        Self {
            columns: columns.split(',').collect(),
            is_v4,
            members: Vec::new(),
        }
    }

    fn add(&mut self, member: &str, mut options: impl Iterator<Item = &'a str>) {
        let texts: Vec<&str> = member.split(',').collect();
        let mut key = Vec::new();
        for (column, text) in self.columns.iter().zip(&texts) {
            parts(column, text, &mut key);
        }
        if texts.len() != self.columns.len() {
            key.push(Part::Any);
        }
        let data = if options.any(|option| option == "nomatch") {
            Data::Nomatch
        } else if key.contains(&Part::Any) {
            Data::Opaque(member.into())
        } else {
            Data::None
        };
        // Whatever was not understood must cover keys of the usual length.
        key.truncate(width(&self.columns));
        self.members.push(Member {
            key: key.into(),
            data,
        });
    }

    fn finish(self) -> Ipset {
        Ipset {
            columns: self.columns.iter().map(|column| (*column).into()).collect(),
            is_v4: self.is_v4,
            elements: Elements::new(self.members),
        }
    }
}

/// How many parts a key has: `port` is protocol and port, but in bitmaps the port alone.
fn width(columns: &[&str]) -> usize {
    let bitmap = columns == ["port"];
    let of = |column: &&str| if *column == "port" && !bitmap { 2 } else { 1 };
    columns.iter().map(of).sum()
}

fn parts(column: &str, text: &str, key: &mut Vec<Part>) {
    match column {
        "ip" | "net" => key.push(addresses(text).unwrap_or(Part::Any)),
        "port" => match text.split_once(':') {
            // `tcp:80`, `udp:1000-2000`
            Some((protocol, ports)) => {
                key.push(protocol_number(protocol).map_or(Part::Any, Part::one));
                key.push(numbers(ports).unwrap_or(Part::Any));
            }
            None => key.push(numbers(text).unwrap_or(Part::Any)),
        },
        "iface" => key.push(Part::Name(
            text.strip_prefix("physdev:").unwrap_or(text).into(),
        )),
        "mark" => {
            let digits = text.strip_prefix("0x").unwrap_or(text);
            key.push(u128::from_str_radix(digits, 16).map_or(Part::Any, Part::one));
        }
        "set" => key.push(Part::Name(text.into())),
        _ => key.push(Part::Any),
    }
}

fn addresses(text: &str) -> Option<Part> {
    if let Some((first, last)) = text.split_once('-') {
        let number = |text: &str| text.parse::<IpAddr>().ok().map(address_number);
        return Some(Part::Range(number(first)?, number(last)?));
    }
    let (first, last) = prefix_range(parse_prefix(text).ok()?);
    Some(Part::Range(first, last))
}

fn numbers(text: &str) -> Option<Part> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some(Part::Range(first.parse().ok()?, last.parse().ok()?))
}

fn protocol_number(name: &str) -> Option<u128> {
    super::iptables::protocol_number(name).map(u128::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_members() {
        let text = "create A hash:ip,port,net family inet hashsize 1024\nadd A 10.180.0.1,tcp:80,203.0.113.0/25\n\
            create N hash:net family inet6\nadd N fd00::/8\nadd N fd01::/16 nomatch\n\
            create B bitmap:port range 0-65535\nadd B 30080\nCOMMIT\n";
        let sets = ipsets(text);
        let address = |text: &str| Part::one(address_number(text.parse().unwrap()));
        let key = |net: &str| {
            vec![
                address("10.180.0.1"),
                Part::one(6),
                Part::one(80),
                address(net),
            ]
        };
        assert_eq!(
            sets["A"].elements.get(&key("203.0.113.9")),
            Some(&Data::None)
        );
        assert_eq!(sets["A"].elements.get(&key("203.0.113.200")), None);
        assert_eq!(
            sets["N"].elements.get(&[address("fd01::1")]),
            Some(&Data::Nomatch)
        );
        assert_eq!(
            sets["N"].elements.get(&[address("fd02::1")]),
            Some(&Data::None)
        );
        assert!(!sets["N"].is_v4);
        assert_eq!(
            sets["B"].elements.get(&[Part::one(30080)]),
            Some(&Data::None)
        );
    }
}
