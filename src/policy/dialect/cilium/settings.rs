//! Settings of the Cilium agent that change what policies mean, as far as the view shows them.

use std::collections::BTreeMap;

use ipnet::IpNet;

use crate::cluster::access::{EndpointExt, SliceExt};
use crate::cluster::scope::CILIUM_CONFIG;
use crate::cluster::{ClusterView, Named};
use crate::policy::formula::Formula;
use crate::policy::model::PolicyRef;
use crate::policy::truth::Doubt;

/// What the ConfigMap `cilium-config` and the API server's endpoints say.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// The ConfigMap, where the view has it.
    config: Option<BTreeMap<String, String>>,
    api_servers: Vec<IpNet>,
}

// === impl Settings ===

impl Settings {
    pub(super) fn read(view: &ClusterView) -> Self {
        let mut maps = view.config_maps.iter();
        let map = maps.find(|map| map.name() == CILIUM_CONFIG);
        let slices = view.endpoint_slices.in_namespace("default");
        let endpoints = slices
            .filter(|slice| slice.service_name() == Some("kubernetes"))
            .flat_map(|slice| slice.endpoints.iter().flatten());
        Self {
            config: map.and_then(|map| map.data.clone()),
            api_servers: endpoints
                .filter_map(EndpointExt::address)
                .map(IpNet::from)
                .collect(),
        }
    }

    /// The name other clusters know this one by.
    pub(super) fn cluster_name(&self) -> Option<&str> {
        let name = self.config.as_ref()?.get("cluster-name")?;
        Some(name)
    }

    /// Whom address blocks can match: nobody in the cluster but, if so set, nodes ("CIDR rules do
    /// not apply to traffic where both sides are managed by Cilium").
    pub(super) fn in_block(&self, policy: &PolicyRef) -> Formula {
        let nodes = self.nodes_if(policy, "policy-cidr-match-mode", "nodes");
        Formula::Any(vec![Formula::Outside, nodes])
    }

    /// Nodes, where node selectors work.
    pub(super) fn selectable_node(&self, policy: &PolicyRef) -> Formula {
        self.nodes_if(policy, "enable-node-selector-labels", "true")
    }

    /// Nodes, where the host firewall is on.
    pub(super) fn policed_node(&self, policy: &PolicyRef) -> Formula {
        self.nodes_if(policy, "enable-host-firewall", "true")
    }

    /// The API server.
    pub(super) fn api_server(&self, policy: &PolicyRef) -> Formula {
        if self.api_servers.is_empty() {
            let doubt = doubt(policy, "the addresses of the API server are not known");
            let outside_pods = Formula::Not(Box::new(Formula::Pod));
            return Formula::All(vec![outside_pods, Formula::Unclear(doubt)]);
        }
        let addresses = self.api_servers.iter().copied();
        Formula::Any(addresses.map(Formula::Within).collect())
    }

    /// Nodes, if a key of the configuration has that value.
    fn nodes_if(&self, policy: &PolicyRef, key: &str, wanted: &str) -> Formula {
        let is_set = match &self.config {
            Some(config) if config.get(key).is_some_and(|value| value.contains(wanted)) => {
                return Formula::Node;
            }
            Some(_) => Formula::Any(Vec::new()),
            None => {
                let why = format!("it depends on {key} in the ConfigMap cilium-config");
                Formula::Unclear(doubt(policy, &why))
            }
        };
        Formula::All(vec![Formula::Node, is_set])
    }
}

/// A doubt that is no fault of the policy.
fn doubt(policy: &PolicyRef, why: &str) -> Doubt {
    Doubt::NotUnderstood {
        policy: policy.clone(),
        field: String::new(),
        why: why.to_owned(),
    }
}
