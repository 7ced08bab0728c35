//! From both ends as they were named to the questions they stand for: every pod of the source, every
//! backend of the destination at its own port, and of those that no policy tells apart one.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::alike::Group;
use super::ends::{End, Ends};
use super::policies::Policies;
use crate::cluster::access::{EndpointExt, ServiceExt, ServicePortExt, SliceExt, target_port};
use crate::cluster::{ClusterView, Named, ObjectRef};
use crate::net::Protocol;
use crate::resolve::{Destination, Flow, Place, Site, Source};
use crate::target::PortSpec;
use crate::text::list;

/// What a flow asks of policies.
#[derive(Debug, Clone)]
pub struct PolicyQuestion {
    pub sources: Vec<Group>,
    /// Where traffic ends up, with protocol and port there.
    pub destinations: Vec<(Group, Protocol, u16)>,
}

/// Why policies cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unaskable {
    pub message: String,
    /// The way out.
    pub hint: String,
}

/// A place traffic can end up at.
type Target = (End, Protocol, u16);

/// Finds the questions a flow stands for.
///
/// # Errors
/// When an end is nothing policies know of, or no port is given and none can be guessed.
pub fn ask(
    view: &ClusterView,
    policies: &Policies,
    ends: &Ends<'_>,
    flow: &Flow<'_>,
) -> Result<PolicyQuestion, Unaskable> {
    let sources = sources(ends, &flow.source)?;
    let mut targets = targets(view, ends, &flow.destination, flow.protocol)?;
    targets.sort_by_key(|(_, protocol, port)| (*protocol, *port));
    let by_port = targets.chunk_by(|one, other| (one.1, one.2) == (other.1, other.2));
    // Where a pod runs matters to nodes, which always reach their own pods.
    let mut all = sources.iter().chain(targets.iter().map(|(end, ..)| end));
    let by_node = all.any(End::is_node_like);
    let destinations = by_port.flat_map(|targets| {
        let (protocol, port) = (targets[0].1, targets[0].2);
        let ends = targets.iter().map(|(end, ..)| end.clone());
        // A pod that may call itself does not speak for its likes.
        let (own, others): (Vec<End>, Vec<End>) =
            ends.partition(|end| sources.iter().any(|source| source.is_same_pod(end)));
        let groups = [
            policies.grouped(others, by_node),
            policies.grouped(own, by_node),
        ];
        let groups = groups.into_iter().flatten();
        groups.map(move |group| (group, protocol, port))
    });
    let destinations = destinations.collect();
    Ok(PolicyQuestion {
        sources: policies.grouped(sources, by_node),
        destinations,
    })
}

fn sources(ends: &Ends<'_>, source: &Source<'_>) -> Result<Vec<End>, Unaskable> {
    let sites = source.sites.iter().map(|site| match site {
        Site::Pod(pod) => ends.pod(pod),
        Site::Node(node) => ends.node(node),
        Site::Address(addr) | Site::Outside(Some(addr)) => ends.address(*addr),
        Site::Outside(None) => Ends::outside(),
    });
    let found: Vec<End> = sites.collect();
    if found.is_empty() {
        planned(ends, &source.object)
    } else {
        Ok(found)
    }
}

/// The pods a workload would have.
fn planned(ends: &Ends<'_>, object: &ObjectRef) -> Result<Vec<End>, Unaskable> {
    let found = ends.of(object);
    if found.is_empty() {
        return Err(Unaskable {
            message: format!("{object} stands for no pod"),
            hint: "name a pod, a workload, a Service, a node or an address".to_owned(),
        });
    }
    Ok(found)
}

fn targets(
    view: &ClusterView,
    ends: &Ends<'_>,
    destination: &Destination<'_>,
    protocol: Option<Protocol>,
) -> Result<Vec<Target>, Unaskable> {
    let found = match &destination.place {
        Place::Service { service, .. } => {
            return of_service(view, ends, service, destination, protocol);
        }
        Place::Pods(pods) if pods.is_empty() => planned(ends, &destination.object)?,
        Place::Pods(pods) => pods.iter().map(|pod| ends.pod(pod)).collect(),
        Place::Node { node, address } => match address {
            Some(addr) => vec![ends.node(node).seen_as(*addr)],
            None => vec![ends.node(node)],
        },
        Place::Address(addr) => vec![ends.address(*addr)],
        Place::NoService { namespace, name } => {
            return Err(Unaskable {
                message: format!("there is no Service {namespace}/{name}"),
                hint: "name a pod or a workload to ask without one".to_owned(),
            });
        }
        Place::Import(_)
        | Place::Ingress(_)
        | Place::Gateway(_)
        | Place::ListenerSet(_)
        | Place::Route(..)
        | Place::Name(_) => {
            return Err(Unaskable {
                message: format!("policies know nothing of {}", destination.object),
                hint: "name a pod, a workload, a Service, a node or an address".to_owned(),
            });
        }
    };
    let mut targets = Vec::new();
    for end in found {
        targets.extend(
            ports(&end, destination, protocol)
                .into_iter()
                .map(|(protocol, port)| (end.clone(), protocol, port)),
        );
    }
    if targets.is_empty() {
        let object = &destination.object;
        let message = match &destination.port {
            Some(port) => format!("{object} declares no port {port}"),
            None => format!("which port of {object}?"),
        };
        let hint = format!("add a number, as {}:8080", object.name);
        return Err(Unaskable { message, hint });
    }
    Ok(targets)
}

