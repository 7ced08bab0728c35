//! Kernel settings that decide what becomes of packets, in the form of `sysctl -a`.

use std::fs::{read_dir, read_to_string};
use std::path::Path;

const NET: &str = "/proc/sys/net";

/// Settings on their own.
const SINGLE: [&str; 9] = [
    "ipv4/ip_forward",
    "ipv4/ip_local_port_range",
    "ipv4/ping_group_range",
    "ipv4/tcp_mtu_probing",
    "netfilter/nf_conntrack_max",
    "netfilter/nf_conntrack_count",
    "netfilter/nf_conntrack_tcp_be_liberal",
    "netfilter/nf_conntrack_tcp_timeout_established",
    "ipv4/neigh/default/gc_thresh3",
];
/// Settings that every interface has.
const OF_INTERFACES: [(&str, &[&str]); 2] = [
    ("ipv4/conf", &["forwarding", "rp_filter", "route_localnet"]),
    ("ipv6/conf", &["forwarding", "disable_ipv6"]),
];

/// Those of this network namespace.
///
/// # Errors
/// When /proc/sys cannot be read at all.
pub(super) fn sysctls() -> Result<String, String> {
    let root = Path::new(NET);
    let mut lines: Vec<String> = SINGLE.iter().filter_map(|name| line(root, name)).collect();
    for name in names(&root.join("bridge")) {
        lines.extend(line(root, &format!("bridge/{name}")));
    }
    for (folder, settings) in OF_INTERFACES {
        for interface in names(&root.join(folder)) {
            let own = settings.iter().filter_map(|setting| {
                let value = value(&root.join(folder).join(&interface).join(setting))?;
                let folder = folder.replace('/', ".");
                // `sysctl` swaps dots and slashes: eth0.5 is eth0/5 there.
                let interface = interface.replace('.', "/");
                Some(format!("net.{folder}.{interface}.{setting} = {value}"))
            });
            lines.extend(own);
        }
    }
    if lines.is_empty() {
        return Err(format!("{NET} cannot be read"));
    }
    Ok(lines.join("\n") + "\n")
}

fn line(root: &Path, name: &str) -> Option<String> {
    let value = value(&root.join(name))?;
    Some(format!("net.{} = {value}", name.replace('/', ".")))
}

fn value(path: &Path) -> Option<String> {
    Some(read_to_string(path).ok()?.trim().to_owned())
}

fn names(folder: &Path) -> Vec<String> {
    let entries = read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_the_kernel_and_of_its_interfaces() {
        let text = sysctls().unwrap();
        assert!(text.contains("net.ipv4.ip_forward = "), "{text}");
        assert!(text.contains("net.ipv4.conf.lo.rp_filter = "), "{text}");
        assert!(text.lines().all(|line| line.contains(" = ")), "{text}");
    }
}
