//! The pulse: a marked datagram over loopback that the tap must see.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};

use super::packet::{payload, shot};
use netpath_protocol::tap::Tap;

/// Shots have smaller numbers.
const FIRST: u16 = 0x8000;

/// Sends pulses, to itself: anybody else would refuse them.
pub(super) struct Heart {
    socket: UdpSocket,
    mark: u16,
    next: u16,
}

// === impl Heart ===

impl Heart {
    pub(super) fn new(wanted: &Tap) -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        socket.connect(socket.local_addr()?)?;
        Ok(Self {
            socket,
            mark: wanted.mark,
            next: FIRST,
        })
    }

    /// Sends one; a pulse that cannot be sent is one that is not seen.
    pub(super) fn beat(&mut self) {
        let mut room = [0; 8];
        while self.socket.recv(&mut room).is_ok() {}
        let _ = self.socket.send(&payload(self.mark, self.next));
        self.next = self.next.checked_add(1).unwrap_or(FIRST);
    }
}

/// The number of a pulse, if the packet is one.
pub(super) fn number(packet: &[u8], mark: u16) -> Option<u64> {
    let is_ours = packet.first()? >> 4 == 4 && *packet.get(9)? == 17 && *packet.get(12)? == 127;
    let shot = shot(packet.get(20..)?, mark)?;
    (is_ours && shot >= FIRST).then(|| u64::from(shot - FIRST))
}
