//! `cilium-dbg bpf lb list -o json`: the Service maps, as packets meet them.
//!
//! Current versions print one key for each slot, `"10.96.170.219:8080/TCP (0)"`; older ones one key for each
//! frontend with all its slots in the value. Both are objects of strings:
//!
//! ```text
//!  0.0.0.0:0 (10) (0) [ClusterIP, non-routable]     slot 0 of revnat 10: the head, with the flags
//!  10.244.1.137:9090/TCP (10) (1)                   slot 1
//!  backend 17 not found                             a slot whose backend is gone
//! ```

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use crate::dataplane::answer::{BadAnswer, bad, json};
use crate::dataplane::{ServiceTable, Slot};
use crate::net::Protocol;

const COMMAND: &str = "cilium-dbg bpf lb list -o json";

/// Reads the maps.
///
/// # Errors
/// When the text is no such listing, or a frontend in it is not understood.
pub fn service_map(text: &str) -> Result<ServiceTable, BadAnswer> {
    let raw: BTreeMap<String, Vec<String>> = json(COMMAND, text)?;
    let mut table = ServiceTable::default();
    for (key, values) in &raw {
        let (address, port, protocols, is_inner, slot_of_key) =
            frontend(key).ok_or_else(|| bad(COMMAND, format!("frontend {key:?}")))?;
        for value in values {
            let (slot, what) = line(value, slot_of_key)
                .ok_or_else(|| bad(COMMAND, format!("{key}: {value:?}")))?;
            for protocol in protocols {
                let entry = table.entry(address, port, *protocol, is_inner);
                match what.clone() {
                    Line::Head(flags) => entry.head = Some(flags),
                    Line::Slot(to) => {
                        entry.slots.insert(slot, to);
                    }
                }
            }
        }
    }
    Ok(table)
}

#[derive(Clone)]
enum Line {
    Head(String),
    Slot(Slot),
}

