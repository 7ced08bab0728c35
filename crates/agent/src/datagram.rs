//! One datagram, and whatever comes back.

use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Protocol, Type};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::failure::{failure, of_errno};
use super::socket::{connected, hear, queued_error};
use netpath_protocol::{Failure, IcmpError};

/// Larger answers are cut: UDP allows no larger ones, and nobody sends them.
const ROOM: usize = 64 * 1024;

/// How often a packet is sent again that was held up by errors about others.
const RETRIES: usize = 4;

/// What came of a datagram.
#[derive(Debug)]
pub(super) struct Reply {
    /// The answer that was accepted.
    pub(super) answer: Result<Vec<u8>, Failure>,
    pub(super) local: Option<SocketAddr>,
    pub(super) icmp: Option<IcmpError>,
    /// The largest packet that this host would have let out, where that was the error.
    pub(super) mtu: Option<u32>,
}

/// Sends `payload` from a port of its own, and waits for an answer that `accept` takes.
pub(super) async fn exchange(
    to: SocketAddr,
    payload: &[u8],
    patience: Duration,
    accept: impl Fn(&[u8]) -> bool,
) -> Reply {
    match connected(to, Type::DGRAM, Protocol::UDP) {
        Ok(socket) => exchange_over(&socket, payload, patience, accept, |_| true).await,
        Err(error) => Reply::failed(failure(&error), None),
    }
}

/// The same over a socket that is connected already; `is_own` knows a packet of ours by its first
/// bytes, in errors about it.
pub(super) async fn exchange_over(
    socket: &UdpSocket,
    payload: &[u8],
    patience: Duration,
    accept: impl Fn(&[u8]) -> bool,
    is_own: impl Fn(&[u8]) -> bool,
) -> Reply {
    let local = socket.local_addr().ok();
    // A call may fail by an error that is about another packet.
    let mut sent = socket.send(payload).await;
    for _ in 0..RETRIES {
        match &sent {
            Err(_)
                if queued_error(socket)
                    .is_some_and(|error| error.icmp.is_some() && !is_own(&error.quoted)) =>
            {
                sent = socket.send(payload).await;
            }
            _ => break,
        }
    }
    if let Err(error) = sent {
        let mtu = queued_error(socket).and_then(|error| error.mtu);
        return Reply {
            mtu,
            ..Reply::failed(failure(&error), local)
        };
    }
    let mut room = vec![0; ROOM];
    let accepted = |bytes: &[u8]| accept(bytes).then(|| bytes.to_vec());
    match timeout(patience, hear(socket, &mut room, accepted, is_own)).await {
        Ok(Ok(answer)) => Reply {
            answer: Ok(answer),
            ..Reply::failed(Failure::Timeout, local)
        },
        Ok(Err(error)) => Reply {
            icmp: error.icmp,
            mtu: error.mtu,
            ..Reply::failed(of_errno(error.errno), local)
        },
        Err(_) => Reply::failed(Failure::Timeout, local),
    }
}

// === impl Reply ===

impl Reply {
    pub(super) const fn failed(failure: Failure, local: Option<SocketAddr>) -> Self {
        Self {
            answer: Err(failure),
            local,
            icmp: None,
            mtu: None,
        }
    }
}
