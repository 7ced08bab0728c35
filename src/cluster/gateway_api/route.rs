//! Routes: what goes where.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde_json::Value;

use super::{Condition, Reference, named};
use crate::cluster::{Named, ObjectRef, Resource};

/// The five kinds of routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouteKind {
    Http,
    Grpc,
    Tls,
    Tcp,
    Udp,
}

/// A route of any kind: those with fewer features leave the fields out.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Route {
    pub metadata: ObjectMeta,
    pub spec: RouteSpec,
    pub status: RouteStatus,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RouteSpec {
    pub parent_refs: Vec<ParentRef>,
    pub hostnames: Vec<String>,
    pub rules: Vec<Rule>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct RouteStatus {
    pub parents: Vec<ParentStatus>,
}

/// What one controller says of a route under one parent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ParentStatus {
    pub parent_ref: ParentRef,
    pub controller_name: String,
    pub conditions: Vec<Condition>,
}

/// Where a route, or a set of listeners, attaches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ParentRef {
    #[serde(flatten)]
    pub to: Reference,
    pub section_name: Option<String>,
    pub port: Option<u16>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Rule {
    pub name: Option<String>,
    pub matches: Vec<Match>,
    pub filters: Vec<Filter>,
    pub backend_refs: Vec<BackendRef>,
    pub timeouts: Option<Timeouts>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Timeouts {
    pub request: Option<String>,
    pub backend_request: Option<String>,
}

/// All that is named must hold.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Match {
    pub path: Option<Path>,
    pub method: Option<MethodMatch>,
    pub headers: Vec<ValueMatch>,
    pub query_params: Vec<ValueMatch>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Path {
    /// `Exact`, `PathPrefix` (the default) or `RegularExpression`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub value: Option<String>,
}

/// An HTTP method, or a gRPC service and method.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum MethodMatch {
    Http(String),
    Grpc(GrpcMethod),
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct GrpcMethod {
    /// `Exact` (the default) or `RegularExpression`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub service: Option<String>,
    pub method: Option<String>,
}

/// A header or a query parameter.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ValueMatch {
    /// `Exact` (the default) or `RegularExpression`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub name: String,
    pub value: String,
}

/// What is done to a request or its answer on the way.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Filter {
    #[serde(rename = "type")]
    pub kind: String,
    pub request_redirect: Option<Redirect>,
    #[serde(rename = "urlRewrite")]
    pub url_rewrite: Option<Value>,
    pub request_mirror: Option<Mirror>,
    pub extension_ref: Option<Reference>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Redirect {
    pub scheme: Option<String>,
    pub hostname: Option<String>,
    pub path: Option<Value>,
    pub port: Option<u16>,
    pub status_code: Option<u16>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Mirror {
    pub backend_ref: BackendRef,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct BackendRef {
    #[serde(flatten)]
    pub to: Reference,
    pub port: Option<u16>,
    /// 1 if absent; 0 sends nothing there.
    pub weight: Option<u32>,
}

named!(Route);

// === impl RouteKind ===

impl RouteKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Http, Self::Grpc, Self::Tls, Self::Tcp, Self::Udp];

    /// The resource it is read as.
    #[must_use]
    pub const fn resource(self) -> Resource {
        match self {
            Self::Http => Resource::HttpRoutes,
            Self::Grpc => Resource::GrpcRoutes,
            Self::Tls => Resource::TlsRoutes,
            Self::Tcp => Resource::TcpRoutes,
            Self::Udp => Resource::UdpRoutes,
        }
    }

    /// `HTTPRoute`
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.resource().kind()
    }

    /// Whether its requests are told apart by what HTTP says.
    #[must_use]
    pub const fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::Grpc)
    }

    /// Whether it is for certain host names.
    #[must_use]
    pub const fn has_hostnames(self) -> bool {
        matches!(self, Self::Http | Self::Grpc | Self::Tls)
    }
}

// === impl Route ===

impl Route {
    /// Names it.
    #[must_use]
    pub fn reference(&self, kind: RouteKind) -> ObjectRef {
        ObjectRef::new(kind.name(), self.namespace(), self.name())
    }
}

// === impl ParentRef ===

impl ParentRef {
    /// Whether it names a Gateway or a ListenerSet: other parents (a Service, say) are a mesh's.
    #[must_use]
    pub fn is_door(&self) -> bool {
        let group = self.to.group.as_deref().unwrap_or(super::GROUP);
        let kind = self.to.kind.as_deref().unwrap_or("Gateway");
        (group == super::GROUP && matches!(kind, "Gateway" | "ListenerSet"))
            || kind == "XListenerSet"
    }

    /// Names the parent of an object in a namespace.
    #[must_use]
    pub fn object(&self, namespace: &str) -> ObjectRef {
        let mut object = self.to.object("Gateway", namespace);
        if object.kind == "XListenerSet" {
            "ListenerSet".clone_into(&mut object.kind);
        }
        object
    }
}

// === impl BackendRef ===

impl BackendRef {
    /// Its share of requests, in relation to the others.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.weight.unwrap_or(1)
    }
}
