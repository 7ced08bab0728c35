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
                    "{node} does not know to which node {device} must send packets for {gateway}"
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
            format!("{node} sends to a MAC address that the other end of {device} does not have"),
        )
        .because(format!(
            "Node/{node} ip neigh: {noted}; the other end has {real}"
        ))
        .because("systemd assigns tunnels a new MAC address unless MACAddressPolicy=none"),
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
                format!("a firewall on {node} blocks the packets of {device}, UDP {port}: pods of these nodes cannot reach each other"),
            )
            .because(held(node, rule))
            .because(format!("{device} sends {packet}"))
            .fix(format!("allow UDP {port} between the nodes in both directions"))
            .run(on_node(&fault.at))
            .run(removal(rule));
        }
    };
    finding
        .fix("restart the CNI agent on both nodes: it writes the tunnel entries")
        .run(format!(
            "kubectl get pods -A -o wide --field-selector spec.nodeName={node}"
        ))
}
