//! Names that mean nothing but themselves in a path, a URL and a command. Others come from no cluster:
//! an object that holds one is rejected when it is read.
//!
//! API servers take fewer. Upper-case letters and underscores are let in all the same: manifests that no
//! server has seen yet have them, they do no harm, and what a policy says does not hang on its name.

use k8s_openapi::api::core::v1::{Endpoints, Event, ObjectReference};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{ObjectRef, Pod};

/// As the API server bounds them (apimachinery, `validation.IsDNS1123Subdomain`).
const LONGEST: usize = 253;
const LONGEST_LABEL: usize = 63;

/// Whether it can name an object: letters, digits, `-`, `_` and `.`, every part between dots beginning and
/// ending with a letter or digit. Namespaces are labels: without dots, and shorter.
#[must_use]
pub fn is_name(text: &str) -> bool {
    text.len() <= LONGEST && text.split('.').all(is_part)
}

/// Whether it can name a namespace or a container.
#[must_use]
pub fn is_label(text: &str) -> bool {
    text.len() <= LONGEST_LABEL && is_part(text)
}

fn is_part(text: &str) -> bool {
    let is_end = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let mut bytes = text.bytes();
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    is_end(text.bytes().next()) && is_end(text.bytes().last()) && bytes.all(is_inner)
}

/// Kinds are Go identifiers.
fn is_kind(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Finds the first name in an object's metadata that no API server would have let in. An absent name
/// names nothing.
///
/// # Errors
/// The field, and what it holds.
pub(super) fn of_meta(named: &ObjectRef, meta: &ObjectMeta) -> Result<(), String> {
    own(named)?;
    for owner in meta.owner_references.iter().flatten() {
        one("metadata.ownerReferences.name", &owner.name, is_name)?;
        one("metadata.ownerReferences.kind", &owner.kind, is_kind)?;
    }
    Ok(())
}

/// The same for an object of which only these are known.
pub(super) fn own(named: &ObjectRef) -> Result<(), String> {
    one("metadata.name", &named.name, is_name)?;
    one("metadata.namespace", &named.namespace, is_label)
}

/// The names by which a pod points elsewhere, and those of its containers.
pub(super) fn of_pod(pod: &Pod) -> Result<(), String> {
    let Some(spec) = &pod.spec else {
        return Ok(());
    };
    let account = spec.service_account_name.as_deref();
    one(
        "spec.nodeName",
        spec.node_name.as_deref().unwrap_or_default(),
        is_name,
    )?;
    one(
        "spec.serviceAccountName",
        account.unwrap_or_default(),
        is_name,
    )?;
    let lists = [&spec.init_containers, &spec.ephemeral_containers];
    let others = lists.into_iter().flatten().flatten();
    let mut containers = spec.containers.iter().chain(others);
    containers.try_for_each(|one_of| one("spec.containers.name", &one_of.name, is_label))
}

/// The names that an EndpointSlice gives to its endpoints.
pub(super) fn of_slice(slice: &EndpointSlice) -> Result<(), String> {
    for endpoint in slice.endpoints.iter().flatten() {
        endpoint_names(endpoint.node_name.as_deref(), endpoint.target_ref.as_ref())?;
    }
    Ok(())
}

/// The names that an Endpoints object gives to its addresses.
pub(super) fn of_endpoints(endpoints: &Endpoints) -> Result<(), String> {
    for subset in endpoints.subsets.iter().flatten() {
        let lists = [&subset.addresses, &subset.not_ready_addresses];
        for address in lists.into_iter().flatten().flatten() {
            endpoint_names(address.node_name.as_deref(), address.target_ref.as_ref())?;
        }
    }
    Ok(())
}

fn endpoint_names(node: Option<&str>, target: Option<&ObjectReference>) -> Result<(), String> {
    one("endpoints.nodeName", node.unwrap_or_default(), is_name)?;
    let Some(target) = target else {
        return Ok(());
    };
    let (name, namespace) = (target.name.as_deref(), target.namespace.as_deref());
    one(
        "endpoints.targetRef.name",
        name.unwrap_or_default(),
        is_name,
    )?;
    one(
        "endpoints.targetRef.namespace",
        namespace.unwrap_or_default(),
        is_label,
    )
}

/// Whom an Event is about.
pub(super) fn of_event(event: &Event) -> Result<(), String> {
    let about = &event.involved_object;
    let (name, namespace) = (about.name.as_deref(), about.namespace.as_deref());
    one("involvedObject.name", name.unwrap_or_default(), is_name)?;
    one(
        "involvedObject.namespace",
        namespace.unwrap_or_default(),
        is_label,
    )
}

fn one(field: &str, text: &str, is_good: fn(&str) -> bool) -> Result<(), String> {
    if text.is_empty() || is_good(text) {
        return Ok(());
    }
    Err(format!(
        "{field} {text:?} is a name that no API server accepts"
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::Builder;

    #[test]
    fn names_are_those_of_the_api() {
        for name in [
            "web",
            "web-1",
            "1",
            "ip-10-0-0-1.ec2.internal",
            "kube-root-ca.crt",
            "Web_1",
        ] {
            assert!(is_name(name), "{name}");
        }
        for name in [
            "", ".", "..", "../a", "a/b", "-a", "a-", "_a", "a..b", "a\n", "a b", "a;b", "$(id)",
            "a%2f", "ä",
        ] {
            assert!(!is_name(name), "{name:?}");
        }
        assert!(is_label(&"a".repeat(63)) && !is_label(&"a".repeat(64)) && !is_label("a.b"));
        assert!(is_name(&"a".repeat(253)) && !is_name(&"a".repeat(254)));
    }

    #[test]
    fn what_points_elsewhere_is_looked_at_too() {
        let rejects = |object: serde_json::Value| {
            let mut builder = Builder::default();
            builder.add(object);
            builder.finish().rejected.len() == 1
        };
        let pod = |rest: serde_json::Value| {
            let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "b"}});
            for (field, value) in rest.as_object().into_iter().flatten() {
                pod[field] = value.clone();
            }
            pod
        };
        assert!(!rejects(pod(
            json!({"spec": {"nodeName": "n", "containers": [{"name": "c"}]}})
        )));
        for object in [
            pod(json!({"metadata": {"name": "a", "namespace": "../b"}})),
            pod(
                json!({"metadata": {"name": "a", "ownerReferences": [{"apiVersion": "v1", "uid": "u", "kind": "--token", "name": "x"}]}}),
            ),
            pod(json!({"spec": {"nodeName": "../../etc", "containers": []}})),
            pod(json!({"spec": {"containers": [{"name": "$(id)"}]}})),
            json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "metadata": {"name": "a"},
                "endpoints": [{"addresses": [], "targetRef": {"name": "a/b"}}]}),
            json!({"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy", "metadata": {"name": "a b"}}),
        ] {
            assert!(rejects(object.clone()), "{object}");
        }
    }
}
