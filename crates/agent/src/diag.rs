//! What the kernel tells of sockets (sock_diag): who listens, and what a peer has acknowledged.

use std::net::SocketAddr;

use netlink_packet_sock_diag::constants::{
    AF_INET, AF_INET6, IPPROTO_TCP, IPPROTO_UDP, SOCK_DIAG_BY_FAMILY,
};
use netlink_packet_sock_diag::inet::{
    ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags, nlas::Nla,
};
use netlink_sys::protocols::NETLINK_SOCK_DIAG;

use nix::net::if_::if_indextoname;

use super::netlink::{Ask, ask};

/// A socket that waits for somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listener {
    pub(super) is_tcp: bool,
    pub(super) local: SocketAddr,
    /// The interface it is bound to.
    pub(super) interface: Option<String>,
    /// Whether an IPv6 socket takes no IPv4.
    pub(super) v6_only: bool,
    /// TCP: connections that wait to be accepted. UDP: bytes that wait to be read.
    pub(super) waiting: u32,
    /// TCP: how many may wait.
    pub(super) backlog: u32,
}

/// What waits for connections and datagrams in this network namespace.
///
/// # Errors
/// When the kernel does not tell, in words.
pub(super) fn listening() -> Result<Vec<Listener>, String> {
    let mut all = Vec::new();
    // UDP sockets that wait for anybody are in the state "closed".
    let kinds = [
        (IPPROTO_UDP, StateFlags::CLOSE),
        (IPPROTO_TCP, StateFlags::LISTEN),
    ];
    for (protocol, states) in kinds {
        for (family, socket_id) in [
            (AF_INET, SocketId::new_v4()),
            (AF_INET6, SocketId::new_v6()),
        ] {
            let request = InetRequest {
                family,
                protocol,
                extensions: ExtensionFlags::empty(),
                states: states.clone(),
                socket_id,
            };
            let sockets: Vec<InetResponse> =
                ask(NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, &request, Ask::All)?;
            all.extend(
                sockets
                    .iter()
                    .map(|one| listener(one, protocol == IPPROTO_TCP)),
            );
        }
    }
    Ok(all)
}

fn listener(socket: &InetResponse, is_tcp: bool) -> Listener {
    let header = &socket.header;
    let id = &header.socket_id;
    Listener {
        is_tcp,
        local: SocketAddr::new(id.source_address, id.source_port),
        interface: Some(id.interface_id)
            .filter(|&index| index != 0)
            .and_then(|index| if_indextoname(index).ok()?.into_string().ok()),
        v6_only: socket.nlas.contains(&Nla::SkV6Only(true)),
        waiting: header.recv_queue,
        backlog: header.send_queue,
    }
}

/// Bytes that were sent over an open TCP connection and that the peer's kernel has not acknowledged;
/// none when the kernel does not tell.
pub(super) fn unacknowledged(local: SocketAddr, peer: SocketAddr) -> Option<u64> {
    let request = InetRequest {
        family: if local.is_ipv4() { AF_INET } else { AF_INET6 },
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::empty(),
        states: StateFlags::all(),
        socket_id: SocketId {
            source_port: local.port(),
            destination_port: peer.port(),
            source_address: local.ip(),
            destination_address: peer.ip(),
            interface_id: scope(local).or_else(|| scope(peer)).unwrap_or(0),
            // "Any" (INET_DIAG_NOCOOKIE).
            cookie: [0xff; 8],
        },
    };
    let found: Vec<InetResponse> =
        ask(NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, &request, Ask::One).ok()?;
    found
        .first()
        .map(|socket| u64::from(socket.header.send_queue))
}

/// The interface that a link-local address belongs to.
fn scope(address: SocketAddr) -> Option<u32> {
    match address {
        SocketAddr::V6(address) => Some(address.scope_id()).filter(|&scope| scope != 0),
        SocketAddr::V4(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use super::*;

    #[test]
    fn own_sockets_are_told() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let all = match listening() {
            Ok(all) => all,
            Err(why) => return eprintln!("SKIPPED: no sock_diag here: {why}"),
        };
        let found = all.iter().find(|one| one.is_tcp && one.local == address);
        let found = found.expect("the TCP socket listens");
        assert_eq!((found.waiting, found.interface.as_deref()), (1, None));
        assert!(found.backlog >= 1);
        let is_udp = |one: &Listener| !one.is_tcp && one.local == udp.local_addr().unwrap();
        assert!(all.iter().any(is_udp));
        stream.write_all(b"hello").unwrap();
        let local = stream.local_addr().unwrap();
        assert_eq!(unacknowledged(local, address), Some(0));
        assert_eq!(unacknowledged(local, "127.0.0.2:1".parse().unwrap()), None);
    }
}
