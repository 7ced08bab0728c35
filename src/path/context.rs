//! What every stage may look at, and what it adds to.

use std::any::Any;
use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use k8s_openapi::api::core::v1::{Node, Service, ServicePort};

use super::trail::Trail;
use super::{Backend, Mode, Path, Stage};
use crate::cluster::access::ServiceExt;
use crate::cluster::multicluster::ServiceImport;
use crate::cluster::{ClusterView, Named, Pod};
use crate::dns::ClusterDns;
use crate::mesh::Meshes;
use crate::net::{Family, Packet, Protocol};
use crate::policy::{Ends, Policies};
use crate::resolve::{Flow, Site};
use crate::world::Nodes;

/// What every stage may look at.
pub(in crate::path) struct Walker<'w, 'v> {
    pub view: &'v ClusterView,
    pub flow: &'w Flow<'v>,
    pub dns: &'w ClusterDns<'v>,
    pub policies: &'w Policies,
    pub ends: &'w Ends<'v>,
    pub meshes: &'w Meshes<'v>,
    pub nodes: &'w Nodes<'v>,
    pub memo: Memo,
}

/// What a stage worked out last, where the next backend is likely to need the same.
#[derive(Default)]
pub(in crate::path) struct Memo(RefCell<Option<Rc<dyn Any>>>);

/// What goes on from the source: the trail so far, and the way by which it came.
#[derive(Clone)]
pub(in crate::path) struct Leg<'a, 'v> {
    pub sites: &'a [Site<'v>],
    pub trail: Trail<'v>,
    pub mode: Mode,
    /// Where the packet met its first kube-proxy, if not on the source's own node.
    pub entry: Option<EntryPoint<'v>>,
    /// The address and port of the Service that is asked.
    pub asked: Option<SocketAddr>,
    /// The port of the Service.
    pub port: Option<&'v ServicePort>,
    /// The subset that a route of a mesh chose, with the labels of its pods.
    pub subset: Option<(String, Vec<(String, String)>)>,
    /// The ServiceImport on the way.
    pub import: Option<ServiceImport<'v>>,
}

/// The node where a packet meets its first kube-proxy.
#[derive(Debug, Clone, Copy)]
pub(in crate::path) struct EntryPoint<'v> {
    pub node: &'v Node,
    pub node_name: &'v str,
    /// Whether the packet goes on under the node's own address (masqueraded under policy Cluster).
    pub hides_source: bool,
}

// === impl Walker ===

impl<'v> Walker<'_, 'v> {
    /// The pod whose resolver is being walked.
    pub(in crate::path) fn pod_asking(&self) -> Option<&'v Pod> {
        self.flow.source.sites.first().and_then(Site::pod)
    }
}

// === impl Memo ===

impl Memo {
    /// What was kept last, if it is of that type.
    pub(in crate::path) fn recall<T: 'static>(&self) -> Option<Rc<T>> {
        let kept = self.0.borrow().clone();
        kept.and_then(|kept| kept.downcast().ok())
    }

    /// Keeps a value in the place of the last one.
    pub(in crate::path) fn keep<T: 'static>(&self, value: T) -> Rc<T> {
        let value = Rc::new(value);
        self.0.replace(Some(Rc::clone(&value) as Rc<dyn Any>));
        value
    }
}

// === impl Leg ===

impl<'v> Leg<'_, 'v> {
    /// Ends a walk before any backend.
    pub(in crate::path) fn end(self, family: Option<Family>) -> Path<'v> {
        self.trail
            .finish(self.sites.to_vec(), Vec::new(), family, self.mode)
    }

    /// Notes at the endpoints hop what the Service's address turns into.
    pub(in crate::path) fn translate(
        &mut self,
        site: Site<'v>,
        family: Family,
        vip: Option<(IpAddr, u16)>,
        backend: &Backend<'v>,
        protocol: Protocol,
    ) {
        let packet = site
            .ip(family)
            .zip(vip)
            .map(|(from, (vip, port))| Packet::new(from, vip, port, protocol));
        let after = packet
            .zip(backend.address)
            .map(|(packet, addr)| packet.to(addr, backend.port));
        if let Some(hop) = self
            .trail
            .hops
            .iter_mut()
            .find(|hop| hop.stage == Stage::Endpoints)
        {
            *hop = hop.clone().translating(packet, after);
        }
    }

    /// The same for another backend of the group.
    pub(in crate::path) fn retranslate(&mut self, backend: &Backend<'v>) {
        let mut hops = self.trail.hops.iter_mut();
        let hop = hops.find(|hop| hop.stage == Stage::Endpoints);
        if let (Some(hop), Some(address)) = (hop, backend.address)
            && let Some(translation) = &mut hop.packet
        {
            translation.after = translation.before.to(address, backend.port);
        }
    }
}

// === impl EntryPoint ===

impl<'v> EntryPoint<'v> {
    /// A port of the node itself: no Service's policy decides, and the source is kept.
    pub(in crate::path) fn of_node(node: &'v Node) -> Self {
        Self {
            node,
            node_name: node.name(),
            hides_source: false,
        }
    }

    pub(in crate::path) fn at(node: &'v Node, service: &Service) -> Self {
        Self {
            node,
            node_name: node.name(),
            hides_source: !service.is_external_local(),
        }
    }
}
