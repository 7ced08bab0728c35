//! One datagram, and whatever comes back.

use std::net::SocketAddr;
use std::time::Duration;

use socket2::Protocol;
use tokio::time::timeout;

use super::failure::{failure, of_errno};
use super::socket::{connected, hear};
use crate::probe::protocol::{Failure, IcmpError};

/// Larger answers are cut: UDP allows no larger ones, and nobody sends them.
const ROOM: usize = 64 * 1024;

/// What came of a datagram.
#[derive(Debug)]
pub(super) struct Reply {
    /// The answer that was accepted.
    pub(super) answer: Result<Vec<u8>, Failure>,
    pub(super) local: Option<SocketAddr>,
    pub(super) icmp: Option<IcmpError>,
}

/// Sends `payload` from a port of its own, and waits for an answer that `accept` takes.
pub(super) async fn exchange(
    to: SocketAddr,
    payload: &[u8],
    patience: Duration,
    accept: impl Fn(&[u8]) -> bool,
) -> Reply {
    let failed = |failure, local| Reply {
        answer: Err(failure),
        local,
        icmp: None,
    };
    let socket = match connected(to, Protocol::UDP) {
        Ok(socket) => socket,
        Err(error) => return failed(failure(&error), None),
    };
    let local = socket.local_addr().ok();
    if let Err(error) = socket.send(payload).await {
        return failed(failure(&error), local);
    }
    let mut room = vec![0; ROOM];
    let accepted = |bytes: &[u8]| accept(bytes).then(|| bytes.to_vec());
    match timeout(patience, hear(&socket, &mut room, accepted)).await {
        Ok(Ok(answer)) => Reply {
            answer: Ok(answer),
            local,
            icmp: None,
        },
        Ok(Err(error)) => Reply {
            answer: Err(of_errno(error.errno)),
            local,
            icmp: error.icmp,
        },
        Err(_) => failed(Failure::Timeout, local),
    }
}
