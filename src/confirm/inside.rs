//! What the destination's own network namespace says: who listens, and whether its port answers.

use std::net::{IpAddr, SocketAddr};

use crate::cluster::{Named, Pod};
use crate::facts::{Listener, sockets};
use crate::net::Protocol;
use crate::observe::{Attempts, Observations, Vantage};
use crate::world::World;

/// The view from inside.
#[derive(Debug, Clone)]
pub struct Inside {
    /// Its own port, asked by its own address.
    pub by_address: Option<Attempts>,
    /// Its own port, asked by loopback.
    pub by_loopback: Option<Attempts>,
    /// Every socket that listens; none where that was not read.
    pub listeners: Option<Vec<Listener>>,
}

// === impl Inside ===

impl Inside {
    /// Gathers what is known of a pod and its port.
    pub(super) fn of(
        world: &World<'_>,
        pod: &Pod,
        to: SocketAddr,
        observations: &Observations,
    ) -> Option<Self> {
        let vantage = Vantage::of_pod(pod);
        let loopback = match to {
            SocketAddr::V4(_) => IpAddr::from([127, 0, 0, 1]),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        };
        let facts = world.pod_facts(pod.namespace(), pod.name());
        let inside = Self {
            by_address: observations.attempts(&vantage, to),
            by_loopback: observations.attempts(&vantage, SocketAddr::new(loopback, to.port())),
            listeners: facts
                .and_then(|facts| facts.sockets.as_deref())
                .and_then(|text| sockets(text).ok()),
        };
        let is_known = inside.by_address.is_some()
            || inside.by_loopback.is_some()
            || inside.listeners.is_some();
        is_known.then_some(inside)
    }

    /// The sockets of a protocol that listen on a port, whatever their address.
    pub fn on_port(&self, protocol: Protocol, port: u16) -> impl Iterator<Item = &Listener> {
        let all = self.listeners.iter().flatten();
        all.filter(move |listener| listener.protocol == protocol && listener.port == port)
    }

    /// The ports of a protocol that somebody else than loopback can reach.
    #[must_use]
    pub fn open_ports(&self, protocol: Protocol) -> Vec<u16> {
        let all = self.listeners.iter().flatten();
        let mut ports: Vec<u16> = all
            .filter(|listener| listener.protocol == protocol && !listener.is_loopback())
            .map(|listener| listener.port)
            .collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    }
}
