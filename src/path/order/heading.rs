//! What the head of the report says of all paths.

use crate::cluster::Unread;
use crate::cluster::access::ServiceExt;
use crate::cluster::access::ServicePortExt;
use crate::net::Protocol;
use crate::path::Path;
use crate::resolve::{Flow, Place};
use crate::target::PortSpec;
use crate::world::Nodes;

pub(super) fn unreadable(nodes: &Nodes<'_>) -> Vec<Unread> {
    /// What is wrong with a dump shows in its first lines.
    const NOTES: usize = 3;
    let unread = |what: String, why: &str| Unread {
        what,
        why: why.to_owned(),
        grant: "that file gathered again".to_owned(),
        resource: None,
        namespace: String::new(),
    };
    let all = nodes.read().flat_map(|node| {
        let files = node.state.unreadable.iter();
        let files = files.map(|bad| unread(format!("{} of {}", bad.file, node.name), &bad.why));
        let notes = node.state.rules.iter().flat_map(|rules| &rules.notes);
        let notes = notes.take(NOTES);
        files.chain(notes.map(|note| unread(format!("part of the rules of {}", node.name), note)))
    });
    let of_pods = nodes.unread_in_pods().map(|(namespace, name, bad)| {
        unread(format!("{} of pod {namespace}/{name}", bad.file), &bad.why)
    });
    all.chain(of_pods).collect()
}

pub(super) fn walked_protocol(flow: &Flow<'_>) -> Protocol {
    let of_service = || match &flow.destination.place {
        Place::Service { service, .. } => service.ports().first().map(ServicePortExt::protocol),
        _ => None,
    };
    flow.protocol.or_else(of_service).unwrap_or_default()
}

pub(super) fn walked_port(flow: &Flow<'_>, paths: &[Path<'_>]) -> Option<u16> {
    match (&flow.destination.port, &flow.destination.place) {
        (Some(PortSpec::Number(number)), _) => Some(*number),
        (Some(PortSpec::Name(name)), Place::Service { service, .. }) => {
            let mut ports = service.ports().iter();
            ports
                .find(|port| port.name.as_ref() == Some(name))
                .map(ServicePortExt::number)
        }
        (None, Place::Service { service, .. }) => {
            let mut ports = service.ports().iter();
            let fitting = ports.find(|port| {
                flow.protocol
                    .is_none_or(|protocol| port.protocol() == protocol)
            });
            fitting.map(ServicePortExt::number)
        }
        // What a door leads to has its own ports.
        (
            None,
            Place::Ingress(_) | Place::Gateway(_) | Place::ListenerSet(_) | Place::Route(..),
        ) => None,
        _ => paths
            .iter()
            .flat_map(|path| &path.backends)
            .map(|backend| backend.port)
            .find(|port| *port != 0),
    }
}
