//! `cilium-dbg service list -o json`: the Services as the agent means them.

use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;

use crate::dataplane::answer::{BadAnswer, stream};
use crate::net::Protocol;

const COMMAND: &str = "cilium-dbg service list -o json";

/// One frontend and its backends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meant {
    pub address: SocketAddr,
    pub protocol: Protocol,
    /// `ClusterIP`, `NodePort`, `LocalRedirect` …
    pub kind: String,
    /// Each with its state: `active`, `terminating`, `quarantined`, `maintenance` …
    pub backends: Vec<(SocketAddr, String)>,
}

#[derive(Deserialize)]
struct Raw {
    spec: Option<Spec>,
    status: Option<Status>,
}

#[derive(Deserialize)]
struct Status {
    realized: Option<Spec>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Spec {
    frontend_address: Address,
    backend_addresses: Option<Vec<Address>>,
    flags: Option<Flags>,
}

#[derive(Deserialize)]
struct Address {
    ip: IpAddr,
    #[serde(default)]
    port: u16,
    #[serde(default)]
    protocol: String,
    #[serde(default)]
    state: String,
}

#[derive(Deserialize)]
struct Flags {
    #[serde(default, rename = "type")]
    kind: String,
}

/// Reads the list; frontends of other protocols than TCP, UDP and SCTP are left out.
///
/// # Errors
/// When the text is no such list.
pub fn meant(text: &str) -> Result<Vec<Meant>, BadAnswer> {
    let raw: Vec<Raw> = stream(COMMAND, text)?;
    let specs = raw.into_iter().filter_map(|one| {
        let realized = one.status.and_then(|status| status.realized);
        realized.or(one.spec)
    });
    Ok(specs.filter_map(Spec::read).collect())
}

// === impl Spec ===

impl Spec {
    fn read(self) -> Option<Meant> {
        let backends = self.backend_addresses.unwrap_or_default().into_iter();
        Some(Meant {
            address: self.frontend_address.socket(),
            protocol: self.frontend_address.protocol.parse().ok()?,
            kind: self.flags.map(|flags| flags.kind).unwrap_or_default(),
            backends: backends
                .map(|backend| (backend.socket(), backend.state))
                .collect(),
        })
    }
}

// === impl Address ===

impl Address {
    const fn socket(&self) -> SocketAddr {
        SocketAddr::new(self.ip, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_and_missing_fields() {
        let all = meant(
            r#"[{"spec":{"frontend-address":{"ip":"10.96.0.7","port":80,"protocol":"TCP","scope":"external"}},
                "status":{"realized":{"id":4,"frontend-address":{"ip":"10.96.0.7","port":80,"protocol":"TCP"},
                "backend-addresses":[{"ip":"10.244.1.5","port":8080,"state":"quarantined","weight":100},
                {"ip":"10.244.1.6","port":8080}],"flags":{"type":"ClusterIP","name":"api"}}}},
                {"spec":{"frontend-address":{"ip":"fd00::7","port":53,"protocol":"UDP"},"backend-addresses":null}},
                {"spec":{"frontend-address":{"ip":"10.0.0.1","protocol":"ANY"}}},{}]"#,
        )
        .unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].backends[0].1, "quarantined");
        assert_eq!(all[0].kind, "ClusterIP");
        assert_eq!((all[1].protocol, all[1].backends.len()), (Protocol::Udp, 0));
        assert!(meant("List services & loadbalancers").is_err());
        assert!(meant(r#"[{"spec":{"frontend-address":{"ip":"nowhere"}}}]"#).is_err());
    }
}
