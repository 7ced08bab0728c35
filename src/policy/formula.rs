//! What subjects and peers ask of an end, as one formula that every dialect is translated into.
//!
//! ```text
//!  podSelector: {matchLabels: {app: web}}        All[Pod, Namespace(shop), Label(Pod, app=web)]
//!  ipBlock: {cidr: 10/8, except: [10.1/16]}      All[Within(10/8), Not(Within(10.1/16))]
//! ```

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use super::ends::End;
use super::truth::{Doubt, Truth};
use crate::cluster::Requirement;
use crate::net::Family;

/// A condition on one end of a flow.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Formula {
    /// A pod that policies can tell apart: one with a network namespace of its own.
    Pod,
    /// A node, or what runs in its network namespace.
    Node,
    /// Nothing of this cluster.
    Outside,
    /// On the node of the flow's other end.
    SameNode,
    /// Such a pod in the namespace of that name.
    Namespace(String),
    /// Such a pod (or, for node labels, a node or what runs in its network namespace) whose labels
    /// meet a requirement.
    Label(Domain, Requirement),
    /// The same, with a part of a label's value.
    Part(Domain, Part),
    /// An address in the prefix.
    Within(IpNet),
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    /// A construct that cannot be decided.
    Unclear(Doubt),
}

/// Whose labels are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Domain {
    Pod,
    Namespace,
    ServiceAccount,
    Node,
}

/// A condition on a part of a label's value (Calico's `contains`, `starts with`, `ends with`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Part {
    pub key: String,
    pub place: Anchor,
    pub text: String,
}

/// Where in a value a text is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Anchor {
    Anywhere,
    Start,
    End,
}

/// What the rest of a flow adds to a condition on one end.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    pub families: Families,
    /// The other end, where the condition is on a peer.
    pub other: Option<&'a End>,
}

/// The address families a flow can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Families {
    pub v4: bool,
    pub v6: bool,
}

// === impl Formula ===

impl Formula {
    /// What holds for everything.
    pub const EVERYTHING: Self = Self::All(Vec::new());

    /// Whether it holds for an end.
    #[must_use]
    pub fn truth(&self, end: &End, context: Context<'_>) -> Truth {
        match self {
            Self::Pod => end.is_selectable(),
            Self::Node => end.is_node_like().into(),
            Self::Outside => end.is_outside(),
            Self::SameNode => end.is_on_node_of(context.other),
            Self::Namespace(name) => match &end.pod {
                Some(pod) => end
                    .is_selectable()
                    .and((pod.namespace.name == *name).into()),
                None => end.is_selectable(),
            },
            Self::Label(domain, requirement) => end.label(*domain, requirement),
            Self::Part(domain, part) => end.label_part(*domain, part),
            Self::Within(net) => end.is_within(*net, context.families),
            Self::All(parts) => Truth::all(parts.iter().map(|part| part.truth(end, context))),
            Self::Any(parts) => Truth::any(parts.iter().map(|part| part.truth(end, context))),
            Self::Not(part) => part.truth(end, context).negate(),
            Self::Unclear(doubt) => Truth::Maybe(doubt.clone()),
        }
    }
}

// === impl Part ===

impl Part {
    /// Whether the value of the label fits; an absent label never does.
    #[must_use]
    pub fn holds(&self, value: Option<&str>) -> bool {
        value.is_some_and(|value| match self.place {
            Anchor::Anywhere => value.contains(&self.text),
            Anchor::Start => value.starts_with(&self.text),
            Anchor::End => value.ends_with(&self.text),
        })
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match self.place {
            Anchor::Anywhere => "contains",
            Anchor::Start => "starts with",
            Anchor::End => "ends with",
        };
        write!(f, "{} {place} {:?}", self.key, self.text)
    }
}

// === impl Families ===

impl Families {
    pub const V4: Self = Self {
        v4: true,
        v6: false,
    };

    /// Those of a list of addresses; none for an empty one.
    pub fn of(addresses: &[IpAddr]) -> Self {
        Self {
            v4: addresses.iter().any(IpAddr::is_ipv4),
            v6: addresses.iter().any(IpAddr::is_ipv6),
        }
    }

    /// One family.
    #[must_use]
    pub const fn only(family: Family) -> Self {
        Self {
            v4: matches!(family, Family::V4),
            v6: matches!(family, Family::V6),
        }
    }

    /// Those both have.
    #[must_use]
    pub const fn shared(self, other: Self) -> Self {
        Self {
            v4: self.v4 && other.v4,
            v6: self.v6 && other.v6,
        }
    }

    /// Those a flow between two ends can have: what both have, as far as that is known.
    #[must_use]
    pub fn between(one: &End, other: &End, of_cluster: Self) -> Self {
        let (one, other) = (one.families(), other.families());
        match (one.is_empty(), other.is_empty()) {
            (true, true) => of_cluster,
            (true, false) => other,
            (false, true) => one,
            (false, false) => one.shared(other),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        !self.v4 && !self.v6
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Family> {
        Family::ALL.into_iter().filter(move |family| match family {
            Family::V4 => self.v4,
            Family::V6 => self.v6,
        })
    }
}
