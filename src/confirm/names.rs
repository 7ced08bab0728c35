//! Stage `dns`: what the servers really said.

use std::net::{IpAddr, SocketAddr};

use super::symptom::{NameSymptom, Symptom, reply_words};
use super::{Confirmed, proxy};
use crate::cluster::access::ServiceExt;
use crate::path::{Path, Stage, Status};
use crate::probe::protocol::{DnsReply, Failure, Task};
use crate::probe::{Observations, Vantage};
use crate::resolve::{Flow, Place, Site};

/// Lays the answers over the hop of every path that looks a name up.
pub(super) fn confirm<'v>(
    confirmed: &mut Confirmed<'v>,
    flow: &Flow<'v>,
    observations: &Observations,
) {
    let expected: Vec<IpAddr> = match &flow.destination.place {
        Place::Service { service, .. } => service.cluster_ips(),
        _ => Vec::new(),
    };
    let mut symptoms: Vec<Symptom<'v>> = Vec::new();
    for path in &mut confirmed.walk.paths {
        let Some(pod) = path.sources.first().and_then(Site::pod) else {
            continue;
        };
        let vantage = Vantage::of_pod(pod);
        let replies: Vec<(&Task, &DnsReply)> = observations.dns(&vantage).collect();
        if replies.is_empty() || !path.hops.iter().any(|hop| hop.stage == Stage::Dns) {
            continue;
        }
        let answer = best(&replies, &expected);
        let words: Vec<String> = replies
            .iter()
            .filter_map(|(task, reply)| words(task, reply))
            .collect();
        let kind = match answer {
            Ok(text) => {
                set(path, Status::Pass, &text);
                // Whatever kept the name from being found, it was found.
                path.breaks.retain(|seen| seen.stage() != Stage::Dns);
                partly(&replies)
            }
            Err((kind, text)) => {
                let was_predicted = path.breaks.iter().any(|seen| seen.stage() == Stage::Dns);
                set(path, Status::Fail, &text);
                Some(kind).filter(|_| !was_predicted)
            }
        };
        let is_said = symptoms.iter().any(
            |other| matches!(other, Symptom::Name { source, .. } if std::ptr::eq(*source, pod)),
        );
        if let Some(kind) = kind.filter(|_| !is_said) {
            symptoms.push(Symptom::Name {
                source: pod,
                name: asked_name(&replies),
                kind,
                replies: words,
                servers: servers(&replies),
                others_answer: proxy::others_answer(&vantage, &[], observations),
            });
        }
    }
    confirmed.symptoms.extend(symptoms);
}

fn set(path: &mut Path<'_>, status: Status, text: &str) {
    for hop in path.hops.iter_mut().filter(|hop| hop.stage == Stage::Dns) {
        hop.predicted = Some(hop.summary.clone());
        hop.status = status;
        hop.observed = Some(text.to_owned());
    }
}

/// The answer of the resolver's own server that decides: the expected address, else any address; or
/// the worst that was said.
fn best(
    replies: &[(&Task, &DnsReply)],
    expected: &[IpAddr],
) -> Result<String, (NameSymptom, String)> {
    let first = replies.first().and_then(|(task, _)| server(task));
    let of_resolver: Vec<&(&Task, &DnsReply)> = replies
        .iter()
        .filter(|(task, _)| server(task) == first && !is_over_tcp(task))
        .collect();
    let addresses = |reply: &DnsReply| -> Vec<IpAddr> {
        reply
            .answers
            .iter()
            .filter_map(|answer| answer.parse().ok())
            .collect()
    };
    let positive = of_resolver
        .iter()
        .find(|(_, reply)| !addresses(reply).is_empty());
    if let Some((task, reply)) = positive {
        let found = addresses(reply);
        let text = words(task, reply).unwrap_or_default();
        let is_expected = expected.is_empty() || found.iter().any(|addr| expected.contains(addr));
        return if is_expected {
            Ok(text)
        } else {
            Err((NameSymptom::Wrong(reply.answers.join(", ")), text))
        };
    }
    let text = of_resolver
        .last()
        .and_then(|(task, reply)| words(task, reply))
        .unwrap_or_default();
    let has = |failure: &Failure| {
        of_resolver
            .iter()
            .any(|(_, reply)| reply.error.as_ref() == Some(failure))
    };
    let error = of_resolver.iter().find_map(|(_, reply)| {
        reply
            .rcode
            .as_ref()
            .filter(|rcode| !matches!(rcode.as_str(), "NOERROR" | "NXDOMAIN"))
            .cloned()
    });
    let kind = if let Some(rcode) = error {
        NameSymptom::Error(rcode)
    } else if of_resolver.iter().any(|(_, reply)| reply.rcode.is_some()) {
        NameSymptom::NoName
    } else if has(&Failure::Refused) {
        NameSymptom::Refused
    } else {
        NameSymptom::Silent
    };
    Err((kind, text))
}

fn words(task: &Task, reply: &DnsReply) -> Option<String> {
    match task {
        Task::Dns { server, name, .. } => Some(reply_words(*server, name, reply)),
        _ => None,
    }
}

fn asked_name(replies: &[(&Task, &DnsReply)]) -> String {
    let mut names = replies.iter().rev().filter_map(|(task, _)| match task {
        Task::Dns { name, .. } => Some(name.clone()),
        _ => None,
    });
    names.next().unwrap_or_default()
}

/// Of the servers that were asked beside the first, how many there are and how many answered.
fn servers(replies: &[(&Task, &DnsReply)]) -> (usize, usize) {
    let first = replies.first().and_then(|(task, _)| server(task));
    let others: Vec<_> = replies
        .iter()
        .filter(|(task, _)| server(task) != first)
        .collect();
    let answered = others
        .iter()
        .filter(|(_, reply)| reply.rcode.is_some())
        .count();
    (others.len(), answered)
}

/// What is wrong although the name was found: a silent server among the others, or no TCP.
fn partly(replies: &[(&Task, &DnsReply)]) -> Option<NameSymptom> {
    let (all, answered) = servers(replies);
    if answered < all {
        return Some(NameSymptom::Sometimes);
    }
    let tcp = replies.iter().find(|(task, _)| is_over_tcp(task));
    tcp.filter(|(_, reply)| reply.rcode.is_none())
        .map(|_| NameSymptom::NoTcp)
}

const fn server(task: &Task) -> Option<SocketAddr> {
    match task {
        Task::Dns { server, .. } => Some(*server),
        _ => None,
    }
}

const fn is_over_tcp(task: &Task) -> bool {
    matches!(task, Task::Dns { over_tcp: true, .. })
}
