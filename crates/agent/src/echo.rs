//! ICMP echo: over a ping socket, which needs no capability where the kernel allows it to groups
//! (net.ipv4.ping_group_range), else over a raw one (`NET_RAW`).

use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use pnet::packet::icmp::echo_request::MutableEchoRequestPacket;
use pnet::packet::icmp::{IcmpPacket, IcmpTypes, MutableIcmpPacket, checksum, echo_reply};
use pnet::packet::icmpv6::{self, Icmpv6Types};
use pnet::packet::ipv4::Ipv4Packet;
use socket2::{Protocol, Type};
use tokio::net::UdpSocket;

use super::attempts::Schedule;
use super::datagram::{Reply, exchange_over};
use super::failure::other;
use super::micros;
use super::socket::{connected, keep_whole};
use netpath_protocol::{Attempt, Outcome};

/// Bytes of an echo's own header.
pub(super) const HEADER: usize = 8;
/// Payload of an ordinary echo, as `ping` has it.
const PAYLOAD: usize = 56;

/// Something to send echo requests to one address with.
pub(super) struct Pinger {
    socket: UdpSocket,
    is_v4: bool,
    is_raw: bool,
    /// Tells own replies from those of others on a raw socket; a ping socket has the kernel do that.
    id: u16,
}

/// As likely to be that of another process as any other number.
static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| {
    AtomicU16::new(u16::try_from(std::process::id() % 0xffff).unwrap_or_default())
});

/// Sends echo requests as often as the schedule says.
pub(super) async fn echo(to: IpAddr, schedule: &Schedule) -> Outcome {
    if let Err(why) = Pinger::open(to) {
        return Outcome::Unsupported { why };
    }
    let attempts = schedule.run(async |patience| {
        let started = Instant::now();
        let reply = match Pinger::open(to) {
            Ok(pinger) => pinger.ask(HEADER + PAYLOAD, patience).await,
            Err(text) => Reply::failed(other(&text), None),
        };
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

// === impl Pinger ===

impl Pinger {
    /// Opens a socket, the kind that needs least first.
    ///
    /// # Errors
    /// When neither may be opened, with what is lacking.
    pub(super) fn open(to: IpAddr) -> Result<Self, String> {
        let protocol = if to.is_ipv4() {
            Protocol::ICMPV4
        } else {
            Protocol::ICMPV6
        };
        let address = SocketAddr::new(to, 0);
        let of = |socket, is_raw| Self {
            socket,
            is_v4: to.is_ipv4(),
            is_raw,
            id: NEXT.fetch_add(1, Ordering::Relaxed),
        };
        if let Ok(socket) = connected(address, Type::DGRAM, protocol) {
            return Ok(of(socket, false));
        }
        match connected(address, Type::RAW, protocol) {
            Ok(socket) => Ok(of(socket, true)),
            Err(error) => Err(format!(
                "echo needs NET_RAW, or a group in net.ipv4.ping_group_range ({error})"
            )),
        }
    }

    /// Sends packets whole or not at all.
    pub(super) fn keep_whole(&self, to: IpAddr) -> std::io::Result<()> {
        keep_whole(&self.socket, to)
    }

    /// One request of so many bytes (header and payload), and its reply.
    pub(super) async fn ask(&self, length: usize, patience: Duration) -> Reply {
        let request = self.request(length);
        // A raw socket hears of every error about packets to there.
        let is_own =
            |quoted: &[u8]| !self.is_raw || quoted.get(4..6) == Some(&self.id.to_be_bytes());
        let is_reply = |bytes: &[u8]| self.is_reply(bytes);
        exchange_over(&self.socket, &request, patience, is_reply, is_own).await
    }

    fn request(&self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length.max(HEADER)];
        if self.is_v4 {
            if let Some(mut packet) = MutableEchoRequestPacket::new(&mut bytes) {
                packet.set_icmp_type(IcmpTypes::EchoRequest);
                packet.set_identifier(self.id);
                packet.set_sequence_number(1);
            }
            let sum = IcmpPacket::new(&bytes).map_or(0, |packet| checksum(&packet));
            if let Some(mut packet) = MutableIcmpPacket::new(&mut bytes) {
                packet.set_checksum(sum);
            }
        } else if let Some(mut packet) =
            icmpv6::echo_request::MutableEchoRequestPacket::new(&mut bytes)
        {
            // The kernel puts in the checksum, which covers addresses only it knows.
            packet.set_icmpv6_type(Icmpv6Types::EchoRequest);
            packet.set_identifier(self.id);
            packet.set_sequence_number(1);
        }
        bytes
    }

    /// A raw IPv4 socket hears every ICMP packet from there, with its IP header.
    fn is_reply(&self, bytes: &[u8]) -> bool {
        let is_own = |id: u16| !self.is_raw || id == self.id;
        if !self.is_v4 {
            return icmpv6::echo_reply::EchoReplyPacket::new(bytes).is_some_and(|packet| {
                packet.get_icmpv6_type() == Icmpv6Types::EchoReply
                    && is_own(packet.get_identifier())
            });
        }
        let header = match Ipv4Packet::new(bytes) {
            Some(packet) if self.is_raw => usize::from(packet.get_header_length()) * 4,
            _ => 0,
        };
        let bytes = bytes.get(header..).unwrap_or_default();
        echo_reply::EchoReplyPacket::new(bytes).is_some_and(|packet| {
            packet.get_icmp_type() == IcmpTypes::EchoReply && is_own(packet.get_identifier())
        })
    }
}
