//! A connection on its way through meshes, and what was ruled on it.

use std::fmt;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::{Service, ServicePort};
use serde_json::Value;

use super::member::Member;
use crate::cluster::{ObjectRef, Pod};
use crate::policy::Doubt;
use crate::target::HttpAsked;

/// The meshes that are understood. Sidecars and ztunnels of Istio take connections over in different
/// ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mesh {
    /// Istio with a sidecar in the pod.
    Istio,
    /// Istio with a ztunnel on the node.
    Ambient,
    Linkerd,
}

/// What the client asked for.
#[derive(Debug, Clone, Copy)]
pub enum Requested<'a, 'v> {
    Service {
        service: &'v Service,
        port: &'v ServicePort,
    },
    /// A pod's own address.
    Pod,
    /// A name outside the cluster.
    Host(&'a str),
    /// An address of nobody in the cluster.
    Address,
}

/// A connection from one end to one backend.
#[derive(Debug, Clone, Copy)]
pub struct Connection<'a, 'v> {
    /// None for a node or somebody outside.
    pub client: Option<&'v Pod>,
    pub client_address: Option<IpAddr>,
    pub asked: Requested<'a, 'v>,
    /// The address and port the client itself sends to.
    pub asked_address: Option<IpAddr>,
    pub asked_port: u16,
    pub server: Option<&'v Pod>,
    pub server_address: Option<IpAddr>,
    /// The pod's own port.
    pub server_port: u16,
    pub request: Option<&'a HttpAsked>,
    /// The subset of the Service that a route chose.
    pub subset: Option<&'a str>,
}

/// Who somebody is to a mesh: its ServiceAccount, vouched for by a trust domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub trust_domain: String,
    pub namespace: String,
    pub account: String,
}

/// What protects a connection between both ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    Plain,
    /// The mesh's own mutual TLS.
    Mesh,
    /// TLS without a client certificate of the mesh.
    Foreign,
    /// A tunnel to port 15008.
    Tunnel,
}

/// A waypoint between a client and a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waypoint {
    pub gateway: ObjectRef,
    pub identity: Identity,
    /// The addresses of its pods.
    pub pods: Vec<ObjectRef>,
    pub address: Option<IpAddr>,
}

/// What leaves the client's side.
#[derive(Debug, Clone)]
pub struct Sent {
    pub tls: Tls,
    /// The client's mesh.
    pub mesh: Option<Mesh>,
    pub identity: Option<Identity>,
    /// Who the client is, where a waypoint comes in its place.
    pub client: Option<Identity>,
    /// The address that the server's side sees.
    pub address: Option<IpAddr>,
    /// The rule that chose the TLS, where one did.
    pub rule: Option<(ObjectRef, String)>,
    /// Why it is plaintext, where it is.
    pub why: Option<String>,
    pub waypoint: Option<Waypoint>,
    /// Whether the client's proxy picks the backend by itself, and no node does.
    pub is_direct: bool,
    /// What leaves open how it is sent.
    pub doubts: Vec<Doubt>,
}

/// One end of a connection in a mesh.
#[derive(Debug, Clone)]
pub struct Side {
    pub mesh: Mesh,
    pub pod: ObjectRef,
    pub summary: String,
    pub ruling: Ruling,
}

/// Whether a side lets a connection through.
#[derive(Debug, Clone)]
pub enum Ruling {
    Pass,
    Stop(Box<Stop>),
    Open(Vec<Doubt>),
}

/// Why a mesh stops a connection, and by which object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    pub reason: Reason,
    pub object: ObjectRef,
    pub field: String,
    pub summary: String,
    /// Facts, and the nearest misses among them.
    pub because: Vec<String>,
    pub repair: Repair,
}

