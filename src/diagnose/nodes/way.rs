//! Family RTE: routes, neighbours, interfaces.

use super::{at, on_node};
use crate::causes::Code;
use crate::diagnose::Finding;
use crate::diagnose::kubectl::kubectl;
use crate::node::Hanging;
use crate::path::{NodeFault, WayFault};

pub(super) fn cause(fault: &NodeFault, kind: &WayFault) -> Finding {
    let node = &fault.at.name;
    let agent = "check the CNI agent of that node: it maintains these routes";
    match kind {
        WayFault::NoRoute { to } => at(fault, Code::RTE_05, "routes", format!("{node} has no route to {to}"))
            .because(format!("Node/{node} ip route: nothing matches {to}, not even a default route"))
            .fix(agent)
            .run(agents(node)),
        WayFault::ByDefault {
            to,
            gateway,
            peer_route,
        } => {
            let via = gateway.map_or_else(String::new, |gateway| format!(" to {gateway}"));
            at(fault, Code::RTE_05, "routes", format!("{node} has no route to pod {to} and sends its packets to the default route{via}"))
                .because(format!("Node/{node} ip route: only the default route matches {to}"))
                .because(format!("the other node has a route of its own for the return path ({peer_route}): the network in between does not route pod addresses"))
                .fix(agent)
                .run(agents(node))
        }
        WayFault::DeadEnd { to, what } => {
            let code = if what.contains("rule") { Code::RTE_32 } else { Code::RTE_06 };
            at(fault, code, "routes", format!("{node} refuses packets to {to}: {what}"))
                .because(format!("Node/{node} ip rule, ip route: {what}"))
                .fix("add an exception for pod and Service ranges, or remove the route or rule")
                .run(on_node(&fault.at))
                .run(format!("ip route get {to}"))
        }
        WayFault::DeadNeighbour { ip, device } => at(fault, Code::RTE_06, "neighbours", format!("{node} sends through {ip}, which does not respond"))
            .because(format!("Node/{node} ip neigh: {ip} dev {device} FAILED"))
            .fix("the next hop may be a node that is gone or has another address; restart the CNI agent")
            .run(agents(node)),
        WayFault::WrongNode { to, gateway, owner } => at(fault, Code::RTE_06, "routes", format!("{node} sends packets for {to} to node {owner}, where the pod is not"))
            .because(format!("Node/{node} ip route: {to} via {gateway}, an address of {owner}"))
            .fix("the route is stale; restart the CNI agent")
            .run(agents(node)),
        WayFault::NotMasqueraded { to, other } => at(fault, Code::RTE_25, "nat POSTROUTING", format!("{node} does not masquerade pod traffic to {to}: replies do not come back"))
            .because(format!("Node/{node} nat POSTROUTING: no rule masquerades the packet; {other} has one that does"))
            .fix("restart the CNI agent of the node, or enable masquerading (ipMasq, natOutgoing)")
            .run(agents(node)),
        WayFault::WrongLinkAddress { ip, noted, real } => at(fault, Code::RTE_20, "neighbours", format!("{node} has a wrong MAC address for {ip}"))
            .because(format!("Node/{node} ip neigh: {ip} lladdr {noted} PERMANENT; the interface has {real}"))
            .fix("delete the entry")
            .run(on_node(&fault.at))
            .run(format!("ip neigh del {ip} lladdr {noted} dev $(ip -o route get {ip} | sed 's/.* dev \\([^ ]*\\).*/\\1/')")),
        WayFault::LinkDown { device, is_tunnel } => {
            let what = if *is_tunnel { "the tunnel" } else { "the interface" };
            at(fault, Code::RTE_05, "links", format!("{what} {device} of {node} is down, and its routes are gone"))
                .because(format!("Node/{node} ip link: {device} is not UP"))
                .because("the kernel removes the routes of an interface that goes down")
                .fix("bring it up and restart the CNI agent, which writes the routes")
                .run(on_node(&fault.at))
                .run(format!("ip link set {device} up"))
        }
        WayFault::TooLarge {
            sends,
            takes,
            device,
        } => at(fault, Code::RTE_11, "mtu", format!("{node} sends packets of {sends} bytes to {device}, which accepts {takes}: large packets are lost"))
            .degraded()
            .because(format!("MTU {sends} on the way out, {takes} on the way in, and no router in between to report it"))
            .fix(format!("set the MTU of the CNI so that packets fit in {takes} bytes")),
        WayFault::Detached {
            pod,
            how:
                Hanging::OffBridge {
                    port,
                    bridge,
                    twin: Some(twin),
                },
        } => at(fault, Code::RTE_33, "links", format!("{node} has two bridges with the same range: {} is attached to {twin}, and packets for it go to {bridge}", pod.name))
            .because(format!("Node/{node} ip link: {port} has master {twin}"))
            .because(format!("Node/{node} ip addr, ip route: {bridge} has an address of the same range, and the route to {}", pod.name))
            .fix("a second CNI configuration created that bridge: keep one file in /etc/cni/net.d, delete the other bridge, and recreate the pods of the node")
            .run(agents(node)),
        WayFault::Detached { pod, how } => {
            let (what, proof) = match how {
                Hanging::Down { device } => (format!("its interface {device} is down"), format!("ip link: {device} is not UP")),
                Hanging::OffBridge { port, bridge, .. } => (format!("{port} is not attached to {bridge}"), format!("ip link: {port} has no master {bridge}, and the route leads to {bridge}")),
                Hanging::Blocked { port, state } => (format!("port {port} is {state}"), format!("bridge link: {port} {state}")),
            };
            at(fault, Code::RTE_22, "links", format!("{} is cut off from {node}: {what}", pod.name))
                .blame(pod.clone(), "")
                .because(format!("Node/{node} {proof}"))
                .fix("delete the pod, so that the CNI plugin creates a new interface")
                .run(kubectl(&pod.namespace, format!("delete pod {}", pod.name)))
        }
        WayFault::NoGateway { pod, gateway } => at(fault, Code::RTE_30, "addresses", format!("{node} has lost {gateway}, which its pods use as their gateway"))
            .because(format!("{pod} ip route: default via {gateway}; no interface of {node} has it"))
            .fix("keep network managers off the CNI interfaces (unmanaged-devices=cni*,flannel*,cali*) and restart the CNI agent")
            .run(agents(node)),
    }
}

fn agents(node: &str) -> String {
    format!("kubectl get pods -A -o wide --field-selector spec.nodeName={node}")
}
