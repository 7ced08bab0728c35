//! What taps saw as pcapng (draft-ietf-opsawg-pcapng), for tcpdump and Wireshark: an interface for every point.
//!
//! ```text
//!  section ─► interface `node1 cni0 in`, `node1 eth0 out` … ─► packets, from the IP header on
//! ```
//!
//! Times are those of each node's own clock.

use data_encoding::HEXLOWER;

use crate::observe::Tapped;
use netpath_protocol::tap::TapPoint;

/// Link type of packets from the IP header on, with their direction (`LINKTYPE_LINUX_SLL`). libpcap does not read
/// a file with several interfaces of `LINKTYPE_RAW`.
const COOKED: u16 = 113;
const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const PACKET: u32 = 6;
/// Tells the order of bytes.
const MAGIC: u32 = 0x1a2b_3c4d;
/// The option that names an interface.
const NAME: u16 = 2;

/// The file of some taps; packets that were not captured are left out.
#[must_use]
pub fn pcapng(taps: &[Tapped]) -> Vec<u8> {
    let mut file = Vec::new();
    let version = [1_u16.to_le_bytes(), 0_u16.to_le_bytes()].concat();
    let length = u64::MAX.to_le_bytes();
    let section = [MAGIC.to_le_bytes().as_slice(), &version, &length].concat();
    block(&mut file, SECTION, &section);
    let mut names: Vec<String> = Vec::new();
    let mut packets = Vec::new();
    for tap in taps.iter().flat_map(|tapped| &tapped.nodes) {
        for point in &tap.points {
            let way = if point.out { "out" } else { "in" };
            let name = format!("{} {} {way}", tap.node, point.interface);
            let known = names.iter().position(|known| *known == name);
            let index = known.unwrap_or_else(|| {
                names.push(name);
                names.len() - 1
            });
            packets.extend(packet(index, tap.opened_micros, point));
        }
    }
    for name in &names {
        block(&mut file, INTERFACE, &interface(name));
    }
    for packet in packets {
        block(&mut file, PACKET, &packet);
    }
    file
}

/// A block: its kind, its length before and behind, its body in words of four bytes.
fn block(file: &mut Vec<u8>, kind: u32, body: &[u8]) {
    let length = body.len().next_multiple_of(4) + 12;
    let length = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    file.extend(kind.to_le_bytes());
    file.extend(length);
    file.extend(body);
    file.resize(file.len().next_multiple_of(4), 0);
    file.extend(length);
}

fn interface(name: &str) -> Vec<u8> {
    let mut body = [COOKED.to_le_bytes(), [0; 2]].concat();
    body.extend(0_u32.to_le_bytes());
    body.extend(NAME.to_le_bytes());
    body.extend(u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
    body.extend(name.as_bytes());
    body.resize(body.len().next_multiple_of(4), 0);
    // The end of the options.
    body.extend([0; 4]);
    body
}

fn packet(interface: usize, opened: u64, point: &TapPoint) -> Option<Vec<u8>> {
    let (text, length) = point.bytes.as_ref()?;
    let bytes = HEXLOWER.decode(text.as_bytes()).ok()?;
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
    let header = cooked(
        point.out,
        bytes.first().is_some_and(|first| first >> 4 == 6),
    );
    let at = opened.saturating_add(point.micros);
    let (high, low) = (at >> 32, at & 0xffff_ffff);
    let mut body = Vec::new();
    body.extend(number(interface));
    body.extend(number(usize::try_from(high).unwrap_or_default()));
    body.extend(number(usize::try_from(low).unwrap_or_default()));
    body.extend(number(header.len() + bytes.len()));
    body.extend(number(header.len() + length));
    body.extend(header);
    body.extend(bytes);
    Some(body)
}

/// What stands for the link: direction, kind of interface (Ethernet), an address of no length, protocol.
fn cooked(out: bool, is_ipv6: bool) -> Vec<u8> {
    let direction: u16 = if out { 4 } else { 0 };
    let protocol: u16 = if is_ipv6 { 0x86dd } else { 0x0800 };
    let fields = [direction, 1, 0, 0, 0, 0, 0, protocol];
    fields.into_iter().flat_map(u16::to_be_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(block: &[u8]) -> (u32, usize) {
        let word = |at: usize| u32::from_le_bytes(block[at..at + 4].try_into().expect("a word"));
        (word(0), word(4) as usize)
    }

    /// Every block says its length twice, on a border of four bytes (section 3.1).
    #[test]
    fn blocks_follow_each_other() {
        let mut file = pcapng(&[]);
        block(&mut file, INTERFACE, &interface("node1 eth0 in"));
        block(&mut file, PACKET, &[1, 2, 3, 4, 5]);
        let mut kinds = Vec::new();
        let mut rest = file.as_slice();
        while !rest.is_empty() {
            let (kind, length) = words(rest);
            let (own, more) = rest.split_at(length);
            assert_eq!(own[length - 4..], own[4..8]);
            assert_eq!(length % 4, 0);
            kinds.push(kind);
            rest = more;
        }
        assert_eq!(kinds, [SECTION, INTERFACE, PACKET]);
        let name = interface("node1 eth0 in");
        assert_eq!(name[8..12], [2, 0, 13, 0]);
        assert_eq!(name.len(), 8 + 4 + 16 + 4);
    }
}