/// The kinds of stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Mutual TLS is asked for, and plaintext arrives.
    Plaintext,
    /// A rule of the client's side and the server's side disagree on TLS.
    TlsDisagrees,
    Unauthorized,
    /// A proxy takes connections over and does not run.
    ProxyDown,
    /// A route leads nowhere.
    NoRoute,
    OutOfScope,
    /// One side expects a proxy at the other that the connection passes by.
    Bypassed,
    /// Rules on requests are left out where only connections are seen.
    RulesLeftOut,
    /// A policy sees the waypoint in place of the client.
    SeesWaypoint,
    /// Identities of one mesh mean nothing to another.
    OtherMesh,
    NothingAuthorizes,
    /// A proxy takes a port for a protocol that the application hardly speaks.
    Misread,
}

/// What would let the connection through.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Repair {
    pub summary: String,
    /// A patch of an object: whether it is a JSON patch (RFC 6902), or a merge patch (RFC 7386).
    pub patch: Option<(ObjectRef, bool, Value)>,
}

/// What both sides do to a connection.
#[derive(Debug, Clone)]
pub struct Passage {
    pub client: Option<Side>,
    pub sent: Sent,
    pub server: Option<Side>,
    /// What is worth knowing and stops nothing.
    pub notices: Vec<Stop>,
}

// === impl Mesh ===

impl fmt::Display for Mesh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Istio => "Istio sidecar",
            Self::Ambient => "ztunnel",
            Self::Linkerd => "Linkerd proxy",
        })
    }
}

// === impl Identity ===

impl Identity {
    /// That of a pod.
    #[must_use]
    pub fn of(pod: &Pod, trust_domain: &str) -> Self {
        let account = pod
            .spec
            .as_ref()
            .and_then(|spec| spec.service_account_name.as_deref());
        Self {
            trust_domain: trust_domain.to_owned(),
            namespace: crate::cluster::Named::namespace(pod).to_owned(),
            account: account.unwrap_or("default").to_owned(),
        }
    }
}

/// `cluster.local/ns/shop/sa/cart`, as Istio writes principals.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            trust_domain,
            namespace,
            account,
        } = self;
        write!(f, "{trust_domain}/ns/{namespace}/sa/{account}")
    }
}

// === impl Sent ===

impl Sent {
    /// Plaintext, as it left the pod.
    #[must_use]
    pub const fn plain(address: Option<IpAddr>) -> Self {
        Self {
            tls: Tls::Plain,
            mesh: None,
            identity: None,
            client: None,
            address,
            rule: None,
            why: None,
            waypoint: None,
            is_direct: false,
            doubts: Vec::new(),
        }
    }

    /// The port that packets between both ends carry.
    #[must_use]
    pub fn wire_port(&self, port: u16) -> u16 {
        if self.tls == Tls::Tunnel {
            super::HBONE
        } else {
            port
        }
    }
}

// === impl Passage ===

impl Passage {
    /// Both sides, in the order they are passed.
    pub fn sides(&self) -> impl Iterator<Item = &Side> {
        [&self.client, &self.server].into_iter().flatten()
    }

    /// Leaves open what two proxies in one pod do to each other.
    pub(super) fn doubt_two_meshes(&mut self, member: &Member<'_>) {
        let doubt = Doubt::TwoMeshes {
            pod: member.pod.reference().to_string(),
        };
        for side in [&mut self.client, &mut self.server].into_iter().flatten() {
            if side.pod != member.pod.reference() {
                continue;
            }
            match &mut side.ruling {
                Ruling::Open(doubts) => doubts.push(doubt.clone()),
                Ruling::Pass => side.ruling = Ruling::Open(vec![doubt.clone()]),
                Ruling::Stop(_) => {}
            }
        }
    }
}

// === impl Ruling ===

impl Ruling {
    /// Open for some reasons, or passed if there are none.
    pub(super) fn open_for(doubts: Vec<Doubt>) -> Self {
        if doubts.is_empty() {
            Self::Pass
        } else {
            Self::Open(doubts)
        }
    }
}
