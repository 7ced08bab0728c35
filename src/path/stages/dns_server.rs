//! Part of stage `dns`: do the DNS servers answer this pod at all?

use std::net::{IpAddr, SocketAddr};

use k8s_openapi::api::core::v1::{Service, ServicePort};

use super::dns::Servers;
use super::endpoints::slices;
use super::{nodes, policy};
use crate::cluster::access::{EndpointExt, NodeExt, ServiceExt, ServicePortExt};
use crate::cluster::endpoints::{
    EndpointChoice, PortEndpoint, ProxyNode, TrafficPolicies, WithoutEndpoints, categorize,
    endpoints_of,
};
use crate::cluster::{Named, ObjectRef, Pod, Resource};
use crate::dns::{ResolvConf, is_cache};
use crate::net::{Family, Protocol};
use crate::path::context::Walker;
use crate::path::{Backend, Fault, NodeFault, Stage, Status};
use crate::path::{Denied, DnsTrouble};
use crate::resolve::Site;

/// The port of the DNS (RFC 1035).
const DNS: u16 = 53;

/// Checks what stands between a pod and its DNS servers.
pub(in crate::path) fn check<'v>(
    walker: &Walker<'_, 'v>,
    pod: &'v Pod,
    conf: &ResolvConf,
    family: Family,
) -> Servers<'v> {
    let view = walker.view;
    let Some(service) = walker.dns.service else {
        return without_service(walker);
    };
    let mut servers = Servers {
        status: Status::Pass,
        text: String::new(),
        facts: vec![],
        troubles: vec![],
    };
    let cache = conf.nameservers.iter().find(|server| is_cache(**server));
    if let Some(&cache) = cache {
        check_cache(walker, pod, (service, cache), family, &mut servers);
        if servers.status == Status::Pass {
            check_node_of_cache(walker, pod, cache, &mut servers);
        }
        if servers.status == Status::Pass {
            behind_cache(walker, pod, service, family, &mut servers);
        }
        return servers;
    }
    let own = service.cluster_ips();
    let wrong = conf
        .nameservers
        .first()
        .filter(|first| !own.is_empty() && !own.contains(first));
    if let Some(&asked) = wrong {
        servers.status = Status::Fail;
        servers.text = format!("it asks {asked}, the cluster's DNS is {}", own[0]);
        servers.troubles.push(DnsTrouble::WrongServer {
            pod,
            asked,
            service,
        });
        return servers;
    }
    check_ports(service, &mut servers);
    if let Some(unread) = view.unread(Resource::EndpointSlices, service.namespace()) {
        servers.status = Status::Unknown;
        servers.text = format!("{} {}", unread.what, unread.why);
        return servers;
    }
    let family = service
        .families()
        .into_iter()
        .find(|own| *own == family)
        .unwrap_or(family);
    check_endpoints(walker, pod, service, family, &mut servers);
    servers
}

/// The cache of the node (NodeLocal DNSCache) is a process of the node: policies see its link-local
/// address, not the DNS pods behind it. Where they keep the pod from the DNS pods, too, that is said.
fn check_cache<'v>(
    walker: &Walker<'_, 'v>,
    pod: &'v Pod,
    (service, cache): (&'v Service, IpAddr),
    family: Family,
    servers: &mut Servers<'v>,
) {
    "through the cache of its node".clone_into(&mut servers.text);
    let end = walker.ends.address(cache);
    match policy::denial(walker, Site::Pod(pod), &end, (Protocol::Udp, DNS)) {
        Ok(Some(denied)) => {
            let is_for_pods = denial_of_a_server(walker, pod, service, family);
            let text =
                format!("an egress policy keeps the pod from the cache of its node, {cache}");
            servers.status = Status::Fail;
            servers.text = text;
            let first = Box::new(is_for_pods.unwrap_or(denied));
            let is_all = true;
            servers.troubles.push(DnsTrouble::Denied { first, is_all });
        }
        Ok(None) => {}
        Err(doubt) => {
            servers.status = Status::Unknown;
            servers.text = format!("whether policies allow DNS is unknown: {doubt}");
        }
    }
}

/// What keeps a pod from the first of the DNS pods.
fn denial_of_a_server<'v>(
    walker: &Walker<'_, 'v>,
    pod: &'v Pod,
    service: &'v Service,
    family: Family,
) -> Option<Denied> {
    let port = service.ports().iter().find(|port| port.number() == DNS)?;
    let (_, choice) = endpoints(walker, pod, service, port, family);
    let endpoint = choice.internal().first()?;
    let name = endpoint.endpoint.pod_name()?;
    let server = walker.view.pods.get(service.namespace(), name)?;
    let end = walker.ends.pod(server);
    policy::denial(walker, Site::Pod(pod), &end, (Protocol::Udp, endpoint.port)).ok()?
}

