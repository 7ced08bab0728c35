//! `cilium-dbg endpoint list -o json`: the pods of a node as its agent knows them.

use std::net::IpAddr;

use serde::Deserialize;
use serde_json::Value;

use crate::dataplane::answer::{BadAnswer, stream};

const COMMAND: &str = "cilium-dbg endpoint list -o json";

/// One endpoint. What a version does not tell is `None` or empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// Of this node only.
    pub id: u64,
    /// `namespace/name`; none for the host, for health checks and the like.
    pub pod: Option<(String, String)>,
    pub addresses: Vec<IpAddr>,
    /// `ready`, `regenerating`, `waiting-for-identity` …
    pub state: String,
    pub identity: Option<u32>,
    pub interface: String,
    /// The revision of the policies that it ought to have, and the one that is in force.
    pub wanted: Option<u64>,
    pub realized: Option<u64>,
    /// `none`, `ingress`, `egress`, `both`, or one of them with `audit-` before it.
    pub enforces: String,
    /// Whether denials are only noted.
    pub audits: bool,
}

#[derive(Deserialize)]
struct Raw {
    id: u64,
    status: Option<Status>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct Status {
    external_identifiers: Option<Identifiers>,
    identity: Option<Identity>,
    networking: Option<Networking>,
    policy: Option<Policy>,
    realized: Option<Realized>,
    state: String,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct Identifiers {
    k8s_namespace: String,
    k8s_pod_name: String,
    pod_name: String,
}

#[derive(Deserialize)]
struct Identity {
    id: u32,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct Networking {
    addressing: Option<Vec<Addresses>>,
    interface_name: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Addresses {
    ipv4: Option<IpAddr>,
    ipv6: Option<IpAddr>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Policy {
    spec: Option<Revision>,
    realized: Option<Revision>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct Revision {
    policy_revision: Option<u64>,
    policy_enabled: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Realized {
    options: Option<Value>,
}

/// Reads the list.
///
/// # Errors
/// When the text is no such list.
pub fn endpoints(text: &str) -> Result<Vec<Endpoint>, BadAnswer> {
    let raw: Vec<Raw> = stream(COMMAND, text)?;
    Ok(raw.into_iter().map(Raw::read).collect())
}

// === impl Endpoint ===

impl Endpoint {
    /// Whether it is the endpoint of a pod.
    #[must_use]
    pub fn is_of(&self, namespace: &str, name: &str) -> bool {
        let own = self.pod.as_ref();
        own.is_some_and(|(space, pod)| space == namespace && pod == name)
    }

    /// Whether policies changed and the change is not in force yet.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        match (self.wanted, self.realized) {
            (Some(wanted), Some(realized)) => wanted > realized && self.is_regenerating(),
            _ => false,
        }
    }

    /// A revision counts on for all endpoints, also those that a policy does not touch: those are `ready`.
    fn is_regenerating(&self) -> bool {
        self.state != "ready"
    }
}

// === impl Raw ===

impl Raw {
    fn read(self) -> Endpoint {
        let status = self.status.unwrap_or_default();
        let networking = status.networking.unwrap_or_default();
        let policy = status.policy.unwrap_or_default();
        let realized = policy.realized.unwrap_or_default();
        let addresses = networking.addressing.unwrap_or_default().into_iter();
        let options = status.realized.and_then(|realized| realized.options);
        let audit = options.as_ref().and_then(|all| all.get("PolicyAuditMode"));
        Endpoint {
            id: self.id,
            pod: status.external_identifiers.and_then(Identifiers::pod),
            addresses: addresses
                .flat_map(|one| [one.ipv4, one.ipv6])
                .flatten()
                .collect(),
            state: status.state,
            identity: status.identity.map(|identity| identity.id),
            interface: networking.interface_name,
            wanted: policy.spec.and_then(|spec| spec.policy_revision),
            realized: realized.policy_revision,
            audits: audit.and_then(Value::as_str) == Some("Enabled")
                || realized.policy_enabled.starts_with("audit-"),
            enforces: realized.policy_enabled,
        }
    }
}

// === impl Identifiers ===

impl Identifiers {
    /// Older versions have the pod's whole name only.
    fn pod(self) -> Option<(String, String)> {
        if !self.k8s_pod_name.is_empty() {
            return Some((self.k8s_namespace, self.k8s_pod_name));
        }
        let (namespace, name) = self.pod_name.split_once('/')?;
        (!name.is_empty()).then(|| (namespace.to_owned(), name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_and_what_is_missing() {
        let all = endpoints(
            r#"[{"id":770,"spec":{},"status":{"state":"regenerating","identity":{"id":61861,"labels":[]},
                "external-identifiers":{"k8s-namespace":"shop","k8s-pod-name":"api-1","pod-name":"shop/api-1"},
                "networking":{"addressing":[{"ipv4":"10.244.2.5","ipv4-pool-name":"default"}],"interface-name":"lxc1"},
                "policy":{"spec":{"policy-revision":16},"realized":{"policy-revision":15,"policy-enabled":"none"}},
                "realized":{"options":{"PolicyAuditMode":"Enabled"}}}},
                {"id":1,"status":{"external-identifiers":{"pod-name":"/"},"networking":{"addressing":[{}]}}},
                {"id":2,"status":{"external-identifiers":{"pod-name":"shop/old"},"policy":null,"state":"ready"}},{"id":3}]"#,
        )
        .unwrap();
        assert!(all[0].is_of("shop", "api-1") && all[0].is_behind() && all[0].audits);
        assert_eq!(all[0].identity, Some(61861));
        assert_eq!((all[1].pod.clone(), all[1].addresses.len()), (None, 0));
        assert!(all[2].is_of("shop", "old") && !all[2].is_behind());
        assert_eq!(
            all[3],
            Endpoint {
                id: 3,
                ..Endpoint::default()
            }
        );
        assert!(endpoints("Get \"http://localhost/v1/endpoint\": dial unix").is_err());
    }
}
