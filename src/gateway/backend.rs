//! Where a reference to a backend leads.

use k8s_openapi::api::core::v1::Service;

use super::grant::{Permission, permission};
use super::listener::ReferenceTrouble;
use crate::cluster::access::{ServiceExt, ServicePortExt};
use crate::cluster::gateway_api::{BackendRef, GROUP, RouteKind};
use crate::cluster::{ClusterView, ObjectRef, Resource};

/// What a reference to a backend leads to.
#[derive(Debug, Clone)]
pub enum Target<'v> {
    Service {
        service: &'v Service,
        port: u16,
    },
    /// Requests for it are answered with 500; connections are closed.
    Invalid {
        to: ObjectRef,
        why: BackendTrouble,
    },
    /// A kind that only its implementation understands, or what could not be read.
    Unknown {
        to: ObjectRef,
        why: String,
    },
}

/// Why a backend cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackendTrouble {
    /// In another namespace, and no ReferenceGrant there permits it.
    NotPermitted,
    Missing,
    /// No port is named, or one that the Service does not have.
    Port(Option<u16>),
    /// A core kind other than Service, or one that nobody serves.
    Kind,
}

/// Kinds of backends that are known to exist beside Services, by their group.
const FOREIGN: [(&str, &str); 4] = [
    ("multicluster.x-k8s.io", "ServiceImport"),
    ("inference.networking.k8s.io", "InferencePool"),
    ("inference.networking.x-k8s.io", "InferencePool"),
    ("gateway.networking.x-k8s.io", "XBackend"),
];

/// Extensions of well-known implementations.
const EXTENSIONS: [&str; 7] = [
    "gateway.envoyproxy.io",
    "networking.istio.io",
    "traefik.io",
    "gateway.kgateway.dev",
    "gateway.solo.io",
    "net.gke.io",
    "gateway.nginx.org",
];

/// Whether no implementation is known to have such a kind of backend.
#[must_use]
pub fn is_odd(group: &str, kind: &str) -> bool {
    let is_foreign = FOREIGN.contains(&(group, kind));
    !group.is_empty() && !is_foreign && !EXTENSIONS.contains(&group)
}

/// Where a backend of a route leads.
#[must_use]
pub fn target<'v>(
    view: &'v ClusterView,
    (kind, namespace): (RouteKind, &str),
    backend: &BackendRef,
) -> Target<'v> {
    let to = backend.to.object("Service", namespace);
    let group = backend.to.group.as_deref().unwrap_or_default();
    let invalid = |why| Target::Invalid {
        to: to.clone(),
        why,
    };
    let unknown = |why: String| Target::Unknown {
        to: to.clone(),
        why,
    };
    let from = ObjectRef::new(kind.name(), namespace, "");
    match permission(view, (GROUP, &from), (group, &to)) {
        Permission::Refused => return invalid(BackendTrouble::NotPermitted),
        Permission::Unread => {
            return unknown(format!(
                "the ReferenceGrants of {} were not read",
                to.namespace
            ));
        }
        Permission::Granted => {}
    }
    if !group.is_empty() || to.kind != "Service" {
        return match group {
            "" => invalid(BackendTrouble::Kind),
            _ if FOREIGN.contains(&(group, to.kind.as_str())) => {
                unknown(format!("{} is known to its implementation alone", to.kind))
            }
            _ => unknown(format!("{} of {group} is not a known kind", to.kind)),
        };
    }
    let Some(service) = view.services.get(&to.namespace, &to.name) else {
        return if view.holds_all(Resource::Services, &to.namespace) {
            invalid(BackendTrouble::Missing)
        } else {
            unknown("Services were not read".to_owned())
        };
    };
    match backend.port {
        Some(port) if service.ports().iter().any(|own| own.number() == port) => {
            Target::Service { service, port }
        }
        asked => invalid(BackendTrouble::Port(asked)),
    }
}

/// Whether a Secret or a ConfigMap with a certificate was looked at and is in form; false where nobody
/// looked. A cluster is never asked for Secrets; a file of manifests may hold them.
///
/// # Errors
/// Where it is not there, or holds no certificate.
pub(super) fn certificate_problem(
    view: &ClusterView,
    to: &ObjectRef,
) -> Result<bool, ReferenceTrouble> {
    if to.kind == "ConfigMap" {
        let found = view.config_maps.get(&to.namespace, &to.name);
        return match found {
            None if shows_config_maps(view, &to.namespace) => Err(ReferenceTrouble::Missing),
            None => Ok(false),
            Some(map) => match map.data.iter().flatten().find(|(key, _)| *key == "ca.crt") {
                Some(_) => Ok(true),
                None => Err(ReferenceTrouble::Malformed),
            },
        };
    }
    match view.secrets.get(&to.namespace, &to.name) {
        Some(secret) if secret.is_key_pair => Ok(true),
        Some(_) => Err(ReferenceTrouble::Malformed),
        None if view.secrets.is_empty() => Ok(false),
        None => Err(ReferenceTrouble::Missing),
    }
}

/// Whether the ConfigMaps of a namespace are in the view. A capture keeps those of `kube-system` alone.
pub(super) fn shows_config_maps(view: &ClusterView, namespace: &str) -> bool {
    let mut others = view.config_maps.namespaces();
    view.holds_all(Resource::ConfigMaps, namespace) && others.any(|own| own != "kube-system")
}
