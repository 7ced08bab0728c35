//! What the destination's own network namespace says: its address, its sockets, its packet filter.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::cross::{self, Passage};
use super::sender::no_route;
use super::trip::CLIENT_PORT;
use crate::cluster::Named;
use crate::facts::{Connection, Listener};
use crate::nat::eval::{Question, Tracer, Undo};
use crate::net::{Family, Packet, Protocol};
use crate::node::PodState;
use crate::path::trail::Trail;
use crate::path::{Backend, Fault, Hop, NodeFault, PodFault, Stage, Status};
use crate::world::{NodeSite, Nodes};

/// Puts what was gathered inside the pod beside the hop of the destination.
pub(super) fn step<'v>(
    nodes: &Nodes<'v>,
    backend: &Backend<'v>,
    (family, protocol): (Family, Protocol),
    client: Option<IpAddr>,
    trail: &mut Trail<'v>,
) {
    let Some(hop) = trail
        .hops
        .iter()
        .position(|hop| hop.stage == Stage::Destination && hop.status == Status::Pass)
    else {
        return;
    };
    let Some((reference, kind, text)) = look(nodes, backend, (family, protocol), client) else {
        return;
    };
    let old = trail.hops.remove(hop);
    let Some(kind) = kind else {
        let unread = backend.pod.and_then(|pod| nodes.pod(pod)?.unread_way());
        let hop = match unread {
            Some(bad) => Hop {
                status: Status::Unknown,
                summary: format!("{}: {}", bad.file, bad.why),
                ..old
            },
            None => old,
        };
        trail.push(hop.held(reference, text));
        return;
    };
    let hop = Hop {
        summary: text.clone(),
        ..old.held(reference, text)
    };
    let at = hop.at.clone();
    let is_limping = matches!(
        kind,
        PodFault::QueueFull { .. } | PodFault::AnswersFrom { .. }
    );
    let Some(at) = at else {
        trail.push(hop);
        return;
    };
    let fault = NodeFault {
        at,
        stage: Stage::Destination,
        service: None,
        is_return: false,
        kind: Fault::Pod(kind),
    };
    super::nat::raise(trail, hop, fault, !is_limping);
}

/// Where it was read, what is wrong, and in words.
fn look(
    nodes: &Nodes<'_>,
    backend: &Backend<'_>,
    (family, protocol): (Family, Protocol),
    client: Option<IpAddr>,
) -> Option<(String, Option<PodFault>, String)> {
    let pod = backend.pod?;
    if backend.port == 0 {
        return None;
    }
    if protocol == Protocol::Udp
        && let Some(node) = pod.node_name().and_then(|name| nodes.node(name))
        && let Some((fault, text)) = astray(backend, node)
    {
        return Some((format!("Node/{} conntrack", node.name), Some(fault), text));
    }
    let reference = format!("{} sockets", pod.reference());
    if pod.is_host_network() {
        let node = nodes.node(pod.node_name()?)?;
        let listeners = node.state.listeners.as_deref()?;
        let (fault, text) = sockets(backend, (family, protocol), listeners);
        return Some((format!("Node/{} sockets", node.name), fault, text));
    }
    let state = nodes.pod(pod)?;
    if let Some(fault) = backend.address.and_then(|own| address(own, state)) {
        let text = "the address of its status is on none of its interfaces".to_owned();
        return Some((format!("{} interfaces", pod.reference()), Some(fault), text));
    }
    if let Some((fault, text)) = filter(backend, protocol, client, state) {
        return Some((format!("{} rules", pod.reference()), Some(fault), text));
    }
    if let Some(answer) = answer(backend, protocol, client)
        && let Some(fault) = no_route(state, answer)
    {
        let text = format!("{} has no route back to {}", pod.name(), answer.dst);
        return Some((format!("{} routes", pod.reference()), Some(fault), text));
    }
    let empty = Vec::new();
    let is_unreadable = state.unreadable.iter().any(|one| one.file == "sockets.txt");
    // A recording has no file where the list is empty; that holds only where the namespace was
    // entered at all.
    let listeners = match &state.listeners {
        Some(listeners) => listeners,
        None if is_unreadable => return None,
        None if state.host.links.is_some() && nodes.records_sockets() => &empty,
        None => return None,
    };
    let (fault, text) = sockets(backend, (family, protocol), listeners);
    Some((reference, fault, text))
}

/// A question that stays unanswered, beside a datagram from the same port to whoever asked, from another
/// address: a server on several addresses that does not answer from the one that was asked.
fn astray(backend: &Backend<'_>, node: &NodeSite) -> Option<(PodFault, String)> {
    let own = backend.address?;
    let connections = node.state.connections.as_deref()?;
    let is_silent = |one: &&Connection| one.protocol == Protocol::Udp && one.is_unreplied;
    let silent = || connections.iter().filter(is_silent);
    let questions = silent().filter(|one| (one.reply.src, one.reply.sport) == (own, backend.port));
    for question in questions {
        let asker = (question.reply.dst, question.reply.dport);
        let answers = |one: &&Connection| {
            let from = one.original;
            (from.dst, from.dport) == asker && from.sport == backend.port && from.src != own
        };
        if let Some(answer) = silent().find(answers) {
            let address = answer.original.src;
            let text = format!("answers from {address}, not from {own}");
            let entries = [question, answer].map(|one| one.original.to_string());
            return Some((PodFault::AnswersFrom { address, entries }, text));
        }
    }
    None
}

