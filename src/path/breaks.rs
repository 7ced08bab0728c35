//! What a stage saw where traffic cannot go on. Not yet a cause: `diagnose` finds that.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::{Node, Service, ServicePort};
use k8s_openapi::api::networking::v1::Ingress;

use super::{ClusterSetTrouble, DoorTrouble, NodeFault, Stage};
use crate::cluster::{ObjectRef, Pod};
use crate::dns::At;
use crate::mesh::Stop;
use crate::net::{Family, Protocol};
use crate::policy::{DirectionJudgement, End};
use crate::target::PortSpec;

/// One thing that stops traffic, at one stage.
#[derive(Debug, Clone)]
pub enum Break<'v> {
    /// The source pod has no network namespace or no address.
    SourceWithoutNetwork(&'v Pod),
    /// The source is a workload without a pod.
    NoSourcePod(ObjectRef),
    /// The node of an end is not ready.
    NodeDown { node: &'v Node, stage: Stage },
    /// No address family that both ends have.
    NoCommonFamily {
        source: ObjectRef,
        wanted: Vec<Family>,
    },
    /// The name does not resolve to what was meant, or not at all.
    Name(NameTrouble<'v>),
    /// The DNS servers do not answer this pod.
    Dns(DnsTrouble<'v>),
    /// The Service has no such port.
    Port(PortTrouble<'v>),
    /// No endpoint on any node.
    NoEndpoints {
        service: &'v Service,
        port: &'v ServicePort,
        family: Family,
    },
    /// Endpoints, but none that the traffic policy allows on this node.
    NoLocalEndpoints {
        service: &'v Service,
        node: String,
        /// Nodes that have one.
        elsewhere: Vec<String>,
        from_outside: bool,
    },
    /// Nothing leads in from outside.
    NoEntry(ObjectRef),
    /// A load balancer without an address.
    NoBalancerAddress(&'v Service),
    /// `loadBalancerSourceRanges` without the client.
    SourceRange {
        service: &'v Service,
        client: IpAddr,
    },
    /// A load balancer's address that no node may announce or serve.
    NobodyAnnounces { service: &'v Service },
    /// A node port that no Service has.
    NoSuchNodePort { node: &'v Node, port: u16 },
    /// An Ingress that no controller takes, or that does not take the request.
    Ingress(IngressTrouble<'v>),
    /// A Gateway or a route that does not serve.
    Door(Box<DoorTrouble<'v>>),
    /// The destination is a workload without a pod.
    NoDestinationPod(ObjectRef),
    /// The pod at the end cannot answer.
    DestinationDown(&'v Pod),
    /// An endpoint whose pod does not exist.
    StaleEndpoint {
        service: &'v Service,
        slice: ObjectRef,
        address: IpAddr,
    },
    /// A policy denies.
    Policy(Box<Denied>),
    /// A service mesh stops it, or would have something to say.
    Mesh {
        stop: Box<Stop>,
        stage: Stage,
        is_notice: bool,
    },
    /// A Service of other clusters cannot be reached, or not surely.
    ClusterSet(Box<ClusterSetTrouble<'v>>),
    /// What a node or a pod really holds stops it.
    Node(Box<NodeFault>),
}

/// A name that leads nowhere, or elsewhere.
#[derive(Debug, Clone)]
pub enum NameTrouble<'v> {
    /// No such Service.
    NoService { namespace: String, name: String },
    /// A headless Service without ready endpoints has no records.
    NothingReady(&'v Service),
    /// The Service has no endpoint of that host name.
    NoHostname {
        service: &'v Service,
        hostname: String,
    },
    /// A form no cluster DNS answers.
    Form(String),
    /// `/etc/hosts` of the pod, by hostAliases, answers before the DNS.
    HostAlias {
        pod: &'v Pod,
        name: String,
        address: IpAddr,
    },
    /// The pod asks other servers than the cluster's.
    Bypassed { pod: &'v Pod, name: String },
    /// No expansion of the search list is the name of the Service.
    Search {
        pod: &'v Pod,
        name: String,
        full: String,
    },
    /// The Corefile sends the name elsewhere.
    Corefile {
        /// The line that does, where it is one.
        at: Option<At>,
        what: String,
        name: String,
    },
    /// The pod's own host name is that of the Service, and its hosts file answers with the pod itself.
    OwnName {
        pod: &'v Pod,
        name: String,
        service: &'v Service,
    },
    /// The Corefile serves no zone of the cluster.
    Unserved { name: String },
    /// The search list has another cluster domain than the one that is served.
    Domain {
        pod: &'v Pod,
        name: String,
        searched: String,
    },
    /// A name of the cluster set.
    ClusterSet(Box<ClusterSetTrouble<'v>>),
    /// An ExternalName that leads nowhere.
    BadAlias {
        service: &'v Service,
        target: String,
        why: String,
    },
}

/// The cluster's DNS does not answer.
#[derive(Debug, Clone)]
pub enum DnsTrouble<'v> {
    /// No Service for it at all.
    NoService,
    /// Its Service has no port 53 for a protocol.
    NoPort {
        service: &'v Service,
        protocol: Protocol,
    },
    /// No ready endpoint.
    NoEndpoints(&'v Service),
    /// The pod asks an address that is not that Service.
    WrongServer {
        pod: &'v Pod,
        asked: IpAddr,
        service: &'v Service,
    },
    /// Policies keep the pod from its servers, from all of them or from some.
    Denied { first: Box<Denied>, is_all: bool },
    /// What nodes hold keeps the pod from its servers, from all of them or from some.
    Node { first: Box<NodeFault>, is_all: bool },
}

/// A port that does not lead on.
#[derive(Debug, Clone)]
pub enum PortTrouble<'v> {
    /// The Service declares no such port.
    Undeclared {
        service: &'v Service,
        asked: PortSpec,
        protocol: Protocol,
    },
    /// It declares the number for another protocol only.
    Protocol {
        service: &'v Service,
        port: &'v ServicePort,
        asked: Protocol,
    },
    /// A headless Service translates nothing.
    Headless {
        service: &'v Service,
        port: u16,
        target: u16,
    },
}

/// What is wrong at an Ingress.
#[derive(Debug, Clone)]
pub enum IngressTrouble<'v> {
    /// No class, or one that does not exist.
    NoController {
        ingress: &'v Ingress,
        class: Option<String>,
    },
    /// No rule for the host and path that was asked.
    NoRule {
        ingress: &'v Ingress,
        host: String,
        path: String,
    },
    /// The name that was asked leads to other addresses than those of the Ingress.
    Elsewhere {
        ingress: &'v Ingress,
        host: String,
        found: Vec<IpAddr>,
    },
    /// A rule whose backend Service or port does not exist.
    NoBackend {
        ingress: &'v Ingress,
        field: String,
        service: String,
        port: Option<String>,
    },
}

/// A policy verdict that denies.
#[derive(Debug, Clone)]
pub struct Denied {
    pub stage: Stage,
    pub source: End,
    pub destination: End,
    pub protocol: Protocol,
    /// At the destination pod, after any translation.
    pub port: u16,
    pub judgement: DirectionJudgement,
    /// Whether the other end has a rule for exactly this traffic.
    pub is_half_open: bool,
    /// The client that would be admitted if a node port did not hide it behind the node's address.
    pub hidden_client: Option<IpAddr>,
    /// The pod's own port, if it would be let through and only the tunnel of a mesh is not.
    pub without_tunnel: Option<u16>,
}

// === impl Break ===

impl Break<'_> {
    /// The stage that saw it.
    #[must_use]
    pub fn stage(&self) -> Stage {
        match self {
            Self::SourceWithoutNetwork(_) | Self::NoSourcePod(_) => Stage::Source,
            Self::NodeDown { stage, .. } | Self::Mesh { stage, .. } => *stage,
            Self::Name(_) | Self::Dns(_) => Stage::Dns,
            Self::NoCommonFamily { .. }
            | Self::Port(_)
            | Self::Ingress(IngressTrouble::NoBackend { .. }) => Stage::Service,
            Self::NoEndpoints { .. } | Self::NoLocalEndpoints { .. } => Stage::Endpoints,
            Self::NoEntry(_)
            | Self::NoBalancerAddress(_)
            | Self::SourceRange { .. }
            | Self::NobodyAnnounces { .. }
            | Self::NoSuchNodePort { .. } => Stage::Entry,
            Self::Ingress(_) => Stage::Ingress,
            Self::Door(trouble) => trouble.stage(),
            Self::NoDestinationPod(_) | Self::DestinationDown(_) | Self::StaleEndpoint { .. } => {
                Stage::Destination
            }
            Self::ClusterSet(trouble) => trouble.stage(),
            Self::Policy(denied) => denied.stage,
            Self::Node(fault) => fault.stage,
        }
    }
}

// === impl DnsTrouble ===

impl DnsTrouble<'_> {
    /// Whether lookups still succeed, some of them or after a while.
    #[must_use]
    pub const fn is_partial(&self) -> bool {
        match self {
            Self::NoPort { protocol, .. } => matches!(protocol, Protocol::Tcp),
            Self::Denied { is_all, .. } | Self::Node { is_all, .. } => !*is_all,
            _ => false,
        }
    }
}
