//! Packets as the socket gives them: from the IP header on.

use std::net::{IpAddr, SocketAddr};

use netpath_protocol::tap::{MAGIC, Outer, Segment, Tap};
use netpath_protocol::{IcmpError, Protocol};

/// UDP ports of VXLAN: that of IANA, and the older one of Linux, which flannel uses.
pub(super) const VXLAN: [u16; 2] = [4789, 8472];
/// The UDP port of Geneve (RFC 8926).
pub(super) const GENEVE: u16 = 6081;

/// A packet of the probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) outer: Option<Outer>,
    pub(super) segment: Segment,
    /// Of an ICMP error: those of the packet that it quotes.
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) flow: Option<u32>,
    pub(super) ip_id: Option<u16>,
    pub(super) ttl: u8,
    pub(super) icmp: Option<IcmpError>,
}

/// An IP packet.
#[derive(Debug, Clone, Copy)]
struct Ip<'a> {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    id: Option<u16>,
    ttl: u8,
    payload: &'a [u8],
}

/// What the transport header says.
struct Transport {
    segment: Segment,
    ports: (u16, u16),
    flow: Option<u32>,
}

/// Reads a packet; none if it is not of the probe.
pub(super) fn read(bytes: &[u8], wanted: &Tap) -> Option<Packet> {
    let whole = ip(bytes)?;
    let (outer, inner) = match tunneled(whole, &wanted.tunnel_ports) {
        Some((kind, inner)) => {
            let outer = Outer {
                kind: kind.to_owned(),
                source: whole.source,
                destination: whole.destination,
            };
            (Some(outer), ip(inner)?)
        }
        None => (None, whole),
    };
    let error = match inner.protocol {
        1 | 58 => Some(icmp_error(inner)?),
        _ => None,
    };
    let (about, icmp) = match error {
        Some((quoted, error)) => (quoted, Some(error)),
        None => (inner, None),
    };
    let mut transport = transport(about, wanted)?;
    if icmp.is_some() {
        transport.segment = Segment::Error;
    }
    Some(Packet {
        outer,
        segment: transport.segment,
        source: SocketAddr::new(about.source, transport.ports.0),
        destination: SocketAddr::new(about.destination, transport.ports.1),
        flow: transport.flow,
        ip_id: inner.id,
        ttl: inner.ttl,
        icmp,
    })
}

fn ip(bytes: &[u8]) -> Option<Ip<'_>> {
    match bytes.first()? >> 4 {
        4 => {
            let length = usize::from(bytes.first()? & 0x0f) * 4;
            let source: [u8; 4] = array(bytes, 12)?;
            let destination: [u8; 4] = array(bytes, 16)?;
            Some(Ip {
                source: source.into(),
                destination: destination.into(),
                protocol: *bytes.get(9)?,
                id: Some(half(bytes, 4)?),
                ttl: *bytes.get(8)?,
                payload: bytes.get(length..)?,
            })
        }
        6 => {
            let source: [u8; 16] = array(bytes, 8)?;
            let destination: [u8; 16] = array(bytes, 24)?;
            Some(Ip {
                source: source.into(),
                destination: destination.into(),
                protocol: *bytes.get(6)?,
                id: None,
                ttl: *bytes.get(7)?,
                payload: bytes.get(40..)?,
            })
        }
        _ => None,
    }
}

/// The packet inside a tunnel's, and the kind of the tunnel.
fn tunneled<'a>(ip: Ip<'a>, more_ports: &[u16]) -> Option<(&'static str, &'a [u8])> {
    match ip.protocol {
        4 | 41 => Some(("ipip", ip.payload)),
        17 => {
            let port = half(ip.payload, 2)?;
            if VXLAN.contains(&port) || more_ports.contains(&port) {
                // UDP, VXLAN (RFC 7348), Ethernet.
                return Some(("vxlan", ip.payload.get(30..)?));
            }
            let options = usize::from(ip.payload.get(8)? & 0x3f) * 4;
            (port == GENEVE).then_some(("geneve", ip.payload.get(30 + options..)?))
        }
        _ => None,
    }
}

/// The packet that an ICMP error quotes, and what the error is.
fn icmp_error(ip: Ip<'_>) -> Option<(Ip<'_>, IcmpError)> {
    let (icmp_type, code) = (*ip.payload.first()?, *ip.payload.get(1)?);
    let is_error = match ip.source {
        IpAddr::V4(_) => matches!(icmp_type, 3 | 11 | 12),
        IpAddr::V6(_) => matches!(icmp_type, 1..=4),
    };
    let mtu = match (ip.source, icmp_type, code) {
        (IpAddr::V4(_), 3, 4) => half(ip.payload, 6).map(u32::from),
        (IpAddr::V6(_), 2, _) => word(ip.payload, 4),
        _ => None,
    };
    let quoted = self::ip(ip.payload.get(8..)?)?;
    let from = ip.source;
    is_error.then_some((
        quoted,
        IcmpError {
            from,
            icmp_type,
            code,
            mtu,
        },
    ))
}

fn transport(ip: Ip<'_>, wanted: &Tap) -> Option<Transport> {
    let bytes = ip.payload;
    let ports = (half(bytes, 0)?, half(bytes, 2)?);
    let is_wanted = ip.protocol == wanted.protocol.number();
    match (is_wanted, wanted.protocol) {
        (true, Protocol::Tcp) => {
            let (sequence, acknowledged) = (word(bytes, 4)?, word(bytes, 8));
            // An error may quote the first eight bytes alone (RFC 792).
            let flags = bytes.get(13).copied().unwrap_or(SYN);
            let answered = acknowledged.map(|number| number.wrapping_sub(1));
            let (segment, flow) = match (flags & RST != 0, flags & (SYN | ACK)) {
                (true, _) => (Segment::Reset, answered),
                (false, SYN) => (Segment::Syn, Some(sequence)),
                (false, _) => (Segment::SynAck, answered),
            };
            Some(Transport {
                segment,
                ports,
                flow,
            })
        }
        (true, Protocol::Udp) => {
            let number = shot(bytes, wanted.mark);
            let segment = match number {
                Some(_) => Segment::Datagram,
                None => Segment::Reply,
            };
            // An answer goes to the port that the shot came from, as long as nobody rewrote that.
            let answered = || wanted.ports.iter().position(|port| *port == ports.1);
            let number = number.map(usize::from).or_else(answered);
            Some(Transport {
                segment,
                ports,
                flow: number.and_then(|number| u32::try_from(number).ok()),
            })
        }
        _ => None,
    }
}

const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// The number of a marked datagram: behind the header, the magic and the mark.
pub(super) fn shot(datagram: &[u8], mark: u16) -> Option<u16> {
    let is_marked = array(datagram, 8) == Some(MAGIC) && half(datagram, 12) == Some(mark);
    is_marked.then(|| half(datagram, 14))?
}

/// What a marked datagram carries.
pub(super) const fn payload(mark: u16, shot: u16) -> [u8; 8] {
    let [m0, m1, m2, m3] = MAGIC;
    let ([k0, k1], [s0, s1]) = (mark.to_be_bytes(), shot.to_be_bytes());
    [m0, m1, m2, m3, k0, k1, s0, s1]
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_be_bytes)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_be_bytes)
}
