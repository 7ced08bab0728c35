//! Family KPX: the rules for Services.

use std::net::{IpAddr, SocketAddr};

use super::{at, on_node, restart};
use crate::causes::Code;
use crate::cluster::access::EndpointExt;
use crate::diagnose::{Case, Finding};
use crate::nat::eval::TrailStep;
use crate::nat::owner::Owner;
use crate::nat::proxy::{Difference, DifferenceKind, Mode, NodePortAddresses};
use crate::path::{NodeFault, ProxyFault};
use crate::text::list;

/// The pods of kube-proxy, as kubeadm labels them.
const KUBE_PROXY: &str = "k8s-app=kube-proxy";

pub(super) fn cause(case: &Case<'_, '_>, fault: &NodeFault, kind: &ProxyFault) -> Finding {
    let node = &fault.at.name;
    let service = fault
        .service
        .as_ref()
        .map_or_else(|| "the Service".to_owned(), ToString::to_string);
    match kind {
        ProxyFault::Absent => at(fault, Code::KPX_01, "rules of kube-proxy", format!("{node} has no Service rules: kube-proxy does not work there"))
            .because(format!("Node/{node}: no KUBE-SERVICES chain, no kube-proxy table, no IPVS virtual server"))
            .fix("restart kube-proxy on that node; its log says why it is down")
            .run(format!("kubectl -n kube-system get pods -l {KUBE_PROXY} -o wide --field-selector spec.nodeName={node}"))
            .run(restart(KUBE_PROXY, node)),
        ProxyFault::Unreferenced { missing } => at(fault, Code::KPX_03, "rules of kube-proxy", format!("the Service rules on {node} were partly flushed: packets do not reach them"))
            .because(format!("Node/{node}: the Service chains exist; missing: {}", list(missing)))
            .fix("restart kube-proxy to rewrite its rules, and keep firewall tools from flushing tables (firewalld: FlushAllOnReload=no)")
            .run(restart(KUBE_PROXY, node)),
        ProxyFault::Drift {
            difference,
            is_older_state,
            others,
        } => {
            let is_there = serves_there(case, &fault.at.name, difference);
            drift(fault, (&service, is_there), difference, *is_older_state, *others)
        }
        ProxyFault::Foreign { rule, to } => {
            let what = fault.service.as_ref().map_or_else(|| "packets of its pods".to_owned(), |service| format!("packets for {service}"));
            let finding = at(fault, Code::KPX_08, &field(rule), format!("a rule on {node} that is not kube-proxy's redirects {what} to {to}"))
                .because(held(node, rule));
            removing(finding, fault, rule, ("exclude these packets from that rule, where it is managed", None))
        }
        ProxyFault::HostPortElsewhere { pod, port, to, rule, is_somebody } => {
            let what = if *is_somebody { "another pod or node" } else { "an address that nobody has" };
            let finding = at(fault, Code::EXT_10, &field(rule), format!("host port {port} of {node} forwards to {to}, {what}, not to {}", pod.name))
                .because(held(node, rule));
            let advice = if *is_somebody {
                "give one of the two another host port"
            } else {
                "the rule is left from an earlier pod and stands in front of the pod's own: remove it, nothing else depends on it"
            };
            removing(finding, fault, rule, (advice, None))
        }
        ProxyFault::Contested { rule, to, why } => at(fault, Code::KPX_08, &field(rule), format!("a rule on {node} that does not belong to kube-proxy may redirect packets for {service} to {to} before kube-proxy does"))
            .suspected()
            .because(held(node, rule))
            .because(undecided(why))
            .fix("exclude these packets from that rule, where it is managed")
            .run(on_node(&fault.at))
            .run(removal(rule)),
        ProxyFault::Masqueraded { rule } => at(fault, Code::RTE_26, &field(rule), format!("a rule on {node} hides the client address from {service}: policies and logs see the node"))
            .notice()
            .because(held(node, rule))
            .fix("exclude the pod ranges from the rule (nonMasqueradeCIDRs of ip-masq-agent, ipMasq of the CNI)"),
        ProxyFault::Untracked { rule } => {
            let finding = at(fault, Code::KPX_20, &field(rule), format!("{node} does not track packets for {service}, so its address is never translated"))
                .because(held(node, rule));
            removing(finding, fault, rule, ("leave the Service's address out of the rule: what is not tracked is not translated", None))
        }
        ProxyFault::Ambiguous { why, modes } => ambiguous(fault, &service, modes)
            .suspected()
            .because(undecided(why)),
        ProxyFault::NodePortElsewhere {
            asked,
            answers,
            addresses,
        } => elsewhere(fault, *asked, answers, addresses),
        ProxyFault::StaleConnection { entry, endpoint } => at(fault, if fault.service.as_ref().is_some_and(|service| service.name == "kube-dns") { Code::DNS_19 } else { Code::KPX_10 }, "conntrack", format!("a UDP connection on {node} still leads to {endpoint}, which is no longer an endpoint of {service}"))
            .degraded()
            .because(format!("Node/{node} conntrack: {entry}"))
            .fix("delete the conntrack entry; new sockets of the client are not affected")
            .run(on_node(&fault.at))
            .run(format!("conntrack -D -p udp --reply-src {endpoint}")),
        ProxyFault::NoHostPort { pod, port } => at(fault, Code::EXT_10, "rules of CNI portmap", format!("no rule on {node} forwards host port {port} to {}", pod.name))
            .because(format!("Node/{node} iptables-save, nft list: no CNI-HOSTPORT-DNAT, no table cni_hostport with {port}; nothing listens on it either"))
            .fix("add the portmap plugin to the CNI configuration; flushed rules come back only when the pod is recreated")
            .run(format!("kubectl -n {} delete pod {}", pod.namespace, pod.name)),
        ProxyFault::NoHairpin { port } => at(fault, Code::KPX_16, "bridge port hairpin", format!("a pod on {node} cannot reach itself through {service}: hairpin mode is off on its bridge port {port}"))
            .because(format!("Node/{node} bridge -d link: {port} hairpin off"))
            .fix("set hairpinMode in the CNI configuration; for the running pod, enable it on the port")
            .run(on_node(&fault.at))
            .run(format!("bridge link set dev {port} hairpin on")),
    }
}

