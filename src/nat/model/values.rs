//! Sets of values that a field is compared with.

use std::net::IpAddr;

use ipnet::IpNet;

/// What a field may hold for a test to succeed. Small: a dump has hundreds of thousands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Values {
    /// One inclusive range of small numbers: most tests by far.
    Range(u32, u32),
    /// Several inclusive ranges, or big numbers.
    Ranges(Box<RangeList>),
    /// `value & mask == wanted`.
    Masked { mask: u32, wanted: u32 },
    /// `value & bits != 0`.
    AnyBit(u64),
    /// Interface names.
    Names(Box<NameList>),
}

/// Inclusive ranges in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeList(Box<[(u128, u128)]>);

/// Names, any of which will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameList(Box<[NamePattern]>);

/// An interface name, or the beginning of one (`eth+`, `eth*`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern {
    pub text: Box<str>,
    pub is_prefix: bool,
}

// === impl Values ===

impl Values {
    /// Exactly one small number.
    #[must_use]
    pub const fn one(value: u32) -> Self {
        Self::Range(value, value)
    }

    /// Any number at all.
    #[must_use]
    pub fn any() -> Self {
        Self::range(0, u128::MAX)
    }

    /// No number at all.
    #[must_use]
    pub fn none() -> Self {
        Self::Ranges(Box::new(RangeList(Box::default())))
    }

    /// One range of any size.
    #[must_use]
    pub fn range(first: u128, last: u128) -> Self {
        match (u32::try_from(first), u32::try_from(last)) {
            (Ok(first), Ok(last)) => Self::Range(first, last),
            _ => Self::Ranges(Box::new(RangeList([(first, last)].into()))),
        }
    }

    /// Several ranges.
    #[must_use]
    pub fn ranges(mut all: Vec<(u128, u128)>) -> Self {
        if let [(first, last)] = all.as_slice() {
            return Self::range(*first, *last);
        }
        all.sort_unstable();
        Self::Ranges(Box::new(RangeList(all.into())))
    }

    /// Interface names.
    #[must_use]
    pub fn names(patterns: Box<[NamePattern]>) -> Self {
        Self::Names(Box::new(NameList(patterns)))
    }

    /// The addresses of a prefix.
    #[must_use]
    pub fn prefix(net: IpNet) -> Self {
        let (first, last) = prefix_range(net);
        Self::range(first, last)
    }

    /// One interface name in the notation of iptables (`eth+`).
    #[must_use]
    pub fn interface(text: &str) -> Self {
        let beginning = text.strip_suffix('+');
        let pattern = NamePattern {
            text: beginning.unwrap_or(text).into(),
            is_prefix: beginning.is_some(),
        };
        Self::names([pattern].into())
    }

    /// First and last number, if it is one range.
    #[must_use]
    pub fn bounds(&self) -> Option<(u128, u128)> {
        match self {
            Self::Range(first, last) => Some(((*first).into(), (*last).into())),
            Self::Ranges(all) => match &*all.0 {
                [range] => Some(*range),
                _ => None,
            },
            _ => None,
        }
    }

    /// The only number that satisfies it, if there is exactly one.
    #[must_use]
    pub fn single(&self) -> Option<u128> {
        match self {
            Self::Range(first, last) if first == last => Some(u128::from(*first)),
            Self::Ranges(all) => match &*all.0 {
                [(first, last)] if first == last => Some(*first),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether a number satisfies it.
    #[must_use]
    pub fn holds(&self, number: u128) -> bool {
        match self {
            Self::Range(first, last) => (u128::from(*first)..=u128::from(*last)).contains(&number),
            Self::Ranges(all) => all
                .0
                .iter()
                .any(|(first, last)| (*first..=*last).contains(&number)),
            Self::Masked { mask, wanted } => number & u128::from(*mask) == u128::from(*wanted),
            Self::AnyBit(bits) => number & u128::from(*bits) != 0,
            Self::Names(_) => false,
        }
    }

    /// Whether some number, and whether every number, of a range satisfies it.
    #[must_use]
    pub fn holds_within(&self, low: u128, high: u128) -> (bool, bool) {
        let ranges = match self {
            Self::Range(first, last) => &[(u128::from(*first), u128::from(*last))][..],
            Self::Ranges(all) => &all.0,
            _ => return (true, false),
        };
        let some = ranges
            .iter()
            .any(|(first, last)| *first <= high && low <= *last);
        let every = ranges
            .iter()
            .any(|(first, last)| *first <= low && high <= *last);
        (some, every)
    }

    /// Whether an interface name satisfies it.
    #[must_use]
    pub fn holds_name(&self, name: &str) -> bool {
        match self {
            Self::Names(patterns) => patterns.0.iter().any(|pattern| pattern.matches(name)),
            _ => false,
        }
    }
}

// === impl NameList ===

impl NameList {
    /// The first name in the notation of iptables (`eth+`).
    #[must_use]
    pub fn first(&self) -> Option<String> {
        let pattern = self.0.first()?;
        let plus = if pattern.is_prefix { "+" } else { "" };
        Some(format!("{}{plus}", pattern.text))
    }
}

// === impl NamePattern ===

impl NamePattern {
    /// Whether a name fits.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        if self.is_prefix {
            name.starts_with(&*self.text)
        } else {
            name == &*self.text
        }
    }
}

/// An address as a number. The two families share no field, so their numbers may overlap.
#[must_use]
pub fn address_number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// The first and last address of a prefix as numbers.
#[must_use]
pub fn prefix_range(net: IpNet) -> (u128, u128) {
    (
        address_number(net.network()),
        address_number(net.broadcast()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_valued_ranges() {
        let ports = Values::ranges(vec![(80, 80), (30000, 65535)]);
        assert!(ports.holds(80) && !ports.holds(81));
        assert_eq!(ports.holds_within(1024, 65535), (true, false));
        assert_eq!(ports.holds_within(32768, 60999), (true, true));
        assert_eq!(Values::one(53).holds_within(1024, 65535), (false, false));
    }

    #[test]
    fn interfaces_with_a_plus() {
        assert!(Values::interface("cali+").holds_name("cali1234"));
        assert!(!Values::interface("eth0").holds_name("eth01"));
        assert!(Values::interface("+").holds_name(""));
    }
}
