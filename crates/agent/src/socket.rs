//! Sockets that never block, and the errors the kernel keeps for them.
//!
//! ```text
//!  ICMP error ─► kernel ─► error queue of the socket (IP_RECVERR) ─► QueuedError: errno, who, what
//! ```

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::libc::{self, sock_extended_err, sockaddr_in, sockaddr_in6};
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt as option,
};
use rustix::net::sockopt::{self, Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use netpath_protocol::IcmpError;

/// Readable, or with something in its error queue.
const EARS: Interest = Interest::READABLE.add(Interest::ERROR);

/// A socket of the family of `to` that does not block.
pub(super) fn open(to: IpAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let domain = if to.is_ipv4() {
        Domain::IPV4
    } else {
        Domain::IPV6
    };
    Socket::new(domain, kind.nonblocking(), Some(protocol))
}

/// A socket for datagrams of a protocol that only talks to `to`, and hears of every ICMP error about
/// that. To the runtime it is a UDP socket, whatever its protocol.
pub(super) fn connected(to: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<UdpSocket> {
    let socket = open(to.ip(), kind, protocol)?;
    hear_errors(&socket, to.ip())?;
    socket.connect(&to.into())?;
    UdpSocket::from_std(socket.into())
}

/// Waits for a datagram that `accept` makes something of, or for an error about what was sent: one
/// that quotes something which `is_own`.
pub(super) async fn hear<T>(
    socket: &UdpSocket,
    room: &mut [u8],
    accept: impl Fn(&[u8]) -> Option<T>,
    is_own: impl Fn(&[u8]) -> bool,
) -> Result<T, QueuedError> {
    loop {
        let ready = socket.ready(EARS).await.map_err(|error| own(&error))?;
        if ready.is_error() {
            let error = socket.try_io(Interest::ERROR, || {
                let queued = queued_error(socket);
                let queued = queued.or_else(|| socket.take_error().ok()?.map(|error| own(&error)));
                queued.ok_or_else(|| io::ErrorKind::WouldBlock.into())
            });
            match error {
                Ok(error) if error.icmp.is_none() || is_own(&error.quoted) => return Err(error),
                _ => {}
            }
        }
        match socket.try_recv(room) {
            Ok(length) => {
                if let Some(accepted) = accept(&room[..length]) {
                    return Ok(accepted);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => match queued_error(socket) {
                Some(other) if other.icmp.is_some() && !is_own(&other.quoted) => {}
                queued => return Err(queued.unwrap_or_else(|| own(&error))),
            },
        }
    }
}

/// An error that no queue told of.
fn own(error: &io::Error) -> QueuedError {
    QueuedError {
        errno: error.raw_os_error().map_or(Errno::EIO, Errno::from_raw),
        icmp: None,
        mtu: None,
        quoted: [0; QUOTED],
    }
}

/// Keeps ICMP errors in the error queue of the socket.
pub(super) fn hear_errors(socket: &Socket, to: IpAddr) -> io::Result<()> {
    if to.is_ipv4() {
        setsockopt(socket, option::Ipv4RecvErr, &true)?;
    } else {
        setsockopt(socket, option::Ipv6RecvErr, &true)?;
    }
    Ok(())
}

/// Lets packets live for so many hops.
pub(super) fn limit_hops(socket: &Socket, to: IpAddr, hops: u8) -> io::Result<()> {
    if to.is_ipv4() {
        socket.set_ttl_v4(hops.into())
    } else {
        socket.set_unicast_hops_v6(hops.into())
    }
}

/// Sends packets whole or not at all, as large as the interface takes them, whatever was learned of
/// the path before.
pub(super) fn keep_whole(socket: &impl AsFd, to: IpAddr) -> io::Result<()> {
    if to.is_ipv4() {
        sockopt::set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::PROBE)?;
    } else {
        sockopt::set_ipv6_mtu_discover(socket, Ipv6PathMtuDiscovery::PROBE)?;
    }
    Ok(())
}

/// An entry of the error queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct QueuedError {
    pub(super) errno: Errno,
    /// None when the error is of this host's own making.
    pub(super) icmp: Option<IcmpError>,
    /// The path MTU, when the error is that a packet was too large.
    pub(super) mtu: Option<u32>,
    /// The beginning of what was sent, behind the IP header.
    pub(super) quoted: [u8; QUOTED],
}

/// ICMP errors quote at least so many bytes (RFC 792).
const QUOTED: usize = 8;

/// Takes the oldest entry off the error queue.
pub(super) fn queued_error(socket: &impl AsRawFd) -> Option<QueuedError> {
    let mut room = cmsg_space!(sock_extended_err, sockaddr_in6);
    let mut quoted = [0; QUOTED];
    let mut slices = [IoSliceMut::new(&mut quoted)];
    let message = recvmsg::<SockaddrStorage>(
        socket.as_raw_fd(),
        &mut slices,
        Some(&mut room),
        MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT,
    )
    .ok()?;
    let error = message.cmsgs().ok()?.find_map(|control| match control {
        ControlMessageOwned::Ipv4RecvErr(error, from) => Some(queued(error, from.map(v4))),
        ControlMessageOwned::Ipv6RecvErr(error, from) => Some(queued(error, from.map(v6))),
        _ => None,
    })?;
    Some(QueuedError { quoted, ..error })
}

fn queued(error: sock_extended_err, from: Option<IpAddr>) -> QueuedError {
    let errno = Errno::from_raw(i32::try_from(error.ee_errno).unwrap_or_default());
    let mtu = (errno == Errno::EMSGSIZE && error.ee_info != 0).then_some(error.ee_info);
    let by_icmp = matches!(
        error.ee_origin,
        libc::SO_EE_ORIGIN_ICMP | libc::SO_EE_ORIGIN_ICMP6
    );
    QueuedError {
        errno,
        icmp: from.filter(|_| by_icmp).map(|from| IcmpError {
            from,
            icmp_type: error.ee_type,
            code: error.ee_code,
            mtu,
        }),
        mtu,
        quoted: [0; QUOTED],
    }
}

fn v4(address: sockaddr_in) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr)))
}

/// An IPv4 address may come in the form of IPv6.
fn v6(address: sockaddr_in6) -> IpAddr {
    IpAddr::from(address.sin6_addr.s6_addr).to_canonical()
}
