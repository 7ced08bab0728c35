//! Who moves packets on nodes, by the objects of the API: agents and their settings.
//!
//! Interfaces and chains differ from release to release; what an operator has switched on does not.

use serde_json::Value;

use crate::cluster::{ClusterView, Named, Resource};
use crate::nat::dataplane::{Dataplane, Recognised};

/// DaemonSets of agents, by how their names begin.
const AGENTS: &[(&str, Dataplane)] = &[
    ("cilium", Dataplane::Cilium),
    // GKE Dataplane V2.
    ("anetd", Dataplane::Cilium),
    ("antrea-agent", Dataplane::Antrea),
    ("ovnkube-node", Dataplane::OvnKubernetes),
    ("kube-router", Dataplane::KubeRouter),
    ("node-local-dns", Dataplane::NodeLocalDns),
];

/// DaemonSets whose names begin like those of agents.
const OTHERS: [&str; 3] = ["cilium-envoy", "cilium-node-init", "cilium-spire"];

/// ConfigMaps that only one program reads.
const SETTINGS: &[(&str, Dataplane)] = &[
    ("cilium-config", Dataplane::Cilium),
    ("antrea-config", Dataplane::Antrea),
    ("ovnkube-config", Dataplane::OvnKubernetes),
];

/// Everybody whom objects of the cluster name.
pub(crate) fn recognise(view: &ClusterView, node: &str) -> Vec<Recognised> {
    let mut found = Vec::new();
    let mut add = |dataplane, evidence: String| {
        found.push(Recognised {
            dataplane,
            evidence: vec![evidence],
        });
    };
    for set in view.workloads_of(Resource::DaemonSets) {
        let name = set.name();
        let agent = AGENTS.iter().find(|(prefix, _)| name.starts_with(prefix));
        let is_other = OTHERS.iter().any(|other| name.starts_with(other));
        if let Some((_, dataplane)) = agent.filter(|_| !is_other) {
            add(*dataplane, format!("DaemonSet/{}/{name}", set.namespace()));
        }
    }
    for map in view.config_maps.iter() {
        let known = SETTINGS
            .iter()
            .find(|(prefix, _)| map.name().starts_with(prefix));
        if let Some((_, dataplane)) = known {
            add(
                *dataplane,
                format!("ConfigMap/{}/{}", map.namespace(), map.name()),
            );
        }
    }
    if let Some(evidence) = calico_ebpf(view, node) {
        add(Dataplane::CalicoEbpf, evidence);
    }
    found
}

/// The setting that switches Calico's eBPF dataplane on: Felix's own, where a node's comes before the
/// default one, or the operator's.
fn calico_ebpf(view: &ClusterView, node: &str) -> Option<String> {
    let of_node = format!("node.{node}");
    let named = |name: &str| {
        let mut all = view.custom(Resource::FelixConfigurations);
        all.find(|object| text(object, "/metadata/name") == Some(name))
    };
    let set = |name: &str| named(name)?.pointer("/spec/bpfEnabled")?.as_bool();
    for name in [of_node.as_str(), "default"] {
        match set(name) {
            Some(true) => return Some(format!("FelixConfiguration/{name} spec.bpfEnabled")),
            Some(false) => return None,
            None => {}
        }
    }
    let mut installations = view.custom(Resource::TigeraInstallations);
    let field = "/spec/calicoNetwork/linuxDataplane";
    installations
        .any(|object| text(object, field) == Some("BPF"))
        .then(|| "Installation/default spec.calicoNetwork.linuxDataplane".to_owned())
}

fn text<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    object.pointer(pointer)?.as_str()
}
