//! Family RTE: the tunnel between two nodes.

use super::proxy::{field, held, removal};
use super::{at, on_node};
use crate::causes::Code;
use crate::diagnose::Finding;
use crate::path::{NodeFault, TunnelFault};
use crate::text::list;

pub(super) fn cause(fault: &NodeFault, kind: &TunnelFault) -> Finding {
    let node = &fault.at.name;
    let finding = match kind {
        TunnelFault::NoEntry {
            device,
            mac,
            gateway,
        } => {
            let missing = mac.as_ref().map_or_else(
                || format!("ip neigh: no link address of {gateway} on {device}"),
                |mac| format!("bridge fdb: no entry for {mac} ({gateway}) on {device}"),
            );
            at(
                fault,
                Code::RTE_08,
                "bridge fdb",
                format!(
                    "{node} does not know to which node {device} has to send packets for {gateway}"
                ),
            )
            .because(format!("Node/{node} {missing}, and none for all others"))
        }
        TunnelFault::OtherAddress {
            device,
            noted,
            real,
        } => at(
            fault,
            Code::RTE_08,
            "ip neigh",
            format!("{node} sends to a link address that the other end of {device} does not have"),
        )
        .because(format!(
            "Node/{node} ip neigh: {noted}; the other end has {real}"
        ))
        .because("systemd gives tunnels a new address unless MACAddressPolicy=none"),
        TunnelFault::WrongPeer { device, to, peer } => {
            let peer: Vec<String> = peer.iter().map(ToString::to_string).collect();
            at(
                fault,
                Code::RTE_09,
                "bridge fdb",
                format!("{device} of {node} sends to {to}, which is not the node with the pod"),
            )
            .because(format!(
                "Node/{node} bridge fdb: dst {to}; the node has {}",
                list(&peer)
            ))
        }
        TunnelFault::Differs {
            device,
            here,
            there,
        } => at(
            fault,
            Code::RTE_10,
            "ip -d link",
            format!("the two ends of {device} differ: {here} and {there}"),
        )
        .because(format!(
            "ip -d link {device}: {here} on one node, {there} on {node}"
        )),
        TunnelFault::NoPeer { device } => at(
            fault,
            Code::RTE_10,
            "ip -d link",
            format!("{node} has no tunnel like {device}: the nodes use different backends"),
        )
        .because(format!("Node/{node} ip -d link: no interface of that kind")),
        TunnelFault::PortBlocked {
            device,
            rule,
            packet,
        } => {
            let port = packet.dport;
            return at(
                fault,
                Code::RTE_07,
                &field(rule),
                format!("a firewall on {node} stops the packets of {device}, UDP {port}: nothing crosses between the pods of these nodes"),
            )
            .because(held(node, rule))
            .because(format!("{device} sends {packet}"))
            .fix(format!("let UDP {port} pass between the nodes, both ways"))
            .run(on_node(&fault.at))
            .run(removal(rule));
        }
    };
    finding
        .fix("restart the CNI agent on both nodes: it writes the tunnel's entries")
        .run(format!(
            "kubectl get pods -A -o wide --field-selector spec.nodeName={node}"
        ))
}
