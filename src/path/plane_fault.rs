//! What the tables of a dataplane hold that keeps traffic from passing, or lets pass what ought not to.

use std::net::{IpAddr, SocketAddr};

use crate::cluster::ObjectRef;
use crate::nat::dataplane::Dataplane;
use crate::nat::proxy::Difference;
use crate::policy::Direction;

/// One thing found in a dataplane's own tables.
#[derive(Debug, Clone)]
pub enum PlaneFault {
    /// The Service table of a node has other than the objects say.
    Services {
        dataplane: Dataplane,
        difference: Box<Difference>,
        /// Whether the agent's own list is right, so that the map alone is not.
        is_meant: bool,
        /// How many other addresses differ, too.
        others: usize,
    },
    /// A ready endpoint that the dataplane's own health checks keep back.
    KeptBack { endpoint: SocketAddr, state: String },
    /// The policies of an endpoint are not those that its policy map holds.
    PolicyMap {
        pod: ObjectRef,
        endpoint: u64,
        direction: Direction,
        /// What the map does with the packet; the policies say the opposite, or nothing for certain.
        admits: bool,
        identity: u32,
        port: u16,
        /// The revisions, wanted and in force, where the agent says that it is behind.
        behind: Option<(u64, u64)>,
        state: String,
    },
    /// A node takes an address for somebody else than its owner.
    Identity {
        address: IpAddr,
        noted: u32,
        real: u32,
        pod: ObjectRef,
    },
    /// The agent does not know the pod.
    NotManaged { pod: ObjectRef },
    /// No program is attached to the pod's interface.
    NoProgram { pod: ObjectRef, endpoint: u64 },
    /// The tunnel leads to another node than the one with the pod, or to none.
    Tunnel {
        to: IpAddr,
        leads_to: Option<IpAddr>,
        peer: Vec<IpAddr>,
    },
    /// The packet was seen being dropped.
    Dropped {
        source: IpAddr,
        destination: SocketAddr,
        reason: String,
    },
}

// === impl PlaneFault ===

impl PlaneFault {
    /// In a few words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Services { difference, .. } => {
                let endpoint = difference.endpoint.map(|endpoint| format!(" {endpoint}"));
                let held = difference
                    .actual
                    .first()
                    .filter(|_| difference.endpoint.is_none());
                let held = held.map_or_else(String::new, |held| format!(": {held}"));
                format!(
                    "{}{} at {}{held}",
                    difference.kind.name(),
                    endpoint.unwrap_or_default(),
                    difference.entry
                )
            }
            Self::KeptBack { endpoint, state } => format!("{endpoint} is {state}"),
            Self::PolicyMap {
                endpoint,
                admits,
                identity,
                ..
            } => {
                let verb = if *admits { "allows" } else { "denies" };
                format!("the policy map of endpoint {endpoint} {verb} identity {identity}")
            }
            Self::Identity {
                address,
                noted,
                real,
                ..
            } => {
                format!("{address} is taken for identity {noted}, it is {real}")
            }
            Self::NotManaged { pod } => format!("{} is not managed", pod.name),
            Self::NoProgram { pod, .. } => format!("no program on the interface of {}", pod.name),
            Self::Tunnel {
                to,
                leads_to: Some(other),
                ..
            } => format!("{to} is sent to {other}"),
            Self::Tunnel {
                to, leads_to: None, ..
            } => format!("no tunnel to {to}"),
            Self::Dropped { reason, .. } => format!("dropped: {reason}"),
        }
    }

    /// Whether it is worth knowing and no more.
    #[must_use]
    pub const fn is_notice(&self) -> bool {
        matches!(self, Self::PolicyMap { admits: true, .. })
    }
}
