//! Family POL: which policy denies, by which of the usual slips, and the smallest change that admits.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::pol_cause::{Reading, read};
use crate::causes::Code;
use crate::cluster::Resource;
use crate::diagnose::kubectl::policy_patch;
use crate::diagnose::{Case, Finding};
use crate::dns::is_cache;
use crate::net::Protocol;
use crate::path::{Denied, Stage};
use crate::policy::{Cause, Direction, Formula, LeafMiss, Reason, RuleMiss};
use crate::text::list;

/// The cause of a denial on the way to a backend.
pub(in crate::diagnose) fn denied(case: &Case<'_, '_>, denied: &Denied) -> Finding {
    let finding = cause(case, denied, false);
    if let Some(port) = denied.without_tunnel {
        return Finding {
            code: Code::MESH_10,
            ..finding
        }
        .because(format!(
            "port {port} itself is allowed, but both pods are in the ambient mesh, where all traffic goes to port {} (HBONE)",
            denied.port
        ));
    }
    if let Some(client) = denied.hidden_client {
        return Finding {
            code: Code::POL_13,
            ..finding
        }
        .because(format!("a rule allows {client}, but the packet arrives with the address of a node (externalTrafficPolicy Cluster)"));
    }
    if denied.stage == Stage::EgressPolicy && is_metadata(denied) {
        return Finding {
            code: Code::EGR_05,
            ..finding
        };
    }
    if denied.is_half_open && matches!(finding.code, Code::POL_02 | Code::POL_03) {
        return Finding {
            code: Code::POL_04,
            ..finding
        }
        .because("the other side allows it by a rule; both sides must allow it");
    }
    finding
}

/// The cause of a denial on the way to the DNS: POL-01 unless a slip explains it better.
pub(in crate::diagnose) fn dns_denied(case: &Case<'_, '_>, denied: &Denied) -> Finding {
    let finding = cause(case, denied, true);
    let addresses = &denied.destination.addresses;
    let cache = addresses.iter().find(|addr| is_cache(**addr));
    let Some(cache) = cache else {
        return Finding {
            stage: Stage::Dns,
            ..finding
        };
    };
    Finding {
        code: Code::POL_21,
        stage: Stage::Dns,
        ..finding
    }
    .because(format!(
        "its nameserver is {cache}, a cache on its node: rules that select DNS pods do not match it"
    ))
}

/// Whether the destination is the address that clouds answer instances at (AWS, Azure, GCP,
/// OpenStack; AWS over IPv6).
fn is_metadata(denied: &Denied) -> bool {
    const ADDRESSES: [IpAddr; 2] = [
        IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
        IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    ];
    let addresses = &denied.destination.addresses;
    addresses.iter().any(|addr| ADDRESSES.contains(addr))
}

fn cause(case: &Case<'_, '_>, denied: &Denied, for_dns: bool) -> Finding {
    let judgement = &denied.judgement;
    let general = match (for_dns, judgement.direction) {
        (true, Direction::Egress) => Code::POL_01,
        (_, Direction::Egress) => Code::POL_03,
        (_, Direction::Ingress) => Code::POL_02,
    };
    let is_vendor = judgement
        .decided_by
        .iter()
        .any(|rule| rule.policy.resource != Resource::NetworkPolicies);
    let chosen = if is_vendor {
        None
    } else {
        specific(case, denied)
    };
    let miss = chosen
        .as_ref()
        .map(|(miss, _)| *miss)
        .or_else(|| judgement.misses.first());
    let code = match &chosen {
        Some((_, reading)) => reading.code,
        None if is_vendor => Code::POL_17,
        None => general,
    };
    let mut finding = Finding::new(code, denied.stage, summary(denied, for_dns));
    finding = blame(finding, denied, miss);
    if let Some((_, reading)) = &chosen {
        finding = finding.because(reading.text.clone());
    }
    finding = facts(finding, denied, chosen.is_some());
    fix(
        (case, finding),
        denied,
        miss,
        chosen
            .as_ref()
            .and_then(|(_, reading)| reading.advice.clone()),
    )
}

/// The nearest miss that is one of the usual slips. A slip that lies much farther off than the
/// nearest rule explains nothing.
fn specific<'d>(case: &Case<'_, '_>, denied: &'d Denied) -> Option<(&'d RuleMiss, Reading)> {
    let misses = &denied.judgement.misses;
    let nearest = misses.first()?.distance;
    let near = misses.iter().filter(|miss| miss.distance <= nearest + 1);
    near.into_iter()
        .find_map(|miss| Some((miss, read(case, denied, miss)?)))
}

