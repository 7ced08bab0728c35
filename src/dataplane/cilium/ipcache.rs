//! `cilium-dbg bpf ipcache list -o json`: whom a node takes an address for, and where its tunnel leads.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::dataplane::answer::{BadAnswer, bad, json};
use crate::net::parse_prefix;

const COMMAND: &str = "cilium-dbg bpf ipcache list -o json";

/// Who an address belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    pub identity: u32,
    /// The node that packets are sent to inside a tunnel; none for those of the node itself.
    pub tunnel: Option<IpAddr>,
}

/// Owners by prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressBook {
    entries: Vec<(IpNet, Owner)>,
}

/// Reads the map.
///
/// # Errors
/// When the text is no such listing, or an entry of it is not understood.
pub fn ipcache(text: &str) -> Result<AddressBook, BadAnswer> {
    let raw: BTreeMap<String, Vec<String>> = json(COMMAND, text)?;
    let mut entries = Vec::new();
    for (prefix, values) in &raw {
        let wrong = || bad(COMMAND, format!("{prefix}: {values:?}"));
        // Prefixes of other clusters carry their number: 10.0.0.0/8@2.
        if prefix.contains('@') {
            continue;
        }
        let net = parse_prefix(prefix).map_err(|_| wrong())?;
        let owner = values.first().and_then(|value| owner(value));
        entries.push((net, owner.ok_or_else(wrong)?));
    }
    // The longest first: it is what the map finds.
    entries.sort_by_key(|(net, _)| std::cmp::Reverse(net.prefix_len()));
    Ok(AddressBook { entries })
}

/// `identity=61861 encryptkey=0 tunnelendpoint=172.30.0.12 flags=hastunnel`; before flags came, a tunnel of
/// 0.0.0.0 was none.
fn owner(value: &str) -> Option<Owner> {
    let field = |name: &str| {
        let mut words = value.split([' ', ',']);
        words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    };
    let tunnel = field("tunnelendpoint").and_then(|text| text.parse::<IpAddr>().ok());
    Some(Owner {
        identity: field("identity")?.parse().ok()?,
        tunnel: tunnel.filter(|ip| !ip.is_unspecified()),
    })
}

// === impl AddressBook ===

impl AddressBook {
    /// The owner of an address, by the longest prefix, and that prefix.
    #[must_use]
    pub fn owner(&self, address: IpAddr) -> Option<(IpNet, Owner)> {
        let mut all = self.entries.iter();
        all.find(|(net, _)| net.contains(&address)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_is_found() {
        let book = ipcache(
            r#"{"0.0.0.0/0":["identity=2 encryptkey=0 tunnelendpoint=0.0.0.0 flags=<none>"],
                "10.244.2.0/24":["identity=2 encryptkey=0 tunnelendpoint=172.30.0.12 flags=hastunnel"],
                "10.244.2.5/32":["identity=61861 encryptkey=0 tunnelendpoint=172.30.0.12 flags=hastunnel"],
                "fd00::5/128":["identity=9 encryptkey=0 tunnelendpoint=0.0.0.0"],
                "10.9.0.0/16@2":["identity=7 encryptkey=0 tunnelendpoint=0.0.0.0"]}"#,
        )
        .unwrap();
        let owner = |ip: &str| book.owner(ip.parse().unwrap()).unwrap().1;
        assert_eq!(owner("10.244.2.5").identity, 61861);
        assert_eq!(
            owner("10.244.2.6").tunnel,
            Some("172.30.0.12".parse().unwrap())
        );
        assert_eq!(
            owner("10.9.0.1"),
            Owner {
                identity: 2,
                tunnel: None
            }
        );
        assert_eq!(book.owner("fd00::6".parse().unwrap()), None);
    }

    #[test]
    fn what_is_no_listing_is_an_error() {
        for text in [
            "",
            "Usage:",
            r#"{"10.0.0.1/32":[]}"#,
            r#"{"x":["identity=1"]}"#,
            r#"{"10.0.0.1/32":["id=1"]}"#,
        ] {
            assert!(ipcache(text).is_err(), "{text}");
        }
    }
}
