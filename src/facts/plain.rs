//! The same listings without `-j`, as people paste them: lines of words to the JSON of `ip` and `bridge`.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::BadFact;
use crate::net::parse_prefix;

type Object = Map<String, Value>;

/// A listing that `ip` or `bridge` prints as words.
#[derive(Debug, Clone, Copy)]
pub(super) enum Listing {
    Routes,
    Rules,
    Addresses,
    Neighbours,
    Forwarding,
}

/// Whether text is no JSON but may be such a listing.
pub(super) fn is_plain(text: &str) -> bool {
    let text = text.trim_start();
    !text.is_empty() && !text.starts_with(['[', '{'])
}

/// The objects that `-j` would have printed.
///
/// # Errors
/// When a line is none of the listing's.
pub(super) fn objects(
    listing: Listing,
    tool: &'static str,
    text: &str,
) -> Result<Vec<Value>, BadFact> {
    let mut all: Vec<Object> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let is_inner = line.starts_with([' ', '\t']);
        let read = match listing {
            Listing::Routes => route(&words, &mut all),
            Listing::Rules => rule(&words, &mut all),
            Listing::Addresses if is_inner => detail(&words, &mut all),
            Listing::Addresses => link(&words, &mut all),
            Listing::Neighbours => neighbour(&words, &mut all),
            Listing::Forwarding => forwarding(&words, &mut all),
        };
        if read.is_none() {
            return Err(BadFact {
                tool,
                message: format!("not understood: {}", line.trim()),
            });
        }
    }
    Ok(all.into_iter().map(Value::Object).collect())
}

const ROUTE_KINDS: [&str; 9] = [
    "unicast",
    "local",
    "broadcast",
    "anycast",
    "multicast",
    "blackhole",
    "unreachable",
    "prohibit",
    "throw",
];

/// `[TYPE] DESTINATION via GATEWAY dev NAME …`, or a `nexthop` of the line before.
fn route(words: &[&str], all: &mut Vec<Object>) -> Option<()> {
    let mut object = Object::new();
    let mut words = words;
    if words.first() == Some(&"nexthop") {
        pairs(&words[1..], ROUTE_WORDS, &mut object);
        let before = all.last_mut()?.entry("nexthops").or_insert(json!([]));
        before.as_array_mut()?.push(object.into());
        return Some(());
    }
    if let Some((kind, rest)) = words
        .split_first()
        .filter(|(kind, _)| ROUTE_KINDS.contains(kind))
    {
        object.insert("type".to_owned(), json!(kind));
        words = rest;
    }
    let (destination, rest) = words.split_first()?;
    if *destination != "default" {
        parse_prefix(destination).ok()?;
    }
    object.insert("dst".to_owned(), json!(destination));
    pairs(rest, ROUTE_WORDS, &mut object);
    if object
        .get("gateway")
        .is_some_and(|gateway| gateway == "inet6")
    {
        return None;
    }
    all.push(object);
    Some(())
}

/// Words with a value, and the names that `-j` gives them.
const ROUTE_WORDS: &[(&str, &str)] = &[
    ("via", "gateway"),
    ("dev", "dev"),
    ("table", "table"),
    ("proto", "protocol"),
    ("metric", "metric"),
    ("src", "prefsrc"),
    ("pref", "pref"),
    ("scope", "scope"),
    ("weight", "weight"),
    ("mtu", "mtu"),
];

/// Takes words with a value; all others are flags.
fn pairs(words: &[&str], known: &[(&str, &str)], object: &mut Object) {
    let mut flags = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match known.iter().find(|(name, _)| name == word) {
            Some((_, name)) => {
                if let Some(value) = words.next() {
                    object.insert((*name).to_owned(), json!(value));
                }
            }
            None => flags.push(*word),
        }
    }
    object.insert("flags".to_owned(), json!(flags));
}

/// `PRIORITY: [not] from SOURCE [to …] [iif …] [fwmark VALUE/MASK] lookup TABLE`.
fn rule(words: &[&str], all: &mut Vec<Object>) -> Option<()> {
    let (priority, rest) = words.split_first()?;
    let priority: u32 = priority.strip_suffix(':')?.parse().ok()?;
    let mut object = Object::new();
    object.insert("priority".to_owned(), json!(priority));
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        match *word {
            "not" => {
                object.insert("not".to_owned(), Value::Null);
            }
            end @ ("from" | "to") => {
                let (name, length) = if end == "from" {
                    ("src", "srclen")
                } else {
                    ("dst", "dstlen")
                };
                let address = words.next()?;
                match address.split_once('/') {
                    Some((address, bits)) => {
                        object.insert(name.to_owned(), json!(address));
                        object.insert(length.to_owned(), json!(bits.parse::<u8>().ok()?));
                    }
                    None => {
                        object.insert(name.to_owned(), json!(address));
                    }
                }
            }
            "fwmark" => {
                let text = words.next()?;
                let (value, mask) = text.split_once('/').unwrap_or((text, "0xffffffff"));
                object.insert("fwmark".to_owned(), json!(value));
                object.insert("fwmask".to_owned(), json!(mask));
            }
            "lookup" | "table" => {
                object.insert("table".to_owned(), json!(words.next()?));
            }
            "suppress_prefixlength" => {
                let length: u8 = words.next()?.parse().ok()?;
                object.insert("suppress_prefixlen".to_owned(), json!(length));
            }
            kind @ ("blackhole" | "unreachable" | "prohibit") => {
                object.insert("action".to_owned(), json!(kind));
            }
            "proto" => {
                words.next();
            }
            name => {
                object.insert(name.to_owned(), json!(words.next()?));
            }
        }
    }
    all.push(object);
    Some(())
}

