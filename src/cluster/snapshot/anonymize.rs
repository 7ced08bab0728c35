//! Addresses of a capture under other names, so that a stranger may look at it.
//!
//! The same address gets the same pseudonym everywhere, and what lies in one network still does: two
//! pseudonyms share as many leading bits as their addresses (J. Xu et al., "Prefix-preserving IP address
//! anonymization", 2002). So a diagnosis of the capture comes to the same end. Beyond that paper a byte
//! that is 0 stays 0, which keeps networks networks, and the leading bits that say whether an
//! address is private stay as they are.

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use regex_lite::{Captures, Regex};
use serde_json::Value;

/// Turns addresses into pseudonyms; each capture has a key of its own, which is forgotten.
pub(super) struct Anonymizer {
    key: [RandomState; 2],
    addresses: Regex,
}

/// An IPv4 address or what could be an IPv6 address, with the length of a prefix behind it.
const ADDRESSES: &str = r"(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:(?:\.\d{1,3}){3})?)(?:/\d{1,3})?";

// === impl Anonymizer ===

impl Anonymizer {
    /// With a new random key; none if the pattern does not compile, which a test rules out.
    pub(super) fn new() -> Option<Self> {
        let addresses = Regex::new(ADDRESSES).ok()?;
        let key = [RandomState::new(), RandomState::new()];
        Some(Self { key, addresses })
    }

    /// Every address in a text.
    pub(super) fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.addresses.replace_all(text, |found: &Captures<'_>| {
            let found = found.get(0).map_or("", |found| found.as_str());
            self.token(found).unwrap_or_else(|| found.to_owned())
        })
    }

    /// Every address in the values of a document; names of fields hold none.
    pub(super) fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(other) = self.text(text) {
                    *text = other;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.value(field)),
            _ => {}
        }
    }

    fn token(&self, text: &str) -> Option<String> {
        let Some((addr, length)) = text.split_once('/') else {
            return Some(self.address(text.parse().ok()?).to_string());
        };
        let (addr, length): (IpAddr, u8) = (addr.parse().ok()?, length.parse().ok()?);
        let net = IpNet::new(addr, length).ok()?;
        let other = IpNet::new(self.address(addr), length).ok()?;
        // A network stays one: nothing is set behind its prefix.
        let other = if net.trunc() == net {
            other.trunc()
        } else {
            other
        };
        Some(other.to_string())
    }

    /// The pseudonym of an address.
    fn address(&self, addr: IpAddr) -> IpAddr {
        match addr {
            IpAddr::V4(addr) => IpAddr::V4(self.v4(addr)),
            IpAddr::V6(addr) => IpAddr::V6(match addr.to_ipv4_mapped() {
                Some(mapped) => self.v4(mapped).to_ipv6_mapped(),
                None => Ipv6Addr::from(self.bytes(addr.octets(), 16, SPECIAL_V6)),
            }),
        }
    }

    fn v4(&self, addr: Ipv4Addr) -> Ipv4Addr {
        Ipv4Addr::from(self.bytes(addr.octets(), 8, SPECIAL_V4))
    }

    /// Turns each bit behind the first `kept` or not, as a function of the bits before it: but none that
    /// says what kind of address it is, and none before the first that is set of its byte.
    fn bytes<const N: usize>(&self, bytes: [u8; N], kept: usize, special: &[Special]) -> [u8; N] {
        let mut other = bytes;
        for bit in kept..N * 8 {
            let (byte, place) = (bit / 8, 7 - bit % 8);
            let before_in_byte = u16::from(bytes[byte]) >> (place + 1);
            let is_special = special.iter().any(|one| one.keeps(bytes, bit));
            if before_in_byte != 0 && !is_special && self.turns(&bytes, bit) {
                other[byte] ^= 1 << place;
            }
        }
        other
    }

    fn turns(&self, bytes: &[u8], bit: usize) -> bool {
        let (whole, rest) = (bit / 8, bit % 8);
        let last = bytes.get(whole).map_or(0, |byte| byte & !(0xff >> rest));
        let hash = |key: &RandomState| key.hash_one((&bytes[..whole], last, bit));
        (hash(&self.key[0]) ^ hash(&self.key[1])).count_ones() % 2 == 1
    }
}

/// Addresses of a kind: where they begin, how many bits say so, and whether they are the same
/// everywhere.
struct Special(&'static [u8], usize, bool);

const SPECIAL_V4: &[Special] = &[
    Special(&[0], 8, true),
    Special(&[127], 8, true),
    Special(&[169, 254], 16, true),
    Special(&[224], 3, true),
    Special(&[100, 64], 10, false),
    Special(&[172, 16], 12, false),
    Special(&[192, 168], 16, false),
];

const SPECIAL_V6: &[Special] = &[
    Special(&[0, 0], 16, true),
    Special(&[0xfe, 0x80], 10, true),
    Special(&[0xff], 8, true),
];

// === impl Special ===

impl Special {
    /// Whether a bit stays, as far as the bits before it say.
    fn keeps<const N: usize>(&self, bytes: [u8; N], bit: usize) -> bool {
        let Self(start, length, is_everywhere) = *self;
        let is_set = |bytes: &[u8], at: usize| bytes[at / 8] & (0x80 >> (at % 8)) != 0;
        let begins = (0..bit.min(length)).all(|at| is_set(&bytes, at) == is_set(start, at));
        begins && (bit < length || is_everywhere)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_get_other_names_and_stay_in_their_networks() {
        let own = Anonymizer::new().expect("the pattern compiles");
        let address = |text: &str| own.token(text).expect("an address");
        for text in [
            "10.244.1.9",
            "192.168.17.4",
            "172.30.0.12",
            "fd00:10:244::1a2b",
            "8.8.8.8",
            "169.250.1.9",
            "172.200.1.9",
        ] {
            assert_eq!(address(text), address(text));
            let (addr, other): (IpAddr, IpAddr) = (
                text.parse().expect("one"),
                address(text).parse().expect("one"),
            );
            assert_eq!(addr.is_ipv4(), other.is_ipv4());
            // Of private ranges the first bits say which it is; only networks within one stay together.
            for length in [16, 20, 24, 28] {
                let net = IpNet::new(addr, length).expect("a net").trunc();
                let moved: IpNet = address(&net.to_string()).parse().expect("a net");
                assert_eq!(moved.trunc(), moved, "{net}");
                assert!(
                    moved.contains(&other),
                    "{text} in {net}: {other} in {moved}"
                );
            }
        }
        for text in [
            "127.0.0.1",
            "0.0.0.0",
            "255.255.0.0",
            "169.254.20.10",
            "::1",
            "fe80::1",
        ] {
            assert_eq!(address(text), text);
        }
    }

    #[test]
    fn only_addresses_change() {
        let own = Anonymizer::new().expect("the pattern compiles");
        for text in [
            "v1.36.2",
            "5.15.0-91-generic",
            "2026-11-21T00:53:45Z",
            "aa:bb:cc:dd:ee:ff",
            "a::b::c",
            "300.1.2.3",
            "KUBE-SEP-10",
        ] {
            assert_eq!(own.text(text), text);
        }
        let text = own.text("LISTEN [::ffff:10.244.77.9]:443");
        assert!(
            text.starts_with("LISTEN [::ffff:10.") && text.ends_with("]:443"),
            "{text}"
        );
        let text = own.text("-A X -d 10.96.77.170/32 -j DNAT --to-destination 10.244.77.9:9090");
        assert!(
            text.starts_with("-A X -d 10.") && text.ends_with(":9090"),
            "{text}"
        );
    }
}
