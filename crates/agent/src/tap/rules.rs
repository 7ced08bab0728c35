//! Which rules of nf_tables a packet of the probe meets: `nftrace` (nft(8)).
//!
//! ```text
//!  table of our own ─► marked packets: nftrace 1 ─► the kernel tells of every rule they meet ─► TapRule
//! ```
//!
//! The table belongs to the socket that made it: whatever becomes of the agent, the kernel takes it away. Rules
//! that iptables wrote through nf_tables are told like any other; those of the legacy tables are not.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, socket,
};
use tokio::net::UdpSocket;

use super::nfnetlink::{Attributes as Written, Batch, HEADERS, TRACE, protocol, trace, transport};
use crate::netlink::{Attributes, numbers::AF_INET, numbers::AF_INET6};
use netpath_protocol::Protocol;
use netpath_protocol::tap::{MAGIC, Tap, TapRule};

/// The group of `NFNLGRP_NFTRACE` (9), as a bit.
const GROUP: u32 = 1 << 8;
/// Before connection tracking and all rules that somebody else may have (raw is -300).
const PRIORITY: i32 = -350;
/// linux/netfilter.h: `NF_INET_PRE_ROUTING`, `NF_INET_LOCAL_OUT`.
const HOOKS: [(&str, u32); 2] = [("prerouting", 0), ("output", 3)];
/// The kernel's messages of one packet fit.
const ROOM: usize = 64 * 1024;
/// linux/netlink.h: `NLMSG_ERROR`.
const ERROR: u16 = 2;

/// A running trace.
pub(super) struct Rules {
    /// The table lives as long as this.
    _owner: OwnedFd,
    heard: UdpSocket,
    table: String,
    /// Which flow a traced packet is of: the kernel shows its headers once.
    flows: BTreeMap<u32, u32>,
    protocol: Protocol,
}

// === impl Rules ===

impl Rules {
    /// Starts to trace the packets of a probe.
    ///
    /// # Errors
    /// Without NET_ADMIN, or where the kernel has no nf_tables or no tables with owners.
    pub(super) fn start(wanted: &Tap) -> io::Result<Self> {
        let heard = netlink(GROUP)?;
        let owner = netlink(0)?;
        let table = format!("netpath_{}_{}", wanted.mark, std::process::id());
        let batch = batch(&table, wanted);
        nix::sys::socket::send(
            owner.as_raw_fd(),
            &batch,
            nix::sys::socket::MsgFlags::empty(),
        )?;
        acknowledged(&owner)?;
        let heard = std::net::UdpSocket::from(heard);
        heard.set_nonblocking(true)?;
        Ok(Self {
            _owner: owner,
            heard: UdpSocket::from_std(heard)?,
            table,
            flows: BTreeMap::new(),
            protocol: wanted.protocol,
        })
    }

    /// Waits for what the kernel tells next.
    ///
    /// # Errors
    /// When the socket fails; what did not fit its buffer is lost.
    pub(super) async fn next(&mut self) -> io::Result<Vec<TapRule>> {
        let mut room = vec![0; ROOM];
        let length = self.heard.recv(&mut room).await?;
        let mut rest = room.get(..length).unwrap_or_default();
        let mut rules = Vec::new();
        while let Some((kind, message)) = cut(&mut rest) {
            if kind == TRACE {
                rules.extend(self.rule(message));
            }
        }
        Ok(rules)
    }

    fn rule(&mut self, message: &[u8]) -> Option<TapRule> {
        let family = *message.get(16)?;
        let all = Attributes::new(message.get(HEADERS..)?);
        let id = all.u32(6)?;
        if let Some(flow) = all.bytes(9).and_then(|header| self.flow(header)) {
            self.flows.insert(id, flow);
        }
        let table = all.text(1)?.to_owned();
        let verdict = self::verdict(all);
        let is_worth = table != self.table && !matches!(verdict.as_str(), "continue" | "break");
        is_worth.then(|| TapRule {
            family: family_name(family),
            table,
            chain: all.text(2).unwrap_or_default().to_owned(),
            handle: all.array(3).map(u64::from_be_bytes),
            verdict,
            flow: self.flows.get(&id).copied(),
            input: None,
            output: None,
            micros: 0,
        })
    }

