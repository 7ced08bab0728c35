//! The routers on the way: packets that live for one hop, two hops, three. Each router at which one
//! dies says so, and the kernel keeps that in the error queue of the socket, so that no capability is
//! needed.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures::future::join_all;
use socket2::{Protocol, Type};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::datagram::exchange_over;
use super::micros;
use super::socket::{hear_errors, limit_hops, open, queued_error};
use netpath_protocol::{Failure, IcmpError, Outcome, TraceHop};

/// No way in a cluster is longer.
const MAX_HOPS: u8 = 30;

/// Traces the way to an address, by TCP connections or by UDP datagrams.
pub(super) async fn trace(to: SocketAddr, tcp: bool, max_hops: u8, patience: Duration) -> Outcome {
    let hops = (1..=max_hops.min(MAX_HOPS)).map(|hop| one(to, tcp, hop, patience));
    let mut hops = join_all(hops).await;
    let last = hops
        .iter()
        .position(|hop| hop.arrived || hop.icmp.is_some());
    hops.truncate(last.map_or(hops.len(), |last| last + 1));
    Outcome::Trace(hops)
}

async fn one(to: SocketAddr, tcp: bool, hop: u8, patience: Duration) -> TraceHop {
    let started = Instant::now();
    let told = if tcp {
        segment(to, hop, patience).await
    } else {
        datagram(to, hop, patience).await
    };
    let elapsed_us = Some(micros(started));
    match told {
        Ok(Some(icmp)) if icmp.words() == "time exceeded" => TraceHop {
            hop,
            address: Some(icmp.from),
            elapsed_us,
            arrived: false,
            icmp: None,
        },
        Ok(Some(icmp)) => TraceHop {
            hop,
            address: Some(icmp.from),
            elapsed_us,
            arrived: icmp.from == to.ip(),
            icmp: Some(icmp).filter(|icmp| icmp.from != to.ip()),
        },
        Ok(None) => TraceHop {
            hop,
            address: Some(to.ip()),
            elapsed_us,
            arrived: true,
            icmp: None,
        },
        Err(()) => TraceHop {
            hop,
            address: None,
            elapsed_us: None,
            arrived: false,
            icmp: None,
        },
    }
}

/// Whoever answered: none for the destination itself, an error for silence.
async fn datagram(to: SocketAddr, hops: u8, patience: Duration) -> Result<Option<IcmpError>, ()> {
    let socket = || -> io::Result<UdpSocket> {
        let socket = open(to.ip(), Type::DGRAM, Protocol::UDP)?;
        hear_errors(&socket, to.ip())?;
        limit_hops(&socket, to.ip(), hops)?;
        socket.connect(&to.into())?;
        UdpSocket::from_std(socket.into())
    };
    let socket = socket().map_err(|_| ())?;
    let reply = exchange_over(&socket, &[0; 8], patience, |_| true, |_| true).await;
    match (reply.answer, reply.icmp) {
        (Ok(_) | Err(Failure::Refused), None) => Ok(None),
        (_, Some(icmp)) => Ok(Some(icmp)),
        (Err(_), None) => Err(()),
    }
}

/// The same with the first segment of a connection.
async fn segment(to: SocketAddr, hops: u8, patience: Duration) -> Result<Option<IcmpError>, ()> {
    let connecting = async {
        let socket = open(to.ip(), Type::STREAM, Protocol::TCP)?;
        hear_errors(&socket, to.ip())?;
        limit_hops(&socket, to.ip(), hops)?;
        match socket.connect(&to.into()) {
            Err(error) if error.raw_os_error() != Some(nix::libc::EINPROGRESS) => {
                return Err(error);
            }
            _ => {}
        }
        let stream = TcpStream::from_std(socket.into())?;
        stream.writable().await?;
        // Reading the queue forgets the error.
        let error = stream.take_error()?;
        let icmp = queued_error(&stream).and_then(|error| error.icmp);
        match (icmp, error) {
            (Some(icmp), _) => Ok(Some(icmp)),
            (None, Some(error)) if error.kind() != io::ErrorKind::ConnectionRefused => Err(error),
            (None, _) => Ok(None),
        }
    };
    let told = timeout(patience, connecting).await.map_err(|_| ())?;
    told.map_err(|_| ())
}
