//! Listening sockets, in the form of `ss -Htuln`.
//!
//! ```text
//!  sock_diag, or /proc/net/{tcp,tcp6,udp,udp6} ─► Listener ─► `tcp LISTEN 0 4096 127.0.0.1:9080 0.0.0.0:*`
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::post::file;
use crate::diag::{self, Listener};

/// States of a socket (net/tcp_states.h); UDP sockets that wait for anybody are "closed".
const LISTEN: u8 = 10;
const CLOSE: u8 = 7;

/// What waits for connections and datagrams in this network namespace.
///
/// # Errors
/// When the kernel tells nothing, in words.
pub(super) fn listening() -> Result<String, String> {
    // A kernel without these modules, or a sandbox that plays kernel, still has /proc.
    let mut rows = diag::listening().or_else(|_| from_proc())?;
    rows.sort_by_key(|row| (row.is_tcp, row.local.is_ipv6(), row.local.port()));
    let lines: Vec<String> = rows.iter().map(line).collect();
    Ok(lines.join("\n") + "\n")
}

/// /proc tells neither the backlog nor whether an IPv6 socket takes IPv4. The latter is guessed: it
/// does, unless the port has a socket for all of IPv4 as well, which it then could not have.
fn from_proc() -> Result<Vec<Listener>, String> {
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
fn proc_row(line: &str, is_tcp: bool) -> Option<Listener> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let local = proc_address(words.next()?)?;
    let state = u8::from_str_radix(words.nth(1)?, 16).ok()?;
    let (_, waiting) = words.next()?.split_once(':')?;
    let waits = if is_tcp { LISTEN } else { CLOSE };
    (state == waits).then_some(Listener {
        is_tcp,
        local,
        interface: None,
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

fn line(row: &Listener) -> String {
    let (netid, state) = if row.is_tcp {
        ("tcp", "LISTEN")
    } else {
        ("udp", "UNCONN")
    };
    let Listener {
        waiting, backlog, ..
    } = row;
    let interface = row.interface.as_deref();
    let interface = interface.map_or(String::new(), |name| format!("%{name}"));
    let port = row.local.port();
    let ends = match row.local.ip() {
        IpAddr::V4(ip) => format!("{ip}{interface}:{port} 0.0.0.0:*"),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) if !row.v6_only => format!("*{interface}:{port} *:*"),
        IpAddr::V6(ip) => format!("[{ip}]{interface}:{port} [::]:*"),
    };
    format!("{netid} {state} {waiting} {backlog} {ends}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_proc_prints() {
        let proc_tcp = "   0: 0100007F:2369 00000000:0000 0A 00000000:00000002 00:00000000 00000000  0        0 1 1";
        let row = proc_row(proc_tcp, true).unwrap();
        assert_eq!(line(&row), "tcp LISTEN 2 0 127.0.0.1:9065 0.0.0.0:*");
        let connected = proc_tcp.replace(" 0A ", " 01 ");
        assert_eq!(proc_row(&connected, true), None);
        let all = "1: 00000000000000000000000000000000:0035 00000000000000000000000000000000:0000 07 0:0 x";
        let row = proc_row(all, false).unwrap();
        assert_eq!(line(&row), "udp UNCONN 0 0 *:53 *:*");
        let own = all.replacen(&"0".repeat(32), "00000000000000000000000001000000", 1);
        let row = proc_row(&own, false).unwrap();
        assert_eq!(line(&row), "udp UNCONN 0 0 [::1]:53 [::]:*");
        for bad in ["", "sl local_address rem_address st", "0: 1:1 0:0 0A 0:0"] {
            assert_eq!(proc_row(bad, true), None, "{bad}");
        }
    }
}
