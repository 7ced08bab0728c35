//! From parsed targets to objects of the view.
//!
//! ```text
//!  Request { Target, Target, … } + ClusterView ─► Flow { Source { sites }, Destination { place } }
//! ```
//!
//! A Service that does not exist is no error: that is a diagnosis (DNS-01, DNS-02). Everything else
//! that is missing ends here, with the nearest names.

mod destination;
mod meant;
mod near;
mod source;
mod workload;

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::{Node, Service};
use k8s_openapi::api::networking::v1::Ingress;

use crate::cluster::access::NodeExt;
use crate::cluster::gateway_api::{Gateway, ListenerSet, Route, RouteKind};
use crate::cluster::multicluster::ServiceImport;
use crate::cluster::{ClusterView, Named, ObjectRef, Pod};
use crate::gateway::HttpRequest;
use crate::net::{Family, Protocol};
use crate::target::{HttpAsked, PortSpec, Request, Spec, Url};

pub use destination::owner_of;
pub use meant::{Change, Meant, meant};
pub use workload::{controlled_pods, template_labels};

/// Both ends, found.
#[derive(Debug, Clone)]
pub struct Flow<'v> {
    pub source: Source<'v>,
    pub destination: Destination<'v>,
    pub protocol: Option<Protocol>,
    /// What is asked over HTTP, as flags and the URL say it.
    pub http: Option<HttpAsked>,
    /// Addresses of names, as resolvers of the cluster's pods were seen to answer.
    pub names: BTreeMap<String, Vec<IpAddr>>,
}

/// Where traffic starts.
#[derive(Debug, Clone)]
pub struct Source<'v> {
    /// What was named.
    pub object: ObjectRef,
    /// The pods it stands for; empty for a workload without pods.
    pub sites: Vec<Site<'v>>,
}

/// One place where a packet can be sent from.
#[derive(Debug, Clone, Copy)]
pub enum Site<'v> {
    Pod(&'v Pod),
    Node(&'v Node),
    /// An address that belongs to nothing in the view.
    Address(IpAddr),
    /// A client outside the cluster.
    Outside(Option<IpAddr>),
}

/// Where traffic should arrive.
#[derive(Debug, Clone)]
pub struct Destination<'v> {
    /// What was named.
    pub object: ObjectRef,
    pub place: Place<'v>,
    /// The family of the address that was asked, when it was an address.
    pub family: Option<Family>,
    pub port: Option<PortSpec>,
    pub url: Option<Url>,
    pub http: HttpAsked,
}

/// What the destination turned out to be.
#[derive(Debug, Clone)]
pub enum Place<'v> {
    Service {
        service: &'v Service,
        /// The address that was asked, when it was an address and not a name.
        address: Option<IpAddr>,
    },
    /// A Service of the cluster set.
    Import(ServiceImport<'v>),
    /// A Service was named that does not exist.
    NoService {
        namespace: String,
        name: String,
    },
    /// A pod, or the pods of a workload.
    Pods(Vec<&'v Pod>),
    Node {
        node: &'v Node,
        /// The address of it that was asked.
        address: Option<IpAddr>,
    },
    Ingress(&'v Ingress),
    Gateway(&'v Gateway),
    ListenerSet(&'v ListenerSet),
    Route(RouteKind, &'v Route),
    /// A name for the resolver of the source.
    Name(String),
    /// An address that belongs to nothing in the view.
    Address(IpAddr),
}

/// An end that could not be found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unresolved {
    pub message: String,
    /// The nearest names, or another way out.
    pub hint: String,
}

/// Finds both ends.
///
/// # Errors
/// When an object that was named does not exist, with the nearest names as the way out.
pub fn resolve<'v>(view: &'v ClusterView, request: &Request) -> Result<Flow<'v>, Unresolved> {
    let flow = Flow {
        source: source::find(view, request)?,
        destination: destination::find(view, request)?,
        protocol: request.protocol,
        http: http_request(request),
        names: BTreeMap::new(),
    };
    flow.is_a_question()?;
    Ok(flow)
}

/// What flags say of the request, completed by the URL.
fn http_request(request: &Request) -> Option<HttpAsked> {
    let url = request.destination.url.as_ref();
    let url = url.filter(|url| ["http", "https", "grpc"].contains(&url.scheme.as_str()));
    let host = match (&request.destination.spec, url) {
        (Spec::Name(name), Some(_)) => Some(name.as_str()),
        _ => None,
    };
    let asked = request
        .http
        .clone()
        .completed(host, url.map(|url| url.path.as_str()));
    (!asked.is_empty()).then_some(asked)
}

// === impl Destination ===

impl Destination<'_> {
    /// The request that a client would send, where there is anything that tells one from another.
    #[must_use]
    pub fn request(&self) -> Option<HttpRequest> {
        if self.url.is_none() && self.http.is_empty() {
            return None;
        }
        let of_url = self.url.as_ref().map(|url| url.path.as_str());
        let path = self.http.path.as_deref().or(of_url).unwrap_or_default();
        let named = match &self.place {
            Place::Name(name) => Some(name.clone()),
            _ => None,
        };
        let mut headers = self.http.headers.iter();
        let said = headers.find(|(name, _)| name == "host");
        // Host may carry a port, which decides nothing here.
        let said = said.map(|(_, host)| host.split(':').next().unwrap_or_default().to_owned());
        Some(HttpRequest {
            scheme: self.url.as_ref().map(|url| url.scheme.clone()),
            host: said.or(named),
            method: self.http.method.clone(),
            headers: self.http.headers.clone(),
            ..HttpRequest::of_path(path)
        })
    }
}

/// What an address is that no host can have.
const fn nobody(addr: IpAddr) -> Option<&'static str> {
    match addr {
        _ if addr.is_unspecified() => Some("the unspecified address"),
        _ if addr.is_multicast() => Some("a multicast address"),
        IpAddr::V4(addr) if addr.is_broadcast() => Some("the broadcast address"),
        _ => None,
    }
}

