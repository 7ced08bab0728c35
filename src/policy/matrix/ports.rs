//! Sets of ports of all protocols, as intervals with a verdict each.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::net::{PortRange, Protocol};
use crate::policy::eval::PolicyVerdict;

/// What is allowed and what is open, as disjoint intervals in order; the rest is denied.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PortSet {
    intervals: Vec<Interval>,
}

/// Ports of one protocol that share a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval {
    pub protocol: Protocol,
    pub ports: PortRange,
    /// Allowed for sure, or only perhaps.
    pub is_certain: bool,
}

/// How far something is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Openness {
    /// Everything that was asked for.
    All,
    /// Some ports.
    Some,
    None,
    /// Nothing for sure, but perhaps something.
    Unknown,
}

// === impl PortSet ===

impl PortSet {
    /// Joins what touches and agrees. The intervals must be in order and disjoint.
    #[must_use]
    pub fn new(intervals: impl IntoIterator<Item = Interval>) -> Self {
        let mut joined: Vec<Interval> = Vec::new();
        for next in intervals {
            match joined.last_mut() {
                Some(last)
                    if last.protocol == next.protocol
                        && last.is_certain == next.is_certain
                        && last.ports.last.checked_add(1) == Some(next.ports.first) =>
                {
                    last.ports.last = next.ports.last;
                }
                _ => joined.push(next),
            }
        }
        Self { intervals: joined }
    }

    /// Every port of every protocol.
    #[must_use]
    pub fn all() -> Self {
        Self::new(Protocol::ALL.map(|protocol| Interval {
            protocol,
            ports: PortRange::ANY,
            is_certain: true,
        }))
    }

    /// The intervals, by protocol and number.
    #[must_use]
    pub fn intervals(&self) -> &[Interval] {
        &self.intervals
    }

    /// Whether every port is denied.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.intervals.is_empty()
    }

    /// Whether every port is allowed for sure.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::all()
    }

    /// How far it is open: for one port, or for all of them.
    #[must_use]
    pub fn openness(&self, port: Option<(Protocol, u16)>) -> Openness {
        if let Some((protocol, port)) = port {
            return match self.verdict(protocol, port) {
                PolicyVerdict::Allow => Openness::All,
                PolicyVerdict::Deny => Openness::None,
                PolicyVerdict::Unknown => Openness::Unknown,
            };
        }
        if self.is_all() {
            Openness::All
        } else if self.is_empty() {
            Openness::None
        } else if self.intervals.iter().any(|interval| interval.is_certain) {
            Openness::Some
        } else {
            Openness::Unknown
        }
    }

    /// The verdict on one port.
    #[must_use]
    pub fn verdict(&self, protocol: Protocol, port: u16) -> PolicyVerdict {
        let mut intervals = self.intervals.iter();
        let found = intervals
            .find(|interval| interval.protocol == protocol && interval.ports.contains(port));
        match found {
            None => PolicyVerdict::Deny,
            Some(interval) if interval.is_certain => PolicyVerdict::Allow,
            Some(_) => PolicyVerdict::Unknown,
        }
    }

    /// What both let through.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut shared = Vec::new();
        let (mut one, mut two) = (
            self.intervals.iter().peekable(),
            other.intervals.iter().peekable(),
        );
        while let (Some(a), Some(b)) = (one.peek(), two.peek()) {
            let ends = |interval: &Interval| (interval.protocol, interval.ports.last);
            if a.protocol == b.protocol {
                let (first, last) = (
                    a.ports.first.max(b.ports.first),
                    a.ports.last.min(b.ports.last),
                );
                if first <= last {
                    shared.push(Interval {
                        protocol: a.protocol,
                        ports: PortRange { first, last },
                        is_certain: a.is_certain && b.is_certain,
                    });
                }
            }
            if ends(a) <= ends(b) {
                one.next();
            } else {
                two.next();
            }
        }
        Self::new(shared)
    }

    /// What either lets through where both are possible: certain only where both are certain.
    #[must_use]
    pub fn either(&self, other: &Self) -> Self {
        if self == other {
            return self.clone();
        }
        self.merged(other, |one, other| match (one, other) {
            (PolicyVerdict::Deny, PolicyVerdict::Deny) => None,
            (PolicyVerdict::Allow, PolicyVerdict::Allow) => Some(true),
            _ => Some(false),
        })
    }

    /// What this lets through beyond another: denied or only open there.
    #[must_use]
    pub fn beyond(&self, other: &Self) -> Self {
        self.merged(other, |this, other| match (this, other) {
            (PolicyVerdict::Allow, PolicyVerdict::Deny | PolicyVerdict::Unknown) => Some(true),
            (PolicyVerdict::Unknown, PolicyVerdict::Deny) => Some(false),
            _ => None,
        })
    }

    /// A set made port by port from two: none for nothing, or whether it is certain.
    fn merged(
        &self,
        other: &Self,
        merge: impl Fn(PolicyVerdict, PolicyVerdict) -> Option<bool>,
    ) -> Self {
        let mut merged = Vec::new();
        for protocol in Protocol::ALL {
            let mut cuts: Vec<u32> = vec![1, 65536];
            for interval in self.intervals.iter().chain(&other.intervals) {
                if interval.protocol == protocol {
                    let PortRange { first, last } = interval.ports;
                    cuts.extend([u32::from(first), u32::from(last) + 1]);
                }
            }
            cuts.sort_unstable();
            cuts.dedup();
            for ends in cuts.windows(2) {
                let (Ok(first), Ok(last)) = (u16::try_from(ends[0]), u16::try_from(ends[1] - 1))
                else {
                    continue;
                };
                let merged_here = merge(
                    self.verdict(protocol, first),
                    other.verdict(protocol, first),
                );
                merged.extend(merged_here.map(|is_certain| Interval {
                    protocol,
                    ports: PortRange { first, last },
                    is_certain,
                }));
            }
        }
        Self::new(merged)
    }
}