/// What the cache does not have it asks the DNS pods for, by a Service of its own that selects the
/// same pods. Policies of the client do not concern that.
fn behind_cache<'v>(
    walker: &Walker<'_, 'v>,
    pod: &'v Pod,
    service: &'v Service,
    family: Family,
    servers: &mut Servers<'v>,
) {
    let Some(port) = service.ports().iter().find(|port| port.number() == DNS) else {
        return;
    };
    let (all, choice) = endpoints(walker, pod, service, port, family);
    if choice.internal_fate() != WithoutEndpoints::Forward {
        no_endpoint(all, service, servers);
    }
}

/// The endpoints of a DNS port, how many there are and which of them the pod's node uses.
fn endpoints<'v>(
    walker: &Walker<'_, 'v>,
    pod: &Pod,
    service: &'v Service,
    port: &ServicePort,
    family: Family,
) -> (usize, EndpointChoice<'v>) {
    let name = pod.node_name().unwrap_or_default();
    let node = ProxyNode {
        name,
        zone: walker.view.nodes.get("", name).and_then(NodeExt::zone),
    };
    let all = endpoints_of(
        slices(walker.view, service),
        family,
        port.name.as_deref(),
        port.protocol(),
        node,
    );
    let choice = categorize(&all, TrafficPolicies::of(service, port), node);
    (all.len(), choice)
}

fn no_endpoint<'v>(all: usize, service: &'v Service, servers: &mut Servers<'v>) {
    servers.status = Status::Fail;
    servers.text = match all {
        0 => "the cluster's DNS has no endpoint".to_owned(),
        all => format!("the cluster's DNS has 0 of {all} endpoints ready"),
    };
    servers.troubles.push(DnsTrouble::NoEndpoints(service));
}

/// Whether the cache of the pod's node is there: its address, and a socket on it.
fn check_node_of_cache<'v>(
    walker: &Walker<'_, 'v>,
    pod: &'v Pod,
    address: IpAddr,
    servers: &mut Servers<'v>,
) {
    let node = pod.node_name().and_then(|name| walker.nodes.node(name));
    let Some(node) = node else {
        return;
    };
    let host = &node.state.host;
    let lacks_address = host.links.is_some() && host.link_with(address).is_none();
    let lacks_socket = node.state.listeners.as_ref().is_some_and(|all| {
        let mut all = all.iter();
        !all.any(|one| one.protocol == Protocol::Udp && one.port == DNS && one.takes(address))
    });
    if !lacks_address && !lacks_socket {
        return;
    }
    servers.status = Status::Fail;
    servers.text = format!("the cache of node {} at {address} is not there", node.name);
    let fault = NodeFault {
        at: ObjectRef::cluster_wide("Node", &node.name),
        stage: Stage::Dns,
        service: None,
        is_return: false,
        kind: Fault::NoNodeCache {
            address,
            lacks_address,
        },
    };
    let first = Box::new(fault);
    servers.troubles.push(DnsTrouble::Node {
        first,
        is_all: true,
    });
}

/// Without a DNS Service: not there, not readable, or not part of what was recorded.
fn without_service<'v>(walker: &Walker<'_, 'v>) -> Servers<'v> {
    let view = walker.view;
    let unread = view.unread(Resource::Services, "kube-system");
    let shows_system = view.services.in_namespace("kube-system").next().is_some()
        || view.pods.in_namespace("kube-system").next().is_some();
    let (status, text, troubles) = match unread {
        Some(unread) => (
            Status::Unknown,
            format!("{} {}", unread.what, unread.why),
            vec![],
        ),
        None if shows_system => {
            let text = "kube-system has no DNS Service".to_owned();
            (Status::Fail, text, vec![DnsTrouble::NoService])
        }
        None => (
            Status::Pass,
            "the cluster's DNS is not part of what was given".to_owned(),
            vec![],
        ),
    };
    Servers {
        status,
        text,
        facts: vec![],
        troubles,
    }
}

/// Both protocols are needed: UDP for every lookup, TCP for answers that do not fit (RFC 7766).
fn check_ports<'v>(service: &'v Service, servers: &mut Servers<'v>) {
    for protocol in [Protocol::Udp, Protocol::Tcp] {
        let has = service
            .ports()
            .iter()
            .any(|port| port.number() == DNS && port.protocol() == protocol);
        if !has {
            servers.status = if protocol == Protocol::Udp {
                Status::Fail
            } else {
                Status::Warn
            };
            servers.text = format!("{} has no port 53/{protocol}", service.name());
            servers
                .troubles
                .push(DnsTrouble::NoPort { service, protocol });
        }
    }
}

