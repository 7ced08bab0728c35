//! Causes that facts of nodes and pods prove: one file per kind.

mod blocked;
mod inside;
mod kernel;
mod plane;
mod proxy;
mod tunnel;
mod way;

use crate::causes::Code;
use crate::cluster::ObjectRef;
use crate::diagnose::{Case, Finding};
use crate::path::{Fault, NodeFault, Path};

/// The cause of something that a node or a pod holds.
pub(super) fn cause(case: &Case<'_, '_>, path: &Path<'_>, fault: &NodeFault) -> Finding {
    match &fault.kind {
        Fault::Proxy(kind) => proxy::cause(case, fault, kind),
        Fault::Blocked {
            rule,
            answer,
            packet,
            is_share: true,
        } => blocked::share(fault, (rule, answer.as_deref(), *packet)),
        Fault::Blocked {
            rule,
            answer,
            packet,
            ..
        } => blocked::cause(case, path, fault, (rule, answer.as_deref(), *packet)),
        Fault::Way(kind) => way::cause(fault, kind),
        Fault::Tunnel(kind) => tunnel::cause(fault, kind),
        Fault::Kernel(kind) => kernel::cause(fault, kind),
        Fault::NoNodeCache {
            address,
            lacks_address,
        } => cache(fault, *address, *lacks_address),
        Fault::Plane(kind) => plane::cause(case, fault, kind),
        Fault::Pod(kind) => inside::cause(case, path, fault, kind),
    }
}

/// DNS-17.
fn cache(fault: &NodeFault, address: std::net::IpAddr, lacks_address: bool) -> Finding {
    let node = &fault.at.name;
    let proof = if lacks_address {
        format!("Node/{node} ip addr: no interface has {address}")
    } else {
        format!("Node/{node} sockets: nothing listens on {address}:53/UDP")
    };
    let summary = format!("pods of {node} query the DNS cache at {address}, which is not running");
    at(fault, Code::DNS_17, "NodeLocal DNSCache", summary)
        .because(proof)
        .fix("restart its pod on that node")
        .run(restart("k8s-app=node-local-dns", node))
}

/// A finding at the node that holds the fault.
fn at(fault: &NodeFault, code: Code, field: &str, summary: String) -> Finding {
    Finding::new(code, fault.stage, summary).blame(fault.at.clone(), field)
}

/// What a command has to be run in: a shell on the node.
fn on_node(node: &ObjectRef) -> String {
    format!(
        "kubectl debug node/{} -it --image=nicolaka/netshoot --profile=sysadmin -- sh   # run the commands below in the host network",
        node.name
    )
}

/// The pod of a DaemonSet on one node, made again.
fn restart(label: &str, node: &str) -> String {
    format!("kubectl -n kube-system delete pod -l {label} --field-selector spec.nodeName={node}")
}