    /// From the transport header, which goes with the first message about a packet.
    fn flow(&self, header: &[u8]) -> Option<u32> {
        let word = |at: usize| -> Option<u32> {
            let bytes = header.get(at..)?.first_chunk()?;
            Some(u32::from_be_bytes(*bytes))
        };
        match self.protocol {
            Protocol::Udp => word(12).map(|both| both & 0xffff),
            _ => match header.get(13)? & 0x12 {
                0x12 => word(8).map(|number| number.wrapping_sub(1)),
                _ => word(4),
            },
        }
    }
}

/// `drop`, `accept`, `jump KUBE-SERVICES`; linux/netfilter.h and nf_tables.h `nft_verdicts`.
fn verdict(all: Attributes<'_>) -> String {
    let own = all.within(5);
    let code = own.array(1).or_else(|| all.array(16));
    let to = own.text(2).unwrap_or_default();
    match code.map(i32::from_be_bytes) {
        Some(0) => "drop".to_owned(),
        Some(1) => "accept".to_owned(),
        Some(3) => "queue".to_owned(),
        Some(-1) => "continue".to_owned(),
        Some(-2) => "break".to_owned(),
        Some(-3) => format!("jump {to}"),
        Some(-4) => format!("goto {to}"),
        Some(-5) => "return".to_owned(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

/// linux/netfilter.h: `NFPROTO_…`.
fn family_name(family: u8) -> String {
    match family {
        1 => "inet".to_owned(),
        AF_INET => "ip".to_owned(),
        AF_INET6 => "ip6".to_owned(),
        5 => "netdev".to_owned(),
        7 => "bridge".to_owned(),
        other => other.to_string(),
    }
}

/// A socket of NETLINK_NETFILTER that hears some groups.
fn netlink(groups: u32) -> nix::Result<OwnedFd> {
    let protocol = SockProtocol::NetlinkNetFilter;
    let flags = SockFlag::SOCK_CLOEXEC;
    let opened = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol)?;
    bind(opened.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
    Ok(opened)
}

/// The table, its chains, and a rule for every kind of packet that is to be traced.
fn batch(table: &str, wanted: &Tap) -> Vec<u8> {
    let mut batch = Batch::new();
    batch.table(table);
    let mark = wanted.mark.to_be_bytes();
    let number = protocol(wanted.protocol.number());
    let mut rules: Vec<Vec<Written>> = Vec::new();
    match wanted.protocol {
        // The MSS is the first option of a SYN (filter.rs).
        Protocol::Tcp => {
            let option = [2, 4, mark[0], mark[1]];
            rules.push([number.clone(), transport(20, &option)].concat());
        }
        _ => rules.push([number.clone(), transport(8, &MAGIC), transport(12, &mark)].concat()),
    }
    // Answers, by both ports: few packets of others have them.
    for answerer in wanted.answerers.iter().take(4) {
        for port in &wanted.ports {
            let ports = [answerer.port().to_be_bytes(), port.to_be_bytes()].concat();
            rules.push([number.clone(), transport(0, &ports)].concat());
        }
    }
    for (chain, hook) in HOOKS {
        batch.chain(table, chain, hook, PRIORITY);
        for rule in &rules {
            batch.rule(table, chain, &[rule.as_slice(), &trace()].concat());
        }
    }
    batch.finish()
}

/// Reads what the kernel says to a batch, without waiting: it answers before the call that sends it returns.
fn acknowledged(owner: &OwnedFd) -> io::Result<()> {
    let flags = nix::sys::socket::MsgFlags::MSG_DONTWAIT;
    let mut room = vec![0; ROOM];
    loop {
        let length = match nix::sys::socket::recv(owner.as_raw_fd(), &mut room, flags) {
            Ok(length) => length,
            Err(nix::errno::Errno::EAGAIN) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let mut rest = room.get(..length).unwrap_or_default();
        while let Some((kind, message)) = cut(&mut rest) {
            let code = message.get(16..).and_then(|payload| payload.first_chunk());
            let code = code.map_or(0, |bytes| i32::from_ne_bytes(*bytes));
            if kind == ERROR && code != 0 {
                return Err(io::Error::from_raw_os_error(-code));
            }
        }
    }
}

/// Takes the first message off: its kind, and all of it.
fn cut<'a>(rest: &mut &'a [u8]) -> Option<(u16, &'a [u8])> {
    let length = u32::from_ne_bytes(*rest.first_chunk()?);
    let length = usize::try_from(length).ok()?.max(16);
    let message = rest.get(..length)?;
    let kind = u16::from_ne_bytes(*message.get(4..)?.first_chunk()?);
    *rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((kind, message))
}
