//! A rule stops the packet: whose it is decides the cause.

use super::proxy::{command, field, held, is_native, removal, removing};
use super::{at, on_node};
use crate::causes::Code;
use crate::diagnose::{Case, Finding, Path};
use std::net::SocketAddr;

use crate::nat::eval::TrailStep;
use crate::net::{Family, Packet};
use crate::path::{Mode, NodeFault, Stage};

/// Chains and tables of policy engines.
const ENGINES: [&str; 12] = [
    "cali-",
    "KUBE-NWPLCY-",
    "KUBE-POD-FW-",
    "KUBE-ROUTER-",
    "CILIUM_",
    "ANTREA-",
    "OVN-KUBE-",
    "kube-network-policies",
    "kindnet-network-policies",
    "ip calico",
    "ip6 calico",
    "AWS-",
];

pub(super) fn cause(
    case: &Case<'_, '_>,
    path: &Path<'_>,
    fault: &NodeFault,
    (rule, answer, packet): (&TrailStep, Option<&str>, Packet),
) -> Finding {
    let node = &fault.at.name;
    let verb = answer.map_or_else(|| "drops".to_owned(), |with| format!("rejects ({with})"));
    let what = if fault.is_return {
        "answers"
    } else {
        "packets"
    };
    let client = path.sources.first().map(|site| site.ip(packet.family()));
    let entering = packet;
    let packet = match client {
        Some(None) => format!("to {}", SocketAddr::new(packet.dst, packet.dport)),
        _ => packet.to_string(),
    };
    let is_engine = ENGINES
        .iter()
        .any(|name| rule.chain.starts_with(name) || rule.table.contains(name));
    let is_policy_of_chain = &*rule.text == "policy drop";
    let from_outside = fault.stage == Stage::Entry
        || path.mode == Mode::OutsideToService
            && !fault.is_return
            && !rule.chain.contains("FORWARD");
    let (code, summary) = if is_engine {
        (
            Code::POL_16,
            format!(
                "the policy engine on {node} {verb} {what} {packet}, which the policies allow: the agent is behind or broken"
            ),
        )
    } else if is_policy_of_chain && rule.chain.to_uppercase().contains("FORWARD") {
        (
            Code::RTE_02,
            format!("the FORWARD policy of {node} is DROP, and no rule accepts {packet}"),
        )
    } else if from_outside {
        (
            Code::EXT_01,
            format!("a firewall on {node} {verb} {what} {packet} from outside"),
        )
    } else {
        (
            Code::RTE_21,
            format!("a firewall on {node} {verb} {what} {packet}"),
        )
    };
    let finding = at(fault, code, &field(rule), summary).because(held(node, rule));
    match code {
        Code::POL_16 => finding
            .fix("restart the policy agent of that node; its log says why it is behind")
            .run(format!("kubectl get pods -A -o wide --field-selector spec.nodeName={node}")),
        Code::RTE_02 => finding
            .fix("accept the pod range in FORWARD, or set its policy to ACCEPT (Docker sets it to DROP at start)")
            .run(on_node(&fault.at))
            .run(accept(case, rule, entering)),
        _ => {
            let gentle = if from_outside {
                let_in(rule, entering)
            } else {
                accept(case, rule, entering)
            };
            let advice = "allow this traffic before the rule";
            removing(finding, fault, rule, (advice, Some(gentle)))
        }
    }
}

/// RTE-24: a rule that takes some packets and lets others pass.
pub(super) fn share(
    fault: &NodeFault,
    (rule, answer, packet): (&TrailStep, Option<&str>, Packet),
) -> Finding {
    let node = &fault.at.name;
    let verb = answer.map_or_else(|| "drops".to_owned(), |with| format!("rejects ({with})"));
    let summary = format!("a rule on {node} {verb} a share of packets like {packet}");
    at(fault, Code::RTE_24, &field(rule), summary)
        .degraded()
        .because(held(node, rule))
        .fix("remove the rule, unless it is there on purpose")
        .run(on_node(&fault.at))
        .run(removal(rule))
}

/// A rule that lets one port in from outside.
fn let_in(rule: &TrailStep, packet: Packet) -> String {
    let (protocol, port) = (packet.protocol.lower(), packet.dport);
    let words = format!("-p {protocol} --dport {port}");
    before(rule, &[words], &format!("{protocol} dport {port}"))
}

/// Rules in front of all others of the rule's chain.
fn before(rule: &TrailStep, iptables: &[String], nft: &str) -> String {
    let chain = &rule.chain;
    if is_native(rule) {
        return format!("nft insert rule {} {chain} {nft} accept", rule.table);
    }
    let (program, table) = command(rule);
    let commands: Vec<String> = iptables
        .iter()
        .map(|words| format!("{program} -t {table} -I {chain} {words} -j ACCEPT"))
        .collect();
    commands.join(" && ")
}

/// Rules that let pods through: their ranges, or the two ends where no node has a range of its own.
fn accept(case: &Case<'_, '_>, rule: &TrailStep, packet: Packet) -> String {
    use crate::cluster::access::NodeExt;
    let nodes = case.view.nodes.iter();
    let of_family = |net: &ipnet::IpNet| Family::of(net.addr()) == packet.family();
    let ranges = nodes.flat_map(NodeExt::pod_cidrs).filter(of_family);
    let mut ranges: Vec<String> = ranges.map(|net| net.to_string()).collect();
    if ranges.is_empty() {
        ranges = vec![packet.src.to_string(), packet.dst.to_string()];
    }
    let words = ranges
        .iter()
        .flat_map(|range| ["-s", "-d"].map(|side| format!("{side} {range}")));
    let family = if packet.src.is_ipv4() { "ip" } else { "ip6" };
    let nft = format!("{family} saddr {{ {} }}", ranges.join(", "));
    before(rule, &words.collect::<Vec<_>>(), &nft)
}