/// `all`, `none`, or `TCP 80,8000-9000 UDP 53?`, with `?` behind what is open.
impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        if self.is_all() {
            return f.write_str("all");
        }
        let groups = self
            .intervals
            .chunk_by(|one, other| one.protocol == other.protocol);
        for (position, group) in groups.enumerate() {
            if position > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{}", group[0].protocol)?;
            for (position, interval) in group.iter().enumerate() {
                let open = if interval.is_certain { "" } else { "?" };
                if interval.ports == PortRange::ANY {
                    f.write_str(open)?;
                } else {
                    let before = if position == 0 { " " } else { "," };
                    write!(f, "{before}{}{open}", interval.ports)?;
                }
            }
        }
        Ok(())
    }
}

/// A list of `{"protocol": "TCP", "ports": "80-90", "verdict": "allow"}`.
impl Serialize for PortSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Entry {
            protocol: Protocol,
            ports: String,
            verdict: PolicyVerdict,
        }
        serializer.collect_seq(self.intervals.iter().map(|interval| Entry {
            protocol: interval.protocol,
            ports: interval.ports.to_string(),
            verdict: if interval.is_certain {
                PolicyVerdict::Allow
            } else {
                PolicyVerdict::Unknown
            },
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(parts: &[(Protocol, u16, u16, bool)]) -> PortSet {
        PortSet::new(
            parts
                .iter()
                .map(|(protocol, first, last, is_certain)| Interval {
                    protocol: *protocol,
                    ports: PortRange {
                        first: *first,
                        last: *last,
                    },
                    is_certain: *is_certain,
                }),
        )
    }

    #[test]
    fn sets_are_canonical_and_readable() {
        use Protocol::{Sctp, Tcp, Udp};
        for (parts, text) in [
            (&[][..], "none"),
            (&[(Tcp, 1, 80, true), (Tcp, 81, 65535, true)], "TCP"),
            (
                &[
                    (Tcp, 80, 80, true),
                    (Tcp, 90, 99, false),
                    (Udp, 53, 53, true),
                ],
                "TCP 80,90-99? UDP 53",
            ),
            (
                &[
                    (Tcp, 1, 65535, true),
                    (Udp, 1, 65535, true),
                    (Sctp, 1, 65535, true),
                ],
                "all",
            ),
            (&[(Udp, 1, 65535, false)], "UDP?"),
        ] {
            assert_eq!(set(parts).to_string(), text);
        }
    }

    #[test]
    fn intersections_and_unions() {
        use Protocol::{Tcp, Udp};
        let one = set(&[
            (Tcp, 1, 100, true),
            (Tcp, 200, 300, false),
            (Udp, 53, 53, true),
        ]);
        let two = set(&[(Tcp, 50, 250, true), (Udp, 1, 65535, false)]);
        assert_eq!(
            one.intersection(&two).to_string(),
            "TCP 50-100,200-250? UDP 53?"
        );
        assert_eq!(one.intersection(&PortSet::all()), one);
        assert!(one.intersection(&PortSet::default()).is_empty());
        assert_eq!(
            one.either(&two).to_string(),
            "TCP 1-49?,50-100,101-300? UDP?"
        );
    }
}
