//! The walk: what should happen to a packet, hop by hop, from what is known.
//!
//! ```text
//!  Flow ─► for every source ─► source · dns · service · endpoints ─► for every backend ─► egress-policy
//!                                        (or entry · ingress)           · ingress-policy · destination
//!                                            and, where facts of nodes and pods were gathered,
//!                                                                       · nat · route · return ─► Path
//! ```
//!
//! A stage adds a [`Hop`] and, where traffic cannot go on, a [`Break`] that says what it saw there.
//! Later stages are still walked as far as they can be, because a second fault does not wait for the
//! first to be repaired; their hops are then `notReached`. What a break means, and who is to blame,
//! is for `diagnose` to say.

mod breaks;
mod cluster_set;
mod context;
mod fault;
mod hop;
mod order;
mod plane_fault;
mod stages;
mod trail;
mod trouble;

use std::net::{IpAddr, SocketAddr};

use k8s_openapi::api::core::v1::Service;
use serde::Serialize;

use crate::cluster::Pod;
use crate::net::Family;
use crate::resolve::Site;

pub(crate) use crate::cluster::{resolve_port, selected};
pub use breaks::{Break, Denied, DnsTrouble, IngressTrouble, NameTrouble, PortTrouble};
pub use cluster_set::ClusterSetTrouble;
pub use fault::{
    Colliding, Fault, KernelFault, NodeFault, PodFault, ProxyFault, TunnelFault, WayFault,
};
pub use hop::{Basis, Boundary, Evidence, Hop, Stage, Status, Translation};
pub(crate) use order::{EXCLUDED, class_name, ingress_addresses, ingress_reference, name_asked};
pub use order::{Walk, walk};
pub use plane_fault::PlaneFault;
pub(crate) use stages::endpoints::slices;
pub(crate) use stages::import::ports_text as import_ports_text;
pub(crate) use stages::service::ports_text;
pub use trouble::{DoorTrouble, Share};

/// One walk: sources that behave alike to backends that behave alike.
#[derive(Debug, Clone)]
pub struct Path<'v> {
    pub sources: Vec<Site<'v>>,
    /// Empty when the walk ended before any backend was chosen.
    pub backends: Vec<Backend<'v>>,
    pub family: Option<Family>,
    pub mode: Mode,
    /// The Service on the way, if one is.
    pub service: Option<&'v Service>,
    pub hops: Vec<Hop>,
    pub breaks: Vec<Break<'v>>,
}

/// What answers in the end.
#[derive(Debug, Clone)]
pub struct Backend<'v> {
    /// Unknown in manifests.
    pub address: Option<IpAddr>,
    pub port: u16,
    pub pod: Option<&'v Pod>,
    pub node: Option<&'v str>,
    /// Whether this is only what would be reached after a repair.
    pub is_hypothetical: bool,
    /// The other cluster that it is in.
    pub cluster: Option<&'v str>,
}

/// The modes of Kubernetes traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Within one pod, over its own network namespace.
    ContainerToContainer,
    PodToPod,
    PodToService,
    OutsideToService,
    ToOutside,
}

/// How a path ends, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    Works,
    Unknown,
    Fails,
}

// === impl Path ===

impl Path<'_> {
    /// How it ends: a failing hop fails it; else an unknown one leaves it open.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let has = |status| self.hops.iter().any(|hop| hop.status == status);
        if has(Status::Fail) {
            Outcome::Fails
        } else if has(Status::Unknown) {
            Outcome::Unknown
        } else {
            Outcome::Works
        }
    }

    /// The hops as a packet meets them: what lies behind the first that fails is not reached.
    #[must_use]
    pub fn hops_as_met(&self) -> Vec<Hop> {
        let mut hops = self.hops.clone();
        let Some(failing) = hops.iter().position(|hop| hop.status == Status::Fail) else {
            return hops;
        };
        for hop in &mut hops[failing + 1..] {
            hop.status = Status::NotReached;
        }
        if hops.iter().all(|hop| hop.stage < Stage::Destination) {
            hops.push(Hop::new(
                Stage::Destination,
                Status::NotReached,
                "not reached",
            ));
        }
        hops
    }

    /// Whether two walks of one group tell the same story, up to the backend's own name and address.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let is_same = |left: &Hop, right: &Hop| {
            left.stage == right.stage
                && left.status == right.status
                && (left.status == Status::Pass || left.summary == right.summary)
        };
        self.hops.len() == other.hops.len()
            && self
                .hops
                .iter()
                .zip(&other.hops)
                .all(|(left, right)| is_same(left, right))
    }

    /// The hop where it breaks.
    #[must_use]
    pub fn failing(&self) -> Option<&Hop> {
        self.hops.iter().find(|hop| hop.status == Status::Fail)
    }
}

// === impl Backend ===

impl<'v> Backend<'v> {
    /// A pod at one of its own ports.
    #[must_use]
    pub fn of_pod(pod: &'v Pod, family: Family, port: u16) -> Self {
        Self {
            address: pod.ip(family),
            port,
            pod: Some(pod),
            node: pod.node_name(),
            is_hypothetical: false,
            cluster: None,
        }
    }

    /// The same, as something that would only be reached after a repair.
    #[must_use]
    pub const fn as_hypothetical(mut self) -> Self {
        self.is_hypothetical = true;
        self
    }

    /// Whether it is this pod.
    #[must_use]
    pub fn is(&self, pod: &Pod) -> bool {
        self.pod
            .is_some_and(|own| own.reference() == pod.reference())
    }

    /// `10.244.2.5:9090`, or the pod's name where the address is not known.
    #[must_use]
    pub fn display(&self) -> String {
        match (self.address, self.pod) {
            (Some(addr), _) => SocketAddr::new(addr, self.port).to_string(),
            (None, Some(pod)) => format!("{}:{}", crate::cluster::Named::name(pod), self.port),
            (None, None) => format!("?:{}", self.port),
        }
    }
}

/// The address a client of the Service sends to, on one path.
pub(crate) fn service_address(path: &Path<'_>) -> Option<SocketAddr> {
    let hop = path.hops.iter().find(|hop| hop.packet.is_some())?;
    let packet = &hop.packet.as_ref()?.before;
    Some(SocketAddr::new(packet.dst, packet.dport))
}
