//! One step of a walk.

use serde::Serialize;

use crate::cluster::ObjectRef;
use crate::net::Packet;

/// The stages of a path, in the order they are passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    Source,
    /// An Ingress and the controller that serves it.
    Ingress,
    /// Where a packet from outside enters: a node port or a load-balancer address.
    Entry,
    Dns,
    /// A Gateway, and the route that takes the request.
    Gateway,
    Service,
    Endpoints,
    /// What a mesh takes over at the client's end.
    #[serde(rename = "mesh")]
    MeshClient,
    EgressPolicy,
    /// The rules of the source's node.
    Nat,
    /// Between the nodes.
    Route,
    IngressPolicy,
    /// What a mesh takes over at the server's end.
    #[serde(rename = "mesh")]
    MeshServer,
    Destination,
    Return,
}

/// How a hop went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    Pass,
    Fail,
    /// Passes, but not as it should.
    Warn,
    /// Could not be read or understood.
    Unknown,
    /// An earlier hop failed.
    NotReached,
}

/// What a statement rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    Api,
    Node,
    Probe,
}

/// The network a hop takes place in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Boundary {
    PodNetwork,
    NodeNetwork,
    Outside,
}

/// A fact and where it was read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Evidence {
    pub source: Basis,
    /// `Service/shop/api spec.selector`
    #[serde(rename = "ref")]
    pub reference: String,
    pub text: String,
}

/// A packet before and after a hop.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Translation {
    pub before: Packet,
    pub after: Packet,
}

/// One step of a walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    pub stage: Stage,
    pub status: Status,
    /// The object that decides here.
    pub at: Option<ObjectRef>,
    pub summary: String,
    pub packet: Option<Translation>,
    pub boundary: Option<Boundary>,
    pub predicted: Option<String>,
    pub observed: Option<String>,
    pub evidence: Vec<Evidence>,
}

// === impl Stage ===

impl Stage {
    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Ingress => "ingress",
            Self::Entry => "entry",
            Self::Dns => "dns",
            Self::Gateway => "gateway",
            Self::Service => "service",
            Self::Endpoints => "endpoints",
            Self::MeshClient | Self::MeshServer => "mesh",
            Self::EgressPolicy => "egress-policy",
            Self::Nat => "nat",
            Self::Route => "route",
            Self::IngressPolicy => "ingress-policy",
            Self::Destination => "destination",
            Self::Return => "return",
        }
    }
}

// === impl Hop ===

impl Hop {
    /// A hop with nothing but its outcome.
    pub fn new(stage: Stage, status: Status, summary: impl Into<String>) -> Self {
        Self {
            stage,
            status,
            at: None,
            summary: summary.into(),
            packet: None,
            boundary: None,
            predicted: None,
            observed: None,
            evidence: Vec::new(),
        }
    }

    /// Names the object that decides here.
    #[must_use]
    pub fn at(self, object: ObjectRef) -> Self {
        Self {
            at: Some(object),
            ..self
        }
    }

    /// Adds a fact the API states.
    #[must_use]
    pub fn fact(mut self, reference: impl Into<String>, text: impl Into<String>) -> Self {
        self.evidence.push(Evidence {
            source: Basis::Api,
            reference: reference.into(),
            text: text.into(),
        });
        self
    }

    /// Adds a fact that a node or a pod holds.
    #[must_use]
    pub fn held(mut self, reference: impl Into<String>, text: impl Into<String>) -> Self {
        self.evidence.push(Evidence {
            source: Basis::Node,
            reference: reference.into(),
            text: text.into(),
        });
        self
    }

    /// Says in which network it takes place.
    #[must_use]
    pub fn within(self, boundary: Boundary) -> Self {
        Self {
            boundary: Some(boundary),
            ..self
        }
    }

    /// Keeps what happens to the packet, where both sides are known.
    #[must_use]
    pub fn translating(self, before: Option<Packet>, after: Option<Packet>) -> Self {
        Self {
            packet: before
                .zip(after)
                .map(|(before, after)| Translation { before, after }),
            ..self
        }
    }
}
