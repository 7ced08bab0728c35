//! Sets and maps.

use std::collections::HashMap;
use std::net::IpAddr;

use super::RuleVerdict;

/// A named or anonymous set or map of an nftables table.
#[derive(Debug, Clone)]
pub struct Set {
    /// Empty for anonymous ones.
    pub name: Box<str>,
    pub elements: Elements,
}

/// Members with what they map to.
#[derive(Debug, Clone, Default)]
pub struct Elements {
    exact: HashMap<Box<[u8]>, u32>,
    ranges: Vec<(Box<[Part]>, u32)>,
    data: Vec<Data>,
}

/// What a key, or a part of one, may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Range(u128, u128),
    Name(Box<str>),
    /// Anything: a default entry, or a part that was not understood.
    Any,
}

/// One member as readers give it.
#[derive(Debug, Clone)]
pub struct Member {
    pub key: Box<[Part]>,
    pub data: Data,
}

/// What a member maps to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// A plain set.
    None,
    Verdict(RuleVerdict),
    Address(IpAddr, Option<u16>),
    Port(u16),
    /// An exception inside a wider member (`nomatch` of ipset).
    Nomatch,
    /// Not understood.
    Opaque(Box<str>),
}

/// A set of the `ipset` tool.
#[derive(Debug, Clone)]
pub struct Ipset {
    /// The words of the type after `hash:`, `bitmap:` or `list:`: `ip`, `net`, `port`, `iface` …
    pub columns: Box<[Box<str>]>,
    /// False for `family inet6`.
    pub is_v4: bool,
    /// One part for each column, but two (protocol and port) for `port`.
    pub elements: Elements,
}

// === impl Set ===

impl Set {
    /// A set of members.
    #[must_use]
    pub fn new(name: &str, members: Vec<Member>) -> Self {
        Self {
            name: name.into(),
            elements: Elements::new(members),
        }
    }
}

// === impl Elements ===

impl Elements {
    /// All of some members.
    #[must_use]
    pub fn new(members: impl IntoIterator<Item = Member>) -> Self {
        let mut elements = Self::default();
        for member in members {
            elements.add(member);
        }
        elements
    }

    /// Adds one.
    pub fn add(&mut self, member: Member) {
        let id = u32::try_from(self.data.len()).unwrap_or(u32::MAX);
        self.data.push(member.data);
        if let Some(exact) = encode(&member.key) {
            self.exact.insert(exact, id);
        } else {
            self.ranges.push((member.key, id));
        }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.data.len()
    }

    /// What a key of exact parts maps to: the narrowest member that covers it decides.
    #[must_use]
    pub fn get(&self, key: &[Part]) -> Option<&Data> {
        let exact = encode(key).and_then(|bytes| self.exact.get(&bytes));
        let id = exact.copied().or_else(|| {
            let covers = |member: &[Part]| {
                member.len() == key.len()
                    && member
                        .iter()
                        .zip(key)
                        .all(|(part, asked)| part.covers(asked))
            };
            let covering = self.ranges.iter().filter(|(member, _)| covers(member));
            covering
                .min_by_key(|(member, _)| width(member))
                .map(|(_, id)| *id)
        })?;
        self.data.get(id as usize)
    }

    /// The members that are one name, as those of a `list:set`.
    pub fn names(&self) -> impl Iterator<Item = Box<str>> {
        self.keys().filter_map(|key| match &*key {
            [Part::Name(name)] => Some(name.clone()),
            _ => None,
        })
    }

    /// The keys of all exact members, in no order.
    pub fn keys(&self) -> impl Iterator<Item = Vec<Part>> {
        self.exact.keys().map(|bytes| decode(bytes))
    }

    /// Everything a member can map to.
    pub fn data(&self) -> impl Iterator<Item = &Data> {
        self.data.iter()
    }
}

// === impl Part ===

impl Part {
    /// Exactly one number.
    #[must_use]
    pub const fn one(number: u128) -> Self {
        Self::Range(number, number)
    }

    /// Whether every value of `other` is one of these.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Range(first, last), Self::Range(low, high)) => first <= low && high <= last,
            (Self::Name(pattern), Self::Name(name)) => pattern
                .strip_suffix('*')
                .map_or(pattern == name, |beginning| name.starts_with(beginning)),
            _ => false,
        }
    }
}

/// A key of exact parts as bytes; none if a part is a range or a pattern.
fn encode(key: &[Part]) -> Option<Box<[u8]>> {
    let mut bytes = Vec::with_capacity(8 * key.len());
    for part in key {
        match part {
            Part::Range(first, last) if first == last => {
                if let Ok(small) = u32::try_from(*first) {
                    bytes.push(4);
                    bytes.extend(small.to_be_bytes());
                } else {
                    bytes.push(16);
                    bytes.extend(first.to_be_bytes());
                }
            }
            Part::Name(name) if !name.ends_with('*') => {
                bytes.push(0);
                bytes.extend(name.as_bytes());
                bytes.push(0);
            }
            _ => return None,
        }
    }
    Some(bytes.into())
}

/// The parts of an encoded key.
fn decode(mut bytes: &[u8]) -> Vec<Part> {
    let mut parts = Vec::new();
    while let Some((kind, rest)) = bytes.split_first() {
        let length = match kind {
            0 => rest.iter().position(|byte| *byte == 0).unwrap_or_default(),
            length => usize::from(*length),
        };
        let (part, after) = rest.split_at(length.min(rest.len()));
        if *kind == 0 {
            parts.push(Part::Name(String::from_utf8_lossy(part).into()));
            bytes = after.get(1..).unwrap_or_default();
        } else {
            let number = part
                .iter()
                .fold(0, |all, byte| all << 8 | u128::from(*byte));
            parts.push(Part::one(number));
            bytes = after;
        }
    }
    parts
}

/// How many keys a member covers, roughly: its widest part counts.
fn width(member: &[Part]) -> u128 {
    let widths = member.iter().map(|part| match part {
        Part::Range(first, last) => last.saturating_sub(*first),
        Part::Name(_) => 0,
        Part::Any => u128::MAX,
    });
    widths.max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(key: Vec<Part>, port: u16) -> Member {
        Member {
            key: key.into(),
            data: Data::Port(port),
        }
    }

    #[test]
    fn exact_members_ranges_and_names() {
        let set = Set::new(
            "",
            vec![
                member(vec![Part::one(5), Part::one(1 << 90)], 1),
                member(vec![Part::Range(0, 9), Part::one(7)], 2),
                member(vec![Part::Name("eth*".into())], 3),
            ],
        );
        let get = |key: &[Part]| set.elements.get(key).cloned();
        assert_eq!(
            get(&[Part::one(5), Part::one(1 << 90)]),
            Some(Data::Port(1))
        );
        assert_eq!(get(&[Part::one(5), Part::one(7)]), Some(Data::Port(2)));
        assert_eq!(get(&[Part::Name("eth1".into())]), Some(Data::Port(3)));
        assert_eq!(get(&[Part::one(10), Part::one(7)]), None);
        let exact = vec![Part::one(5), Part::one(1 << 90)];
        assert_eq!(set.elements.keys().collect::<Vec<_>>(), [exact]);
    }
}
