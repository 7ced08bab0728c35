//! The filter of the packet socket: of all packets of a node, those of the probe are copied, and no others.
//!
//! ```text
//!  outer header ─► tunnel? ─► base of the inner packet ─┐
//!                                                       ├► protocol ─► marked SYN · answer · marked datagram · ICMP error
//!  no tunnel ──────────► base 0 ────────────────────────┘
//! ```
//!
//! What is offloaded to a later look: that an answer acknowledges a SYN of ours. A filter keeps no state.

use std::net::{IpAddr, SocketAddr};

use nix::libc::sock_filter;

use super::assembler::{Assembler, Label, Size};
use super::packet::{GENEVE, VXLAN};
use netpath_protocol::Protocol;
use netpath_protocol::tap::{MAGIC, Tap};

/// Bytes that are copied of a packet.
const SNAP: u32 = 512;
/// Addresses that an answer is compared with, at most.
const MAX_ANSWERERS: usize = 16;

/// Cells of the filter's memory: where the packet of interest begins, its protocol, whether one who was asked
/// sent it.
const BASE: u32 = 0;
const PROTOCOL: u32 = 1;
const IS_ANSWERER: u32 = 2;

const IPIP: u32 = 4;
const TCP: u32 = 6;
const UDP: u32 = 17;
const IPV6: u32 = 41;
const ICMP: u32 = 1;
const ICMPV6: u32 = 58;

/// A SYN's first option as Linux writes it: kind 2 (MSS), length 4 (RFC 9293, 3.2).
const MSS_OPTION: u32 = 0x0204;
const SYN: u32 = 0x02;
const RST: u32 = 0x04;
const ACK: u32 = 0x10;

/// Where programs end.
struct Ends {
    accept: Label,
    reject: Label,
}

/// The filter for a probe.
pub(super) fn program(wanted: &Tap) -> Vec<sock_filter> {
    let mut code = Assembler::default();
    let ends = Ends {
        accept: code.label(),
        reject: code.label(),
    };
    find_base(&mut code, wanted, &ends);
    read_header(&mut code, wanted, &ends);
    transport(&mut code, wanted, &ends);
    code.here(ends.accept);
    code.give(SNAP);
    code.here(ends.reject);
    code.give(0);
    code.finish()
}

/// X and BASE = where the packet of interest begins: behind the headers of a tunnel, if there is one.
fn find_base(code: &mut Assembler, wanted: &Tap, ends: &Ends) {
    let [v4, v6, udp, whole, inner, vxlan, geneve, found] = [(); 8].map(|()| code.label());
    code.set_x(0);
    version(code, v4, v6, ends.reject);
    code.here(v4);
    header_length(code);
    code.store(BASE);
    code.load(Size::Byte, 9);
    for protocol in [IPIP, IPV6] {
        code.if_equal(protocol, inner);
    }
    code.unless_equal(UDP, whole);
    code.recall(BASE);
    code.keep_x();
    code.goto(udp);
    code.here(v6);
    code.set_x(40);
    code.copy_x();
    code.store(BASE);
    code.set_x(0);
    code.load(Size::Byte, 6);
    for protocol in [IPIP, IPV6] {
        code.if_equal(protocol, inner);
    }
    code.unless_equal(UDP, whole);
    code.set_x(40);
    code.here(udp);
    code.load(Size::Half, 2);
    let ports = VXLAN.iter().chain(&wanted.tunnel_ports);
    for port in ports {
        code.if_equal(u32::from(*port), vxlan);
    }
    code.if_equal(u32::from(GENEVE), geneve);
    code.here(whole);
    code.set_x(0);
    code.copy_x();
    code.store(BASE);
    code.goto(found);
    code.here(inner);
    code.recall(BASE);
    code.keep_x();
    code.goto(found);
    // UDP, the tunnel's own header, Ethernet: 8 + 8 + 14 bytes; Geneve has options (RFC 8926, 3.4).
    code.here(geneve);
    code.load(Size::Byte, 8);
    code.and(0x3f);
    code.shift_left(2);
    code.add_x();
    code.keep_x();
    code.here(vxlan);
    code.copy_x();
    code.add(30);
    code.keep_x();
    code.store(BASE);
    code.here(found);
}

