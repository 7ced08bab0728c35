//! The marked probe: connections or datagrams that a tap recognizes.

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use socket2::{Socket, Type};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::packet::payload;
use crate::attempts::Schedule;
use crate::datagram::exchange_over;
use crate::failure::failure;
use crate::micros;
use crate::socket::{hear_errors, open, queued_error};
use netpath_protocol::{Attempt, Outcome, Protocol};

/// Makes one attempt from each of the ports.
pub(crate) async fn marked(
    to: SocketAddr,
    protocol: Protocol,
    mark: u16,
    ports: &[u16],
    schedule: &Schedule,
) -> Outcome {
    let next = Cell::new(0_u16);
    let attempts = schedule.run(async |patience| {
        let shot = next.replace(next.get() + 1);
        let port = ports.get(usize::from(shot)).copied().unwrap_or_default();
        let started = Instant::now();
        let mut attempt = Attempt {
            error: None,
            elapsed_us: 0,
            local: None,
            received: 0,
            unacknowledged: None,
            icmp: None,
        };
        let done = match protocol {
            Protocol::Udp => datagram(to, payload(mark, shot), port, patience, &mut attempt).await,
            _ => connection(to, mark, port, patience, &mut attempt).await,
        };
        if let Err(error) = done {
            attempt.error = Some(failure(&error));
        }
        attempt.elapsed_us = micros(started);
        attempt
    });
    Outcome::Attempts(attempts.await)
}

async fn connection(
    to: SocketAddr,
    mark: u16,
    port: u16,
    patience: Duration,
    attempt: &mut Attempt,
) -> io::Result<()> {
    let socket = bound(to, Type::STREAM, socket2::Protocol::TCP, port)?;
    socket.set_tcp_mss(u32::from(mark))?;
    match socket.connect(&to.into()) {
        Err(error) if error.raw_os_error() != Some(nix::libc::EINPROGRESS) => return Err(error),
        _ => {}
    }
    let stream = TcpStream::from_std(socket.into())?;
    attempt.local = stream.local_addr().ok();
    timeout(patience, stream.writable()).await??;
    // Reading the queue forgets the error.
    let error = stream.take_error()?;
    attempt.icmp = queued_error(&stream).and_then(|error| error.icmp);
    error.map_or(Ok(()), Err)
}

async fn datagram(
    to: SocketAddr,
    payload: [u8; 8],
    port: u16,
    patience: Duration,
    attempt: &mut Attempt,
) -> io::Result<()> {
    let socket = bound(to, Type::DGRAM, socket2::Protocol::UDP, port)?;
    socket.connect(&to.into())?;
    let socket = UdpSocket::from_std(socket.into())?;
    let reply = exchange_over(&socket, &payload, patience, |_| true, |_| true).await;
    attempt.local = reply.local;
    attempt.icmp = reply.icmp;
    attempt.received = reply.answer.as_ref().map_or(0, Vec::len);
    attempt.error = reply.answer.err();
    Ok(())
}

/// A socket at a port of its own. One that is taken is refused: another would not be recognized.
fn bound(to: SocketAddr, kind: Type, protocol: socket2::Protocol, port: u16) -> io::Result<Socket> {
    let socket = open(to.ip(), kind, protocol)?;
    hear_errors(&socket, to.ip())?;
    let any: IpAddr = match to.ip() {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    socket.bind(&SocketAddr::new(any, port).into())?;
    Ok(socket)
}
