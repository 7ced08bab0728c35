//! Settings and tables of a node's kernel.

use super::at;
use crate::causes::Code;
use crate::diagnose::Finding;
use crate::net::Family;
use crate::path::{Colliding, KernelFault, NodeFault, Stage};

pub(super) fn cause(fault: &NodeFault, kind: &KernelFault) -> Finding {
    let node = &fault.at.name;
    match kind {
        KernelFault::NotForwarding { setting, family } => {
            let code = match family {
                Family::V4 => Code::RTE_01,
                Family::V6 => Code::RTE_28,
            };
            at(fault, code, setting, format!("{node} does not forward {family} packets"))
                .because(format!("Node/{node} sysctl {setting} = 0"))
                .fix("enable forwarding, and find the file in /etc/sysctl.d that disables it")
                .run(set(fault, setting, 1))
        }
        KernelFault::ReversePath {
            setting,
            interface,
            source,
            back,
            is_entering: true,
        } => at(fault, Code::EXT_12, setting, format!("packets enter {node} through {interface} and the way back leaves through {back}: {node} drops them"))
            .because(format!("Node/{node} sysctl {setting} = 1 (strict reverse-path filtering)"))
            .because(format!("Node/{node} routes: the way back to {source} is {back}"))
            .fix("route replies through the interface that requests arrive on (a policy rule by source address), or use loose filtering (2)")
            .run(set(fault, setting, 2)),
        KernelFault::ReversePath {
            setting,
            interface,
            source,
            back,
            ..
        } => at(fault, Code::RTE_14, setting, format!("{node} drops packets from {source} that arrive on {interface}: its route back is {back}"))
            .because(format!("Node/{node} sysctl {setting} = 1 (strict reverse-path filtering)"))
            .because(format!("Node/{node} routes: {source} by {back}"))
            .fix("use loose filtering (2), or route replies through the interface that requests arrive on")
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
            let finding = at(fault, Code::KPX_17, setting, format!("on {node} replies between pods on {bridge} are not translated back: a Service fails when its endpoint is on the node of the client"))
                .because(format!("Node/{node} sysctl {how}"))
                .because(format!("client and endpoint are ports of the same bridge {bridge}"))
                .fix("load br_netfilter and enable the setting (kubeadm preflight checks require both)");
            let finding = if value.is_none() {
                finding.run(format!(
                    "kubectl debug node/{node} -it --image=busybox --profile=sysadmin -- chroot /host modprobe br_netfilter"
                ))
            } else {
                finding
            };
            finding.run(set(fault, setting, 1))
        }
        KernelFault::ConnectionsFull { count, max } => at(fault, Code::KPX_11, "net.netfilter.nf_conntrack_max", format!("the conntrack table of {node} is full: new connections are dropped"))
            .degraded()
            .because(format!("Node/{node} sysctl nf_conntrack_count = {count}, nf_conntrack_max = {max}"))
            .fix("raise the limit, and find out what opens so many connections")
            .run(set(fault, "net.netfilter.nf_conntrack_max", max * 2)),
        KernelFault::NeighboursFull { count, max } => at(fault, Code::RTE_19, "net.ipv4.neigh.default.gc_thresh3", format!("the neighbour table of {node} is full: new neighbours are not resolved"))
            .degraded()
            .because(format!("Node/{node}: {count} neighbours, gc_thresh3 = {max}"))
            .fix("raise gc_thresh1, 2 and 3")
            .run(set(fault, "net.ipv4.neigh.default.gc_thresh3", max * 4)),
        KernelFault::Collides { count, among } => collides(fault, *count, among),
        KernelFault::LetsStraysPass { count } => at(fault, Code::KPX_12, LIBERAL, format!("{node} passes packets of unknown connections untranslated: long transfers through a Service may be reset"))
            .degraded()
            .suspected()
            .because(format!("Node/{node} conntrack statistics: {count} more invalid packets at the end of the check than at its start"))
            .because(format!("Node/{node} sysctl {LIBERAL} = 0, and no rule drops INVALID packets"))
            .fix("accept out-of-window packets as part of their connection")
            .run(set(fault, LIBERAL, 1)),
        KernelFault::Program(program) => at(fault, Code::RTE_31, &program.device, format!("a program on {} of {node} handles packets before the rules do, and its effect is unknown", program.device))
            .notice()
            .suspected()
            .because(format!("Node/{node} bpftool net: {} {} {}", program.device, program.hook, program.name))
            .because("no known CNI or agent on this node would have attached it")
            .fix("find out what attached it; a leftover of a removed agent can be detached")
            .run(super::on_node(&fault.at))
            .run(detach(&program.device, &program.hook)),
        KernelFault::ForgetsIdle { setting, seconds } => at(fault, Code::KPX_19, setting, format!("{node} forgets connections that are idle for {seconds} s: the next packet through a Service is lost"))
            .degraded()
            .because(format!("Node/{node} sysctl {setting} = {seconds}; the kernel default is {DEFAULT_TIMEOUT}, kube-proxy sets 86400"))
            .fix("raise the setting, or let clients send TCP keepalives more often")
            .run(set(fault, setting, DEFAULT_TIMEOUT)),
    }
}

const LIBERAL: &str = "net.netfilter.nf_conntrack_tcp_be_liberal";

/// DNS-15 or KPX-13: what grows says that connections are lost, not that those of this path are.
fn collides(fault: &NodeFault, count: u64, among: &Colliding) -> Finding {
    let node = &fault.at.name;
    let finding = match among {
        Colliding::Lookups { kernel } => Finding {
            stage: Stage::Dns,
            ..at(fault, Code::DNS_15, "conntrack", format!("{node} loses new connections to conntrack collisions: DNS lookups may be delayed by 5 s"))
                .because(format!("Node/{node} status.nodeInfo.kernelVersion is {kernel}; kernels from 5.7 resolve such collisions"))
                .fix("use a newer kernel or NodeLocal DNSCache; `options single-request-reopen` helps glibc clients")
        },
        Colliding::Ports { rule } => at(fault, Code::KPX_13, &super::proxy::field(rule), format!("{node} loses new connections to conntrack collisions: masqueraded connections may get the same source port"))
            .because(super::proxy::held(node, rule))
            .fix("let the rule choose random ports (--random-fully), or masquerade to more addresses"),
    };
    finding.degraded().suspected().because(format!(
        "Node/{node} conntrack statistics: insert_failed grew by {count} during the check"
    ))
}

fn detach(device: &str, hook: &str) -> String {
    if hook == "xdp" {
        format!("ip link set dev {device} xdp off")
    } else {
        format!("tc qdisc del dev {device} clsact")
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
