//! Nodes.

use std::net::IpAddr;

use ipnet::IpNet;
use k8s_openapi::api::core::v1::{Node, NodeCondition};

use crate::cluster::{Named, ObjectRef};
use crate::net::parse_prefix;

/// The label that names a node's zone.
pub const ZONE: &str = "topology.kubernetes.io/zone";

/// Questions the walk asks of a Node.
pub trait NodeExt {
    /// Names it.
    fn reference(&self) -> ObjectRef;
    /// Its addresses, internal ones first; host names are left out.
    fn addresses(&self) -> Vec<IpAddr>;
    /// The condition of a type.
    fn condition(&self, kind: &str) -> Option<&NodeCondition>;
    /// Whether its condition `Ready` is true.
    fn is_ready(&self) -> bool;
    /// The prefixes its pods get their addresses from, where the node IPAM assigns them.
    fn pod_cidrs(&self) -> Vec<IpNet>;
    /// Its zone.
    fn zone(&self) -> Option<&str>;
}

// === impl Node ===

impl NodeExt for Node {
    fn reference(&self) -> ObjectRef {
        ObjectRef::cluster_wide("Node", self.name())
    }

    fn addresses(&self) -> Vec<IpAddr> {
        let status = self.status.as_ref();
        let listed = status.and_then(|status| status.addresses.as_deref());
        let mut addresses: Vec<_> = listed.unwrap_or_default().iter().collect();
        addresses.sort_by_key(|address| address.type_ != "InternalIP");
        addresses
            .into_iter()
            .filter_map(|address| address.address.parse().ok())
            .collect()
    }

    fn condition(&self, kind: &str) -> Option<&NodeCondition> {
        let conditions = self.status.as_ref()?.conditions.as_ref()?;
        conditions.iter().find(|condition| condition.type_ == kind)
    }

    fn is_ready(&self) -> bool {
        self.condition("Ready")
            .is_some_and(|condition| condition.status == "True")
    }

    fn pod_cidrs(&self) -> Vec<IpNet> {
        let Some(spec) = &self.spec else {
            return Vec::new();
        };
        let listed = spec.pod_cidrs.iter().flatten();
        let mut cidrs: Vec<IpNet> = listed.filter_map(|cidr| parse_prefix(cidr).ok()).collect();
        if cidrs.is_empty() {
            cidrs.extend(
                spec.pod_cidr
                    .iter()
                    .filter_map(|cidr| parse_prefix(cidr).ok()),
            );
        }
        cidrs
    }

    fn zone(&self) -> Option<&str> {
        let labels = self.metadata.labels.as_ref()?;
        labels.get(ZONE).map(String::as_str)
    }
}
