//! `/proc/net/nf_conntrack` or `conntrack -L`: the connections a node remembers.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::net::Protocol;

/// One connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    pub protocol: Protocol,
    /// `ESTABLISHED`, `TIME_WAIT` …; none for UDP.
    pub state: Option<String>,
    /// The first packet, as it came.
    pub original: Tuple,
    /// What answers look like: source and destination swapped, after translation.
    pub reply: Tuple,
    /// No answer was seen yet.
    pub is_unreplied: bool,
}

/// Addresses and ports of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuple {
    pub src: IpAddr,
    pub sport: u16,
    pub dst: IpAddr,
    pub dport: u16,
}

/// Reads the table, one entry a line. Entries of other protocols and lines that are no entry (the
/// summary that `conntrack` prints) are passed over.
#[must_use]
pub fn connections(text: &str) -> Vec<Connection> {
    text.lines().filter_map(connection).collect()
}

fn connection(line: &str) -> Option<Connection> {
    let mut words = line.split_ascii_whitespace().peekable();
    // /proc begins with the network layer: `ipv4     2 tcp      6 117 ESTABLISHED src=…`.
    if words.peek().is_some_and(|word| word.starts_with("ipv")) {
        words.next();
        words.next();
    }
    let protocol: Protocol = words.next()?.parse().ok()?;
    let mut state = None;
    let mut tuples: Vec<PartialTuple> = Vec::new();
    let mut is_unreplied = false;
    for word in words {
        match word.split_once('=') {
            Some(("src", value)) => tuples.push(PartialTuple {
                src: value.parse().ok()?,
                ..PartialTuple::EMPTY
            }),
            Some((key, value)) => {
                if let Some(tuple) = tuples.last_mut() {
                    tuple.set(key, value);
                }
            }
            None if word == "[UNREPLIED]" => is_unreplied = true,
            None if tuples.is_empty() && word.starts_with(|c: char| c.is_ascii_uppercase()) => {
                state = Some(word.to_owned());
            }
            None => {}
        }
    }
    let [original, reply] = tuples.as_slice() else {
        return None;
    };
    Some(Connection {
        protocol,
        state,
        original: original.finish()?,
        reply: reply.finish()?,
        is_unreplied,
    })
}

struct PartialTuple {
    src: IpAddr,
    dst: Option<IpAddr>,
    sport: Option<u16>,
    dport: Option<u16>,
}

// === impl Tuple ===

/// `10.244.1.9:5000 > 10.244.2.5:53`
impl fmt::Display for Tuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = SocketAddr::new(self.src, self.sport);
        write!(f, "{source} > {}", SocketAddr::new(self.dst, self.dport))
    }
}

// === impl PartialTuple ===

impl PartialTuple {
    const EMPTY: Self = Self {
        src: IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
        dst: None,
        sport: None,
        dport: None,
    };

    fn set(&mut self, key: &str, value: &str) {
        match key {
            "dst" => self.dst = value.parse().ok(),
            "sport" => self.sport = value.parse().ok(),
            "dport" => self.dport = value.parse().ok(),
            _ => {}
        }
    }

    fn finish(&self) -> Option<Tuple> {
        Some(Tuple {
            src: self.src,
            sport: self.sport?,
            dst: self.dst?,
            dport: self.dport?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_an_entry() {
        let proc = "ipv4     2 tcp      6 49 TIME_WAIT src=10.244.1.1 dst=10.96.0.1 sport=43590 dport=443 src=10.244.1.8 dst=10.244.1.1 sport=6443 dport=43590 [ASSURED] mark=0 use=1";
        let tool = "udp      17 29 src=10.0.0.2 dst=10.96.0.10 sport=5000 dport=53 [UNREPLIED] src=10.244.1.9 dst=10.0.0.2 sport=53 dport=5000 mark=0 use=1";
        let text = format!(
            "{proc}\n{tool}\nconntrack v1.4.7 (conntrack-tools): 2 flow entries\nicmp 1 29 src=1.1.1.1 dst=1.1.1.2 type=8 code=0 id=1 src=1.1.1.2 dst=1.1.1.1 type=0 code=0 id=1"
        );
        let all = connections(&text);
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].state.as_deref(), Some("TIME_WAIT"));
        assert_eq!(all[0].reply.src.to_string(), "10.244.1.8");
        assert_eq!(all[0].reply.sport, 6443);
        assert!(all[1].is_unreplied && all[1].state.is_none());
        assert_eq!(all[1].protocol, Protocol::Udp);
    }
}