/// What the rules leave open, and what settles it.
fn undecided(why: &str) -> String {
    format!("{why}: a rule dump cannot tell which one applies; a probe of the address can")
}

/// Two rule sets: of one proxy in two backends of iptables, or of two proxies.
fn ambiguous(fault: &NodeFault, service: &str, modes: &[Mode]) -> Finding {
    let node = &fault.at.name;
    if modes.len() > 1 {
        let names: Vec<String> = modes.iter().map(|mode| mode.name().to_owned()).collect();
        let summary = format!(
            "two service proxies serve {service} on {node}: {}",
            list(&names)
        );
        return at(fault, Code::KPX_18, "rules of kube-proxy", summary)
            .fix("remove the rules of the one that no longer runs (kube-proxy --cleanup), or stop one of them")
            .run(format!("kubectl -n kube-system get pods -o wide --field-selector spec.nodeName={node}"));
    }
    let summary = format!("{node} holds two sets of rules for {service}");
    at(fault, Code::KPX_04, "rules of kube-proxy", summary)
        .fix("restart the node, or flush the rule set that is not in use")
}

/// A node port that was asked for at another address than those that answer.
fn elsewhere(
    fault: &NodeFault,
    asked: IpAddr,
    answers: &[IpAddr],
    addresses: &NodePortAddresses,
) -> Finding {
    let node = &fault.at.name;
    let answers: Vec<String> = answers.iter().map(ToString::to_string).collect();
    let on = if answers.is_empty() {
        "none of its addresses".to_owned()
    } else {
        format!("{} only", list(&answers))
    };
    let (code, why) = match addresses {
        NodePortAddresses::Within(nets) => {
            let nets: Vec<String> = nets.iter().map(ToString::to_string).collect();
            let why = format!("kube-proxy's configuration: nodePortAddresses {}", list(&nets));
            (Code::KPX_15, why)
        }
        NodePortAddresses::Primary | NodePortAddresses::All => (
            Code::KPX_14,
            "nftables mode serves node ports on the primary address only, unless nodePortAddresses is set"
                .to_owned(),
        ),
    };
    let summary = format!("node ports of {node} are served on {on}, not on {asked}");
    at(fault, code, "kube-proxy nodePortAddresses", summary)
        .because(why)
        .fix(format!("set nodePortAddresses in kube-proxy's configuration so that it includes {asked}, or use an address that is served"))
        .run("kubectl -n kube-system edit configmap kube-proxy")
}

