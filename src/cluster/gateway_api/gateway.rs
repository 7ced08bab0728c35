//! Gateways, their classes and their listeners.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use serde::Deserialize;

use super::route::ParentRef;
use super::{Condition, Reference, named};

/// Which controller serves the Gateways that name it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct GatewayClass {
    pub metadata: ObjectMeta,
    pub spec: ClassSpec,
    pub status: Conditions,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ClassSpec {
    /// `istio.io/gateway-controller`
    pub controller_name: String,
}

/// A status of conditions alone.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Conditions {
    pub conditions: Vec<Condition>,
}

/// A door into the cluster.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Gateway {
    pub metadata: ObjectMeta,
    pub spec: GatewaySpec,
    pub status: Option<GatewayStatus>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct GatewaySpec {
    pub gateway_class_name: String,
    pub listeners: Vec<Listener>,
    /// Addresses that were asked for.
    pub addresses: Vec<Address>,
    pub infrastructure: Option<Infrastructure>,
    /// Who may add listeners; none may unless it says so.
    pub allowed_listeners: Option<AllowedListeners>,
    pub tls: Option<GatewayTls>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Infrastructure {
    pub parameters_ref: Option<Reference>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct AllowedListeners {
    pub namespaces: Option<NamespaceFilter>,
}

/// TLS of the Gateway as a whole.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct GatewayTls {
    pub backend: Option<BackendTls>,
    pub frontend: Option<FrontendTls>,
}

/// The certificate it shows to backends.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct BackendTls {
    pub client_certificate_ref: Option<Reference>,
}

/// How it verifies clients.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct FrontendTls {
    pub default: Option<FrontendConfig>,
    pub per_port: Vec<PortTls>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct PortTls {
    pub port: u16,
    pub tls: FrontendConfig,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct FrontendConfig {
    pub validation: Option<FrontendValidation>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct FrontendValidation {
    pub ca_certificate_refs: Vec<Reference>,
}

/// An address that is asked for or was assigned.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Address {
    /// `IPAddress` (the default) or `Hostname`, or a name of the implementation's own.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub value: String,
}

/// One port with a protocol and the host names it is for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Listener {
    pub name: String,
    /// None, or empty, for every host.
    pub hostname: Option<String>,
    pub port: u16,
    pub protocol: String,
    pub tls: Option<ListenerTls>,
    pub allowed_routes: Option<AllowedRoutes>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ListenerTls {
    /// `Terminate` (the default) or `Passthrough`.
    pub mode: Option<String>,
    pub certificate_refs: Vec<Reference>,
    pub options: std::collections::BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct AllowedRoutes {
    pub namespaces: Option<NamespaceFilter>,
    pub kinds: Vec<GroupKind>,
}

/// `from: Same | All | Selector | None`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct NamespaceFilter {
    pub from: Option<String>,
    pub selector: Option<LabelSelector>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct GroupKind {
    pub group: Option<String>,
    pub kind: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct GatewayStatus {
    /// Addresses that were assigned.
    pub addresses: Vec<Address>,
    pub conditions: Vec<Condition>,
    pub listeners: Vec<ListenerStatus>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ListenerStatus {
    pub name: String,
    pub conditions: Vec<Condition>,
}

/// Listeners that are added to a Gateway from elsewhere.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ListenerSet {
    pub metadata: ObjectMeta,
    pub spec: ListenerSetSpec,
    pub status: Option<GatewayStatus>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ListenerSetSpec {
    pub parent_ref: ParentRef,
    pub listeners: Vec<Listener>,
}

named!(GatewayClass, Gateway, ListenerSet);

// === impl Listener ===

impl Listener {
    /// The host names it is for; none for every host.
    #[must_use]
    pub fn hostname(&self) -> Option<&str> {
        self.hostname.as_deref().filter(|name| !name.is_empty())
    }

    /// Whether the encrypted bytes go on as they are.
    #[must_use]
    pub fn is_passthrough(&self) -> bool {
        let mode = self.tls.as_ref().and_then(|tls| tls.mode.as_deref());
        self.protocol == "TLS" && mode == Some("Passthrough")
    }
}
