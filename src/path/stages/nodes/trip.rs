//! One packet's way: who sends it, what it asks for, and the nodes it meets.

use std::net::{IpAddr, SocketAddr};

use k8s_openapi::api::core::v1::Service;

use crate::cluster::access::{NodeExt, ServiceExt};
use crate::cluster::{Named, ObjectRef, Pod};
use crate::nat::eval::Question;
use crate::nat::proxy::{Origin, OriginKind};
use crate::net::{Family, Packet, Protocol};
use crate::node::Attachment;
use crate::path::context::{Leg, Walker};
use crate::path::{Backend, Evidence, Fault, Hop, NodeFault, Stage};
use crate::resolve::Site;
use crate::route::{Decision, Query};
use crate::world::{NodeSite, Nodes};

/// Everything that the stages ask of a packet's way.
pub(super) struct Trip<'t, 'v> {
    pub walker: &'t Walker<'t, 'v>,
    pub site: Site<'v>,
    pub backend: &'t Backend<'v>,
    pub endpoint: SocketAddr,
    pub service: Option<&'v Service>,
    /// The Service's address, if one is asked.
    pub asked: Option<SocketAddr>,
    /// Whether it comes in from outside, at a node.
    pub is_entering: bool,
    /// The node whose rules it meets first.
    pub first: Option<&'v str>,
    /// The backend's node.
    pub last: Option<&'v str>,
    pub client: IpAddr,
    /// The client is not known; this address stands for it.
    pub is_stand_in: bool,
    pub protocol: Protocol,
    pub family: Family,
}

/// What becomes of the port that a client picks.
pub(super) const CLIENT_PORT: u16 = 40_000;

// === impl Trip ===

impl<'t, 'v> Trip<'t, 'v> {
    /// From a leg of the walk to one backend; none where addresses are missing.
    pub(super) fn new(
        walker: &'t Walker<'t, 'v>,
        leg: &Leg<'_, 'v>,
        backend: &'t Backend<'v>,
        service: Option<&'v Service>,
        (family, protocol): (Family, Protocol),
    ) -> Option<Self> {
        let site = leg.sites[0];
        let first = leg.entry.as_ref().map(|entry| entry.node_name);
        let ends = (site, first);
        Self::between(
            walker,
            ends,
            leg.asked,
            backend,
            service,
            (family, protocol),
        )
    }

