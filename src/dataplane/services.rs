//! Services as a dataplane has programmed them on one node.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::net::{Family, Protocol};

/// The frontends of a node by address, port and protocol.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceTable {
    frontends: BTreeMap<Key, Frontend>,
}

type Key = (IpAddr, u16, Protocol, bool);

/// One address at which a Service is served.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontend {
    /// By their place in the table, which begins with 1.
    pub slots: BTreeMap<u32, Slot>,
    /// What stands where the table counts the backends; without it nothing is translated.
    pub head: Option<String>,
    /// How many backends the head counts, where it says so.
    pub count: Option<u32>,
}

/// Where one slot leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot {
    Backend(SocketAddr),
    /// To nowhere, in the agent's own words.
    Lost(String),
}

// === impl ServiceTable ===

impl ServiceTable {
    /// The frontend of an address, made if it is new. `is_inner` is for the one of two scopes that only
    /// clients inside the cluster meet (traffic policy `Local`).
    pub fn entry(
        &mut self,
        address: IpAddr,
        port: u16,
        protocol: Protocol,
        is_inner: bool,
    ) -> &mut Frontend {
        let key = (address, port, protocol, is_inner);
        self.frontends.entry(key).or_default()
    }

    /// Whether nothing is served at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frontends.is_empty()
    }

    /// The frontend that a packet from inside the cluster meets; node ports stand under the unspecified
    /// address, too.
    #[must_use]
    pub fn get(&self, address: IpAddr, port: u16, protocol: Protocol) -> Option<&Frontend> {
        let any = match Family::of(address) {
            Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let mut ways = [(address, true), (address, false), (any, true), (any, false)].into_iter();
        ways.find_map(|(ip, inner)| self.frontends.get(&(ip, port, protocol, inner)))
    }

    /// Every frontend with its address, port and protocol.
    pub fn iter(&self) -> impl Iterator<Item = (IpAddr, u16, Protocol, &Frontend)> {
        let all = self.frontends.iter();
        all.map(|((ip, port, protocol, _), frontend)| (*ip, *port, *protocol, frontend))
    }
}

// === impl Frontend ===

impl Frontend {
    /// The addresses it leads to.
    pub fn backends(&self) -> impl Iterator<Item = SocketAddr> {
        self.slots.values().filter_map(|slot| match slot {
            Slot::Backend(to) => Some(*to),
            Slot::Lost(_) => None,
        })
    }

    /// What is wrong with the table itself, whatever the Service wants: the head is gone, or a slot is, or
    /// one leads nowhere.
    #[must_use]
    pub fn hole(&self) -> Option<String> {
        if self.head.is_none() {
            let left = self.slots.len();
            return Some(format!("slot 0 is missing ({left} backend slots are left)"));
        }
        let lost = self.slots.iter().find_map(|(slot, to)| match to {
            Slot::Lost(words) => Some(format!("slot {slot}: {words}")),
            Slot::Backend(_) => None,
        });
        let last = self.slots.keys().next_back().copied().unwrap_or(0);
        let wanted = self.count.unwrap_or(last).min(MOST);
        let gap = || (1..=wanted).find(|slot| !self.slots.contains_key(slot));
        lost.or_else(|| gap().map(|slot| format!("slot {slot} of {wanted} is missing")))
    }
}

/// More slots than any Service has; a wrong count is no reason to count for ever.
const MOST: u32 = 65_536;