/// `2: eth0@if5: <BROADCAST,UP,LOWER_UP> mtu 1500 … master cni0 …`.
fn link(words: &[&str], all: &mut Vec<Object>) -> Option<()> {
    let [index, name, flags, rest @ ..] = words else {
        return None;
    };
    let index: u32 = index.strip_suffix(':')?.parse().ok()?;
    let name = name.strip_suffix(':')?;
    let (name, peer) = name
        .split_once('@')
        .map_or((name, None), |(name, peer)| (name, Some(peer)));
    let flags = flags.strip_prefix('<')?.strip_suffix('>')?;
    let after = |word: &str| {
        let at = rest.iter().position(|one| *one == word)?;
        rest.get(at + 1).copied()
    };
    let mut object = Object::new();
    object.insert("ifindex".to_owned(), json!(index));
    object.insert("ifname".to_owned(), json!(name));
    object.insert(
        "flags".to_owned(),
        json!(flags.split(',').collect::<Vec<_>>()),
    );
    let mtu: u32 = after("mtu")?.parse().ok()?;
    object.insert("mtu".to_owned(), json!(mtu));
    if let Some(master) = after("master") {
        object.insert("master".to_owned(), json!(master));
    }
    let peer = peer.and_then(|peer| peer.strip_prefix("if")?.parse::<u32>().ok());
    if let Some(peer) = peer {
        object.insert("link_index".to_owned(), json!(peer));
        object.insert("linkinfo".to_owned(), json!({"info_kind": "veth"}));
    }
    object.insert("addr_info".to_owned(), json!([]));
    all.push(object);
    Some(())
}

/// The lines below an interface: its link address, its addresses, what it is made of.
fn detail(words: &[&str], all: &mut [Object]) -> Option<()> {
    let object = all.last_mut()?;
    let after = |word: &str| {
        let at = words.iter().position(|one| *one == word)?;
        words.get(at + 1).copied()
    };
    match words {
        [kind, rest @ ..] if kind.starts_with("link/") => {
            object.insert("link_type".to_owned(), json!(kind.strip_prefix("link/")?));
            if let Some(address) = rest.first() {
                object.insert("address".to_owned(), json!(address));
            }
        }
        ["inet" | "inet6", address, ..] => {
            let (address, length) = address
                .split_once('/')
                .unwrap_or_else(|| (address, if words[0] == "inet" { "32" } else { "128" }));
            let address: IpAddr = address.parse().ok()?;
            let entry = json!({
                "local": address,
                "prefixlen": length.parse::<u8>().ok()?,
                "scope": after("scope").unwrap_or("global"),
            });
            object.get_mut("addr_info")?.as_array_mut()?.push(entry);
        }
        [
            kind @ ("veth" | "bridge" | "dummy" | "ipip" | "wireguard"),
            ..,
        ] => {
            object.insert("linkinfo".to_owned(), json!({"info_kind": kind}));
        }
        [kind @ ("vxlan" | "geneve"), ..] => {
            let number = |word| after(word).and_then(|text| text.parse::<u64>().ok());
            let data = json!({
                "id": number("id"), "port": number("dstport"), "local": after("local"),
                "link": after("dev"), "remote": after("remote"), "group": after("group"),
            });
            let info = json!({"info_kind": kind, "info_data": data});
            object.insert("linkinfo".to_owned(), info);
        }
        // Lifetimes, statistics and the rest.
        _ => {}
    }
    Some(())
}

/// `10.0.0.1 dev eth0 lladdr 52:54:00:12:34:56 REACHABLE`.
fn neighbour(words: &[&str], all: &mut Vec<Object>) -> Option<()> {
    let (address, rest) = words.split_first()?;
    address.parse::<IpAddr>().ok()?;
    let mut object = Object::new();
    object.insert("dst".to_owned(), json!(address));
    pairs(
        rest,
        &[("dev", "dev"), ("lladdr", "lladdr"), ("proto", "protocol")],
        &mut object,
    );
    let state = object.remove("flags")?;
    object.insert("state".to_owned(), state);
    all.push(object);
    Some(())
}

/// `52:54:00:12:34:56 dev flannel.1 dst 192.168.7.12 self permanent`.
fn forwarding(words: &[&str], all: &mut Vec<Object>) -> Option<()> {
    let (mac, rest) = words.split_first()?;
    if mac.split(':').count() != 6 {
        return None;
    }
    let mut object = Object::new();
    object.insert("mac".to_owned(), json!(mac));
    let known = [
        ("dev", "ifname"),
        ("dst", "dst"),
        ("master", "master"),
        ("vlan", "vlan"),
        ("port", "port"),
        ("vni", "vni"),
        ("via", "via"),
    ];
    pairs(rest, &known, &mut object);
    if rest.contains(&"permanent") {
        object.insert("state".to_owned(), json!("permanent"));
    }
    all.push(object);
    Some(())
}