fn summary(denied: &Denied, for_dns: bool) -> String {
    let judgement = &denied.judgement;
    let source = name(&denied.source);
    let destination = name(&denied.destination);
    let what = match (for_dns, denied.protocol) {
        (true, _) => "DNS".to_owned(),
        (false, protocol) => format!("{protocol} {}", denied.port),
    };
    let mut policies: Vec<String> = judgement
        .selecting
        .iter()
        .map(|policy| policy.name.clone())
        .collect();
    policies.dedup();
    let policies = list(&policies);
    match (judgement.reason, judgement.direction) {
        (Reason::Refused, Direction::Egress) => {
            let rule = judgement
                .decided_by
                .first()
                .map(ToString::to_string)
                .unwrap_or_default();
            format!("{rule} denies {source} {what} to {destination}")
        }
        (Reason::Refused, Direction::Ingress) => {
            let rule = judgement
                .decided_by
                .first()
                .map(ToString::to_string)
                .unwrap_or_default();
            format!("{rule} denies {destination} {what} from {source}")
        }
        (_, Direction::Egress) => {
            format!("{policies} isolates {source} and does not allow {what} to {destination}")
        }
        (_, Direction::Ingress) => {
            format!("{policies} isolates {destination} and does not allow {what} from {source}")
        }
    }
}

fn name(end: &crate::policy::End) -> String {
    end.object
        .as_ref()
        .map_or_else(|| end.to_string(), |object| object.name.clone())
}

fn blame(finding: Finding, denied: &Denied, miss: Option<&RuleMiss>) -> Finding {
    let judgement = &denied.judgement;
    // A rule that denies is to blame; else the policy whose rule comes nearest, else what isolates.
    let refusing = (judgement.reason == Reason::Refused)
        .then(|| judgement.decided_by.first())
        .flatten();
    let rule = refusing
        .or_else(|| miss.map(|miss| &miss.rule))
        .or_else(|| judgement.decided_by.first());
    match rule {
        Some(rule) => finding.blame(rule.policy.object(), rule.field()),
        None => finding,
    }
}

fn facts(mut finding: Finding, denied: &Denied, has_reading: bool) -> Finding {
    for rule in denied.judgement.decided_by.iter().take(4) {
        finding = finding.because(format!("{rule} decides"));
    }
    for miss in denied.judgement.misses.iter().take(3) {
        let text = miss.words();
        if !(has_reading && finding.evidence.contains(&text)) {
            finding = finding.because(format!("{}: {text}", miss.rule));
        }
    }
    finding
}

/// Whether the nearest peer of a rule is an address block that the enforcing plugin matches no node by.
fn is_of_blocks(miss: &RuleMiss) -> bool {
    let Cause::Mismatch { peers, .. } = &miss.cause else {
        return false;
    };
    let mut leaves = peers.iter().flat_map(|peer| &peer.leaves);
    leaves.any(|leaf| matches!(leaf, LeafMiss::Kind(Formula::Outside)))
}

fn fix(
    (case, finding): (&Case<'_, '_>, Finding),
    denied: &Denied,
    miss: Option<&RuleMiss>,
    advice: Option<String>,
) -> Finding {
    // Where a rule denies, no rule that comes after it helps.
    let judgement = &denied.judgement;
    let patch = match judgement.reason {
        Reason::Refused => judgement.exception.as_ref(),
        // Where a block is what does not match, another block is no way out.
        _ if finding.code == Code::POL_20 && miss.is_some_and(is_of_blocks) => None,
        _ => miss.and_then(|miss| miss.fix.as_ref()),
    };
    let summary = match (advice, patch) {
        (Some(advice), _) => advice,
        (None, Some(fix)) => fix.summary.clone(),
        (None, None) if denied.protocol == Protocol::Udp && denied.port == 53 => {
            "allow the pod to reach the DNS pods on UDP and TCP 53".to_owned()
        }
        (None, None) => "add a rule that allows this traffic".to_owned(),
    };
    let finding = finding.fix(summary);
    match patch {
        Some(fix) => finding.patch(
            policy_patch(case.view, &fix.policy, &fix.patch),
            fix.patch.to_string(),
        ),
        None => finding,
    }
}
