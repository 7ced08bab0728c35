//! What taps add: a place where others only suspect, and another witness where the cause is known.

use super::measured;
use crate::causes::Code;
use crate::cluster::{ObjectRef, Pod};
use crate::diagnose::{Case, Confidence, Finding, Severity};
use crate::nat::owner::Owner;
use crate::net::Protocol;
use crate::observe::Vantage;
use crate::path::Stage;
use crate::shell::words;
use crate::tap::{Direction, End, Gap, Located, rule_words};
use netpath_protocol::tap::TapRule;

/// Puts the place in. Where nothing but a guess explains the failure, the place takes its stead.
pub(in crate::diagnose) fn apply(case: &Case<'_, '_>, findings: &mut Vec<Finding>) {
    for located in &case.taps {
        if located.end == End::Complete {
            continue;
        }
        let is_fault = |finding: &Finding| finding.severity != Severity::Notice;
        let is_guess = |finding: &Finding| {
            is_fault(finding)
                && finding.confidence == Confidence::Suspected
                && finding.stage >= Stage::Nat
        };
        let place = finding(case, located);
        let guess = findings.iter().position(is_guess);
        match (place, guess) {
            (Some(place), Some(at)) => {
                let old = std::mem::replace(&mut findings[at], place);
                let place = &mut findings[at];
                place.severity = old.severity;
                place.evidence.extend(old.evidence);
            }
            (Some(place), None) if !findings.iter().any(is_fault) => findings.push(place),
            _ => {
                if let Some(known) = findings.iter_mut().find(|finding| is_fault(finding)) {
                    known.evidence.push(located.words());
                }
            }
        }
    }
}

/// The finding that the place alone makes.
fn finding(case: &Case<'_, '_>, located: &Located) -> Option<Finding> {
    let End::Lost { direction, gap } = &located.end else {
        return None;
    };
    // Not every server answers a datagram.
    let is_silence = located.tapped.tapping.protocol == Protocol::Udp;
    if is_silence && matches!(gap, Gap::InBackend { .. }) {
        return None;
    }
    let (code, object) = blamed(case, located, *direction, gap)?;
    let to = located.tapped.tapping.to;
    let what = match direction {
        Direction::Forward => format!("packets to {to}"),
        Direction::Return => format!("answers from {to}"),
    };
    let stage = match gap {
        Gap::InSource => Stage::Source,
        Gap::InBackend { .. } => Stage::Destination,
        _ if *direction == Direction::Return => Stage::Return,
        _ => Stage::Route,
    };
    let by = located.rule.as_ref().map_or_else(String::new, |rule| {
        format!(", dropped by {}", rule_words(rule))
    });
    let finding = Finding::new(code, stage, format!("{what} disappear {}{by}", gap.words()));
    let finding = measured(finding).blame(object, "").because(located.words());
    let finding = match &located.rule {
        Some(rule) => finding
            .fix("look at that rule and at who writes it; accept the traffic before it")
            .run(words!(
                "nft -a list chain {} {} {}",
                rule.family,
                rule.table,
                rule.chain
            )),
        None => finding.fix(fix(gap)),
    };
    let is_sure = !matches!(code, Code::RTE_18 | Code::DST_05);
    Some(if is_sure {
        finding
    } else {
        finding.suspected()
    })
}

/// The code, and what is to be looked at.
fn blamed(
    case: &Case<'_, '_>,
    located: &Located,
    direction: Direction,
    gap: &Gap,
) -> Option<(Code, ObjectRef)> {
    let node = |name: &String| ObjectRef::cluster_wide("Node", name.clone());
    let last = located.last();
    let is_tunneled = last.is_some_and(|stop| stop.point.outer.is_some());
    if let (Some(rule), Some(name)) = (&located.rule, gap.node()) {
        let code = match (rule.handle, rule.chain.as_str()) {
            (None, "FORWARD") => Code::RTE_02,
            _ if enforces(rule) => Code::POL_16,
            _ => Code::RTE_21,
        };
        return Some((code, ObjectRef::cluster_wide("Node", name)));
    }
    Some(match gap {
        Gap::InSource => (Code::RTE_38, source(located)),
        Gap::OnNode { node: name } => (Code::RTE_38, node(name)),
        Gap::Wire { to, .. } if is_tunneled => (Code::RTE_07, node(to)),
        Gap::Wire { to, .. } if direction == Direction::Return => (Code::RTE_27, node(to)),
        Gap::Wire { to, .. } => (Code::RTE_18, node(to)),
        Gap::ToPod { .. } => (Code::RTE_22, backend(case, located)?),
        Gap::InBackend { .. } => (Code::DST_05, backend(case, located)?),
    })
}

/// Whether a rule is one of a policy engine.
fn enforces(rule: &TapRule) -> bool {
    let engines = [
        "Calico",
        "Cilium",
        "Antrea",
        "OVN-Kubernetes",
        "kube-router",
        "Azure NPM",
        "Weave Net",
    ];
    Owner::of_chain(&rule.table, &rule.chain).is_some_and(|owner| engines.contains(&owner.name))
}

fn source(located: &Located) -> ObjectRef {
    match &located.tapped.tapping.source {
        Vantage::Pod { namespace, name } => ObjectRef::new("Pod", namespace.clone(), name.clone()),
        Vantage::Node(name) => ObjectRef::cluster_wide("Node", name.clone()),
    }
}

/// The pod that the packet was meant for at its last point.
fn backend(case: &Case<'_, '_>, located: &Located) -> Option<ObjectRef> {
    let ip = located.last()?.point.destination.ip();
    let mut pods = case.view.pods.iter();
    pods.find(|pod| pod.ips().contains(&ip)).map(Pod::reference)
}

const fn fix(gap: &Gap) -> &'static str {
    match gap {
        Gap::InSource => {
            "look into the source Pod: its own packet filter, its routes, a proxy that takes its connections over"
        }
        Gap::OnNode { .. } => {
            "look at what drops packets on that node: rules of every table, tc and XDP programs, rp_filter, forwarding, neighbors (--deep)"
        }
        Gap::Wire { .. } => {
            "look between the nodes: firewalls, security groups, the port of the overlay, the route back"
        }
        Gap::ToPod { .. } => {
            "look at the interface of the Pod on its node: whether it is up and a port of the bridge; recreate the Pod if it is not"
        }
        Gap::InBackend { .. } => {
            "look into the destination Pod: its own packet filter, its routes, a full accept queue"
        }
    }
}
