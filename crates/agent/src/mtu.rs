//! The largest packet that passes whole: many sizes at once, then the gap between what passed and
//! what did not.
//!
//! ```text
//!  576 … 1400 1420 1450 1480 1500 … interface   ─► passed ≤ 1450 < 1480 failed ─► gap ─► 1450
//! ```
//!
//! Echo requests are answered in full size, so that both directions are tried. Where the agent may not
//! send them, datagrams to the port do, which a host answers with "port unreachable": seldom enough
//! that only a few sizes can be tried (kernels limit such answers to one a second after the first six).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures::future::join_all;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::IpMtu;
use socket2::{Protocol, Type};

use super::datagram::{Reply, exchange_over};
use super::echo::{HEADER, Pinger};
use super::facts::Links;
use super::socket::{connected, keep_whole};
use netpath_protocol::{Failure, IcmpError, MtuReply, Outcome};

/// MTUs of usual networks, and what usual tunnels leave of them.
const SIZES: [u32; 15] = [
    576, 1000, 1280, 1300, 1350, 1380, 1400, 1420, 1440, 1450, 1480, 1500, 4000, 8950, 9000,
];
/// The few of them that datagrams are tried with.
const FEW: [u32; 5] = [1280, 1400, 1450, 1500, 9000];
/// How many sizes divide a gap at once, and how often that is done.
const CUTS: u32 = 15;
const ROUNDS: usize = 2;

/// How packets are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Echo,
    Datagram,
}

/// What became of one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Passed,
    Vanished,
    /// Somebody said that it is too large: a router, or this host itself.
    TooLarge {
        by: Option<IpAddr>,
    },
}

/// Finds the largest packet that passes to an address.
pub(super) async fn path_mtu(to: SocketAddr, patience: Duration) -> Outcome {
    let way = match Pinger::open(to.ip()) {
        Ok(_) => Way::Echo,
        Err(_) => Way::Datagram,
    };
    let interface = interface(to);
    let mut reply = MtuReply {
        interface,
        passed: None,
        failed: None,
        said_so: false,
        by: None,
        unknown: None,
    };
    let all: &[u32] = if way == Way::Echo { &SIZES } else { &FEW };
    let fits = |size: &u32| interface.is_none_or(|mtu| *size <= mtu);
    let mut sizes: Vec<u32> = all.iter().copied().filter(fits).collect();
    if let Some(mtu) = interface.filter(|mtu| *mtu <= SIZES[14] && !sizes.contains(mtu)) {
        sizes.push(mtu);
    }
    try_all(&mut reply, way, to, &sizes, patience).await;
    // A packet that got lost by chance is no limit.
    if let (Some(passed), Some(_)) = (reply.passed, reply.failed.take()) {
        sizes.retain(|size| *size > passed);
        try_all(&mut reply, way, to, &sizes, patience).await;
    }
    if way == Way::Echo {
        for _ in 0..ROUNDS {
            let (Some(passed), Some(failed)) = (reply.passed, reply.failed) else {
                break;
            };
            let gap = failed - passed;
            let sizes: Vec<u32> = (1..CUTS)
                .map(|cut| passed + gap * cut / CUTS)
                .filter(|size| (passed + 1..failed).contains(size))
                .collect();
            if sizes.is_empty() {
                break;
            }
            try_all(&mut reply, way, to, &sizes, patience).await;
        }
    }
    if reply.passed.is_none() {
        reply.failed = None;
        let kind = if way == Way::Echo {
            "echo requests"
        } else {
            "datagrams"
        };
        reply.unknown = Some(format!(
            "{kind} of no size are answered, so nothing can be told"
        ));
    }
    Outcome::PathMtu(reply)
}

/// Sends packets of all sizes at once, and narrows what is known.
async fn try_all(
    reply: &mut MtuReply,
    way: Way,
    to: SocketAddr,
    sizes: &[u32],
    patience: Duration,
) {
    let fates = join_all(sizes.iter().map(|size| fate(way, to, *size, patience))).await;
    let told: Vec<(u32, Fate)> = sizes.iter().copied().zip(fates).collect();
    let passed = told.iter().filter(|(_, fate)| *fate == Fate::Passed);
    reply.passed = passed.map(|(size, _)| *size).chain(reply.passed).max();
    let above = |size: &u32| reply.passed.is_none_or(|passed| *size > passed);
    let failed = told
        .iter()
        .filter(|(size, fate)| *fate != Fate::Passed && above(size))
        .min_by_key(|(size, _)| *size);
    reply.failed = failed
        .map(|(size, _)| *size)
        .into_iter()
        .chain(reply.failed)
        .min();
    for (_, fate) in &told {
        if let Fate::TooLarge { by } = fate {
            reply.said_so = true;
            reply.by = reply.by.or(*by);
        }
    }
}

async fn fate(way: Way, to: SocketAddr, size: u32, patience: Duration) -> Fate {
    let ip = if to.is_ipv4() { 20 } else { 40 };
    let length = (size as usize).saturating_sub(ip);
    let reply = match way {
        Way::Echo => match Pinger::open(to.ip()) {
            Ok(pinger) if pinger.keep_whole(to.ip()).is_ok() => pinger.ask(length, patience).await,
            _ => return Fate::Vanished,
        },
        Way::Datagram => match connected(to, Type::DGRAM, Protocol::UDP) {
            Ok(socket) if keep_whole(&socket, to.ip()).is_ok() => {
                let payload = vec![0; length.saturating_sub(HEADER)];
                exchange_over(&socket, &payload, patience, |_| true, |_| true).await
            }
            _ => return Fate::Vanished,
        },
    };
    judge(to.ip(), &reply)
}

fn judge(to: IpAddr, reply: &Reply) -> Fate {
    let by = reply.icmp.map(|icmp| icmp.from);
    let is_port = |icmp: IcmpError| icmp.from == to && icmp.words() == "port unreachable";
    match &reply.answer {
        Ok(_) => Fate::Passed,
        Err(Failure::Refused) if reply.icmp.is_none_or(is_port) => Fate::Passed,
        Err(_) if reply.mtu.is_some() => Fate::TooLarge { by },
        Err(Failure::Other { text }) if text == "EMSGSIZE" => Fate::TooLarge { by },
        Err(_) => Fate::Vanished,
    }
}

/// The largest packet that is sent to an address: the MTU of the interface it leaves by, or a smaller one that
/// its route has (CNIs with tunnels set it there and leave the interface at 1500).
fn interface(to: SocketAddr) -> Option<u32> {
    let socket = connected(to, Type::DGRAM, Protocol::UDP).ok()?;
    let local = socket.local_addr().ok()?.ip();
    let of_link = Links::read().ok()?.mtu_at(local);
    let of_route = getsockopt(&socket, IpMtu).ok().filter(|_| to.is_ipv4());
    let of_route = of_route
        .and_then(|mtu| u32::try_from(mtu).ok())
        .filter(|mtu| *mtu > 0);
    of_link.into_iter().chain(of_route).min()
}
