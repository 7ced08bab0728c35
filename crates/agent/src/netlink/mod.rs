//! Questions to the kernel over netlink: one request, then all that it lists.
//!
//! ```text
//!  header + query ─► kernel ─► message, message, … done
//! ```

mod headers;
mod message;
pub(super) mod numbers;

use netlink_packet_core::{
    Emitable, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, NetlinkBuffer,
    NetlinkHeader, Parseable,
};
use netlink_sys::{Socket, SocketAddr};

pub(super) use headers::{
    AddressMessage, LinkMessage, NeighbourMessage, RouteMessage, RuleMessage,
};
#[cfg(test)]
pub(super) use message::reread;
pub(super) use message::{Attributes, Query, ip};

/// The kernel answers in pieces of at most so many bytes.
const ROOM: usize = 32 * 1024;
/// Bytes of a message before its payload.
const HEADER: usize = 16;

/// Whether there is one answer or a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    One,
    All,
}

/// Asks for messages of one kind (`RTM_GETLINK`) over a netlink protocol (`NETLINK_ROUTE`).
///
/// # Errors
/// When the kernel refuses, or answers what cannot be read, in words.
pub(super) fn ask<A: Parseable<[u8]>>(
    protocol: isize,
    kind: u16,
    query: &impl Emitable,
    how: Ask,
) -> Result<Vec<A>, String> {
    let socket = open(protocol).map_err(|error| format!("netlink: {error}"))?;
    let request = request(kind, query, how);
    let sent = socket.send(&request, 0);
    sent.map_err(|error| format!("netlink: {error}"))?;
    let mut answers = Vec::new();
    let mut room = Vec::with_capacity(ROOM);
    loop {
        room.clear();
        let received = socket.recv(&mut room, 0);
        received.map_err(|error| format!("netlink: {error}"))?;
        let ended = read(&room, &mut answers)?;
        if ended || how == Ask::One {
            return Ok(answers);
        }
    }
}

fn open(protocol: isize) -> std::io::Result<Socket> {
    let mut socket = Socket::new(protocol)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    Ok(socket)
}

fn request(kind: u16, query: &impl Emitable, how: Ask) -> Vec<u8> {
    let mut bytes = vec![0; HEADER + query.buffer_len()];
    let mut header = NetlinkHeader::default();
    header.length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    header.message_type = kind;
    header.flags = match how {
        Ask::One => NLM_F_REQUEST,
        Ask::All => NLM_F_REQUEST | NLM_F_DUMP,
    };
    header.emit(&mut bytes);
    query.emit(&mut bytes[HEADER..]);
    bytes
}

/// Reads the messages of one piece; true after the last.
fn read<A: Parseable<[u8]>>(mut piece: &[u8], answers: &mut Vec<A>) -> Result<bool, String> {
    while !piece.is_empty() {
        let message = NetlinkBuffer::new_checked(piece).map_err(|error| error.to_string())?;
        let length = usize::try_from(message.length()).unwrap_or(usize::MAX);
        if message.flags() & NLM_F_DUMP_INTR != 0 {
            return Err("it changed while it was being read".to_owned());
        }
        let payload = piece.get(HEADER..length).unwrap_or_default();
        match message.message_type() {
            NLMSG_DONE => return Ok(true),
            NLMSG_ERROR => return Err(refusal(payload)),
            _ => answers.push(A::parse(payload).map_err(|error| error.to_string())?),
        }
        // Messages begin at multiples of four bytes.
        piece = piece.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

/// The payload of an error begins with the negative error number.
fn refusal(payload: &[u8]) -> String {
    let number = payload
        .first_chunk()
        .map_or(0, |bytes| i32::from_ne_bytes(*bytes));
    let error = std::io::Error::from_raw_os_error(number.saturating_neg());
    format!("the kernel refuses: {error}")
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::DecodeError;

    use super::*;

    struct Byte(u8);

    impl Parseable<[u8]> for Byte {
        fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
            let byte = bytes.first().copied().map(Self);
            byte.ok_or_else(|| DecodeError::from("empty"))
        }
    }

    impl Emitable for Byte {
        fn buffer_len(&self) -> usize {
            1
        }
        fn emit(&self, bytes: &mut [u8]) {
            bytes[0] = self.0;
        }
    }

    fn message(kind: u16, payload: u8) -> Vec<u8> {
        let mut bytes = request(kind, &Byte(payload), Ask::All);
        bytes[7] = 0;
        bytes.resize(20, 0);
        bytes
    }

    fn pieces(piece: &[u8]) -> Result<(bool, Vec<u8>), String> {
        let mut answers: Vec<Byte> = Vec::new();
        let ended = read(piece, &mut answers)?;
        Ok((ended, answers.iter().map(|byte| byte.0).collect()))
    }

    #[test]
    fn messages_follow_each_other_until_the_last() {
        let two = [message(16, 7), message(16, 8)].concat();
        assert_eq!(pieces(&two), Ok((false, vec![7, 8])));
        let last = [message(16, 7), message(NLMSG_DONE, 0), message(16, 9)].concat();
        assert_eq!(pieces(&last), Ok((true, vec![7])));
    }

    #[test]
    fn errors_and_nonsense_are_errors() {
        let mut denied = message(NLMSG_ERROR, 0);
        denied[0] = 20;
        denied[16..20].copy_from_slice(&(-1_i32).to_ne_bytes());
        assert!(pieces(&denied).unwrap_err().contains("not permitted"));
        let whole = message(16, 7);
        for length in 1..17 {
            assert!(pieces(&whole[..length]).is_err(), "{length}");
        }
        let mut interrupted = whole;
        interrupted[6] |= 0x10;
        assert!(pieces(&interrupted).unwrap_err().contains("changed"));
    }
}
