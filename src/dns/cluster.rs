//! The DNS of the cluster: its Service, its pods and its Corefile.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::{ConfigMap, Service};

use super::{BadCorefile, Corefile};
use crate::cluster::access::ServiceExt;
use crate::cluster::{ClusterView, Named, Pod, Resource, Selector};

/// The label that the DNS Service and its pods carry in every distribution that follows kubeadm.
pub const LABEL: (&str, &str) = ("k8s-app", "kube-dns");

/// Names of the Service where the label is missing: kubeadm, Helm chart, RKE2, OpenShift.
const NAMES: [(&str, &str); 4] = [
    ("kube-system", "kube-dns"),
    ("kube-system", "coredns"),
    ("kube-system", "rke2-coredns-rke2-coredns"),
    ("openshift-dns", "dns-default"),
];

/// What a view shows of the cluster's DNS.
#[derive(Debug, Clone)]
pub struct ClusterDns<'v> {
    pub service: Option<&'v Service>,
    /// The ConfigMap with the Corefile.
    pub config: Option<&'v ConfigMap>,
    pub corefile: Option<Result<Corefile, BadCorefile>>,
    /// `cluster.local` unless the Corefile or a pod's resolv.conf says otherwise.
    pub domain: String,
}

// === impl ClusterDns ===

impl<'v> ClusterDns<'v> {
    /// Finds the parts in a view; what was gathered of pods' resolv.conf may tell the domain.
    #[must_use]
    pub fn of<'a>(view: &'v ClusterView, resolv_confs: impl Iterator<Item = &'a str>) -> Self {
        let service = find_service(view);
        let config = find_config(view, service);
        let corefile = config
            .and_then(|config| config.data.as_ref()?.get("Corefile"))
            .map(|text| Corefile::parse(text));
        let domain = match &corefile {
            Some(Ok(corefile)) => zone_served(corefile),
            _ => None,
        };
        Self {
            service,
            config,
            corefile,
            domain: domain
                .or_else(|| domain_of_pods(resolv_confs))
                .unwrap_or_else(|| "cluster.local".to_owned()),
        }
    }

    /// The addresses clients ask.
    #[must_use]
    pub fn service_addresses(&self) -> Vec<IpAddr> {
        self.service
            .map(ServiceExt::cluster_ips)
            .unwrap_or_default()
    }

    /// A name that every cluster has: that of the API server's Service.
    #[must_use]
    pub fn control_name(&self) -> String {
        format!("kubernetes.default.svc.{}", self.domain)
    }

    /// The pods that the Service selects.
    #[must_use]
    pub fn pods(&self, view: &'v ClusterView) -> Vec<&'v Pod> {
        let Some(service) = self.service else {
            return Vec::new();
        };
        let selector = service.selector().unwrap_or_else(|| Selector {
            requirements: Vec::new(),
        });
        let pods = view.pods.in_namespace(service.namespace());
        pods.filter(|pod| !selector.is_empty() && selector.matches(pod.labels()))
            .collect()
    }

    /// The Corefile, if it was read and makes sense.
    #[must_use]
    pub fn readable_corefile(&self) -> Option<&Corefile> {
        self.corefile.as_ref()?.as_ref().ok()
    }

    /// Whether the Corefile was asked for and not given.
    #[must_use]
    pub fn is_unread(view: &ClusterView) -> bool {
        view.unread(Resource::ConfigMaps, "kube-system").is_some()
    }
}

fn find_service(view: &ClusterView) -> Option<&Service> {
    let labelled = view.services.iter().find(|service| {
        let labels = service.metadata.labels.as_ref();
        labels.is_some_and(|labels| labels.get(LABEL.0).is_some_and(|value| value == LABEL.1))
            && service.namespace() == "kube-system"
    });
    let named = || {
        let mut names = NAMES.iter();
        names.find_map(|(namespace, name)| view.services.get(namespace, name))
    };
    labelled.or_else(named)
}

/// The ConfigMap beside the Service that holds a Corefile: `coredns` in kubeadm, named after the
/// release in the Helm chart.
fn find_config<'v>(view: &'v ClusterView, service: Option<&Service>) -> Option<&'v ConfigMap> {
    let namespace = service.map_or("kube-system", Named::namespace);
    let mut maps = view.config_maps.in_namespace(namespace).filter(|map| {
        let data = map.data.as_ref();
        data.is_some_and(|data| data.contains_key("Corefile"))
    });
    view.config_maps
        .get(namespace, "coredns")
        .or_else(|| maps.find(|map| !map.name().contains("node-local")))
}

fn zone_served(corefile: &Corefile) -> Option<String> {
    let mut blocks = corefile.blocks.iter();
    blocks.find_map(|block| block.kubernetes_zones().into_iter().next())
}

/// The domain behind `svc.` in a recorded search list.
fn domain_of_pods<'a>(mut resolv_confs: impl Iterator<Item = &'a str>) -> Option<String> {
    resolv_confs.find_map(|text| {
        let conf = super::ResolvConf::parse(text);
        let mut searches = conf.searches.iter();
        searches.find_map(|search| search.strip_prefix("svc.").map(str::to_owned))
    })
}
