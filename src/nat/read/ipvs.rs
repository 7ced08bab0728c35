//! `ipvsadm-save -n`: virtual servers and the real servers behind them.

use std::net::{IpAddr, SocketAddr};

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

/// Reads the commands that `ipvsadm-save -n` prints. Firewall-mark servers (`-f`) and lines that are
/// no command are passed over.
#[must_use]
pub fn virtual_servers(text: &str) -> Vec<VirtualServer> {
    let mut servers: Vec<VirtualServer> = Vec::new();
    for line in text.lines() {
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
