//! `ipvsadm-save -n` and `ipvsadm -Ln`: virtual servers and the real servers behind them.

use std::net::{IpAddr, SocketAddr};

use super::{BadDump, ipvs_listing as listing};
use crate::net::Protocol;

/// A virtual server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualServer {
    pub protocol: Protocol,
    pub address: SocketAddr,
    /// `rr`, `lc`, `sh` …
    pub scheduler: String,
    /// Session affinity, in seconds.
    pub persistence: Option<u32>,
    pub real_servers: Vec<RealServer>,
}

/// A real server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RealServer {
    pub address: SocketAddr,
    /// 0: finishes what it has, takes nothing new.
    pub weight: u32,
    /// `-m`: by translation, the only way kube-proxy uses; else by tunnel or direct routing.
    pub masquerades: bool,
}

/// Reads what was gathered of IPVS: `ipvsadm-save -n`, or the listing `ipvsadm -Ln`. No text at all is
/// no virtual server.
///
/// # Errors
/// When it is neither, names stand for addresses (`-n` is missing), or weights are not shown.
pub fn read_ipvs(text: &str) -> Result<Vec<VirtualServer>, BadDump> {
    let bad = |message: &str| BadDump {
        tool: "ipvsadm-save -n",
        message: message.to_owned(),
    };
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let is_statistic = |line: &str| line.starts_with("Prot") && !line.contains("Scheduler");
    if lines().any(is_statistic) {
        return Err(bad("statistics do not show weights"));
    }
    let is_server = |line: &str| {
        let first = line.split_ascii_whitespace().next().unwrap_or_default();
        ["-A", "--add-service", "TCP", "UDP", "SCTP", "FWM"].contains(&first)
    };
    let is_marked = |line: &str| line.contains(" -f ") || line.starts_with("FWM");
    let is_read = |line: &str| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        listing::service(line).is_some() || service(&words).is_some()
    };
    if lines().any(|line| is_server(line) && !is_marked(line) && !is_read(line)) {
        return Err(bad("names stand for addresses or ports"));
    }
    let is_known = |line: &str| is_server(line) || line.starts_with("IP Virtual Server");
    if lines().next().is_some() && !lines().any(is_known) {
        return Err(bad("no line is a virtual server"));
    }
    Ok(virtual_servers(text))
}

/// Reads the commands that `ipvsadm-save -n` prints, or the listing of `ipvsadm -Ln`. Firewall-mark
/// servers (`-f`) and lines that are neither are passed over.
#[must_use]
pub fn virtual_servers(text: &str) -> Vec<VirtualServer> {
    let mut servers: Vec<VirtualServer> = Vec::new();
    // In a listing: whether real servers belong to the last virtual server that was taken.
    let mut is_open = false;
    for line in text.lines() {
        if let Some(server) = listing::service(line) {
            servers.push(server);
            is_open = true;
            continue;
        }
        if let Some(real) = listing::real_server(line) {
            if let Some(server) = servers.last_mut().filter(|_| is_open) {
                server.real_servers.push(real);
            }
            continue;
        }
        is_open = is_open && line.trim().is_empty();
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let Some((protocol, address)) = service(&words) else {
            continue;
        };
        let option = |names: [&str; 2]| {
            let at = words.iter().position(|word| names.contains(word))?;
            words.get(at + 1).copied()
        };
        match words[0] {
            "-A" | "--add-service" => servers.push(VirtualServer {
                protocol,
                address,
                scheduler: option(["-s", "--scheduler"]).unwrap_or("wlc").to_owned(),
                persistence: option(["-p", "--persistent"]).and_then(|secs| secs.parse().ok()),
                real_servers: Vec::new(),
            }),
            "-a" | "--add-server" => {
                let server = servers
                    .iter_mut()
                    .rev()
                    .find(|server| server.protocol == protocol && server.address == address);
                let real = option(["-r", "--real-server"]).and_then(|text| text.parse().ok());
                if let (Some(server), Some(real)) = (server, real) {
                    server.real_servers.push(RealServer {
                        address: real,
                        weight: option(["-w", "--weight"])
                            .and_then(|weight| weight.parse().ok())
                            .unwrap_or(1),
                        masquerades: words
                            .iter()
                            .any(|word| *word == "-m" || *word == "--masquerading"),
                    });
                }
            }
            _ => {}
        }
    }
    servers
}

/// `-t 10.0.0.1:80` and the like.
fn service(words: &[&str]) -> Option<(Protocol, SocketAddr)> {
    let [_, kind, address, ..] = words else {
        return None;
    };
    let protocol = match *kind {
        "-t" | "--tcp-service" => Protocol::Tcp,
        "-u" | "--udp-service" => Protocol::Udp,
        "--sctp-service" => Protocol::Sctp,
        _ => return None,
    };
    Some((protocol, address.parse().ok()?))
}

// === impl VirtualServer ===

impl VirtualServer {
    /// Whether a packet to this address and port is for it.
    #[must_use]
    pub fn takes(&self, protocol: Protocol, ip: IpAddr, port: u16) -> bool {
        self.protocol == protocol && self.address == SocketAddr::new(ip, port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_with_their_real_servers() {
        let text = "-A -t 10.20.30.41:80 -s rr -p 10800\n-a -t 10.20.30.41:80 -r 10.180.0.1:80 -m -w 0\n\
            -A --sctp-service [fd00::1]:80 -s rr\n-a -t 9.9.9.9:1 -r 1.1.1.1:1 -m -w 1\nIP Virtual Server\n";
        let servers = virtual_servers(text);
        assert_eq!(servers.len(), 2);
        assert_eq!(servers[0].persistence, Some(10800));
        assert_eq!(servers[0].real_servers[0].weight, 0);
        assert!(servers[0].real_servers[0].masquerades);
        assert_eq!(servers[1].protocol, Protocol::Sctp);
    }
}
