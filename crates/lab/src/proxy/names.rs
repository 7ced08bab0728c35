//! The names kube-proxy gives its chains. Source: kube-proxy v1.36, `servicePortChainName` (iptables)
//! and `hashAndTruncate` (nftables).

use std::net::{IpAddr, SocketAddr};

use sha2::{Digest, Sha256};

use super::service::Port;

/// `KUBE-SVC-…` and its siblings: 16 letters of the hash of name and protocol.
pub fn service_chain(prefix: &str, port: &Port) -> String {
    format!(
        "{prefix}{}",
        hash(&format!("{}{}", port.name, port.protocol), 16)
    )
}

/// `KUBE-SEP-…`.
pub fn endpoint_chain(port: &Port, endpoint: SocketAddr) -> String {
    format!(
        "KUBE-SEP-{}",
        hash(&format!("{}{}{endpoint}", port.name, port.protocol), 16)
    )
}

/// `service-H-ns/name/proto/port` and its siblings.
pub fn nft_chain(prefix: &str, port: &Port) -> String {
    nft_name(prefix, &nft_base(port))
}

/// `endpoint-H-ns/name/proto/port__address/port`, and the affinity set's name.
pub fn nft_endpoint(prefix: &str, port: &Port, endpoint: SocketAddr) -> String {
    let address = match endpoint.ip() {
        IpAddr::V4(address) => address.to_string(),
        // A colon may not stand in a name of nftables.
        IpAddr::V6(address) => address.to_string().replace(':', "."),
    };
    nft_name(
        prefix,
        &format!("{}__{address}/{}", nft_base(port), endpoint.port()),
    )
}

fn nft_base(port: &Port) -> String {
    let Port {
        namespace,
        service,
        protocol,
        port_name,
        ..
    } = port;
    format!("{namespace}/{service}/{protocol}/{port_name}")
}

/// Names longer than 240 letters are cut and end in `...`.
fn nft_name(prefix: &str, text: &str) -> String {
    const LONGEST: usize = 240;
    let mut name = format!("{}-{text}", hash(text, 8));
    if name.len() > LONGEST {
        name.truncate(LONGEST - 3);
        name.push_str("...");
    }
    format!("{prefix}{name}")
}

fn hash(text: &str, length: usize) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let mut letters = data_encoding::BASE32.encode(&digest);
    letters.truncate(length);
    letters
}
