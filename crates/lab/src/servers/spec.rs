//! Which servers a pod has: from its annotation, else from what its containers run.
//!
//! The annotation `lab.netpath/servers` is a list: `http:80, udp:53 echo, tls:443 cert=expired,
//! tcp:9 hang, tcp:8080 echo listen=127.0.0.1`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::Container;

use crate::pki::Flaw;

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub port: u16,
    /// All addresses of both families where it says nothing.
    pub listen: Option<IpAddr>,
    /// How long it thinks before it answers.
    pub delay_ms: u64,
    pub kind: Kind,
}

/// What a server does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// TCP: sends back what comes.
    Echo,
    /// TCP: says the pod's name and closes.
    Hostname,
    /// TCP: sends a megabyte and swallows what comes.
    Bulk,
    /// TCP: accepts and never says anything.
    Hang,
    /// TCP: accepts and resets.
    Reset,
    /// TCP: listens, but its queue is full and nobody accepts.
    Full,
    /// HTTP as agnhost's netexec, or a fixed status.
    Http {
        status: Option<u16>,
        server: Option<String>,
    },
    /// The same behind TLS.
    Tls { flaw: Flaw },
    /// HTTP: these pages, by path with status and text; anything else is 404.
    Pages(BTreeMap<String, (u16, String)>),
    /// UDP: sends back what comes; `from` another address than it was asked on.
    UdpEcho { from: Option<IpAddr> },
    /// UDP as agnhost's netexec.
    UdpNetExec,
    /// UDP: swallows what comes.
    UdpSilent,
}

/// Reads the annotation.
pub fn parse_list(text: &str) -> Result<Vec<Server>> {
    let items = text
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty());
    items
        .map(|item| parse(item).with_context(|| format!("server {item:?}")))
        .collect()
}

fn parse(item: &str) -> Result<Server> {
    let mut words = item.split_whitespace();
    let (protocol, port) = words
        .next()
        .and_then(|word| word.split_once(':'))
        .context("PROTOCOL:PORT is missing")?;
    let mut server = Server {
        port: port.parse()?,
        listen: None,
        delay_ms: 0,
        kind: default_kind(protocol)?,
    };
    for word in words {
        apply(&mut server, protocol, word)?;
    }
    Ok(server)
}

fn default_kind(protocol: &str) -> Result<Kind> {
    Ok(match protocol {
        "tcp" => Kind::Echo,
        "udp" => Kind::UdpEcho { from: None },
        "http" => Kind::Http {
            status: None,
            server: None,
        },
        "tls" => Kind::Tls { flaw: Flaw::None },
        other => bail!("{other}: no such protocol (tcp, udp, http, tls)"),
    })
}

fn apply(server: &mut Server, protocol: &str, word: &str) -> Result<()> {
    let (name, value) = word.split_once('=').unwrap_or((word, ""));
    match (protocol, name, &mut server.kind) {
        ("tcp", "echo", kind) => *kind = Kind::Echo,
        ("tcp", "hostname", kind) => *kind = Kind::Hostname,
        ("tcp", "bulk", kind) => *kind = Kind::Bulk,
        ("tcp", "hang", kind) => *kind = Kind::Hang,
        ("tcp", "reset", kind) => *kind = Kind::Reset,
        ("tcp", "full", kind) => *kind = Kind::Full,
        ("udp", "echo", _) => {}
        ("udp", "netexec", kind) => *kind = Kind::UdpNetExec,
        ("udp", "silent", kind) => *kind = Kind::UdpSilent,
        ("udp", "from", Kind::UdpEcho { from }) => *from = Some(value.parse()?),
        ("http", "status", Kind::Http { status, .. }) => *status = Some(value.parse()?),
        ("http", "server", Kind::Http { server, .. }) => *server = Some(value.to_owned()),
        ("tls", "cert", Kind::Tls { flaw }) => {
            *flaw = match value {
                "ok" => Flaw::None,
                "expired" => Flaw::Expired,
                "notyet" => Flaw::NotYet,
                "wrongname" => Flaw::WrongName,
                "selfsigned" => Flaw::SelfSigned,
                _ => bail!("{value}: no such flaw (ok, expired, notyet, wrongname, selfsigned)"),
            }
        }
        (_, "listen", _) => server.listen = Some(value.parse()?),
        (_, "delay", _) => server.delay_ms = milliseconds(value)?,
        _ => bail!("{word}: not understood"),
    }
    Ok(())
}

