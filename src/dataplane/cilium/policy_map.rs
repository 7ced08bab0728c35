//! `cilium-dbg bpf policy get --all -n -o json`: the verdict map of each endpoint.
//!
//! A key is identity (32 bits), direction (8), protocol (8) and port (16); the last two are a prefix, so that
//! `Prefixlen` 40 is any port, 48 any port of a protocol, 64 exactly one port (Cilium, pkg/maps/policymap).
//! The kernel asks twice, with the identity of the peer and with 0 for anybody, and takes the more specific
//! entry; between equals one that denies.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::dataplane::answer::{BadAnswer, bad, stream};
use crate::net::Protocol;

const COMMAND: &str = "cilium-dbg bpf policy get --all -n -o json";
/// Bits of a key before protocol and port.
const STATIC: u32 = 40;
const WITH_PROTOCOL: u32 = 48;
const WHOLE: u32 = 64;

/// How the node stores numbers: ports stand in network order, and the agent prints what its own processor
/// makes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ByteOrder {
    #[default]
    Little,
    Big,
}

/// A direction as the endpoint sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Ingress,
    Egress,
}

/// What becomes of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    Allow,
    /// A proxy at that port decides request by request.
    Proxy(u16),
    Deny {
        /// Whether a rule says so, and not the lack of one.
        by_rule: bool,
    },
    /// Two entries disagree, and versions differ in which of them wins.
    Unclear,
}

