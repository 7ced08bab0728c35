//! What permits references between namespaces, and how backends are spoken to.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;

use super::{Condition, Reference, named};

/// Permits references from other namespaces to objects of its own.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ReferenceGrant {
    pub metadata: ObjectMeta,
    pub spec: GrantSpec,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct GrantSpec {
    pub from: Vec<GrantFrom>,
    pub to: Vec<GrantTo>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct GrantFrom {
    pub group: String,
    pub kind: String,
    pub namespace: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct GrantTo {
    pub group: String,
    pub kind: String,
    /// None for every object of the kind.
    pub name: Option<String>,
}

/// Makes a Gateway speak TLS to a Service.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct BackendTlsPolicy {
    pub metadata: ObjectMeta,
    pub spec: BackendTlsSpec,
    pub status: PolicyStatus,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct BackendTlsSpec {
    pub target_refs: Vec<PolicyTarget>,
    pub validation: Validation,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PolicyTarget {
    #[serde(flatten)]
    pub to: Reference,
    /// The name of a port of the Service.
    pub section_name: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Validation {
    pub ca_certificate_refs: Vec<Reference>,
    /// `System`
    #[serde(rename = "wellKnownCACertificates")]
    pub well_known_ca_certificates: Option<String>,
    /// What is sent as SNI and looked for in the certificate.
    pub hostname: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct PolicyStatus {
    pub ancestors: Vec<AncestorStatus>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AncestorStatus {
    pub controller_name: String,
    pub conditions: Vec<Condition>,
}

named!(ReferenceGrant, BackendTlsPolicy);
