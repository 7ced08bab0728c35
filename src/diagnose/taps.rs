//! What taps are told about the ends of a path, to make sense of their points.

use crate::cluster::access::NodeExt;
use crate::cluster::{ClusterView, Named, Pod};
use crate::dataplane::{cilium_config, installed};
use crate::nat::dataplane::Dataplane;
use crate::observe::{Observations, Tapped, Vantage};
use crate::path::Walk;
use crate::tap::{Ends, Located, locate};
use crate::world::World;

/// Where taps saw probes end.
pub(super) fn located(
    world: &World<'_>,
    walk: &Walk<'_>,
    observations: &Observations,
) -> Vec<Located> {
    let taps = observations.taps.iter();
    taps.filter_map(|tapped| locate(tapped, &ends(world.view, walk, tapped)))
        .collect()
}

fn ends(view: &ClusterView, walk: &Walk<'_>, tapped: &Tapped) -> Ends {
    let mut ends = Ends {
        skips: skips(view),
        ..Ends::default()
    };
    match &tapped.tapping.source {
        Vantage::Pod { namespace, name } => {
            if let Some(pod) = view.pods.get(namespace, name) {
                ends.source_node = pod.node_name().map(str::to_owned);
                ends.source = pod.ips();
                ends.is_host = pod.is_host_network();
            }
        }
        Vantage::Node(name) => {
            ends.source_node = Some(name.clone());
            ends.source = view
                .nodes
                .get("", name)
                .map(NodeExt::addresses)
                .unwrap_or_default();
            ends.is_host = true;
        }
    }
    // Rules may lead elsewhere than the walk: every pod has a home.
    for pod in view.pods.iter().filter(|pod| !pod.is_finished()) {
        if let Some(node) = pod.node_name() {
            let homes = pod.ips().into_iter().map(|ip| (ip, node.to_owned()));
            ends.homes.extend(homes);
        }
    }
    for backend in walk.paths.iter().flat_map(|path| &path.backends) {
        let Some(ip) = backend.address else {
            continue;
        };
        if let Some(node) = backend.node {
            ends.homes.insert(ip, node.to_owned());
        }
        if backend.pod.is_some_and(Pod::is_host_network) {
            ends.hosts.push(ip);
        }
    }
    for node in view.nodes.iter() {
        for ip in node.addresses() {
            ends.homes.insert(ip, node.name().to_owned());
            ends.hosts.push(ip);
        }
    }
    ends
}

/// A dataplane that hands packets from interface to interface without showing them.
fn skips(view: &ClusterView) -> Option<String> {
    let all = installed(view).into_iter();
    let of = |one: Dataplane| match one {
        // Its legacy routing goes through the host's stack (bpf.hostLegacyRouting).
        Dataplane::Cilium => cilium_config(view, "enable-host-legacy-routing") != Some("true"),
        Dataplane::CalicoEbpf | Dataplane::OvnKubernetes | Dataplane::Antrea => true,
        _ => false,
    };
    let mut skipping = all.map(|one| one.dataplane).filter(|one| of(*one));
    skipping.next().map(|one| one.name().to_owned())
}
