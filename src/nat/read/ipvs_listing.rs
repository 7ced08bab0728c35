//! `ipvsadm -Ln`, as people paste it.
//!
//! ```text
//!  TCP  10.96.44.7:80 rr persistent 10800
//!    -> 10.244.1.30:8080            Masq    1      0          0
//! ```

use super::ipvs::{RealServer, VirtualServer};
use crate::net::Protocol;

/// The virtual server of a line.
pub(super) fn service(line: &str) -> Option<VirtualServer> {
    let mut words = line.split_ascii_whitespace();
    let protocol = match words.next()? {
        "TCP" => Protocol::Tcp,
        "UDP" => Protocol::Udp,
        "SCTP" => Protocol::Sctp,
        _ => return None,
    };
    let address = words.next()?.parse().ok()?;
    let scheduler = words.next()?.to_owned();
    words.find(|word| *word == "persistent");
    Some(VirtualServer {
        protocol,
        address,
        scheduler,
        persistence: words.next().and_then(|seconds| seconds.parse().ok()),
        real_servers: Vec::new(),
    })
}

/// The real server of a line.
pub(super) fn real_server(line: &str) -> Option<RealServer> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let ["->", address, method, weight, ..] = words.as_slice() else {
        return None;
    };
    Some(RealServer {
        address: address.parse().ok()?,
        weight: weight.parse().ok()?,
        masquerades: *method == "Masq",
    })
}