/// `250ms` or `5s`.
fn milliseconds(text: &str) -> Result<u64> {
    if let Some(number) = text.strip_suffix("ms") {
        return Ok(number.parse()?);
    }
    let seconds: u64 = text
        .strip_suffix('s')
        .context("a time is 250ms or 5s")?
        .parse()?;
    Ok(seconds * 1000)
}

/// The servers of a container whose command is known, or `None` where only running it would tell.
/// A known program that serves nothing (`sleep`) has none.
pub fn of_container(container: &Container) -> Option<Vec<Server>> {
    let image = container.image.as_deref().unwrap_or_default();
    let command = container
        .command
        .iter()
        .flatten()
        .chain(container.args.iter().flatten());
    let words: Vec<&str> = command.map(String::as_str).collect();
    let program = words
        .first()
        .map_or("", |word| word.rsplit('/').next().unwrap_or(word));
    match program {
        "netexec" => Some(netexec(&words)),
        "agnhost" if words.get(1) == Some(&"netexec") => Some(netexec(&words)),
        "pause" | "sleep" | "kube-proxy" => Some(Vec::new()),
        "httpd" => Some(vec![httpd(&words)]),
        "nc" => netcat(&words),
        "" if image.contains("nginx") => Some(vec![http(80)]),
        "" | "-conf" if ["coredns", "pause"].iter().any(|one| image.contains(one)) => {
            Some(Vec::new())
        }
        _ => None,
    }
}

fn netexec(words: &[&str]) -> Vec<Server> {
    let flag = |name: &str, default: i32| {
        let given = words.iter().find_map(|word| {
            word.strip_prefix("--")?
                .strip_prefix(name)?
                .strip_prefix('=')
        });
        given
            .and_then(|value| value.parse().ok())
            .unwrap_or(default)
    };
    let listen = words
        .iter()
        .find_map(|word| word.strip_prefix("--http-listen-address="));
    let mut servers = Vec::new();
    if let Ok(port) = u16::try_from(flag("http-port", 8080)) {
        let listen = listen.and_then(|address| address.parse().ok());
        servers.push(Server {
            listen,
            ..http(port)
        });
    }
    if let Ok(port) = u16::try_from(flag("udp-port", 8081)) {
        servers.push(Server {
            kind: Kind::UdpNetExec,
            ..http(port)
        });
    }
    servers
}

/// busybox: `httpd -f -p [ADDRESS:]PORT`.
fn httpd(words: &[&str]) -> Server {
    let given = words
        .iter()
        .skip_while(|word| **word != "-p")
        .nth(1)
        .copied()
        .unwrap_or("80");
    let (listen, port) = match given.rsplit_once(':') {
        Some((address, port)) => (address.parse().ok(), port),
        None => (None, given),
    };
    Server {
        listen,
        // Its folder is empty.
        kind: Kind::Http {
            status: Some(404),
            server: None,
        },
        ..http(port.parse().unwrap_or(80))
    }
}

/// `nc -lk -p PORT` and `nc -l PORT`: takes connections and says nothing.
fn netcat(words: &[&str]) -> Option<Vec<Server>> {
    if !words
        .iter()
        .any(|word| word.starts_with('-') && word.contains('l'))
    {
        return None;
    }
    let port = words.iter().find_map(|word| word.parse().ok())?;
    let udp = words
        .iter()
        .any(|word| word.starts_with('-') && word.contains('u'));
    let kind = if udp { Kind::UdpSilent } else { Kind::Hang };
    Some(vec![Server { kind, ..http(port) }])
}

/// A plain site.
pub const fn http(port: u16) -> Server {
    Server {
        port,
        listen: None,
        delay_ms: 0,
        kind: Kind::Http {
            status: None,
            server: None,
        },
    }
}
