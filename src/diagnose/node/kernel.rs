//! Settings and tables of a node's kernel.

use super::super::Finding;
use super::at;
use crate::net::Family;
use crate::path::{KernelFault, NodeFault};

pub(super) fn cause(fault: &NodeFault, kind: &KernelFault) -> Finding {
    let node = &fault.at.name;
    match kind {
        KernelFault::NotForwarding { setting, family } => {
            let code = match family {
                Family::V4 => "RTE-01",
                Family::V6 => "RTE-28",
            };
            at(fault, code, setting, format!("{node} does not forward {family} packets"))
                .because(format!("Node/{node} sysctl {setting} = 0"))
                .fix("switch forwarding on, and find the file in /etc/sysctl.d that switches it off")
                .run(set(fault, setting, 1))
        }
        KernelFault::ReversePath {
            setting,
            interface,
            source,
            back,
        } => at(fault, "RTE-14", setting, format!("{node} drops packets from {source} that come in by {interface}: its own way there is {back}"))
            .because(format!("Node/{node} sysctl {setting} = 1 (strict reverse-path filtering)"))
            .because(format!("Node/{node} routes: {source} by {back}"))
            .fix("use loose filtering (2), or route answers by the interface that questions come in by")
            .run(set(fault, setting, 2)),
        KernelFault::BridgeBypass {
            setting,
            value,
            bridge,
        } => {
            let how = if value.is_some() {
                format!("{setting} = 0")
            } else {
                format!("{setting} does not exist: br_netfilter is not loaded")
            };
            let finding = at(fault, "KPX-17", setting, format!("on {node} answers between pods of {bridge} are not translated back: a Service fails where its endpoint is on the client's own node"))
                .because(format!("Node/{node} sysctl {how}"))
                .because(format!("client and endpoint are ports of the same bridge {bridge}"))
                .fix("load br_netfilter and switch the setting on (kubeadm's preflight asks for both)");
            let finding = if value.is_none() {
                finding.run(format!(
                    "kubectl debug node/{node} -it --image=busybox --profile=sysadmin -- chroot /host modprobe br_netfilter"
                ))
            } else {
                finding
            };
            finding.run(set(fault, setting, 1))
        }
        KernelFault::ConnectionsFull { count, max } => at(fault, "KPX-11", "net.netfilter.nf_conntrack_max", format!("the connection table of {node} is full: new connections are dropped"))
            .degraded()
            .because(format!("Node/{node} sysctl nf_conntrack_count = {count}, nf_conntrack_max = {max}"))
            .fix("raise the limit, and find who opens so many connections")
            .run(set(fault, "net.netfilter.nf_conntrack_max", max * 2)),
        KernelFault::NeighboursFull { count, max } => at(fault, "RTE-19", "net.ipv4.neigh.default.gc_thresh3", format!("the neighbour table of {node} is full: new neighbours are not resolved"))
            .degraded()
            .because(format!("Node/{node}: {count} neighbours, gc_thresh3 = {max}"))
            .fix("raise gc_thresh1, 2 and 3")
            .run(set(fault, "net.ipv4.neigh.default.gc_thresh3", max * 4)),
        KernelFault::ForgetsIdle { setting, seconds } => at(fault, "KPX-19", setting, format!("{node} forgets a connection that is silent for {seconds} s: the next packet through a Service finds no way"))
            .degraded()
            .because(format!("Node/{node} sysctl {setting} = {seconds}; the kernel's own value is {DEFAULT_TIMEOUT}, kube-proxy sets 86400"))
            .fix("raise the setting, or let clients send TCP keepalives more often than that")
            .run(set(fault, setting, DEFAULT_TIMEOUT)),
    }
}

/// `nf_conntrack_tcp_timeout_established` unless changed: five days.
const DEFAULT_TIMEOUT: i64 = 432_000;

fn set(fault: &NodeFault, setting: &str, value: i64) -> String {
    format!(
        "kubectl debug node/{} -it --image=busybox --profile=sysadmin -- chroot /host sysctl -w {setting}={value}",
        fault.at.name
    )
}
