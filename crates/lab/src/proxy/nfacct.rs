//! The kernel counters that `-m nfacct` rules name. kube-proxy makes them over netlink, as no tool
//! for them need be there.

use std::os::fd::AsRawFd;

use anyhow::{Context, Result, bail};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, sendto,
    socket,
};

/// What kube-proxy counts.
const COUNTERS: [&str; 2] = [
    "ct_state_invalid_dropped_pkts",
    "localhost_nps_accepted_pkts",
];

/// `(NFNL_SUBSYS_ACCT << 8) | NFNL_MSG_ACCT_NEW`, `linux/netfilter/nfnetlink_acct.h`.
const ACCT_NEW: u16 = 7 << 8;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_CREATE: u16 = 0x400;
const NFACCT_NAME: u16 = 1;
/// Length of `struct nlmsghdr` and `struct nfgenmsg`.
const HEADER: usize = 20;

/// Makes the counters in the namespace of the calling thread. Fails where the kernel has none.
pub fn create() -> Result<()> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkNetFilter,
    )?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
    for name in COUNTERS {
        sendto(
            socket.as_raw_fd(),
            &request(name),
            &NetlinkAddr::new(0, 0),
            MsgFlags::empty(),
        )?;
        let mut answer = [0_u8; 256];
        let length = recv(socket.as_raw_fd(), &mut answer, MsgFlags::empty())?;
        let code = answer[..length]
            .get(16..HEADER)
            .context("a short answer of netfilter")?;
        match i32::from_ne_bytes(code.try_into()?) {
            0 => {}
            code if code == -nix::libc::EEXIST || code == -nix::libc::EBUSY => {}
            code => bail!("nfacct {name}: {}", nix::errno::Errno::from_raw(-code)),
        }
    }
    Ok(())
}

fn request(name: &str) -> Vec<u8> {
    let attribute = 4 + name.len() + 1;
    let padded = attribute.next_multiple_of(4);
    let mut message = Vec::with_capacity(HEADER + padded);
    let length = u32::try_from(HEADER + padded).unwrap_or_default();
    message.extend(length.to_ne_bytes());
    message.extend(ACCT_NEW.to_ne_bytes());
    message.extend((NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE).to_ne_bytes());
    message.extend([0; 8]); // sequence, port id
    message.extend([0; 4]); // nfgenmsg: family, version, resource id
    message.extend(u16::try_from(attribute).unwrap_or_default().to_ne_bytes());
    message.extend(NFACCT_NAME.to_ne_bytes());
    message.extend(name.as_bytes());
    message.resize(HEADER + padded, 0);
    message
}