type Frontend = (IpAddr, u16, &'static [Protocol], bool, Option<u32>);

/// `10.96.0.10:53/UDP/i (2)`: `/i` is the internal scope; versions that do not tell protocols apart leave
/// them out.
fn frontend(key: &str) -> Option<Frontend> {
    let (key, slot) = match key.trim().rsplit_once(" (") {
        Some((key, slot)) => (key, Some(slot.strip_suffix(')')?.parse().ok()?)),
        None => (key.trim(), None),
    };
    // An IPv6 address has no slash, a prefix does not stand here.
    let mut parts = key.split('/');
    let address: SocketAddr = parts.next()?.parse().ok()?;
    let mut protocols: &'static [Protocol] = &[Protocol::Tcp, Protocol::Udp, Protocol::Sctp];
    let mut is_inner = false;
    for part in parts {
        match part {
            "TCP" => protocols = &[Protocol::Tcp],
            "UDP" => protocols = &[Protocol::Udp],
            "SCTP" => protocols = &[Protocol::Sctp],
            "ANY" | "NONE" => {}
            "i" => is_inner = true,
            _ => return None,
        }
    }
    Some((address.ip(), address.port(), protocols, is_inner, slot))
}

/// One value, with the slot it is for.
fn line(value: &str, slot_of_key: Option<u32>) -> Option<(u32, Line)> {
    let text = value.trim();
    if text.contains("not found") {
        let slot = slot_of_key.or_else(|| numbers(text).last().copied())?;
        return Some((slot, Line::Slot(Slot::Lost(text.to_owned()))));
    }
    let target = text.split_whitespace().next()?;
    let target: SocketAddr = target.split('/').next()?.parse().ok()?;
    let slot = match slot_of_key {
        Some(slot) => slot,
        None => *numbers(text).get(1)?,
    };
    if slot == 0 || target.ip().is_unspecified() && target.port() == 0 {
        let flags = text.split_once('[').map_or("", |(_, flags)| flags);
        return Some((
            0,
            Line::Head(flags.trim_end().trim_end_matches(']').to_owned()),
        ));
    }
    Some((slot, Line::Slot(Slot::Backend(target))))
}

/// The numbers that stand in brackets of their own: `(10) (1)`.
fn numbers(text: &str) -> Vec<u32> {
    let words = text.split_whitespace();
    words
        .filter_map(|word| word.strip_prefix('(')?.strip_suffix(')')?.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn of<'t>(table: &'t ServiceTable, to: &str) -> &'t crate::dataplane::Frontend {
        let to = at(to);
        table.get(to.ip(), to.port(), Protocol::Tcp).unwrap()
    }

    #[test]
    fn one_key_for_each_slot() {
        let table = service_map(
            r#"{"10.96.0.7:80/TCP (0)":["0.0.0.0:0 (10) (0) [ClusterIP, non-routable] "],
                "10.96.0.7:80/TCP (1)":["10.244.1.5:8080/TCP (10) (1)"],
                "10.96.0.7:80/TCP (2)":["10.244.2.5:8080/TCP (10) (2)"],
                "[fd00::7]:80/TCP (0)":["[::]:0 (11) (0) [ClusterIP]"],
                "[fd00::7]:80/TCP (1)":["[fd00:1::5]:8080/TCP (11) (1)"]}"#,
        )
        .unwrap();
        let four = of(&table, "10.96.0.7:80");
        assert_eq!(four.head.as_deref(), Some("ClusterIP, non-routable"));
        assert_eq!(four.backends().count(), 2);
        assert_eq!(four.hole(), None);
        let six = of(&table, "[fd00::7]:80");
        assert_eq!(six.backends().collect::<Vec<_>>(), [at("[fd00:1::5]:8080")]);
    }

    #[test]
    fn one_key_for_each_frontend_and_without_protocols() {
        let table = service_map(
            r#"{"10.96.0.7:80":["10.244.1.5:8080 (4) (1)","0.0.0.0:0 (4) (0) [ClusterIP]"]}"#,
        )
        .unwrap();
        let all = of(&table, "10.96.0.7:80");
        assert_eq!((all.hole(), all.backends().count()), (None, 1));
        let udp = table.get("10.96.0.7".parse().unwrap(), 80, Protocol::Udp);
        assert!(udp.is_some());
    }

    #[test]
    fn holes() {
        let hole = |text: &str| of(&service_map(text).unwrap(), "10.96.0.7:80").hole();
        let head = r#""10.96.0.7:80/TCP (0)":["0.0.0.0:0 (4) (0) [ClusterIP]"]"#;
        let slot = |number: u32| {
            format!(r#""10.96.0.7:80/TCP ({number})":["10.244.1.{number}:80/TCP (4) ({number})"]"#)
        };
        assert!(
            hole(&format!("{{{}}}", slot(1)))
                .unwrap()
                .contains("slot 0")
        );
        assert_eq!(
            hole(&format!("{{{head}}}")),
            None,
            "nothing behind it is no hole"
        );
        let gap = hole(&format!("{{{head},{},{}}}", slot(1), slot(3))).unwrap();
        assert_eq!(gap, "slot 2 of 3 is missing");
        let lost = format!(r#"{{{head},"10.96.0.7:80/TCP (1)":["backend 17 not found"]}}"#);
        assert_eq!(hole(&lost).unwrap(), "slot 1: backend 17 not found");
    }

    #[test]
    fn scopes_and_wildcards() {
        let table = service_map(
            r#"{"0.0.0.0:30180/TCP (0)":["0.0.0.0:0 (7) (0) [NodePort, non-routable]"],
                "0.0.0.0:30180/TCP (1)":["10.244.1.5:8080/TCP (7) (1)"],
                "172.30.0.11:443/TCP/i (0)":["0.0.0.0:0 (9) (0) [ExternalIPs, internal]"],
                "172.30.0.11:443/TCP (0)":["0.0.0.0:0 (8) (0) [ExternalIPs]"],
                "172.30.0.11:443/TCP/i (1)":["10.244.2.5:443/TCP (9) (1)"]}"#,
        )
        .unwrap();
        assert_eq!(of(&table, "172.30.0.99:30180").backends().count(), 1);
        assert_eq!(of(&table, "172.30.0.11:443").backends().count(), 1);
    }

    #[test]
    fn what_is_no_listing_is_an_error() {
        for text in [
            "",
            "Direct access to local BPF maps\n\nUsage:",
            r#"{"here:80/TCP (0)":[]}"#,
            r#"{"10.0.0.1:80/XYZ":[]}"#,
            r#"{"10.0.0.1:80/TCP (1)":["what is this"]}"#,
            "[]",
        ] {
            assert!(service_map(text).is_err(), "{text}");
        }
        assert!(service_map("{}").unwrap().is_empty());
    }
}
