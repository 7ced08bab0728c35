//! How a pod's interface hangs on its node.
//!
//! ```text
//!  pod eth0 ══ veth ── port of a bridge (cni0) ── node        bridge plugins
//!  pod eth0 ══ veth ── node                                   routed plugins: a route per pod
//! ```

use std::net::IpAddr;

use super::{NodeState, PodState};
use crate::facts::{Link, LinkKind};
use crate::route::{Decision, Query};

/// The node's end of a pod's interface.
#[derive(Debug, Clone, Copy)]
pub struct Attachment<'a> {
    /// The host side of the veth pair.
    pub port: &'a Link,
    /// The bridge it is a port of.
    pub bridge: Option<&'a Link>,
}

/// What is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hanging {
    /// An interface is switched off or has lost its other end.
    Down { device: String },
    /// The node sends the pod's packets to a bridge that the interface is no port of.
    OffBridge {
        port: String,
        bridge: String,
        /// The bridge that it is a port of, if that one has an address of the same range.
        twin: Option<String>,
    },
    /// The bridge does not forward from or to the port.
    Blocked { port: String, state: String },
}

// === impl Attachment ===

impl<'a> Attachment<'a> {
    /// Finds the node's end by the index that both ends of a veth pair know of each other.
    #[must_use]
    pub fn of(node: &'a NodeState, pod: &PodState, address: IpAddr) -> Option<Self> {
        let inner = pod.host.link_with(address)?;
        let peer = inner.peer_index.filter(|_| inner.kind == LinkKind::Veth)?;
        let links = node.host.links.as_ref()?;
        let port = links.iter().find(|link| {
            link.index == peer
                && link.kind == LinkKind::Veth
                && link.peer_index == Some(inner.index)
        })?;
        let bridge = port.master.as_deref().and_then(|name| node.host.link(name));
        Some(Self { port, bridge })
    }

    /// The interface that the node's rules and routes see.
    #[must_use]
    pub fn interface(&self) -> &'a str {
        self.bridge.map_or(&self.port.name, |bridge| &bridge.name)
    }

    /// What keeps packets from passing, if anything does.
    #[must_use]
    pub fn fault(&self, node: &NodeState, address: IpAddr) -> Option<Hanging> {
        let parts = [Some(self.port), self.bridge];
        if let Some(down) = parts.into_iter().flatten().find(|link| !link.is_up) {
            return Some(Hanging::Down {
                device: down.name.clone(),
            });
        }
        if !self.port.has_carrier {
            return Some(Hanging::Down {
                device: self.port.name.clone(),
            });
        }
        let mut listed = node.bridge_ports.iter().flatten();
        let own = listed.find(|own| own.device == self.port.name);
        if let Some(own) = own.filter(|own| own.state == "disabled" || own.state == "blocking") {
            return Some(Hanging::Blocked {
                port: own.device.clone(),
                state: own.state.clone(),
            });
        }
        let towards = towards(node, address)?;
        let is_other_bridge = towards.kind == LinkKind::Bridge
            && self.bridge.is_none_or(|own| own.name != towards.name);
        let twin = self.bridge.filter(|own| {
            let mut addresses = own.addresses.iter().filter(|one| one.is_global);
            addresses.any(|one| towards.addresses.iter().any(|other| other.covers(one.ip)))
        });
        is_other_bridge.then(|| Hanging::OffBridge {
            port: self.port.name.clone(),
            bridge: towards.name.clone(),
            twin: twin.map(|own| own.name.clone()),
        })
    }
}

/// The interface by which the node reaches an address.
fn towards(node: &NodeState, address: IpAddr) -> Option<&Link> {
    node.host.routing.as_ref()?;
    let query = Query {
        src: None,
        dst: address,
        iif: None,
        mark: 0,
        protocol: None,
    };
    match node.host.route(query) {
        Decision::Forward(hops) => node.host.link(&hops.first()?.device),
        _ => None,
    }
}
