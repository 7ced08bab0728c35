//! Connections: whether they open, how fast, and what is said over them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use socket2::{Protocol as Transport, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{timeout, timeout_at};

use super::attempts::Schedule;
use super::failure::failure;
use super::socket::{hear_errors, open, queued_error};
use super::{diag, hex, micros};
use netpath_protocol::Protocol;
use netpath_protocol::{Attempt, Exchange, Failure, IcmpError, Outcome};

/// A connection that was tried.
pub(super) struct Dialled {
    /// The source the kernel picked, also of one that did not open.
    pub(super) local: Option<SocketAddr>,
    pub(super) stream: Result<TcpStream, Failure>,
    /// The ICMP message that ended it, which names who refused.
    pub(super) icmp: Option<IcmpError>,
}

/// Opens one connection from a fresh source port.
pub(super) async fn dial(to: SocketAddr, transport: Transport, patience: Duration) -> Dialled {
    let (mut local, mut icmp) = (None, None);
    let opening = async {
        let socket = open(to.ip(), Type::STREAM, transport)?;
        if transport == Transport::TCP {
            hear_errors(&socket, to.ip())?;
        }
        match socket.connect(&to.into()) {
            Err(error) if error.raw_os_error() != Some(nix::libc::EINPROGRESS) => {
                return Err(error);
            }
            _ => {}
        }
        // A stream socket of another transport is the same to everything that follows.
        let stream = TcpStream::from_std(socket.into())?;
        local = stream.local_addr().ok();
        stream.writable().await?;
        // Reading the queue forgets the error.
        let error = stream.take_error()?;
        icmp = queued_error(&stream).and_then(|error| error.icmp);
        match error {
            Some(error) => Err(error),
            None => Ok(stream),
        }
    };
    let stream = match timeout(patience, opening).await {
        Ok(stream) => stream.map_err(|error| failure(&error)),
        Err(_) => Err(Failure::Timeout),
    };
    Dialled {
        local,
        stream,
        icmp,
    }
}

/// Connects as often as the schedule says.
pub(super) async fn connect(
    to: SocketAddr,
    protocol: Protocol,
    exchange: Option<&Exchange>,
    schedule: &Schedule,
) -> Outcome {
    let said = exchange.map(|exchange| hex::decode(&exchange.payload));
    let transport = match (protocol, &said) {
        (_, Some(None)) => return unsupported("the payload is not hexadecimal"),
        (Protocol::Tcp, _) => Transport::TCP,
        (Protocol::Sctp, None) => Transport::SCTP,
        (Protocol::Sctp, Some(_)) => return unsupported("exchanges over SCTP are not made"),
        (Protocol::Udp, _) => return unsupported("UDP does not connect"),
    };
    if transport == Transport::SCTP
        && let Err(error) = open(to.ip(), Type::STREAM, transport)
    {
        return unsupported(&format!("the kernel has no SCTP ({error})"));
    }
    let speech = exchange.zip(said.flatten()).map(|(exchange, mut bytes)| {
        bytes.resize(bytes.len() + exchange.padding.min(MAX_PADDING), 0);
        (bytes, Duration::from_millis(exchange.listen_ms))
    });
    let attempts = schedule.run(async |patience| {
        let started = Instant::now();
        let dialled = dial(to, transport, patience).await;
        let mut attempt = Attempt {
            elapsed_us: micros(started),
            local: dialled.local,
            error: None,
            received: 0,
            unacknowledged: None,
            icmp: dialled.icmp,
        };
        match (dialled.stream, &speech) {
            (Err(error), _) => attempt.error = Some(error),
            (Ok(_), None) => {}
            (Ok(stream), Some((said, listen))) => {
                talk(stream, to, said, *listen, &mut attempt).await;
            }
        }
        attempt
    });
    Outcome::Attempts(attempts.await)
}

/// More than this fits no socket buffer and tells nothing more.
const MAX_PADDING: usize = 1 << 20;

/// Says `said`, and listens. An answer makes a success, also if the peer hangs up after it; silence
/// is a success too, because not every peer has something to say.
async fn talk(
    mut stream: TcpStream,
    to: SocketAddr,
    said: &[u8],
    listen: Duration,
    attempt: &mut Attempt,
) {
    let until = tokio::time::Instant::now() + listen;
    let (mut reader, mut writer) = stream.split();
    let speaking = async {
        let result = timeout_at(until, writer.write_all(said)).await;
        result.unwrap_or(Ok(()))
    };
    let listening = async {
        let mut room = [0; 4096];
        let mut received = 0;
        loop {
            match timeout_at(until, reader.read(&mut room)).await {
                Err(_) => return (received, None),
                Ok(Ok(0)) => return (received, (received == 0).then_some(Failure::Closed)),
                Ok(Ok(length)) => received += length,
                Ok(Err(error)) => return (received, Some(failure(&error))),
            }
        }
    };
    let (spoken, (received, error)) = tokio::join!(speaking, listening);
    attempt.received = received;
    attempt.error = error.or_else(|| spoken.err().map(|error| failure(&error)));
    attempt.unacknowledged = attempt
        .local
        .and_then(|local| diag::unacknowledged(local, to));
}

fn unsupported(why: &str) -> Outcome {
    Outcome::Unsupported {
        why: why.to_owned(),
    }
}
