//! Calico eBPF: the Services of a node, as `bpf nat dump` prints them: JSON with `--json` from 3.33 on, text before.
//!
//! ```text
//!  10.96.6.170 port 8080 proto 6 id 12 count 2 local 1
//!          12:0     10.244.1.11:9090
//!          12:1     is missing
//! ```

use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;

use super::answer::{BadAnswer, bad, stream};
use super::{ServiceTable, Slot};
use crate::net::Protocol;

const JSON: &str = "calico component node bpf nat dump --json";
const TEXT: &str = "calico-node -bpf nat dump";

#[derive(Deserialize)]
struct Raw {
    /// One, or several with the same backends.
    frontend: Option<Frontend>,
    #[serde(default)]
    frontends: Vec<Frontend>,
    backends: Option<Vec<Option<Backend>>>,
}

#[derive(Deserialize)]
struct Frontend {
    addr: IpAddr,
    port: u16,
    proto: u8,
    src_cidr: Option<String>,
    count: Option<i64>,
    #[serde(default)]
    flags: String,
}

#[derive(Deserialize)]
struct Backend {
    addr: IpAddr,
    port: u16,
}

/// Reads the JSON form.
///
/// # Errors
/// When the text is no such list.
pub fn nat_dump(text: &str) -> Result<ServiceTable, BadAnswer> {
    let raw: Vec<Raw> = stream(JSON, text)?;
    let mut table = ServiceTable::default();
    for one in raw {
        let backends = one.backends.unwrap_or_default();
        for frontend in one.frontend.iter().chain(&one.frontends) {
            // What only some clients may use stands beside the entry for everybody.
            let Some(protocol) = protocol(frontend.proto).filter(|_| frontend.is_for_all()) else {
                continue;
            };
            let entry = table.entry(frontend.addr, frontend.port, protocol, false);
            entry.head = Some(frontend.flags.clone());
            entry.count = frontend.count.and_then(|count| count.try_into().ok());
            for (slot, backend) in (1_u32..).zip(&backends) {
                let to = backend.as_ref().map_or_else(
                    || Slot::Lost("is missing".to_owned()),
                    |to| Slot::Backend(SocketAddr::new(to.addr, to.port)),
                );
                entry.slots.insert(slot, to);
            }
        }
    }
    Ok(table)
}

/// Reads the text form.
///
/// # Errors
/// When a line is neither a frontend nor a backend.
pub fn nat_dump_text(text: &str) -> Result<ServiceTable, BadAnswer> {
    let mut table = ServiceTable::default();
    let mut at: Option<(IpAddr, u16, Protocol)> = None;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let wrong = || bad(TEXT, line.trim().chars().take(80).collect::<String>());
        if line.starts_with([' ', '\t']) {
            let Some((ip, port, protocol)) = at else {
                continue;
            };
            let (slot, to) = backend(line).ok_or_else(wrong)?;
            table
                .entry(ip, port, protocol, false)
                .slots
                .insert(slot, to);
            continue;
        }
        let (ip, port, number, count) = frontend(line).ok_or_else(wrong)?;
        at = protocol(number)
            .map(|protocol| (ip, port, protocol))
            .filter(|_| !line.contains(" src "));
        if let Some((ip, port, protocol)) = at {
            let entry = table.entry(ip, port, protocol, false);
            entry.head = Some(String::new());
            entry.count = count;
        }
    }
    Ok(table)
}

/// `10.96.6.170 port 8080 proto 6 id 12 count 2 local 1`
fn frontend(line: &str) -> Option<(IpAddr, u16, u8, Option<u32>)> {
    let mut words = line.split_whitespace();
    let ip = words.next()?.parse().ok()?;
    let words: Vec<&str> = words.collect();
    let field = |name: &str| {
        let position = words.iter().position(|word| *word == name)?;
        words.get(position + 1).copied()
    };
    let count = field("count").and_then(|count| count.parse().ok());
    Some((
        ip,
        field("port")?.parse().ok()?,
        field("proto")?.parse().ok()?,
        count,
    ))
}

/// `12:0     10.244.1.11:9090`; the ordinal counts from 0.
fn backend(line: &str) -> Option<(u32, Slot)> {
    let (place, to) = line.trim().split_once(char::is_whitespace)?;
    let ordinal: u32 = place.rsplit_once(':')?.1.parse().ok()?;
    let to = to.trim();
    let slot = match to.split_whitespace().next()?.parse() {
        Ok(to) => Slot::Backend(to),
        Err(_) if to.contains("missing") => Slot::Lost(to.to_owned()),
        Err(_) => return None,
    };
    Some((ordinal.checked_add(1)?, slot))
}

const fn protocol(number: u8) -> Option<Protocol> {
    match number {
        6 => Some(Protocol::Tcp),
        17 => Some(Protocol::Udp),
        132 => Some(Protocol::Sctp),
        _ => None,
    }
}

// === impl Frontend ===

impl Frontend {
    fn is_for_all(&self) -> bool {
        self.src_cidr
            .as_ref()
            .is_none_or(|net| net.is_empty() || net.ends_with("/0"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hole(table: &ServiceTable, to: &str) -> (usize, Option<String>) {
        let to: SocketAddr = to.parse().unwrap();
        let found = table.get(to.ip(), to.port(), Protocol::Tcp).unwrap();
        (found.backends().count(), found.hole())
    }

    #[test]
    fn json_of_both_shapes() {
        let table = nat_dump(
            r#"[{"frontend":{"addr":"10.96.6.170","port":8080,"proto":6,"id":12,"count":2,"local":1,"flags":"external-local"},
                "backends":[{"addr":"10.244.1.11","port":9090},{"addr":"10.244.2.9","port":9090}]},
                {"frontend":{"addr":"10.96.6.170","port":8080,"proto":6,"src_cidr":"192.0.2.0/24","id":12,"count":-1,"local":0},"backends":null},
                {"id":13,"frontends":[{"addr":"10.96.6.171","port":80,"proto":6,"count":2},{"addr":"10.96.6.171","port":80,"proto":1}],
                "backends":[{"addr":"10.244.1.11","port":80}]}]"#,
        )
        .unwrap();
        assert_eq!(hole(&table, "10.96.6.170:8080"), (2, None));
        assert_eq!(
            hole(&table, "10.96.6.171:80").1.unwrap(),
            "slot 2 of 2 is missing"
        );
    }

    #[test]
    fn text_with_a_hole() {
        let table = nat_dump_text(
            "10.96.6.170 port 8080 proto 6 id 12 count 2 local 1\n\t12:0\t 10.244.1.11:9090\n\t12:1\t is missing\n\
             10.96.0.10 port 53 proto 17 id 3 count 0 local 0\n",
        )
        .unwrap();
        assert_eq!(
            hole(&table, "10.96.6.170:8080"),
            (1, Some("slot 2: is missing".to_owned()))
        );
        let dns = table
            .get("10.96.0.10".parse().unwrap(), 53, Protocol::Udp)
            .unwrap();
        assert_eq!(dns.hole(), None);
    }

    #[test]
    fn what_is_no_dump_is_an_error() {
        assert!(nat_dump("unknown flag: --json").is_err());
        assert!(nat_dump_text("Usage:\n  calico-node -bpf").is_err());
        assert!(nat_dump_text("10.96.6.170 port 8080 proto 6\n\t12:x\t y\n").is_err());
    }
}