/// One address of one Service differs: edited, or as it was some time ago.
fn drift(
    fault: &NodeFault,
    (service, is_there): (&str, bool),
    difference: &Difference,
    is_older_state: bool,
    others: usize,
) -> Finding {
    use DifferenceKind as Kind;
    let node = &fault.at.name;
    let (code, summary) = what((service, is_there), node, difference, is_older_state);
    let mut finding = at(fault, code, "rules of kube-proxy", summary).because(format!(
        "Node/{node} {}: expected {}, found {}",
        difference.entry,
        list(&difference.expected),
        list(&difference.actual)
    ));
    if let Some(rule) = &difference.rule {
        finding = finding.because(held(node, rule));
    }
    finding = if difference.kind == Kind::IdleTarget {
        finding
    } else if others > 0 {
        finding.because(match others {
            1 => "1 address of another Service differs too".to_owned(),
            many => format!("{many} addresses of other Services differ too"),
        })
    } else {
        finding.because("the rules of all other Services are correct")
    };
    match difference.kind {
        Kind::MasqueradeUnexpected => finding
            .notice()
            .fix("set clusterCIDR (or detectLocalMode) of kube-proxy to the range the pods really have"),
        Kind::IdleTarget => finding
            .notice()
            .fix("delete the rule: it takes effect as soon as the one before it is removed")
            .run(on_node(&fault.at))
            .run(difference.rule.as_ref().map(removal).unwrap_or_default()),
        Kind::Refused if is_local_drop(difference) && !difference.is_local => finding
            .fix("ask the Service by its name or cluster IP inside the cluster, or update kube-proxy"),
        Kind::EndpointStale => finding
            .degraded()
            .fix("restart kube-proxy to rewrite its rules")
            .run(restart(KUBE_PROXY, node)),
        _ => finding
            .fix("restart kube-proxy to rewrite its rules; its log says whether it reaches the API server")
            .run(restart(KUBE_PROXY, node))
            .run(format!("kubectl -n kube-system logs -l {KUBE_PROXY} --tail=50")),
    }
}

/// The code of a difference, and what it comes to.
fn what(
    (service, is_there): (&str, bool),
    node: &str,
    difference: &Difference,
    is_older_state: bool,
) -> (Code, String) {
    use DifferenceKind as Kind;
    let endpoint = difference
        .endpoint
        .map_or_else(|| "an endpoint".to_owned(), |endpoint| endpoint.to_string());
    match difference.kind {
        Kind::WrongTarget => {
            let to = difference
                .actual
                .iter()
                .filter(|to| !difference.expected.contains(to));
            let to: Vec<String> = to.cloned().collect();
            (
                Code::KPX_09,
                format!(
                    "the rule of node/{node} for endpoint {endpoint} of {service} points to {}",
                    list(&to)
                ),
            )
        }
        Kind::MasqueradeMissing => (
            Code::KPX_07,
            format!(
                "{node} does not masquerade packets for {service} that need it: replies do not come back"
            ),
        ),
        Kind::MasqueradeUnexpected => (
            Code::KPX_05,
            format!(
                "{node} masquerades clients of {service}: pods are treated as external clients"
            ),
        ),
        Kind::Refused if is_local_drop(difference) && !difference.is_local => (
            Code::EXT_03,
            format!(
                "{node} has no endpoint of {service} and drops what its own pods send to {}: externalTrafficPolicy Local, as kube-proxy's nftables mode before 1.33 takes it",
                difference.entry
            ),
        ),
        Kind::Refused if is_there && is_local_drop(difference) => (
            Code::KPX_06,
            format!(
                "kube-proxy on {node} does not treat the endpoint there as local, and drops packets for {service}"
            ),
        ),
        Kind::Refused => (
            Code::KPX_02,
            format!(
                "{node} rejects {service} although it has endpoints: its rules are out of date"
            ),
        ),
        Kind::ServiceMissing => (
            Code::KPX_02,
            format!(
                "{node} has no rules for {service} at {}: kube-proxy does not follow the API there",
                difference.entry
            ),
        ),
        Kind::IdleTarget => (
            Code::KPX_09,
            format!(
                "after the rule of node/{node} for endpoint {endpoint} of {service} there is another one, which kube-proxy did not write and no packet reaches"
            ),
        ),
        Kind::EndpointStale if is_older_state => (
            Code::KPX_02,
            format!(
                "{node} sends packets for {service} to {endpoint}, which is no longer an endpoint"
            ),
        ),
        Kind::EndpointMissing if is_older_state => (
            Code::KPX_02,
            format!("{node} does not know endpoint {endpoint} of {service}"),
        ),
        Kind::EndpointStale => (
            Code::KPX_09,
            format!(
                "a rule of {node} for {service} points to {endpoint}, which is not an endpoint"
            ),
        ),
        _ => (
            Code::KPX_09,
            format!("the rules of {node} for {service} do not include endpoint {endpoint}"),
        ),
    }
}