/// The ports asked for: a number, a name that the pod declares, or all that it declares.
fn ports(
    end: &End,
    destination: &Destination<'_>,
    protocol: Option<Protocol>,
) -> Vec<(Protocol, u16)> {
    let protocols = || protocol.map_or_else(|| Protocol::ALL.to_vec(), |protocol| vec![protocol]);
    match &destination.port {
        Some(PortSpec::Number(port)) => vec![(protocol.unwrap_or_default(), *port)],
        Some(PortSpec::Name(name)) => protocols()
            .into_iter()
            .filter_map(|protocol| Some((protocol, end.named_port(name, protocol)?)))
            .collect(),
        None => {
            let declared = end.pod.iter().flat_map(|pod| &pod.declared);
            let mut ports: Vec<(Protocol, u16)> = declared
                .copied()
                .filter(|(of, _)| protocol.is_none_or(|wanted| wanted == *of))
                .collect();
            ports.dedup();
            ports
        }
    }
}

/// The backends of a Service, at the port it leads to: what its slices say, else the pods (or
/// templates) it selects.
fn of_service(
    view: &ClusterView,
    ends: &Ends<'_>,
    service: &Service,
    destination: &Destination<'_>,
    protocol: Option<Protocol>,
) -> Result<Vec<Target>, Unaskable> {
    let is_asked = |port: &&ServicePort| {
        protocol.is_none_or(|protocol| protocol == port.protocol())
            && match &destination.port {
                Some(PortSpec::Number(number)) => port.number() == *number,
                Some(PortSpec::Name(name)) => port.name.as_ref() == Some(name),
                None => true,
            }
    };
    let asked: Vec<&ServicePort> = service.ports().iter().filter(is_asked).collect();
    if asked.is_empty() {
        let ports = service.ports().iter().map(|port| port.number().to_string());
        return Err(Unaskable {
            message: format!("{} has no such port", service.reference()),
            hint: format!("it has {}", list(&ports.collect::<Vec<_>>())),
        });
    }
    let mut targets = Vec::new();
    for port in asked {
        let backends = from_slices(view, ends, service, port);
        let backends = if backends.is_empty() {
            from_selector(view, ends, service, port)
        } else {
            backends
        };
        targets.extend(backends);
    }
    if targets.is_empty() {
        return Err(Unaskable {
            message: format!("{} has no destination", service.reference()),
            hint: "kubectl netpath SRC DST says why".to_owned(),
        });
    }
    Ok(targets)
}

fn from_slices(
    view: &ClusterView,
    ends: &Ends<'_>,
    service: &Service,
    port: &ServicePort,
) -> Vec<Target> {
    let slices = view.endpoint_slices.in_namespace(service.namespace());
    let slices = slices.filter(|slice| slice.service_name() == Some(service.name()));
    let mut targets = Vec::new();
    for slice in slices {
        let ports = slice.ports.iter().flatten();
        let wanted = port.name.as_deref().unwrap_or_default();
        let number = ports
            .filter(|found| found.name.as_deref().unwrap_or_default() == wanted)
            .find_map(|found| u16::try_from(found.port?).ok());
        let Some(number) = number else { continue };
        for endpoint in slice.endpoints.iter().flatten() {
            let addr: Option<IpAddr> = endpoint.address();
            let pod = endpoint
                .pod_name()
                .and_then(|name| view.pods.get(slice.namespace(), name));
            let end = match (pod, addr) {
                (Some(pod), Some(addr)) => ends.pod(pod).seen_as(addr),
                (Some(pod), None) => ends.pod(pod),
                (None, Some(addr)) => ends.address(addr),
                (None, None) => continue,
            };
            targets.push((end, port.protocol(), number));
        }
    }
    targets
}

fn from_selector(
    view: &ClusterView,
    ends: &Ends<'_>,
    service: &Service,
    port: &ServicePort,
) -> Vec<Target> {
    let Some(selector) = service.selector() else {
        return Vec::new();
    };
    let pods = view.pods.in_namespace(service.namespace());
    let selected = pods.filter(|pod| !pod.is_finished() && selector.matches(pod.labels()));
    let mut found: Vec<End> = selected.map(|pod| ends.pod(pod)).collect();
    if found.is_empty() {
        found = ends
            .templates(service.namespace())
            .filter(|end| {
                end.pod
                    .as_ref()
                    .is_some_and(|pod| selector.matches(&pod.labels))
            })
            .collect();
    }
    let protocol = port.protocol();
    let number = |end: &End| match target_port(port) {
        IntOrString::Int(number) => u16::try_from(number).ok(),
        IntOrString::String(name) => end.named_port(&name, protocol),
    };
    let targets = found.into_iter();
    targets
        .filter_map(|end| {
            let number = number(&end)?;
            Some((end, protocol, number))
        })
        .collect()
}