/// From the IP header at X: PROTOCOL, IS_ANSWERER, and X = where the transport header begins.
fn read_header(code: &mut Assembler, wanted: &Tap, ends: &Ends) {
    let [v4, v6, after] = [(); 3].map(|()| code.label());
    let is_v4 = |one: &&SocketAddr| one.is_ipv4();
    version(code, v4, v6, ends.reject);
    code.here(v4);
    // A later fragment has no header of its transport.
    code.load(Size::Half, 6);
    code.if_any(0x1fff, ends.reject);
    code.load(Size::Byte, 9);
    code.store(PROTOCOL);
    answerer(code, wanted.answerers.iter().filter(is_v4), 12);
    header_length(code);
    code.add_x();
    code.keep_x();
    code.goto(after);
    code.here(v6);
    code.load(Size::Byte, 6);
    code.store(PROTOCOL);
    answerer(code, wanted.answerers.iter().filter(|one| !is_v4(one)), 8);
    code.copy_x();
    code.add(40);
    code.keep_x();
    code.here(after);
}

/// IS_ANSWERER = whether the source address, at X + `at`, is that of one who was asked.
fn answerer<'a>(code: &mut Assembler, all: impl Iterator<Item = &'a SocketAddr>, at: u32) {
    let [yes, done] = [(); 2].map(|()| code.label());
    for one in all.take(MAX_ANSWERERS) {
        let next = code.label();
        for (word, offset) in words(one.ip()).into_iter().zip((at..).step_by(4)) {
            code.load(Size::Word, offset);
            code.unless_equal(word, next);
        }
        code.goto(yes);
        code.here(next);
    }
    value(code, 0);
    code.goto(done);
    code.here(yes);
    value(code, 1);
    code.here(done);
}

/// IS_ANSWERER = a constant; X stays.
fn value(code: &mut Assembler, value: u32) {
    code.copy_x();
    code.and(0);
    code.add(value);
    code.store(IS_ANSWERER);
}

fn words(ip: IpAddr) -> Vec<u32> {
    match ip {
        IpAddr::V4(ip) => vec![ip.to_bits()],
        IpAddr::V6(ip) => {
            let bytes = ip.octets();
            let words = bytes.chunks_exact(4);
            words
                .map(|word| word.iter().fold(0, |all, byte| all << 8 | u32::from(*byte)))
                .collect()
        }
    }
}

/// Decides by the transport header at X.
fn transport(code: &mut Assembler, wanted: &Tap, ends: &Ends) {
    let [tcp, udp, icmp, icmpv6] = [(); 4].map(|()| code.label());
    code.recall(PROTOCOL);
    code.if_equal(TCP, tcp);
    code.if_equal(UDP, udp);
    code.if_equal(ICMP, icmp);
    code.if_equal(ICMPV6, icmpv6);
    code.goto(ends.reject);
    code.here(tcp);
    if wanted.protocol == Protocol::Tcp {
        segment(code, wanted, ends);
    }
    code.goto(ends.reject);
    code.here(udp);
    datagram(code, wanted, ends);
    error(code, wanted, ends, [icmp, icmpv6]);
}

fn segment(code: &mut Assembler, wanted: &Tap, ends: &Ends) {
    let [syn, answer] = [(); 2].map(|()| code.label());
    code.load(Size::Byte, 13);
    code.if_any(RST, answer);
    code.and(SYN | ACK);
    code.if_equal(SYN, syn);
    code.if_equal(SYN | ACK, answer);
    code.goto(ends.reject);
    code.here(syn);
    marked_syn(code, wanted, ends);
    code.here(answer);
    one_of(code, 2, &wanted.ports, ends.accept);
    code.recall(IS_ANSWERER);
    code.if_equal(0, ends.reject);
    let ports: Vec<u16> = wanted.answerers.iter().map(SocketAddr::port).collect();
    one_of(code, 0, &ports, ends.accept);
    code.goto(ends.reject);
}

