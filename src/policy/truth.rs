//! Three-valued logic: what cannot be settled stays open, with the reason.

use std::fmt;
use std::net::IpAddr;

use super::model::PolicyRef;

/// Whether something holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Truth {
    No,
    /// It depends on something that is not known.
    Maybe(Doubt),
    Yes,
}

/// Why something cannot be settled.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Doubt {
    /// Policies of a kind could not be read.
    Unread {
        /// `networkpolicies in data`
        what: String,
        why: String,
        /// The grant that would settle it.
        grant: String,
    },
    /// An object or a part of it could not be understood.
    NotUnderstood {
        policy: PolicyRef,
        field: String,
        why: String,
    },
    /// The labels of a namespace or a node, of which only the name is known.
    LabelsUnread { of: String },
    /// A policy asks for an address block, and this end has no address yet.
    AddressUnknown { end: String },
    /// An address block holds only some of the addresses of this end.
    AddressesDiffer { end: String },
    /// An address of the pod range that belongs to no pod that was read.
    NoSuchPod(IpAddr),
    /// Two policies of one tier that both apply carry the same priority and disagree.
    EqualPriority(PolicyRef, PolicyRef),
    /// Which node an end runs on is not known.
    NodeUnknown { end: String },
    /// Policies of both Calico and Cilium are there, and they disagree.
    TwoPlugins,
    /// A pod calls its own address.
    SelfTraffic,
    /// Whether both ends share a node, whose own traffic to its pods is always let through.
    SameNode,
    /// It depends on a part of the request that nobody gave; the flag that gives it, if one does.
    Request { part: String, flag: String },
    /// Somebody outside of all objects decides.
    Authorizer { policy: String, provider: String },
    /// Proxies of two meshes in one pod.
    TwoMeshes { pod: String },
    /// In words.
    Other(String),
}

// === impl Truth ===

impl Truth {
    /// Whether it certainly holds.
    #[must_use]
    pub const fn is_yes(&self) -> bool {
        matches!(self, Self::Yes)
    }

    /// Whether it certainly does not hold.
    #[must_use]
    pub const fn is_no(&self) -> bool {
        matches!(self, Self::No)
    }

    /// Both hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, other) => other,
            (maybe, _) => maybe,
        }
    }

    /// At least one holds.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::No, other) => other,
            (maybe, _) => maybe,
        }
    }

    /// The opposite.
    #[must_use]
    pub fn negate(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            maybe @ Self::Maybe(_) => maybe,
        }
    }

    /// Whether all of them hold; asks no further once one does not.
    pub fn all(truths: impl IntoIterator<Item = Self>) -> Self {
        let mut so_far = Self::Yes;
        for truth in truths {
            so_far = so_far.and(truth);
            if so_far.is_no() {
                break;
            }
        }
        so_far
    }

    /// Whether any of them holds; asks no further once one does.
    pub fn any(truths: impl IntoIterator<Item = Self>) -> Self {
        let mut so_far = Self::No;
        for truth in truths {
            so_far = so_far.or(truth);
            if so_far.is_yes() {
                break;
            }
        }
        so_far
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

// === impl Doubt ===

impl Doubt {
    /// A policy of Calico's that may also apply to nodes.
    #[must_use]
    pub fn host_endpoints(policy: &PolicyRef) -> Self {
        Self::NotUnderstood {
            policy: policy.clone(),
            field: "spec".to_owned(),
            why: "it may apply to nodes, through host endpoints, which are not read".to_owned(),
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unread { what, why, .. } => write!(f, "{what} could not be read: {why}"),
            Self::NotUnderstood { policy, field, why } if field.is_empty() => {
                write!(f, "{policy} is not understood: {why}")
            }
            Self::NotUnderstood { policy, field, why } => {
                write!(f, "{policy} {field} is not understood: {why}")
            }
            Self::LabelsUnread { of } => write!(f, "the labels of {of} could not be read"),
            Self::AddressUnknown { end } => {
                write!(f, "an address block is asked for, and {end} has no address yet")
            }
            Self::AddressesDiffer { end } => {
                write!(f, "an address block holds only some of the addresses of {end}")
            }
            Self::NoSuchPod(addr) => write!(
                f,
                "{addr} lies in the range of the pods, but no such pod was read"
            ),
            Self::EqualPriority(one, other) => write!(
                f,
                "{one} and {other} have the same priority and disagree, which leaves their order undefined"
            ),
            Self::NodeUnknown { end } => write!(f, "it is not known on which node {end} runs"),
            Self::TwoPlugins => f.write_str(
                "there are policies of Calico and of Cilium; which of them are enforced is not known, and they disagree",
            ),
            Self::SelfTraffic => f.write_str(
                "a pod that calls its own address: network plugins differ on whether policies apply",
            ),
            Self::Request { part, flag } if flag.is_empty() => {
                write!(f, "it depends on the {part} of the request, which is not known")
            }
            Self::Request { part, flag } => write!(
                f,
                "it depends on the {part} of the request, which is not known: give it with {flag}"
            ),
            Self::Authorizer { policy, provider } => write!(
                f,
                "{policy} leaves the decision to the external authorizer {provider}"
            ),
            Self::TwoMeshes { pod } => write!(
                f,
                "{pod} has the proxies of two meshes, which compete for its connections"
            ),
            Self::Other(text) => f.write_str(text),
            Self::SameNode => f.write_str(
                "traffic from a node to its own pods is always allowed, and it is unknown whether both are on one node",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubt_survives_only_where_it_matters() {
        let maybe = || Truth::Maybe(Doubt::SelfTraffic);
        for (outcome, expected) in [
            (maybe().and(Truth::No), Truth::No),
            (maybe().and(Truth::Yes), maybe()),
            (maybe().or(Truth::No), maybe()),
            (Truth::Yes.or(maybe()), Truth::Yes),
            (maybe().negate(), maybe()),
            (Truth::all([Truth::Yes, maybe(), Truth::No]), Truth::No),
            (Truth::any([Truth::No, maybe(), Truth::Yes]), Truth::Yes),
            (Truth::all([]), Truth::Yes),
            (Truth::any([]), Truth::No),
        ] {
            assert_eq!(outcome, expected);
        }
    }
}
