//! One network namespace as far as it is known.

use std::net::IpAddr;

use super::{Decision, Query, Routing};
use crate::facts::{Link, NextHop, RouteKind, TableId};

/// A three-valued answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    Yes,
    No,
    Unknown,
}

/// The kind of an address, as `addrtype` and `fib … type` see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressType {
    Local,
    Broadcast,
    Multicast,
    Unicast,
    Unknown,
}

/// Addresses, interfaces and routes of a node or a pod. Each part may be missing.
#[derive(Debug, Clone, Default)]
pub struct Host {
    /// Interfaces with their addresses, if they were read.
    pub links: Option<Vec<Link>>,
    /// Addresses alone, if only they are known; loopback is always one.
    pub addresses: Option<Vec<IpAddr>>,
    pub routing: Option<Routing>,
}

// === impl Known ===

impl From<bool> for Known {
    fn from(known: bool) -> Self {
        if known { Self::Yes } else { Self::No }
    }
}

// === impl Host ===

impl Host {
    /// An interface by name.
    #[must_use]
    pub fn link(&self, name: &str) -> Option<&Link> {
        self.links.as_ref()?.iter().find(|link| link.name == name)
    }

    /// The interface that carries an address.
    #[must_use]
    pub fn link_with(&self, ip: IpAddr) -> Option<&Link> {
        self.links.as_ref()?.iter().find(|link| link.has(ip))
    }

    /// Whether the address is the host's own.
    #[must_use]
    pub fn is_local(&self, ip: IpAddr) -> Known {
        self.address_type(ip).is(AddressType::Local)
    }

    /// Whether the address is the host's own on one interface (`--limit-iface-in`).
    #[must_use]
    pub fn is_local_on(&self, ip: IpAddr, interface: &str) -> Known {
        match (&self.links, self.is_local(ip)) {
            (_, Known::No) => Known::No,
            (Some(_), Known::Yes) if ip.is_loopback() => Known::from(interface == "lo"),
            (Some(links), Known::Yes) => Known::from(
                links
                    .iter()
                    .any(|link| link.name == interface && link.has(ip)),
            ),
            _ => Known::Unknown,
        }
    }

    /// What kind of address it is. The kernel asks the local table alone: what is not there is
    /// unicast, whether a route leads to it or not (`inet_addr_type`).
    #[must_use]
    pub fn address_type(&self, ip: IpAddr) -> AddressType {
        if ip.is_loopback() {
            return AddressType::Local;
        }
        if ip.is_multicast() {
            return AddressType::Multicast;
        }
        match ip {
            IpAddr::V4(ip) if ip.is_broadcast() || ip.octets()[0] == 0 => {
                return AddressType::Broadcast;
            }
            _ => {}
        }
        if self.owns(ip) {
            return AddressType::Local;
        }
        let listed = self.routing.as_ref().and_then(|routing| {
            let route = routing.best(TableId::LOCAL, ip)?;
            Some(route.kind)
        });
        match listed {
            Some(RouteKind::Local) => AddressType::Local,
            Some(RouteKind::Broadcast) => AddressType::Broadcast,
            _ if self.is_broadcast(ip) => AddressType::Broadcast,
            _ if self.knows_its_addresses() => AddressType::Unicast,
            _ => AddressType::Unknown,
        }
    }

    fn knows_its_addresses(&self) -> bool {
        self.links.is_some()
            || self.addresses.is_some()
            || self.routing.as_ref().is_some_and(|routing| {
                let mut routes = routing.routes();
                routes.any(|route| route.table == TableId::LOCAL)
            })
    }

    fn owns(&self, ip: IpAddr) -> bool {
        let listed = self.addresses.iter().flatten().any(|own| *own == ip);
        listed || self.link_with(ip).is_some()
    }

    /// The last address of an interface's prefix (and the first, in the kernel's eyes, is one too).
    fn is_broadcast(&self, ip: IpAddr) -> bool {
        let IpAddr::V4(ip) = ip else { return false };
        let links = self.links.iter().flatten();
        let mut addresses = links.flat_map(|link| &link.addresses);
        addresses.any(
            |address| match ipnet::IpNet::new(address.ip, address.prefix) {
                Ok(ipnet::IpNet::V4(net)) => net.prefix_len() < 31 && net.broadcast() == ip,
                _ => false,
            },
        )
    }

    /// Where a packet goes.
    #[must_use]
    pub fn route(&self, query: Query<'_>) -> Decision {
        match self.address_type(query.dst) {
            AddressType::Local | AddressType::Broadcast => return Decision::Deliver,
            AddressType::Multicast | AddressType::Unicast | AddressType::Unknown => {}
        }
        match &self.routing {
            Some(routing) => routing.decide(query),
            None if self.address_type(query.dst) == AddressType::Unknown => {
                Decision::Unknown(format!("whether {} is an address of this host", query.dst))
            }
            // Away from here, by whatever way.
            None => Decision::Forward(Vec::new()),
        }
    }

    /// The source address that masquerading takes on the way out: one of the interface, preferably
    /// from the prefix of the next hop (`inet_select_addr`).
    #[must_use]
    pub fn masquerade_source(&self, out: &NextHop, dst: IpAddr) -> Option<IpAddr> {
        let next = out.gateway.unwrap_or(dst);
        let same_family =
            |address: &&crate::facts::LinkAddress| address.ip.is_ipv4() == dst.is_ipv4();
        let link = self.link(&out.device)?;
        let mut usable = link.addresses.iter().filter(same_family);
        let near = usable.clone().find(|address| address.covers(next));
        near.or_else(|| usable.find(|address| address.is_global))
            .or_else(|| {
                let links = self.links.iter().flatten();
                let mut others = links.flat_map(|link| &link.addresses).filter(same_family);
                others.find(|address| address.is_global)
            })
            .map(|address| address.ip)
    }
}

// === impl AddressType ===

impl AddressType {
    /// Whether it is of one kind.
    #[must_use]
    pub fn is(self, kind: Self) -> Known {
        if self == Self::Unknown {
            Known::Unknown
        } else {
            Known::from(self == kind)
        }
    }
}
