//! What stands between a client and a Service of other clusters.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Stage;
use crate::cluster::ObjectRef;
use crate::cluster::multicluster::{Link, ServiceImport};
use crate::target::PortSpec;

/// One thing that stops traffic to a Service of the cluster set, or may.
#[derive(Debug, Clone)]
pub enum ClusterSetTrouble<'v> {
    /// The servers of the zone know no such import.
    NoImport { namespace: String, name: String },
    /// The import has no address.
    NoAddress(ServiceImport<'v>),
    /// No server of the cluster set is asked.
    Undelegated {
        name: String,
        to: Vec<String>,
        /// Whether the cache of the node asks past the cluster's DNS.
        by_cache: bool,
    },
    /// The import has no such port.
    Port {
        import: ServiceImport<'v>,
        asked: PortSpec,
    },
    /// No cluster has a ready endpoint.
    NoEndpoints {
        import: ServiceImport<'v>,
        not_ready: usize,
    },
    /// The export of this cluster disagrees with those of others.
    Conflict { export: ObjectRef, why: String },
    /// A gateway says that it has no connection to a cluster.
    LinkDown { cluster: String, link: Link },
    /// An address of the other cluster is in a range of this one.
    Overlap {
        cluster: String,
        slice: ObjectRef,
        address: IpAddr,
        range: IpNet,
        /// Who has the range here.
        owner: ObjectRef,
    },
    /// A slice of a cluster that the import no longer lists.
    Stale {
        import: ServiceImport<'v>,
        slice: ObjectRef,
        cluster: String,
    },
}

// === impl ClusterSetTrouble ===

impl ClusterSetTrouble<'_> {
    /// The stage that saw it.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        match self {
            Self::NoImport { .. } | Self::NoAddress(_) | Self::Undelegated { .. } => Stage::Dns,
            Self::Port { .. } | Self::Conflict { .. } => Stage::Service,
            Self::NoEndpoints { .. } => Stage::Endpoints,
            Self::Stale { .. } | Self::LinkDown { .. } | Self::Overlap { .. } => Stage::Route,
        }
    }

    /// Whether it leaves open if traffic arrives.
    #[must_use]
    pub const fn leaves_open(&self) -> bool {
        matches!(self, Self::LinkDown { .. } | Self::Stale { .. })
    }
}