/// The entries of one endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyMap {
    entries: Vec<PolicyEntry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct PolicyEntry {
    identity: u32,
    is_egress: bool,
    protocol: u8,
    port: u16,
    /// Significant bits of protocol and port: 0, 8, 9 … 24.
    bits: u32,
    denies: bool,
    proxy: u16,
    precedence: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawMap {
    #[serde(rename = "EndpointID")]
    endpoint: Value,
    content: Option<Vec<RawEntry>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawEntry {
    #[serde(default, alias = "ProxyPort")]
    proxy_port_network: u16,
    #[serde(default)]
    flags: u64,
    precedence: Option<u64>,
    key: RawKey,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawKey {
    /// Maps that are no tries have none.
    prefixlen: Option<u32>,
    identity: u32,
    traffic_direction: u8,
    nexthdr: u8,
    #[serde(alias = "DestPort")]
    dest_port_network: u16,
}

/// Reads the maps of a node, by the number of the endpoint.
///
/// # Errors
/// When the text is no such listing, or an entry of it cannot be.
pub fn policy_maps(text: &str, order: ByteOrder) -> Result<BTreeMap<u64, PolicyMap>, BadAnswer> {
    let raw: Vec<RawMap> = stream(COMMAND, text)?;
    let mut maps = BTreeMap::new();
    for map in raw {
        let id = match &map.endpoint {
            Value::String(text) => text.parse().ok(),
            other => other.as_u64(),
        };
        let id = id.ok_or_else(|| bad(COMMAND, format!("endpoint {}", map.endpoint)))?;
        let entries = map.content.unwrap_or_default().into_iter();
        let entries = entries
            .map(|raw| PolicyEntry::of(&raw, order))
            .collect::<Option<_>>();
        let entries = entries.ok_or_else(|| bad(COMMAND, format!("an entry of {id}")))?;
        maps.insert(id, PolicyMap { entries });
    }
    Ok(maps)
}

// === impl PolicyMap ===

impl PolicyMap {
    /// What becomes of the first packet of a connection with a peer of that identity, at a port.
    #[must_use]
    pub fn judge(&self, side: Side, identity: u32, protocol: Protocol, port: u16) -> Sight {
        let best = |identity: u32| {
            let fitting = self.entries.iter().filter(|entry| {
                entry.identity == identity
                    && entry.is_egress == (side == Side::Egress)
                    && entry.takes(protocol.number(), port)
            });
            fitting.max_by_key(|entry| (entry.bits, entry.denies))
        };
        let own = best(identity).filter(|_| identity != 0);
        match (own, best(0)) {
            (None, None) => Sight::Deny { by_rule: false },
            (Some(one), None) | (None, Some(one)) => one.sight(),
            (Some(own), Some(any)) => between(own, any),
        }
    }
}

/// The one of two entries that decides.
const fn between(own: &PolicyEntry, any: &PolicyEntry) -> Sight {
    if own.denies == any.denies {
        let wins_any = any.bits > own.bits || own.proxy == 0 && any.bits == own.bits;
        return if wins_any { any.sight() } else { own.sight() };
    }
    if let (Some(left), Some(right)) = (own.precedence, any.precedence)
        && left != right
    {
        return if left > right { own } else { any }.sight();
    }
    let (denying, allowing) = if own.denies { (own, any) } else { (any, own) };
    if denying.bits >= allowing.bits {
        denying.sight()
    } else {
        Sight::Unclear
    }
}

// === impl PolicyEntry ===

impl PolicyEntry {
    fn of(raw: &RawEntry, order: ByteOrder) -> Option<Self> {
        let swap = |port: u16| match order {
            ByteOrder::Little => port.swap_bytes(),
            ByteOrder::Big => port,
        };
        let (protocol, port) = (raw.key.nexthdr, swap(raw.key.dest_port_network));
        let derived = match (protocol, port) {
            (0, _) => STATIC,
            (_, 0) => WITH_PROTOCOL,
            _ => WHOLE,
        };
        let length = raw.key.prefixlen.unwrap_or(derived);
        if !(STATIC..=WHOLE).contains(&length) || (STATIC + 1..WITH_PROTOCOL).contains(&length) {
            return None;
        }
        Some(Self {
            identity: raw.key.identity,
            is_egress: raw.key.traffic_direction == 1,
            protocol,
            port,
            bits: length - STATIC,
            denies: raw.flags & 1 == 1,
            proxy: swap(raw.proxy_port_network),
            precedence: raw.precedence,
        })
    }

    fn takes(&self, protocol: u8, port: u16) -> bool {
        let bits = self.bits.saturating_sub(8);
        let mask = u16::MAX.checked_shl(16 - bits).unwrap_or(0);
        (self.bits == 0 || self.protocol == protocol) && port & mask == self.port & mask
    }

    const fn sight(&self) -> Sight {
        match (self.denies, self.proxy) {
            (true, _) => Sight::Deny { by_rule: true },
            (false, 0) => Sight::Allow,
            (false, port) => Sight::Proxy(port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(identity: u32, side: u8, length: u32, proto: u8, port: u16, flags: u8) -> String {
        let port = port.swap_bytes();
        format!(
            r#"{{"ProxyPortNetwork":0,"Flags":{flags},"Packets":18446744073709551615,"Key":{{"Prefixlen":{length},
            "Identity":{identity},"TrafficDirection":{side},"Nexthdr":{proto},"DestPortNetwork":{port}}}}}"#
        )
    }

    fn map(entries: &[String]) -> PolicyMap {
        let text = format!(
            r#"[{{"EndpointID":"7","Path":"/x","Content":[{}]}}]"#,
            entries.join(",")
        );
        policy_maps(&text, ByteOrder::Little)
            .unwrap()
            .remove(&7)
            .unwrap()
    }

    const DENIED: Sight = Sight::Deny { by_rule: false };
    const REFUSED: Sight = Sight::Deny { by_rule: true };

    #[test]
    fn identity_direction_protocol_and_port() {
        let map = map(&[entry(22446, 0, 64, 6, 8080, 192), entry(0, 1, 40, 0, 0, 0)]);
        let ask = |side, id, protocol, port| map.judge(side, id, protocol, port);
        assert_eq!(ask(Side::Ingress, 22446, Protocol::Tcp, 8080), Sight::Allow);
        assert_eq!(ask(Side::Ingress, 22446, Protocol::Tcp, 9090), DENIED);
        assert_eq!(ask(Side::Ingress, 22446, Protocol::Udp, 8080), DENIED);
        assert_eq!(ask(Side::Ingress, 5, Protocol::Tcp, 8080), DENIED);
        assert_eq!(ask(Side::Egress, 5, Protocol::Sctp, 1), Sight::Allow);
    }

    #[test]
    fn ports_are_prefixes() {
        // 8080 to 8095, as a range of ports is written.
        let map = map(&[entry(9, 0, 60, 6, 8080, 0)]);
        let ask = |port| map.judge(Side::Ingress, 9, Protocol::Tcp, port);
        assert_eq!((ask(8079), ask(8080)), (DENIED, Sight::Allow));
        assert_eq!((ask(8095), ask(8096)), (Sight::Allow, DENIED));
    }

    #[test]
    fn who_wins() {
        let wide = entry(0, 0, 40, 0, 0, 0);
        let denies = entry(9, 0, 64, 6, 80, 193);
        let tests = [
            (vec![wide.clone(), denies], REFUSED),
            (
                vec![entry(0, 0, 64, 6, 80, 1), entry(9, 0, 64, 6, 80, 0)],
                REFUSED,
            ),
            // A narrow rule that allows under a wide one that denies: versions differ.
            (
                vec![entry(0, 0, 40, 0, 0, 1), entry(9, 0, 64, 6, 80, 0)],
                Sight::Unclear,
            ),
            (vec![wide, entry(9, 0, 48, 6, 0, 1)], REFUSED),
            (vec![], DENIED),
        ];
        for (entries, wanted) in tests {
            assert_eq!(
                map(&entries).judge(Side::Ingress, 9, Protocol::Tcp, 80),
                wanted
            );
        }
    }

    #[test]
    fn layouts_of_other_versions() {
        let old = r#"[{"EndpointID":12,"Content":[{"ProxyPort":0,"Pad0":0,"Packets":1,"Bytes":2,
            "Key":{"Identity":9,"DestPort":20480,"Nexthdr":6,"TrafficDirection":0}}]},{"EndpointID":13,"Content":null}]"#;
        let maps = policy_maps(old, ByteOrder::Little).unwrap();
        assert_eq!(
            maps[&12].judge(Side::Ingress, 9, Protocol::Tcp, 80),
            Sight::Allow
        );
        assert_eq!(maps[&13].judge(Side::Ingress, 9, Protocol::Tcp, 80), DENIED);
        let big = r#"[{"EndpointID":"1","Content":[{"ProxyPortNetwork":10000,"Flags":192,"Precedence":5,
            "Key":{"Prefixlen":64,"Identity":9,"TrafficDirection":0,"Nexthdr":6,"DestPortNetwork":80}}]}]"#;
        let maps = policy_maps(big, ByteOrder::Big).unwrap();
        assert_eq!(
            maps[&1].judge(Side::Ingress, 9, Protocol::Tcp, 80),
            Sight::Proxy(10_000)
        );
    }

    #[test]
    fn what_cannot_be_is_an_error() {
        for text in [
            "Error: Failed to parse endpointID",
            r#"[{"EndpointID":"x","Content":[]}]"#,
            r#"[{"EndpointID":"1","Content":[{"Key":{"Prefixlen":70,"Identity":1,"TrafficDirection":0,"Nexthdr":0,"DestPortNetwork":0}}]}]"#,
            r#"[{"EndpointID":"1","Content":[{"Key":{"Prefixlen":44,"Identity":1,"TrafficDirection":0,"Nexthdr":0,"DestPortNetwork":0}}]}]"#,
        ] {
            assert!(policy_maps(text, ByteOrder::Little).is_err(), "{text}");
        }
        assert!(policy_maps("[]", ByteOrder::Little).unwrap().is_empty());
    }
}
