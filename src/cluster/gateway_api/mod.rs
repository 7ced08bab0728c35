//! The objects of the Gateway API, as far as they decide about traffic.
//!
//! One form serves every version from `v1alpha2` on: fields have kept their names. What is newer is
//! absent in older objects, and absent means the default that the specification gives.

mod condition;
mod gateway;
mod policy;
mod route;
mod secret;

use super::{ObjectRef, Table};

pub use condition::Condition;
pub use gateway::{
    AllowedRoutes, Gateway, GatewayClass, GatewayStatus, GroupKind, Listener, ListenerSet,
    ListenerStatus, ListenerTls, NamespaceFilter,
};
pub use policy::{BackendTlsPolicy, ReferenceGrant};
pub use route::{
    BackendRef, Filter, GrpcMethod, Match, MethodMatch, ParentRef, ParentStatus, Path, Redirect,
    Route, RouteKind, Rule, ValueMatch,
};
pub use secret::SecretForm;

/// The group of everything here.
pub const GROUP: &str = "gateway.networking.k8s.io";

/// Every object of the Gateway API that was read.
#[derive(Debug, Clone, Default)]
pub struct GatewayApi {
    pub classes: Table<GatewayClass>,
    pub gateways: Table<Gateway>,
    pub listener_sets: Table<ListenerSet>,
    pub http_routes: Table<Route>,
    pub grpc_routes: Table<Route>,
    pub tls_routes: Table<Route>,
    pub tcp_routes: Table<Route>,
    pub udp_routes: Table<Route>,
    pub grants: Table<ReferenceGrant>,
    pub tls_policies: Table<BackendTlsPolicy>,
}

/// A reference to an object by group, kind and name, possibly in another namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Reference {
    /// None where the field is absent, which means something else for each kind of reference.
    pub group: Option<String>,
    pub kind: Option<String>,
    pub namespace: Option<String>,
    pub name: String,
}

// === impl GatewayApi ===

impl GatewayApi {
    /// Whether there is nothing of it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
            && self.gateways.is_empty()
            && self.listener_sets.is_empty()
            && self.routes().next().is_none()
    }

    /// The routes of one kind.
    #[must_use]
    pub const fn routes_of(&self, kind: RouteKind) -> &Table<Route> {
        match kind {
            RouteKind::Http => &self.http_routes,
            RouteKind::Grpc => &self.grpc_routes,
            RouteKind::Tls => &self.tls_routes,
            RouteKind::Tcp => &self.tcp_routes,
            RouteKind::Udp => &self.udp_routes,
        }
    }

    /// Every route, with its kind.
    pub fn routes(&self) -> impl Iterator<Item = (RouteKind, &Route)> {
        let kinds = RouteKind::ALL.into_iter();
        kinds.flat_map(|kind| self.routes_of(kind).iter().map(move |route| (kind, route)))
    }
}

// === impl Reference ===

impl Reference {
    /// Names the object, in the namespace of whoever refers to it unless it says another one.
    #[must_use]
    pub fn object(&self, kind: &str, namespace: &str) -> ObjectRef {
        let kind = self.kind.as_deref().unwrap_or(kind);
        let namespace = self.namespace.as_deref().unwrap_or(namespace);
        ObjectRef::new(kind, namespace, &self.name)
    }
}

/// Gives a type with a field `metadata` the metadata of its objects.
macro_rules! named {
    ($($kind:ty),*) => {$(
        impl crate::cluster::Named for $kind {
            fn meta(&self) -> &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                &self.metadata
            }

            fn meta_mut(&mut self) -> &mut k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                &mut self.metadata
            }
        }
    )*};
}

pub(crate) use named;