/// The fault of a pod that does not have the address of its status.
pub(super) fn address(address: IpAddr, state: &PodState) -> Option<PodFault> {
    let links = state.host.links.as_ref()?;
    let own: Vec<_> = links
        .iter()
        .flat_map(|link| link.addresses.iter().map(|own| own.ip))
        .filter(|ip| !ip.is_loopback() && ip.is_ipv4() == address.is_ipv4())
        .collect();
    let is_other = !own.contains(&address) && own.iter().any(|ip| !is_link_local(*ip));
    is_other.then_some(PodFault::AddressGone { address, has: own })
}

const fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// Rules of the pod that stop the packet, or the answer to it. A mesh's rules hand it to a proxy in the
/// pod, which is none of the rules' business.
fn filter(
    backend: &Backend<'_>,
    protocol: Protocol,
    client: Option<IpAddr>,
    state: &PodState,
) -> Option<(PodFault, String)> {
    let address = backend.address?;
    let interface = state.host.link_with(address)?.name.clone();
    let packet = Packet::new(
        client.unwrap_or_else(|| nobody(address)),
        address,
        backend.port,
        protocol,
    );
    let stops = |question: &Question| match walk_inside(state, question)? {
        Passage::Stopped(Fault::Blocked { rule, .. })
            if client.is_some() || !names_source(&rule.text) =>
        {
            Some(rule)
        }
        _ => None,
    };
    let back = answer(backend, protocol, client).map(|packet| Question {
        reply: Some(Undo::default()),
        uid: None,
        ..Question::made_here(packet)
    });
    let rule =
        stops(&Question::incoming(packet, interface)).or_else(|| back.as_ref().and_then(stops))?;
    let text = format!("stopped inside the pod by {rule}");
    let port = backend.port;
    let is_source = false;
    Some((
        PodFault::Filtered {
            port,
            rule,
            is_source,
        },
        text,
    ))
}

/// What the pod's rules make of a packet, if they were read.
pub(super) fn walk_inside(state: &PodState, question: &Question) -> Option<Passage> {
    let tracer = Tracer::new(state.rules.as_ref()?, &state.host).trusting_userspace();
    let answer = tracer.walk(question);
    Some(cross::passage(&answer, &answer.outcomes))
}

/// The answer of a backend to a client that is known.
fn answer(backend: &Backend<'_>, protocol: Protocol, client: Option<IpAddr>) -> Option<Packet> {
    let (own, client) = (backend.address?, client?);
    Some(Packet {
        sport: Some(backend.port),
        ..Packet::new(own, client, CLIENT_PORT, protocol)
    })
}

/// An address that stands for all clients (RFC 5737, RFC 3849).
const fn nobody(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::new(203, 0, 113, 77)),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x77)),
    }
}

/// Whether a rule is for some sources only; the client used here is nobody.
fn names_source(rule: &str) -> bool {
    rule.contains(" -s ") || rule.contains("saddr")
}

fn sockets(
    backend: &Backend<'_>,
    (family, protocol): (Family, Protocol),
    listeners: &[Listener],
) -> (Option<PodFault>, String) {
    let port = backend.port;
    let own: Vec<&Listener> = listeners
        .iter()
        .filter(|one| one.protocol == protocol && one.port == port)
        .collect();
    let Some(first) = own.first() else {
        let mut open: Vec<u16> = listeners
            .iter()
            .filter(|one| one.protocol == protocol && !one.is_loopback())
            .map(|one| one.port)
            .collect();
        open.sort_unstable();
        open.dedup();
        let text = format!("no socket on port {port}/{protocol}");
        return (Some(PodFault::NotListening { port, open }), text);
    };
    let address = first.address;
    if own.iter().all(|one| one.is_loopback()) {
        let text = format!("listens on {address}:{port} only");
        return (Some(PodFault::LoopbackOnly { port, address }), text);
    }
    let wanted = backend.address;
    let Some(taking) = own.iter().find(|one| wanted.is_none_or(|ip| one.takes(ip))) else {
        let text = format!("listens on {address} only, not for {family}");
        let fault = PodFault::OtherFamily {
            port,
            address,
            family,
        };
        return (Some(fault), text);
    };
    if taking.backlog > 0 && taking.waiting > taking.backlog {
        let (waiting, backlog) = (taking.waiting, taking.backlog);
        let text = format!("{waiting} connections wait to be accepted, room is for {backlog}");
        let fault = PodFault::QueueFull {
            port,
            waiting,
            backlog,
        };
        return (Some(fault), text);
    }
    let shown = if taking.takes_both || taking.address.is_unspecified() {
        "any address".to_owned()
    } else {
        taking.address.to_string()
    };
    (None, format!("listens on {shown}, port {port}/{protocol}"))
}