fn check_endpoints<'v>(
    walker: &Walker<'_, 'v>,
    pod: &'v Pod,
    service: &'v Service,
    family: Family,
    servers: &mut Servers<'v>,
) {
    let port = service
        .ports()
        .iter()
        .find(|port| port.number() == DNS && port.protocol() == Protocol::Udp);
    let Some(port) = port else {
        return;
    };
    let (all, choice) = endpoints(walker, pod, service, port, family);
    if choice.internal_fate() != WithoutEndpoints::Forward {
        return no_endpoint(all, service, servers);
    }
    servers.facts.push((
        format!("EndpointSlices of {}", service.reference()),
        format!("{} of {} ready", choice.internal().len(), all),
    ));
    check_policies(walker, pod, service, choice.internal(), servers);
    if servers.status == Status::Pass {
        check_nodes(walker, pod, service, choice.internal(), servers);
    }
}

/// The same by what nodes and pods hold, where that was gathered.
fn check_nodes<'v>(
    walker: &Walker<'_, 'v>,
    pod: &'v Pod,
    service: &'v Service,
    endpoints: &[PortEndpoint<'v>],
    servers: &mut Servers<'v>,
) {
    let faults: Vec<(NodeFault, bool)> = endpoints
        .iter()
        .filter_map(|endpoint| {
            let name = endpoint.endpoint.pod_name();
            let target = name.and_then(|name| walker.view.pods.get(service.namespace(), name));
            let backend = Backend {
                address: Some(endpoint.address),
                port: endpoint.port,
                pod: target,
                node: endpoint.endpoint.node_name.as_deref(),
                is_hypothetical: false,
                cluster: None,
            };
            let vip = service.cluster_ip(Family::of(endpoint.address))?;
            let asked = SocketAddr::new(vip, DNS);
            nodes::fault(walker, Site::Pod(pod), asked, &backend, service)
        })
        .collect();
    let total = endpoints.len();
    let failing = faults.iter().filter(|(_, stops)| *stops).count();
    // What stops all packets says more than what some meet.
    let Some((first, _)) = faults.into_iter().max_by_key(|(_, stops)| *stops) else {
        return;
    };
    let is_all = failing == total;
    servers.status = if is_all { Status::Fail } else { Status::Warn };
    if failing > 0 {
        servers.text = format!("{failing} of {total} DNS pods cannot be reached from its node");
    }
    let first = Box::new(first);
    servers.troubles.push(DnsTrouble::Node { first, is_all });
}

/// A lookup goes by UDP to any one of the DNS pods, at their own port.
fn check_policies<'v>(
    walker: &Walker<'_, 'v>,
    pod: &'v Pod,
    service: &Service,
    endpoints: &[PortEndpoint<'v>],
    servers: &mut Servers<'v>,
) {
    let mut denied = Vec::new();
    let mut doubts = Vec::new();
    for endpoint in endpoints {
        let name = endpoint.endpoint.pod_name();
        let target = name.and_then(|name| walker.view.pods.get(service.namespace(), name));
        let end = match target {
            Some(target) => walker.ends.pod(target),
            None => walker.ends.address(endpoint.address),
        };
        match policy::denial(walker, Site::Pod(pod), &end, (Protocol::Udp, endpoint.port)) {
            Ok(Some(denial)) => denied.push(denial),
            Ok(None) => {}
            Err(doubt) => doubts.push(doubt),
        }
    }
    let (refused, total) = (denied.len(), endpoints.len());
    if let Some(first) = denied.into_iter().next() {
        let is_all = refused == total;
        servers.status = if is_all { Status::Fail } else { Status::Warn };
        let side = if first.stage == Stage::EgressPolicy {
            "egress"
        } else {
            "ingress"
        };
        servers.text = match (refused, total) {
            (1, 1) => format!("an {side} policy blocks the pod from the DNS pod"),
            (all, total) if all == total => {
                format!("{side} policies block the pod from every DNS pod")
            }
            (some, total) => {
                format!("{side} policies block the pod from {some} of {total} DNS pods")
            }
        };
        let first = Box::new(first);
        servers.troubles.push(DnsTrouble::Denied { first, is_all });
    } else if let Some(doubt) = doubts.first().filter(|_| doubts.len() == total) {
        servers.status = Status::Unknown;
        servers.text = format!("whether policies allow DNS is unknown: {doubt}");
    } else if servers.status == Status::Pass {
        servers.text = match total {
            1 => "1 DNS pod".to_owned(),
            total => format!("{total} DNS pods"),
        };
    }
}