/// Accepts a SYN at X whose MSS is the mark.
fn marked_syn(code: &mut Assembler, wanted: &Tap, ends: &Ends) {
    code.load(Size::Half, 20);
    code.unless_equal(MSS_OPTION, ends.reject);
    code.load(Size::Half, 22);
    code.if_equal(u32::from(wanted.mark), ends.accept);
    code.goto(ends.reject);
}

fn datagram(code: &mut Assembler, wanted: &Tap, ends: &Ends) {
    if wanted.protocol == Protocol::Udp {
        one_of(code, 2, &wanted.ports, ends.accept);
    }
    marked_datagram(code, wanted, ends);
}

/// Accepts a datagram at X that begins with the mark.
fn marked_datagram(code: &mut Assembler, wanted: &Tap, ends: &Ends) {
    code.load(Size::Word, 8);
    code.unless_equal(u32::from_be_bytes(MAGIC), ends.reject);
    code.load(Size::Half, 12);
    code.if_equal(u32::from(wanted.mark), ends.accept);
    code.goto(ends.reject);
}

/// ICMP errors that quote a packet of the probe. Linux quotes as much as fits (RFC 1812, 4.3.2.3), so that
/// the mark is among it.
fn error(code: &mut Assembler, wanted: &Tap, ends: &Ends, [icmp, icmpv6]: [Label; 2]) {
    let [v4, v6, quoted] = [(); 3].map(|()| code.label());
    code.here(icmp);
    code.load(Size::Byte, 0);
    for kind in [3, 11, 12] {
        code.if_equal(kind, v4);
    }
    code.goto(ends.reject);
    code.here(icmpv6);
    code.load(Size::Byte, 0);
    for kind in [1, 2, 3, 4] {
        code.if_equal(kind, v6);
    }
    code.goto(ends.reject);
    code.here(v4);
    skip(code, 8);
    code.load(Size::Byte, 9);
    code.store(PROTOCOL);
    header_length(code);
    code.add_x();
    code.keep_x();
    code.goto(quoted);
    code.here(v6);
    skip(code, 8);
    code.load(Size::Byte, 6);
    code.store(PROTOCOL);
    skip(code, 40);
    code.here(quoted);
    code.recall(PROTOCOL);
    code.unless_equal(u32::from(wanted.protocol.number()), ends.reject);
    one_of(code, 0, &wanted.ports, ends.accept);
    one_of(code, 2, &wanted.ports, ends.accept);
    if wanted.protocol == Protocol::Tcp {
        marked_syn(code, wanted, ends);
    } else {
        marked_datagram(code, wanted, ends);
    }
}

/// Jumps if the port at X + `offset` is one of these.
fn one_of(code: &mut Assembler, offset: u32, ports: &[u16], to: Label) {
    code.load(Size::Half, offset);
    for port in ports {
        code.if_equal(u32::from(*port), to);
    }
}

/// X = X + `bytes`.
fn skip(code: &mut Assembler, bytes: u32) {
    code.copy_x();
    code.add(bytes);
    code.keep_x();
}

/// Jumps by the version of the IP header at X.
fn version(code: &mut Assembler, v4: Label, v6: Label, other: Label) {
    code.load(Size::Byte, 0);
    code.shift_right(4);
    code.if_equal(4, v4);
    code.if_equal(6, v6);
    code.goto(other);
}

