//! The agent, about itself: who it is here, and what it may do.

use std::fs::read_to_string;

use netpath_protocol::{Hello, VERSION};

/// Capabilities in the order of their numbers (linux/capability.h).
const CAPABILITIES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// The greeting; what /proc does not tell is left empty.
pub(super) fn hello() -> Hello {
    let status = read_to_string("/proc/self/status").unwrap_or_default();
    let range = read_to_string("/proc/sys/net/ipv4/ping_group_range").unwrap_or_default();
    let hostname = read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Hello {
        version: VERSION,
        agent: env!("CARGO_PKG_VERSION").to_owned(),
        uid: effective(&status, "Uid:").unwrap_or_default(),
        capabilities: capabilities(&status),
        can_ping: can_ping(&status, &range),
        hostname: hostname.trim().to_owned(),
    }
}

/// The words after a key of /proc/PID/status.
fn field<'a>(status: &'a str, key: &str) -> impl Iterator<Item = &'a str> {
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    line.unwrap_or_default().split_ascii_whitespace()
}

/// `Uid:` and `Gid:` list the real, the effective and two further ids.
fn effective(status: &str, key: &str) -> Option<u32> {
    field(status, key).nth(1)?.parse().ok()
}

fn capabilities(status: &str) -> Vec<String> {
    let bits = field(status, "CapEff:").next().unwrap_or_default();
    let bits = u64::from_str_radix(bits, 16).unwrap_or_default();
    (0..u64::BITS)
        .filter(|bit| bits >> bit & 1 == 1)
        .map(|bit| match CAPABILITIES.get(bit as usize) {
            Some(name) => (*name).to_owned(),
            None => bit.to_string(),
        })
        .collect()
}

/// Whether one of its groups is in `net.ipv4.ping_group_range`, which also rules ICMPv6.
fn can_ping(status: &str, range: &str) -> bool {
    let mut ends = range
        .split_ascii_whitespace()
        .map(|end| end.parse().unwrap_or(u32::MAX));
    let (Some(first), Some(last)) = (ends.next(), ends.next()) else {
        return false;
    };
    let groups = field(status, "Groups:").filter_map(|group| group.parse().ok());
    let own = effective(status, "Gid:");
    groups
        .chain(own)
        .any(|group| (first..=last).contains(&group))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tx\nUid:\t1000\t65534\t0\t0\nGid:\t5\t100\t0\t0\nGroups:\t7 9 \n\
        CapInh:\tffff\nCapEff:\t0000000000003000\n";

    #[test]
    fn reads_what_counts_from_the_status() {
        assert_eq!(effective(STATUS, "Uid:"), Some(65534));
        assert_eq!(capabilities(STATUS), ["NET_ADMIN", "NET_RAW"]);
        assert_eq!(capabilities(""), [] as [&str; 0]);
        assert_eq!(capabilities("CapEff: 8000000000000001"), ["CHOWN", "63"]);
    }

    #[test]
    fn ping_is_a_matter_of_groups() {
        assert!(!can_ping(STATUS, "1\t0"));
        assert!(can_ping(STATUS, "0\t2147483647"));
        assert!(can_ping(STATUS, "9 9") && can_ping(STATUS, "100 100"));
        assert!(!can_ping(STATUS, "10 99") && !can_ping(STATUS, ""));
    }
}
