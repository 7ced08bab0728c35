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

use socket2::SockFilter;

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
pub(super) fn program(wanted: &Tap) -> Vec<SockFilter> {
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
    code.to_x();
    code.goto(udp);
    code.here(v6);
    code.set_x(40);
    code.from_x();
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
    code.from_x();
    code.store(BASE);
    code.goto(found);
    code.here(inner);
    code.recall(BASE);
    code.to_x();
    code.goto(found);
    // UDP, the tunnel's own header, Ethernet: 8 + 8 + 14 bytes; Geneve has options (RFC 8926, 3.4).
    code.here(geneve);
    code.load(Size::Byte, 8);
    code.and(0x3f);
    code.shift_left(2);
    code.add_x();
    code.to_x();
    code.here(vxlan);
    code.from_x();
    code.add(30);
    code.to_x();
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
    code.to_x();
    code.goto(after);
    code.here(v6);
    code.load(Size::Byte, 6);
    code.store(PROTOCOL);
    answerer(code, wanted.answerers.iter().filter(|one| !is_v4(one)), 8);
    code.from_x();
    code.add(40);
    code.to_x();
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
    code.from_x();
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
    code.to_x();
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
    code.from_x();
    code.add(bytes);
    code.to_x();
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
