//! The packet socket: `AF_PACKET`, bound to no interface, from the IP header on (packet(7)).

use std::io::{self, IoSliceMut};
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::cmsg_space;
use nix::libc::{self, sock_filter};
use nix::sys::socket::{
    ControlMessageOwned, LinkAddr, MsgFlags, recvmsg, setsockopt, sockopt as option,
};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// All protocols (linux/if_ether.h `ETH_P_ALL`), in network order as packet(7) wants it.
const ALL: u16 = 3_u16.to_be();
/// linux/if_packet.h `PACKET_OUTGOING`.
const OUTGOING: u8 = 4;
/// More than the filter lets through.
const ROOM: usize = 1024;

/// A packet socket. To the runtime it is a UDP socket, since all it does is to wait for it.
pub(super) struct PacketSocket(UdpSocket);

/// A packet, where and when it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sighted {
    /// Of the interface.
    pub(super) index: u32,
    pub(super) out: bool,
    /// Since 1970, by the node's clock.
    pub(super) at: Duration,
    /// Its beginning, from the IP header on.
    pub(super) bytes: Vec<u8>,
    /// How long it was.
    pub(super) length: usize,
}

// === impl PacketSocket ===

impl PacketSocket {
    /// Opens one behind a filter.
    ///
    /// # Errors
    /// Without NET_RAW.
    pub(super) fn open(filter: &[sock_filter]) -> io::Result<Self> {
        let protocol = Some(Protocol::from(i32::from(ALL)));
        let socket = Socket::new(Domain::PACKET, Type::DGRAM.nonblocking(), protocol)?;
        let code = filter.iter();
        let code = code.map(|one| SockFilter::new(one.code, one.jt, one.jf, one.k));
        socket.attach_filter(&code.collect::<Vec<_>>())?;
        setsockopt(&socket, option::ReceiveTimestampns, &true)?;
        // What came between the two calls above passed no filter.
        while read(&socket).is_ok() {}
        UdpSocket::from_std(socket.into()).map(Self)
    }

    /// Waits for the next packet.
    ///
    /// # Errors
    /// When the socket fails: an interface that went down does not count.
    pub(super) async fn next(&self) -> io::Result<Sighted> {
        loop {
            self.0.readable().await?;
            match self.0.try_io(Interest::READABLE, || read(&self.0)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.raw_os_error() == Some(libc::ENETDOWN) => {}
                result => return result,
            }
        }
    }
}

fn read(socket: &impl AsRawFd) -> io::Result<Sighted> {
    let mut bytes = vec![0; ROOM];
    let mut room = cmsg_space!(TimeSpec);
    let mut slices = [IoSliceMut::new(&mut bytes)];
    // With MSG_TRUNC the kernel tells the length of the whole packet.
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC;
    let message = recvmsg::<LinkAddr>(socket.as_raw_fd(), &mut slices, Some(&mut room), flags)?;
    let at = message.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
        _ => None,
    });
    let (address, length) = (message.address, message.bytes);
    let address = address.ok_or(io::ErrorKind::InvalidData)?;
    bytes.truncate(length);
    Ok(Sighted {
        index: u32::try_from(address.ifindex()).unwrap_or(u32::MAX),
        out: address.pkttype() == OUTGOING,
        at: at.unwrap_or_else(|| std::time::UNIX_EPOCH.elapsed().unwrap_or_default()),
        bytes,
        length,
    })
}
