//! `ss -Htuln`: who listens, in a node's or a pod's network namespace.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::BadFact;
use crate::net::{Family, Protocol};

/// A socket that waits for connections or datagrams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    pub protocol: Protocol,
    /// `0.0.0.0` or `::` for any address.
    pub address: IpAddr,
    /// `*` in the address column: an IPv6 socket that takes IPv4 too.
    pub takes_both: bool,
    pub port: u16,
    /// Connections that wait to be accepted.
    pub waiting: u32,
    /// How many may wait; 0 for UDP.
    pub backlog: u32,
}

/// Reads `ss -tuln` with or without its header; `-p` and `-i` add columns that are passed over.
/// Sockets that do not listen are left out.
#[must_use]
pub fn listeners(text: &str) -> Vec<Listener> {
    text.lines().filter_map(listener).collect()
}

/// The same, refusing text that shows sockets in a form that is not understood.
///
/// # Errors
/// When there are sockets in it, and the protocol of none is told (`ss` without `-u` or without `-t`).
pub fn sockets(text: &str) -> Result<Vec<Listener>, BadFact> {
    let found = listeners(text);
    let is_other = |line: &str| line.starts_with("LISTEN") || line.starts_with("UNCONN");
    if found.is_empty() && text.lines().any(is_other) {
        return Err(BadFact {
            tool: "ss -Htuln",
            message: "lines do not begin with tcp or udp".to_owned(),
        });
    }
    Ok(found)
}

fn listener(line: &str) -> Option<Listener> {
    let mut words = line.split_ascii_whitespace();
    let first = words.next()?;
    let protocol: Protocol = first.strip_suffix('6').unwrap_or(first).parse().ok()?;
    let second = words.next()?;
    if second.bytes().all(|byte| byte.is_ascii_digit()) {
        return of_netstat(line, protocol);
    }
    if second != "LISTEN" && second != "UNCONN" {
        return None;
    }
    let waiting = words.next()?.parse().ok()?;
    let backlog = words.next()?.parse().ok()?;
    let (address, port) = words.next()?.rsplit_once(':')?;
    // `127.0.0.53%lo` and `[fe80::1]%eth0`: the scope does not change who can reach it here.
    let address = address.split('%').next().unwrap_or_default();
    let address = address.trim_start_matches('[').trim_end_matches(']');
    let address = address.split('%').next().unwrap_or_default();
    let takes_both = address == "*";
    Some(Listener {
        protocol,
        address: if takes_both {
            IpAddr::V6(Ipv6Addr::UNSPECIFIED)
        } else {
            address.parse().ok()?
        },
        takes_both,
        port: port.parse().ok()?,
        waiting,
        backlog,
    })
}

/// `netstat -tuln`: `tcp6 0 0 :::10250 :::* LISTEN`. Its IPv6 sockets take IPv4 as well, unless told
/// otherwise, which it does not show.
fn of_netstat(line: &str, protocol: Protocol) -> Option<Listener> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [kind, waiting, _, local, _, rest @ ..] = words.as_slice() else {
        return None;
    };
    if protocol != Protocol::Udp && rest.first() != Some(&"LISTEN") {
        return None;
    }
    let (address, port) = local.rsplit_once(':')?;
    let address: IpAddr = address.parse().ok()?;
    Some(Listener {
        protocol,
        address,
        takes_both: kind.ends_with('6') && address.is_unspecified(),
        port: port.parse().ok()?,
        waiting: waiting.parse().ok()?,
        backlog: 0,
    })
}

// === impl Listener ===

impl Listener {
    /// Whether packets to `ip` reach it. `[::]` alone takes IPv6 only: `ss` prints `*` for a socket
    /// without `IPV6_V6ONLY`.
    #[must_use]
    pub fn takes(&self, ip: IpAddr) -> bool {
        match self.address {
            _ if self.takes_both => true,
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => ip.is_ipv4(),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => ip.is_ipv6(),
            address => address == ip,
        }
    }

    /// Whether only processes of the same network namespace can reach it.
    #[must_use]
    pub const fn is_loopback(&self) -> bool {
        !self.takes_both && self.address.is_loopback()
    }

    /// The families it answers on.
    #[must_use]
    pub fn serves(&self, family: Family) -> bool {
        self.takes_both || Family::of(self.address) == family
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_ss_prints() {
        let text = "Netid State Recv-Q Send-Q Local Address:Port Peer Address:Port\n\
            tcp LISTEN 0      4096   127.0.0.1:9080  0.0.0.0:*\n\
            tcp LISTEN 3      2              *:10250       *:*   users:((\"x\",pid=1,fd=3))\n\
            udp UNCONN 0      0      127.0.0.53%lo:53 0.0.0.0:*\n\
            tcp ESTAB 0 0 10.0.0.1:1 10.0.0.2:2\n\
            tcp LISTEN 0 5 [::1]:631 [::]:*\n";
        let all = listeners(text);
        let ports: Vec<_> = all.iter().map(|one| one.port).collect();
        assert_eq!(ports, [9080, 10250, 53, 631]);
        assert!(all[0].is_loopback() && all[2].is_loopback() && all[3].is_loopback());
        assert!(all[1].takes("10.0.0.1".parse().unwrap()) && all[1].serves(Family::V6));
        assert_eq!((all[1].waiting, all[1].backlog), (3, 2));
        assert!(!all[0].takes("10.0.0.1".parse().unwrap()));
    }
}
