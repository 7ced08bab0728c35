//! kube-proxy's setup on a node, from all that is known: its own answer, its configuration, its rules.

use serde_json::Value;

use super::NodeState;
use crate::cluster::access::NodeExt;
use crate::cluster::{ClusterView, snapshot};
use crate::nat::model::Ruleset;
use crate::nat::proxy::{Footprint, Mode, ProxySetup};
use crate::net::Family;

/// The setup of the kube-proxy on a node. The mode is what kube-proxy says of itself, else that of
/// the rules that are there, else that of its configuration.
#[must_use]
pub fn proxy_setup(view: &ClusterView, node: &str, state: &NodeState) -> ProxySetup {
    let empty = Ruleset::default();
    let rules = state.rules.as_ref().unwrap_or(&empty);
    let config = configuration(view);
    let footprint = Footprint::of(rules);
    let said = state.proxy_mode.as_deref().filter(|mode| !mode.is_empty());
    let configured = config
        .as_ref()
        .and_then(|config| Mode::of(config.get("mode")?.as_str()?));
    let mode = said
        .and_then(Mode::of)
        .or_else(|| {
            Family::ALL
                .into_iter()
                .find_map(|family| footprint.mode(family))
        })
        .or(configured)
        .unwrap_or(Mode::Iptables);
    let mut setup = ProxySetup::of_rules(mode, rules, &state.host, node);
    if let Some(config) = &config {
        setup.configure(config);
    }
    if let Some(object) = view.nodes.get("", node) {
        setup.zone = object.zone().map(ToOwned::to_owned);
        // The first of each family is the primary one.
        for family in Family::ALL {
            let addresses = object.addresses().into_iter();
            let first = addresses.into_iter().find(|ip| Family::of(*ip) == family);
            setup.node_ips.extend(first);
        }
    }
    for ip in &setup.node_ips {
        if !setup.local.contains(ip) {
            setup.local.push(*ip);
        }
    }
    setup
}

/// `config.conf` of the ConfigMap that kubeadm and most others use.
fn configuration(view: &ClusterView) -> Option<Value> {
    let map = view.config_maps.get("kube-system", "kube-proxy")?;
    let data = map.data.as_ref()?;
    let text = data.get("config.conf").or_else(|| data.values().next())?;
    snapshot::objects(text).ok()?.into_iter().next()
}