// === impl Flow ===

impl Flow<'_> {
    /// Refuses what nothing could be said about: an address that is nobody's, and ends that are always reached
    /// unless a port is meant.
    fn is_a_question(&self) -> Result<(), Unresolved> {
        let destination = &self.destination;
        if let Place::Address(addr) = destination.place
            && let Some(what) = nobody(addr)
        {
            return Err(Unresolved {
                message: format!("{addr} is {what}, and no destination"),
                hint: "name the address of a host, as ip/ADDR:PORT".to_owned(),
            });
        }
        if destination.port.is_some() {
            return Ok(());
        }
        let name = &destination.object.name;
        match &destination.place {
            Place::Node { node, .. } => Err(Unresolved {
                message: format!(
                    "node/{} has no port to ask unless one is named",
                    node.name()
                ),
                hint: format!("name the port, as node/{}:10250", node.name()),
            }),
            Place::Pods(pods) if self.is_own(pods) => Err(Unresolved {
                message: format!(
                    "{name} is both source and destination: a pod always reaches itself"
                ),
                hint: format!(
                    "name the port that should answer, as {name}:8080, or another destination"
                ),
            }),
            _ => Ok(()),
        }
    }

    /// Whether source and destination are one and the same pod.
    fn is_own(&self, pods: &[&Pod]) -> bool {
        let own = self.source.sites.as_slice();
        matches!((own, pods), ([Site::Pod(own)], [pod]) if own.reference() == pod.reference())
    }

    /// The same with what names were seen to resolve to.
    #[must_use]
    pub fn knowing(self, names: BTreeMap<String, Vec<IpAddr>>) -> Self {
        Self { names, ..self }
    }

    /// What a name is known to resolve to; nothing where nobody asked, or nobody knew.
    #[must_use]
    pub fn addresses_of(&self, name: &str) -> &[IpAddr] {
        let known = self.names.get(name.trim_end_matches('.'));
        known.map_or(&[], Vec::as_slice)
    }
}

// === impl Site ===

impl<'v> Site<'v> {
    /// The address of a family that packets from here carry.
    #[must_use]
    pub fn ip(&self, family: Family) -> Option<IpAddr> {
        let of_family = |addr: IpAddr| (Family::of(addr) == family).then_some(addr);
        match self {
            Self::Pod(pod) => pod.ip(family),
            Self::Node(node) => node.addresses().into_iter().find_map(of_family),
            Self::Address(addr) => of_family(*addr),
            Self::Outside(addr) => addr.and_then(of_family),
        }
    }

    /// The families it has addresses of; both for an unknown client outside.
    #[must_use]
    pub fn families(&self) -> Vec<Family> {
        let has =
            |family: &Family| self.ip(*family).is_some() || matches!(self, Self::Outside(None));
        Family::ALL.into_iter().filter(has).collect()
    }

    /// The pod, if it is one.
    #[must_use]
    pub const fn pod(&self) -> Option<&'v Pod> {
        match self {
            Self::Pod(pod) => Some(pod),
            _ => None,
        }
    }

    /// The node whose rules its packets meet first.
    #[must_use]
    pub fn node_name(&self) -> Option<&'v str> {
        match self {
            Self::Pod(pod) => pod.node_name(),
            Self::Node(node) => Some(node.name()),
            Self::Address(_) | Self::Outside(_) => None,
        }
    }

    /// Whether packets from here enter the cluster at a node's outer interface.
    #[must_use]
    pub const fn is_outside(&self) -> bool {
        matches!(self, Self::Outside(_) | Self::Address(_))
    }

    /// Its name alone.
    #[must_use]
    pub fn name(&self) -> String {
        self.reference().name
    }

    /// Names it.
    #[must_use]
    pub fn reference(&self) -> ObjectRef {
        match self {
            Self::Pod(pod) => pod.reference(),
            Self::Node(node) => node.reference(),
            Self::Address(addr) => ObjectRef::cluster_wide("Address", addr.to_string()),
            Self::Outside(Some(addr)) => ObjectRef::cluster_wide("External", addr.to_string()),
            Self::Outside(None) => ObjectRef::cluster_wide("External", "client"),
        }
    }
}
