//! UDP: a datagram that may be answered, refused or lost.

use std::net::SocketAddr;
use std::time::Instant;

use super::attempts::Schedule;
use super::{datagram, hex, micros};
use netpath_protocol::{Attempt, Outcome};

/// Sends a datagram as often as the schedule says.
pub(super) async fn udp(to: SocketAddr, payload: &str, schedule: &Schedule) -> Outcome {
    let Some(payload) = hex::decode(payload) else {
        return Outcome::Unsupported {
            why: "the payload is not hexadecimal".to_owned(),
        };
    };
    let attempts = schedule.run(async |patience| {
        let started = Instant::now();
        let reply = datagram::exchange(to, &payload, patience, |_| true).await;
        Attempt {
            elapsed_us: micros(started),
            local: reply.local,
            received: reply.answer.as_ref().map_or(0, Vec::len),
            error: reply.answer.err(),
            unacknowledged: None,
            icmp: reply.icmp,
        }
    });
    Outcome::Attempts(attempts.await)
}