/// A = the length of the IPv4 header at X.
fn header_length(code: &mut Assembler) {
    code.load(Size::Byte, 0);
    code.and(0x0f);
    code.shift_left(2);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tap::packet;
    use netpath_protocol::tap::Segment;

    /// What the kernel would copy of a packet (Documentation/networking/filter.rst), zero if it rejects it.
    fn run(program: &[sock_filter], packet: &[u8]) -> u32 {
        let (mut a, mut x, mut cells, mut at) = (0_u32, 0_u32, [0_u32; 16], 0);
        loop {
            let one = program[at];
            let k = one.k;
            at += 1;
            let from = |length: usize| -> Option<u32> {
                let start = usize::try_from(x.wrapping_add(k)).ok()?;
                let bytes = packet.get(start..start.checked_add(length)?)?;
                Some(
                    bytes
                        .iter()
                        .fold(0, |all, byte| all << 8 | u32::from(*byte)),
                )
            };
            match one.code {
                0x40 | 0x48 | 0x50 => {
                    let length = [4, 2, 1][usize::from((one.code - 0x40) / 8)];
                    match from(length) {
                        Some(value) => a = value,
                        None => return 0,
                    }
                }
                0x60 => a = cells[k as usize],
                0x01 => x = k,
                0x02 => cells[k as usize] = a,
                0x04 => a = a.wrapping_add(k),
                0x0c => a = a.wrapping_add(x),
                0x54 => a &= k,
                0x64 => a <<= k,
                0x74 => a >>= k,
                0x07 => x = a,
                0x87 => a = x,
                0x05 => at += k as usize,
                0x15 => at += usize::from(if a == k { one.jt } else { one.jf }),
                0x45 => at += usize::from(if a & k != 0 { one.jt } else { one.jf }),
                0x06 => return k,
                other => panic!("instruction {other:#x}"),
            }
        }
    }

    fn wanted(protocol: Protocol) -> Tap {
        Tap {
            protocol,
            mark: 777,
            ports: vec![20_001],
            answerers: vec![
                "10.0.2.2:80".parse().expect("an address"),
                "[fd00:2::2]:80".parse().expect("an address"),
            ],
            tunnel_ports: Vec::new(),
            listen_ms: 0,
            capture: false,
            rules: false,
        }
    }

    fn v4(protocol: u8, source: [u8; 4], payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x45, 0, 0, 0, 0, 7, 0, 0, 64, protocol, 0, 0];
        bytes.extend(source);
        bytes.extend([10, 0, 9, 9]);
        bytes.extend(payload);
        bytes
    }

    fn v6(protocol: u8, source: &str, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x60, 0, 0, 0, 0, 0, protocol, 64];
        let source: std::net::Ipv6Addr = source.parse().expect("an address");
        bytes.extend(source.octets());
        bytes.extend([9; 16]);
        bytes.extend(payload);
        bytes
    }

    /// A segment with the MSS as its first option.
    fn tcp(ports: (u16, u16), flags: u8, mss: u16) -> Vec<u8> {
        let mut bytes = [ports.0.to_be_bytes(), ports.1.to_be_bytes()].concat();
        bytes.extend([0, 0, 0, 5, 0, 0, 0, 6, 0x60, flags, 0, 0, 0, 0, 0, 0, 2, 4]);
        bytes.extend(mss.to_be_bytes());
        bytes
    }

    fn udp(ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
        let mut bytes = [ports.0.to_be_bytes(), ports.1.to_be_bytes()].concat();
        bytes.extend([0; 4]);
        bytes.extend(payload);
        bytes
    }

    /// Every way a packet may be carried.
    fn carried(inner: &[u8]) -> Vec<Vec<u8>> {
        let ethernet = [[0; 14].as_slice(), inner].concat();
        let vxlan = udp(
            (1, 8472),
            &[[8, 0, 0, 0, 0, 0, 1, 0].as_slice(), &ethernet].concat(),
        );
        let iana = udp(
            (1, 4789),
            &[[8, 0, 0, 0, 0, 0, 1, 0].as_slice(), &ethernet].concat(),
        );
        // Two words of options.
        let header = [2, 0, 0x65, 0x58, 0, 0, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8];
        let geneve = udp((1, 6081), &[header.as_slice(), &ethernet].concat());
        let protocol = if inner[0] >> 4 == 4 { 4 } else { 41 };
        vec![
            inner.to_vec(),
            v4(17, [1; 4], &vxlan),
            v4(17, [1; 4], &iana),
            v6(17, "fd00::1", &vxlan),
            v4(17, [1; 4], &geneve),
            v6(17, "fd00::1", &geneve),
            v4(protocol, [1; 4], inner),
            v6(protocol, "fd00::1", inner),
        ]
    }

    /// The kernel's filter and the reader agree about what a packet is, in every tunnel and both families.
    #[test]
    fn packets_of_the_probe_pass_in_every_tunnel() {
        let syn = tcp((40_000, 80), 0x02, 777);
        let answer = tcp((80, 40_000), 0x12, 1460);
        let rewritten = tcp((9, 20_001), 0x14, 0);
        let quote =
            |packet: &[u8], kind: u8| [[kind, 0, 0, 0, 0, 0, 0, 0].as_slice(), packet].concat();
        let of_tcp = [
            (v4(6, [10, 0, 1, 1], &syn), Segment::Syn),
            (v6(6, "fd00:1::1", &syn), Segment::Syn),
            (v4(6, [10, 0, 2, 2], &answer), Segment::SynAck),
            (v6(6, "fd00:2::2", &answer), Segment::SynAck),
            (v4(6, [7; 4], &rewritten), Segment::Reset),
            (
                v4(1, [8; 4], &quote(&v4(6, [10, 0, 1, 1], &syn), 3)),
                Segment::Error,
            ),
            (
                v6(58, "fd00::8", &quote(&v6(6, "fd00:1::1", &syn), 1)),
                Segment::Error,
            ),
        ];
        let tap = wanted(Protocol::Tcp);
        let filter = program(&tap);
        for (packet, segment) in of_tcp {
            for carried in carried(&packet) {
                assert_eq!(run(&filter, &carried), SNAP, "{segment:?} {carried:?}");
                let read = packet::read(&carried, &tap).expect("a packet of the probe");
                assert_eq!(read.segment, segment);
            }
        }
        let marked = udp((9, 53), &packet::payload(777, 2));
        let reply = udp((53, 20_001), b"x");
        let tap = wanted(Protocol::Udp);
        let filter = program(&tap);
        for (payload, segment) in [(marked, Segment::Datagram), (reply, Segment::Reply)] {
            for packet in [v4(17, [3; 4], &payload), v6(17, "fd00::3", &payload)] {
                for carried in carried(&packet) {
                    assert_eq!(run(&filter, &carried), SNAP, "{segment:?} {carried:?}");
                    let read = packet::read(&carried, &tap).expect("a packet of the probe");
                    assert_eq!(read.segment, segment);
                }
            }
        }
    }

    #[test]
    fn packets_of_others_do_not() {
        let filter = program(&wanted(Protocol::Tcp));
        let others = [
            v4(6, [10, 0, 1, 1], &tcp((40_000, 80), 0x02, 776)),
            v4(6, [10, 0, 1, 1], &tcp((40_000, 80), 0x10, 777)),
            // Another server, and another port of this one.
            v4(6, [10, 0, 2, 3], &tcp((80, 40_000), 0x12, 1460)),
            v4(6, [10, 0, 2, 2], &tcp((81, 40_000), 0x12, 1460)),
            v6(6, "fd00:2::3", &tcp((80, 40_000), 0x12, 1460)),
            v4(17, [10, 0, 2, 2], &udp((53, 20_001), b"answer")),
            v4(1, [8; 4], &[8, 0, 0, 0, 0, 0, 0, 0]),
            // A later fragment begins with whatever it has there.
            {
                let mut later = v4(6, [10, 0, 1, 1], &tcp((40_000, 80), 0x02, 777));
                later[7] = 9;
                later
            },
            // ARP.
            vec![0, 1, 8, 0, 6, 4, 0, 1],
            Vec::new(),
        ];
        for packet in others.iter().flat_map(|packet| {
            if packet.len() > 20 {
                carried(packet)
            } else {
                vec![packet.clone()]
            }
        }) {
            assert_eq!(run(&filter, &packet), 0, "{packet:?}");
        }
    }
}
