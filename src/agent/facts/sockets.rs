//! Listening sockets, in the form of `ss -Htuln`.
//!
//! ```text
//!  /proc/net/{tcp,tcp6,udp,udp6} ─► Row ─► `tcp LISTEN 0 4096 127.0.0.1:9080 0.0.0.0:*`
//! ```

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::post::file;

/// States of a socket (net/tcp_states.h); UDP sockets that wait for anybody are "closed".
const LISTEN: u8 = 10;
const CLOSE: u8 = 7;

/// A socket that waits for somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) is_tcp: bool,
    pub(super) local: SocketAddr,
    /// Whether an IPv6 socket takes no IPv4.
    pub(super) v6_only: bool,
    /// TCP: connections that wait to be accepted. UDP: bytes that wait to be read.
    pub(super) waiting: u32,
    /// TCP: how many may wait.
    pub(super) backlog: u32,
}

/// What waits for connections and datagrams in this network namespace.
///
/// # Errors
/// When the kernel tells nothing, in words.
pub(super) fn listening() -> Result<String, String> {
    let mut rows = from_proc()?;
    rows.sort_by_key(|row| (row.is_tcp, row.local.is_ipv6(), row.local.port()));
    let lines: Vec<String> = rows.iter().map(ToString::to_string).collect();
    Ok(lines.join("\n") + "\n")
}

/// /proc tells neither the backlog nor whether an IPv6 socket takes IPv4. The latter is guessed: it
/// does, unless the port has a socket for all of IPv4 as well, which it then could not have.
fn from_proc() -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for (name, is_tcp) in [
        ("udp", false),
        ("udp6", false),
        ("tcp", true),
        ("tcp6", true),
    ] {
        match file(&format!("/proc/net/{name}")) {
            Ok(text) => rows.extend(text.lines().filter_map(|line| proc_row(line, is_tcp))),
            // A kernel without IPv6 has no such file.
            Err(_) if name.ends_with('6') => {}
            Err(why) => return Err(why),
        }
    }
    let all_of_v4: Vec<(bool, u16)> = rows
        .iter()
        .filter(|row| row.local.ip() == Ipv4Addr::UNSPECIFIED)
        .map(|row| (row.is_tcp, row.local.port()))
        .collect();
    for row in &mut rows {
        row.v6_only = all_of_v4.contains(&(row.is_tcp, row.local.port()));
    }
    Ok(rows)
}

/// `sl local_address rem_address st tx_queue:rx_queue …` (kernel: Documentation/networking/proc_net_tcp)
fn proc_row(line: &str, is_tcp: bool) -> Option<Row> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let local = proc_address(words.next()?)?;
    let state = u8::from_str_radix(words.nth(1)?, 16).ok()?;
    let (_, waiting) = words.next()?.split_once(':')?;
    let waits = if is_tcp { LISTEN } else { CLOSE };
    (state == waits).then_some(Row {
        is_tcp,
        local,
        v6_only: false,
        waiting: u32::from_str_radix(waiting, 16).ok()?,
        backlog: 0,
    })
}

/// `0100007F:0050`: words of 32 bits in the byte order of the machine, and the port.
fn proc_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        let digits = address.get(at * 8..at * 8 + 8)?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    let ip = match address.len() {
        8 => IpAddr::from(word(0)?),
        32 => {
            let mut bytes = [0; 16];
            for (at, room) in bytes.chunks_exact_mut(4).enumerate() {
                room.copy_from_slice(&word(at)?);
            }
            IpAddr::from(bytes)
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

// === impl Row ===

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (netid, state) = if self.is_tcp {
            ("tcp", "LISTEN")
        } else {
            ("udp", "UNCONN")
        };
        let Self {
            waiting, backlog, ..
        } = self;
        write!(f, "{netid} {state} {waiting} {backlog} ")?;
        let port = self.local.port();
        match self.local.ip() {
            IpAddr::V4(ip) => write!(f, "{ip}:{port} 0.0.0.0:*"),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) if !self.v6_only => write!(f, "*:{port} *:*"),
            IpAddr::V6(ip) => write!(f, "[{ip}]:{port} [::]:*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_proc_prints() {
        let tcp = "   0: 0100007F:2369 00000000:0000 0A 00000000:00000002 00:00000000 00000000  0        0 1 1";
        let row = proc_row(tcp, true).unwrap();
        assert_eq!(row.to_string(), "tcp LISTEN 2 0 127.0.0.1:9065 0.0.0.0:*");
        let connected = tcp.replace(" 0A ", " 01 ");
        assert_eq!(proc_row(&connected, true), None);
        let all = "1: 00000000000000000000000000000000:0035 00000000000000000000000000000000:0000 07 0:0 x";
        let row = proc_row(all, false).unwrap();
        assert_eq!(row.to_string(), "udp UNCONN 0 0 *:53 *:*");
        let own = all.replacen(&"0".repeat(32), "00000000000000000000000001000000", 1);
        let row = proc_row(&own, false).unwrap();
        assert_eq!(row.to_string(), "udp UNCONN 0 0 [::1]:53 [::]:*");
        for bad in ["", "sl local_address rem_address st", "0: 1:1 0:0 0A 0:0"] {
            assert_eq!(proc_row(bad, true), None, "{bad}");
        }
    }
}
