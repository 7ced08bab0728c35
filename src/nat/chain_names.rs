//! The names kube-proxy gives its chains: hashes of the Service port, so that a chain can be found
//! from the Service, and a stale one recognised, without reading comments.

use std::net::SocketAddr;

use data_encoding::BASE32;
use sha2::{Digest, Sha256};

use crate::net::Protocol;

/// A Service port as kube-proxy names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortName<'a> {
    pub namespace: &'a str,
    pub service: &'a str,
    /// Empty for an unnamed port.
    pub port: &'a str,
    pub protocol: Protocol,
}

/// The first characters of the base-32 SHA-256.
fn hash(text: &str, length: usize) -> String {
    let mut encoded = BASE32.encode(&Sha256::digest(text.as_bytes()));
    encoded.truncate(length);
    encoded
}

// === impl PortName ===

impl PortName<'_> {
    /// `KUBE-SVC-…` (Cluster policy), `KUBE-SVL-…` (Local), `KUBE-EXT-…`, `KUBE-FW-…` by prefix.
    #[must_use]
    pub fn iptables(&self, prefix: &str) -> String {
        let key = format!("{self}{}", self.protocol.lower());
        format!("{prefix}{}", hash(&key, 16))
    }

    /// `KUBE-SEP-…` of one endpoint; the address is as Go prints it (`[fd00::1]:80`).
    #[must_use]
    pub fn iptables_endpoint(&self, endpoint: SocketAddr) -> String {
        let key = format!("{self}{}{endpoint}", self.protocol.lower());
        format!("KUBE-SEP-{}", hash(&key, 16))
    }

    /// `service-…`, `local-…`, `external-…`, `firewall-…` of nftables mode by prefix.
    #[must_use]
    pub fn nftables(&self, prefix: &str) -> String {
        let Self {
            namespace,
            service,
            port,
            protocol,
        } = self;
        let full = format!("{namespace}/{service}/{}/{port}", protocol.lower());
        format!("{prefix}{}-{full}", hash(&full, 8))
    }
}

/// `namespace/name:port`, or without the colon for an unnamed port.
impl std::fmt::Display for PortName<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.service)?;
        if self.port.is_empty() {
            return Ok(());
        }
        write!(f, ":{}", self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names that a real kube-proxy wrote.
    #[test]
    fn names_are_those_of_kube_proxy() {
        let port = PortName {
            namespace: "ns1",
            service: "svc1",
            port: "p80",
            protocol: Protocol::Tcp,
        };
        assert_eq!(port.iptables("KUBE-SVC-"), "KUBE-SVC-XPGD46QRK7WJZT7O");
        let endpoint = "10.180.0.1:80".parse().unwrap();
        assert_eq!(
            port.iptables_endpoint(endpoint),
            "KUBE-SEP-SXIVWICOYRO3J4NJ"
        );
        assert_eq!(
            port.nftables("external-"),
            "external-ULMVA6XW-ns1/svc1/tcp/p80"
        );
        let kubernetes = PortName {
            namespace: "default",
            service: "kubernetes",
            port: "https",
            protocol: Protocol::Tcp,
        };
        assert_eq!(
            kubernetes.iptables("KUBE-SVC-"),
            "KUBE-SVC-NPX46M4PTMTKRN6Y"
        );
    }
}
