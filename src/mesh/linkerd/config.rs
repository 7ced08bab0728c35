//! What Linkerd was installed with.

use serde_json::Value;

use super::super::connection::Identity;
use crate::cluster::snapshot::document;
use crate::cluster::{ClusterView, Named, ObjectRef};

/// Networks that count as the cluster's where the installation names none (Helm chart).
const CLUSTER_NETWORKS: &str = "10.0.0.0/8,100.64.0.0/10,172.16.0.0/12,192.168.0.0/16,fd00::/8";
const OPAQUE_PORTS: &str = "25,587,3306,4444,5432,6379,9300,11211";

/// The values of the installation (ConfigMap `linkerd-config`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where they were read; none where defaults stand for them.
    pub object: Option<ObjectRef>,
    pub namespace: String,
    pub trust_domain: String,
    pub default_policy: String,
    pub cluster_networks: Vec<String>,
    pub opaque_ports: String,
    /// The namespace whose EgressNetworks count everywhere.
    pub egress_namespace: String,
}

// === impl Config ===

impl Config {
    /// Reads them.
    #[must_use]
    pub fn of(view: &ClusterView) -> Self {
        let mut maps = view.config_maps.iter();
        let map = maps.find(|map| map.name() == "linkerd-config");
        let values = map.and_then(|map| map.data.as_ref()?.get("values"));
        let values: Value = values
            .and_then(|text| document(text).ok())
            .unwrap_or_default();
        let text = |value: &Value, default: &str| {
            value
                .as_str()
                .filter(|text| !text.is_empty())
                .unwrap_or(default)
                .to_owned()
        };
        let domain = text(&values["clusterDomain"], "cluster.local");
        let networks = text(&values["clusterNetworks"], CLUSTER_NETWORKS);
        let proxy = &values["proxy"];
        let policies = &values["policyController"];
        let egress = text(
            &values["egress"]["globalEgressNetworkNamespace"],
            "linkerd-egress",
        );
        Self {
            object: map.map(|map| ObjectRef::new("ConfigMap", map.namespace(), map.name())),
            namespace: map.map_or("linkerd", Named::namespace).to_owned(),
            trust_domain: text(&values["identityTrustDomain"], &domain),
            default_policy: text(
                &proxy["defaultInboundPolicy"],
                &text(&policies["defaultAllowPolicy"], "all-unauthenticated"),
            ),
            cluster_networks: networks
                .split(',')
                .map(|net| net.trim().to_owned())
                .collect(),
            opaque_ports: text(&proxy["opaquePorts"], OPAQUE_PORTS),
            egress_namespace: egress,
        }
    }

    /// The networks of the cluster, as texts.
    #[must_use]
    pub fn networks(&self) -> Vec<&str> {
        self.cluster_networks.iter().map(String::as_str).collect()
    }

    /// An identity as Linkerd writes it: `sa.ns.serviceaccount.identity.linkerd.DOMAIN`.
    #[must_use]
    pub fn name(&self, identity: &Identity) -> String {
        self.account(&identity.namespace, &identity.account)
    }

    /// That of an account; `*` stands for all of a namespace.
    #[must_use]
    pub fn account(&self, namespace: &str, account: &str) -> String {
        let (own, domain) = (&self.namespace, &self.trust_domain);
        format!("{account}.{namespace}.serviceaccount.identity.{own}.{domain}")
    }
}