/// Whether the one endpoint that is left out is on the node itself.
fn serves_there(case: &Case<'_, '_>, node: &str, difference: &Difference) -> bool {
    let [expected] = &*difference.expected else {
        return false;
    };
    let address = expected.parse::<SocketAddr>().map(|socket| socket.ip());
    let slices = case.view.endpoint_slices.iter();
    let mut endpoints = slices.flat_map(|slice| slice.endpoints.iter().flatten());
    endpoints.any(|endpoint| {
        endpoint.node_name.as_deref() == Some(node) && endpoint.address() == address.clone().ok()
    })
}

/// Where nothing serves at all, kube-proxy rejects; it drops only where the endpoints are elsewhere and the
/// policy is Local.
fn is_local_drop(difference: &Difference) -> bool {
    difference.actual.iter().all(|fate| fate == "drop")
}

/// `nat PREROUTING`
pub(super) fn field(rule: &TrailStep) -> String {
    format!("{} {}", rule.table, rule.chain)
}

/// The rule with how many packets it has met.
pub(super) fn held(node: &str, rule: &TrailStep) -> String {
    rule.packets.map_or_else(
        || format!("Node/{node} {rule}"),
        |packets| format!("Node/{node} {rule} [{packets} packets]"),
    )
}

/// The fix that changes a rule where it is written; removing it comes last, and is marked.
pub(super) fn removing(
    finding: Finding,
    fault: &NodeFault,
    rule: &TrailStep,
    (advice, gentle): (&str, Option<String>),
) -> Finding {
    let owner = Owner::of(rule);
    let advice = owner.map_or_else(
        || advice.to_owned(),
        |owner| {
            format!(
                "{advice}; it is written by {} ({})",
                owner.name, owner.runs_as
            )
        },
    );
    let depends = owner.map_or_else(
        || "whoever wrote it may depend on it".to_owned(),
        |owner| format!("{} depends on it and may write it again", owner.name),
    );
    let finding = finding.fix(advice).run(on_node(&fault.at));
    let finding = match gentle {
        Some(command) => finding.run(command),
        None => finding,
    };
    finding.run(format!("{}   # removes the rule: {depends}", removal(rule)))
}

/// Whether a rule stands in a table of nftables' own.
pub(super) fn is_native(rule: &TrailStep) -> bool {
    ["ip ", "ip6 ", "inet "]
        .iter()
        .any(|family| rule.table.starts_with(family))
}

/// The command of the variant that a rule is of: `iptables`, `ip6tables`, with `-legacy` where the dump
/// says so; and the table's name.
pub(super) fn command(rule: &TrailStep) -> (&'static str, &str) {
    let legacy = rule.table.strip_suffix(" (legacy)");
    let table = legacy.unwrap_or(&rule.table);
    let program = match (rule.is_v6, legacy.is_some()) {
        (false, false) => "iptables",
        (false, true) => "iptables-legacy",
        (true, false) => "ip6tables",
        (true, true) => "ip6tables-legacy",
    };
    (program, table)
}

/// The command that removes a rule, or opens a policy: `iptables -D` takes the rule's own words.
pub(super) fn removal(rule: &TrailStep) -> String {
    let (table, chain) = (&rule.table, &rule.chain);
    let is_policy = &*rule.text == "policy drop";
    if is_native(rule) {
        return if is_policy {
            format!("nft 'chain {table} {chain} {{ policy accept; }}'")
        } else {
            format!(
                "nft -a list chain {table} {chain}   # then: nft delete rule {table} {chain} handle N"
            )
        };
    }
    let (program, table) = command(rule);
    if is_policy {
        return format!("{program} -t {table} -P {chain} ACCEPT");
    }
    let words = rule.text.strip_prefix("-A ").unwrap_or(&rule.text);
    format!("{program} -t {table} -D {words}")
}
