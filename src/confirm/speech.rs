//! What open ports said: servers that accept and stay silent, certificates, packets that are too
//! large for the way.

use std::net::SocketAddr;

use super::Confirmed;
use super::symptom::Symptom;
use crate::observe::{Observations, Vantage, time};
use crate::path::{Stage, Status};
use netpath_protocol::{HttpReply, MtuReply, Outcome, Task, TlsReply};

/// Adds what was said to the hop of every destination.
pub(super) fn confirm(confirmed: &mut Confirmed<'_>, observations: &Observations) {
    let mut symptoms = Vec::new();
    for path in &mut confirmed.walk.paths {
        let Some(source) = path.sources.first().copied() else {
            continue;
        };
        let Some(vantage) = Vantage::of_site(source) else {
            continue;
        };
        for (position, backend) in path.backends.clone().into_iter().enumerate() {
            let Some(address) = backend
                .address
                .map(|addr| SocketAddr::new(addr, backend.port))
            else {
                continue;
            };
            let replies: Vec<(&Task, &HttpReply)> = observations.http(&vantage, address).collect();
            let asked = replies.iter().find(|(task, _)| padding(task) == 0);
            if let Some((Task::Http { host, path, .. }, reply)) = asked {
                symptoms.push(Symptom::Answer {
                    source,
                    backend: backend.clone(),
                    address,
                    host: host.clone(),
                    path: path.clone(),
                    reply: (*reply).clone(),
                });
            }
            let plain = asked.map(|(_, reply)| *reply);
            let padded = replies
                .iter()
                .find(|(task, _)| padding(task) > 0)
                .map(|(_, reply)| *reply);
            // One backend speaks for those that behave alike.
            if let Some(words) = plain.map(words).filter(|_| position == 0) {
                for hop in path
                    .hops
                    .iter_mut()
                    .filter(|hop| hop.stage == Stage::Destination)
                {
                    let before = hop.observed.take().unwrap_or_default();
                    hop.observed = Some(format!("{before}; {words}"));
                }
            }
            let stalls = |reply: &&HttpReply| reply.connect_us.is_some() && reply.received == 0;
            let (small, large) = (
                plain.is_some_and(|reply| stalls(&reply)),
                padded.is_some_and(|reply| stalls(&reply)),
            );
            let size = sizes(observations, &vantage)
                .find(|(to, _)| *to == address)
                .map(|(_, reply)| reply.clone());
            let is_black_hole = size.as_ref().is_some_and(MtuReply::is_black_hole);
            if small || large || is_black_hole {
                for hop in path
                    .hops
                    .iter_mut()
                    .filter(|hop| hop.stage == Stage::Destination)
                {
                    hop.status = if small { Status::Fail } else { Status::Warn };
                }
                symptoms.push(Symptom::Stall {
                    source,
                    backend: backend.clone(),
                    address,
                    only_large: !small,
                    large_hangs: large,
                    size,
                    // The same request from inside the destination's own namespace.
                    stalls_inside: backend.pod.and_then(|pod| {
                        let inside = Vantage::of_pod(pod);
                        let mut replies = observations.http(&inside, address);
                        replies.next().map(|(_, reply)| stalls(&reply))
                    }),
                });
            }
            if let Some((host, reply)) = certificate(observations, &vantage, address) {
                symptoms.push(Symptom::Certificate {
                    source,
                    address,
                    host: host.to_owned(),
                    reply: reply.clone(),
                });
            }
        }
    }
    confirmed.symptoms.extend(symptoms);
}

const fn padding(task: &Task) -> usize {
    match task {
        Task::Http { padding, .. } => *padding,
        _ => 0,
    }
}

/// `HTTP 200 from nginx, first byte after 3.0 ms`
fn words(reply: &HttpReply) -> String {
    match (reply.status, &reply.error) {
        (Some(status), _) => {
            let server = reply
                .server
                .as_ref()
                .map_or_else(String::new, |server| format!(" from {server}"));
            let first = reply.first_byte_us.map_or_else(String::new, |first| {
                format!(", first byte after {}", time(first))
            });
            format!("HTTP {status}{server}{first}")
        }
        (None, Some(failure)) => format!("HTTP: {}", failure.words()),
        (None, None) => "no HTTP answer".to_owned(),
    }
}

fn sizes<'o>(
    observations: &'o Observations,
    vantage: &'o Vantage,
) -> impl Iterator<Item = (SocketAddr, &'o MtuReply)> {
    observations
        .seen
        .iter()
        .filter_map(move |seen| match (&seen.task, &seen.outcome) {
            (Task::PathMtu { to, .. }, Outcome::PathMtu(reply)) if seen.vantage == *vantage => {
                Some((*to, reply))
            }
            _ => None,
        })
}

fn certificate<'o>(
    observations: &'o Observations,
    vantage: &Vantage,
    address: SocketAddr,
) -> Option<(&'o str, &'o TlsReply)> {
    observations
        .seen
        .iter()
        .find_map(|seen| match (&seen.task, &seen.outcome) {
            (
                Task::Tls {
                    to, server_name, ..
                },
                Outcome::Tls(reply),
            ) if seen.vantage == *vantage && *to == address => Some((server_name.as_str(), reply)),
            _ => None,
        })
}