    /// From a site, or from a node where a packet enters, to one backend.
    pub(super) fn between(
        walker: &'t Walker<'t, 'v>,
        (site, entry): (Site<'v>, Option<&'v str>),
        asked: Option<SocketAddr>,
        backend: &'t Backend<'v>,
        service: Option<&'v Service>,
        (family, protocol): (Family, Protocol),
    ) -> Option<Self> {
        let client = site.ip(family);
        Some(Self {
            walker,
            site,
            backend,
            endpoint: SocketAddr::new(backend.address?, backend.port),
            service,
            asked,
            is_entering: site.is_outside()
                || entry.is_some_and(|entry| site.node_name() != Some(entry)),
            first: entry.or_else(|| site.node_name()),
            last: backend
                .node
                .or_else(|| backend.pod?.node_name())
                .or_else(|| {
                    let address = backend.address?;
                    let mut nodes = walker.view.nodes.iter();
                    nodes
                        .find(|node| node.addresses().contains(&address))
                        .map(Named::name)
                }),
            is_stand_in: client.is_none(),
            client: match (client, family) {
                (Some(client), _) => client,
                (None, _) if !site.is_outside() => return None,
                // Nobody's (RFC 5737, RFC 3849).
                (None, Family::V4) => IpAddr::from([203, 0, 113, 77]),
                (None, Family::V6) => IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x77]),
            },
            protocol,
            family,
        })
    }

    pub(super) const fn nodes(&self) -> &'t Nodes<'v> {
        self.walker.nodes
    }

    pub(super) fn first_site(&self) -> Option<&'t NodeSite> {
        self.nodes().node(self.first?)
    }

    pub(super) fn last_site(&self) -> Option<&'t NodeSite> {
        self.nodes().node(self.last?)
    }

    pub(super) fn is_same_node(&self) -> bool {
        self.first.is_some() && self.first == self.last
    }

    /// The source pod, unless it shares its node's network.
    pub(super) fn source_pod(&self) -> Option<&'v Pod> {
        self.site
            .pod()
            .filter(|pod| !pod.is_host_network() && !self.is_entering)
    }

    /// The destination pod, unless it shares its node's network.
    pub(super) fn destination_pod(&self) -> Option<&'v Pod> {
        self.backend.pod.filter(|pod| !pod.is_host_network())
    }

    /// The packet as it leaves the client.
    pub(super) fn packet(&self) -> Packet {
        let to = self.asked.unwrap_or(self.endpoint);
        Packet::new(self.client, to.ip(), to.port(), self.protocol)
    }

    /// An answer of the backend, before anything is undone.
    pub(super) const fn answer_to(&self, client: IpAddr) -> Packet {
        Packet {
            src: self.endpoint.ip(),
            sport: Some(self.endpoint.port()),
            dst: client,
            dport: CLIENT_PORT,
            protocol: self.protocol,
        }
    }

    /// The packet at its first node.
    pub(super) fn question(&self, node: &NodeSite) -> Option<Question> {
        let packet = self.packet();
        if self.is_entering {
            let interface = outer_interface(node, packet.dst, self.client)?;
            return Some(Question::incoming(packet, interface));
        }
        match self.source_pod() {
            Some(pod) => Some(Question::incoming(packet, self.interface_of(node, pod)?)),
            None => Some(Question::made_here(packet)),
        }
    }

    /// Where it comes from in the eyes of kube-proxy.
    pub(super) fn origin(&self, question: &Question) -> Origin {
        Origin {
            kind: match (&question.in_interface, self.is_entering) {
                (None, _) => OriginKind::Node,
                (Some(_), true) => OriginKind::Outside,
                (Some(_), false) => OriginKind::Pod,
            },
            ip: self.client,
            interface: question.in_interface.clone(),
        }
    }

    /// How a pod hangs on its node, if both ends were gathered.
    pub(super) fn attachment<'n>(&self, node: &'n NodeSite, pod: &Pod) -> Option<Attachment<'n>> {
        let address = pod.ip(self.family)?;
        Attachment::of(&node.state, self.nodes().pod(pod)?, address)
    }

    /// The interface by which a pod's packets come in, seen from its node.
    pub(super) fn interface_of(&self, node: &NodeSite, pod: &Pod) -> Option<String> {
        if let Some(attachment) = self.attachment(node, pod) {
            let own = attachment.fault(&node.state, pod.ip(self.family)?);
            if own.is_none() {
                return Some(attachment.interface().to_owned());
            }
        }
        device_to(node, pod.ip(self.family)?)
    }

    /// Why nothing that the rules and routes of a node show is proof: somebody there moves packets
    /// past them.
    pub(super) fn bypass(&self, node: &str) -> Option<String> {
        let other = self.nodes().node(node)?.out_of_sight()?.dataplane;
        Some(format!(
            "{} moves packets on {node}: {}",
            other.name(),
            other.conclusion()
        ))
    }

    /// A fault held by a node.
    pub(super) fn at_node(&self, node: &str, stage: Stage, kind: Fault) -> NodeFault {
        self.fault(ObjectRef::cluster_wide("Node", node), stage, kind)
    }

    /// A fault held by a node or a pod.
    pub(super) fn fault(&self, at: ObjectRef, stage: Stage, kind: Fault) -> NodeFault {
        NodeFault {
            at,
            stage,
            service: self.service.map(ServiceExt::reference),
            is_return: stage == Stage::Return,
            kind,
        }
    }
}

/// The interface by which a node reaches an address.
pub(super) fn device_to(node: &NodeSite, dst: IpAddr) -> Option<String> {
    node.state.host.routing.as_ref()?;
    let query = Query {
        src: None,
        dst,
        iif: None,
        mark: 0,
        protocol: None,
    };
    match node.state.host.route(query) {
        Decision::Forward(hops) => Some(hops.first()?.device.clone()),
        _ => None,
    }
}

/// Where packets from outside come in: by the interface with the address that was asked, else by the
/// one that leads back to the client.
fn outer_interface(node: &NodeSite, asked: IpAddr, client: IpAddr) -> Option<String> {
    let host = &node.state.host;
    let own = host.link_with(asked).map(|link| link.name.clone());
    own.or_else(|| device_to(node, client)).or_else(|| {
        let mut primary = node.setup.node_ips.iter();
        primary.find_map(|ip| Some(host.link_with(*ip)?.name.clone()))
    })
}

/// A hop at a node.
pub(super) fn node_hop(stage: Stage, node: &str, summary: impl Into<String>) -> Hop {
    Hop::new(stage, crate::path::Status::Pass, summary)
        .at(ObjectRef::cluster_wide("Node", node))
        .within(crate::path::Boundary::NodeNetwork)
}

/// The same hop with more evidence.
pub(super) fn with(mut hop: Hop, evidence: Vec<Evidence>) -> Hop {
    hop.evidence.extend(evidence);
    hop
}
