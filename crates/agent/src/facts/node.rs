//! The facts of the node whose network the agent is in.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::links::Links;
use super::neighbours::{forwarding_json, neighbours_json};
use super::post::{Post, file};
use super::routes::{routes_json, rules_json};
use super::sockets;
use super::sysctl::sysctls;
use super::tools::{Tool, Toolbox};
use netpath_protocol::Family;

/// kube-proxy tells its mode here (KubeProxyConfiguration `metricsBindAddress`, default port).
const PROXY: ([u8; 4], u16) = ([127, 0, 0, 1], 10249);

/// What connection tracking counts, where the kernel was built to show it.
const COUNTERS: &str = "/proc/net/stat/nf_conntrack";

/// Rules that only tools print. iptables of today comes in two builds; the one for nf_tables is asked
/// by name, since the plain name may stand for either.
const RULES: [(&str, &[Tool]); 4] = [
    (
        "iptables-save.txt",
        &[&["iptables-nft-save", "-c"], &["iptables-save", "-c"]],
    ),
    (
        "ip6tables-save.txt",
        &[&["ip6tables-nft-save", "-c"], &["ip6tables-save", "-c"]],
    ),
    ("nft-ruleset.json", &[&["nft", "-j", "list", "ruleset"]]),
    ("ipset-save.txt", &[&["ipset", "save"]]),
];

/// Gathers them all; connections only of some addresses, if any are given.
pub(super) fn gather(post: &Post, addresses: &[IpAddr], deadline: Instant) {
    let counted = file(COUNTERS);
    kernel(post);
    post.send("sysctl.txt", sysctls());
    post.send("sockets.txt", sockets::listening());
    post.send("proxy-mode.txt", proxy_mode());
    let tools = Toolbox::new(deadline);
    for (file, tool) in RULES {
        tools.send(post, file, tool, |_| true);
    }
    // These exist only where something uses them, and asking must not load a kernel module.
    if file("/proc/net/ip_tables_names").is_ok_and(|names| !names.trim().is_empty()) {
        let tool: &[Tool] = &[&["iptables-legacy-save", "-c"]];
        tools.send(post, "iptables-legacy-save.txt", tool, |_| true);
    }
    if file("/proc/net/ip_vs").is_ok() {
        let tool: &[Tool] = &[&["ipvsadm-save", "-n"], &["ipvsadm", "-S", "-n"]];
        tools.send(post, "ipvsadm-save.txt", tool, |_| true);
    }
    connections(post, &tools, addresses);
    // Counters tell by their growth alone: they are read at the beginning and at the end.
    if let (Ok(before), Ok(after)) = (counted, file(COUNTERS)) {
        post.send("conntrack-stat.txt", Ok(before + &after));
    }
    tools.send_if_any(post, "bpf-net.json", &["bpftool", "-j", "net"]);
}

/// What rtnetlink tells.
fn kernel(post: &Post) {
    let links = match Links::read() {
        Ok(links) => links,
        Err(why) => return post.missing("ip-addr.json", why),
    };
    let names = links.names();
    post.send("ip-addr.json", Ok(links.addresses_json()));
    post.send("bridge-link.json", Ok(links.bridge_ports_json()));
    let list = |list: Result<Vec<Value>, String>| list.map(|all| Value::Array(all).to_string());
    post.send("ip-route.json", list(routes_json(Family::V4, &names)));
    post.send("ip6-route.json", list(routes_json(Family::V6, &names)));
    post.send("ip-rule.json", list(rules_json(Family::V4)));
    post.send("ip-neigh.json", neighbours_json(&names));
    post.send("bridge-fdb.json", forwarding_json(&names));
}

/// The connections the node remembers, of some addresses or of all.
fn connections(post: &Post, tools: &Toolbox, addresses: &[IpAddr]) {
    let wanted: Vec<String> = addresses.iter().map(|ip| format!("={ip} ")).collect();
    let keep = |line: &str| wanted.is_empty() || wanted.iter().any(|ip| line.contains(ip));
    if let Ok(text) = file("/proc/net/nf_conntrack") {
        post.text("conntrack.txt", &text, keep);
    } else {
        let tool: &[Tool] = &[&["conntrack", "-L", "-o", "extended"]];
        tools.send(post, "conntrack.txt", tool, keep);
    }
}

/// `iptables`, `nftables`, `ipvs`.
fn proxy_mode() -> Result<String, String> {
    let address = SocketAddr::from(PROXY);
    let patience = Duration::from_millis(500);
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, patience)?;
        stream.set_read_timeout(Some(patience))?;
        stream.write_all(b"GET /proxyMode HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        let mut answer = String::new();
        stream.take(4096).read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = ask().map_err(|error| format!("kube-proxy at {address}: {error}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if head.split(' ').nth(1) == Some("200") {
        Ok(body.trim().to_owned())
    } else {
        let status = head.lines().next().unwrap_or_default();
        Err(format!("kube-proxy at {address}: {status}"))
    }
}
