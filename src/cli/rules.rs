//! `kubectl netpath rules`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::net::{Protocol, UnknownProtocol};

/// Walk a packet through a rule dump, offline; or compare the dump with the Services.
#[derive(Debug, Args)]
pub struct RulesArgs {
    /// A dump of iptables-save or ip6tables-save; may be given several times.
    #[arg(long, value_name = "FILE", help_heading = "Dumps")]
    pub iptables: Vec<PathBuf>,
    /// The listing of nft -j list ruleset.
    #[arg(long, value_name = "FILE", help_heading = "Dumps")]
    pub nft: Vec<PathBuf>,
    /// The output of ipset save.
    #[arg(long, value_name = "FILE", help_heading = "Dumps")]
    pub ipset: Option<PathBuf>,
    /// The output of ipvsadm-save -n.
    #[arg(long, value_name = "FILE", help_heading = "Dumps")]
    pub ipvs: Option<PathBuf>,
    /// The addresses of the host, where --addr is not at hand; loopback is always one.
    #[arg(
        long,
        value_name = "ADDR",
        value_delimiter = ',',
        help_heading = "Dumps"
    )]
    pub local: Vec<IpAddr>,
    /// The output of ip -j addr.
    #[arg(long, value_name = "FILE", help_heading = "Dumps")]
    pub addr: Option<PathBuf>,
    /// The output of ip -j route show table all; once for each family.
    #[arg(long, value_name = "FILE", help_heading = "Dumps")]
    pub route: Vec<PathBuf>,
    /// The output of ip -j rule.
    #[arg(long, value_name = "FILE", help_heading = "Dumps")]
    pub route_rules: Option<PathBuf>,
    /// Take all of them from a snapshot folder instead; needs --node.
    #[arg(long, value_name = "PATH", requires = "node", help_heading = "Dumps",
        conflicts_with_all = ["iptables", "nft", "ipset", "ipvs", "local", "addr", "route", "route_rules"])]
    pub snapshot: Option<PathBuf>,
    /// The node whose rules they are.
    #[arg(long, value_name = "NAME", help_heading = "Dumps")]
    pub node: Option<String>,

    /// Questions as JSON lines, - for standard input; answers come as JSON lines.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "to"], help_heading = "Packets")]
    pub packets: Option<PathBuf>,
    /// The source of a single packet, with or without a port.
    #[arg(long, value_name = "ADDR[:PORT]", value_parser = source, requires = "to", help_heading = "Packets")]
    pub from: Option<(IpAddr, Option<u16>)>,
    /// The destination of a single packet.
    #[arg(
        long,
        value_name = "ADDR:PORT",
        requires = "from",
        help_heading = "Packets"
    )]
    pub to: Option<SocketAddr>,
    /// tcp, udp or sctp.
    #[arg(long, value_name = "PROTOCOL", default_value = "tcp", help_heading = "Packets",
        value_parser = |text: &str| text.parse::<Protocol>().map_err(|bad: UnknownProtocol| bad.to_string()))]
    pub protocol: Protocol,
    /// The interface it comes in by; without it, the packet is created on this host.
    #[arg(long = "in", value_name = "IFACE", help_heading = "Packets")]
    pub in_interface: Option<String>,
    /// Its length in bytes, for rules that ask.
    #[arg(long, value_name = "BYTES", help_heading = "Packets")]
    pub length: Option<u32>,

    /// List every difference between the rules and the Services.
    #[arg(long, conflicts_with_all = ["packets", "from", "to"], help_heading = "Comparison")]
    pub drift: bool,
    /// Services, EndpointSlices and Nodes, as kubectl get -o yaml prints them.
    #[arg(long, value_name = "FILE", help_heading = "Comparison")]
    pub objects: Option<PathBuf>,
    /// How to print the answer about one packet, or the differences.
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: RulesFormat,
}

/// The forms of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum RulesFormat {
    /// For people.
    #[default]
    Text,
    /// JSON lines.
    Json,
}

fn source(text: &str) -> Result<(IpAddr, Option<u16>), String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok((address, None));
    }
    text.parse::<SocketAddr>()
        .map(|socket| (socket.ip(), Some(socket.port())))
        .map_err(|_| format!("{text:?} is not an address or ADDRESS:PORT"))
}
