//! The DNS of the cluster: its Service, its pods and its Corefile.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::{ConfigMap, Service};

use super::{At, BadCorefile, Corefile, ResolvConf, import, is_cache};
use crate::cluster::access::ServiceExt;
use crate::cluster::{ClusterView, Named, ObjectRef, Pod, Resource, Selector};

/// The label that the DNS Service and its pods carry in every distribution that follows kubeadm.
pub const LABEL: (&str, &str) = ("k8s-app", "kube-dns");

/// Names of the Service where the label is missing: kubeadm, Helm chart, RKE2, OpenShift.
const NAMES: [(&str, &str); 4] = [
    ("kube-system", "kube-dns"),
    ("kube-system", "coredns"),
    ("kube-system", "rke2-coredns-rke2-coredns"),
    ("openshift-dns", "dns-default"),
];

pub use crate::cluster::scope::COREDNS_CUSTOM as CUSTOM;

/// The ConfigMap and the label of NodeLocal DNSCache (`cluster/addons/dns/nodelocaldns`).
pub const NODE_CACHE: &str = "node-local-dns";

/// What a view shows of the cluster's DNS.
#[derive(Debug, Clone)]
pub struct ClusterDns<'v> {
    pub service: Option<&'v Service>,
    /// The ConfigMap with the Corefile.
    pub config: Option<&'v ConfigMap>,
    pub corefile: Option<Result<Corefile, BadCorefile>>,
    /// The Corefile of the cache on every node, where there is one and it makes sense.
    cache: Option<Corefile>,
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
        let corefile = config.and_then(|config| read(view, config));
        let cache = view.config_maps.get("kube-system", NODE_CACHE);
        let cache = cache.and_then(|config| read(view, config)?.ok());
        let domain = match &corefile {
            Some(Ok(corefile)) => zone_served(corefile),
            _ => None,
        };
        Self {
            service,
            config,
            corefile,
            cache,
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

    /// The Corefile of the node's cache, if that is what answers a pod: its resolv.conf names it, or it
    /// listens on the address of the cluster's DNS, too.
    #[must_use]
    pub fn cache_asked(&self, view: &ClusterView, conf: &ResolvConf) -> Option<&Corefile> {
        let is_named = conf
            .nameservers
            .first()
            .is_some_and(|first| is_cache(*first));
        let runs = || {
            let mut pods = view.pods.in_namespace("kube-system");
            pods.any(|pod| {
                pod.labels()
                    .get(LABEL.0)
                    .is_some_and(|app| app == NODE_CACHE)
            })
        };
        self.cache.as_ref().filter(|_| is_named || runs())
    }

    /// Whether a Service at this address leads to the cluster's DNS: its own, or a second one with the
    /// same selector, as NodeLocal DNSCache and NodeLocal's upstream have.
    #[must_use]
    pub fn answers_at(&self, view: &ClusterView, address: IpAddr) -> bool {
        if self.service_addresses().contains(&address) {
            return true;
        }
        let Some(own) = self.service else {
            return false;
        };
        let mut alike = view.services.in_namespace(own.namespace());
        alike.any(|service| {
            let selector = service
                .spec
                .as_ref()
                .and_then(|spec| spec.selector.as_ref());
            selector.is_some()
                && selector == own.spec.as_ref().and_then(|spec| spec.selector.as_ref())
                && service.cluster_ips().contains(&address)
        })
    }

    /// The object that holds a line of the Corefile.
    #[must_use]
    pub fn object_of(&self, at: &At) -> ObjectRef {
        let (namespace, name) = self.config.map_or(("kube-system", "coredns"), |config| {
            (config.namespace(), config.name())
        });
        let name = if at.file.is_some() { CUSTOM } else { name };
        ObjectRef::new("ConfigMap", namespace, name)
    }

    /// Whether the Corefile was asked for and not given.
    #[must_use]
    pub fn is_unread(view: &ClusterView) -> bool {
        view.unread(Resource::ConfigMaps, "kube-system").is_some()
    }
}

/// The Corefile of a ConfigMap with all that it imports from elsewhere.
fn read(view: &ClusterView, config: &ConfigMap) -> Option<Result<Corefile, BadCorefile>> {
    let data = config.data.as_ref()?;
    let files = |pattern: &str| custom_files(view, config.namespace(), pattern);
    let parsed = Corefile::parse_with(data.get("Corefile")?, &files);
    Some(parsed.map(|mut corefile| {
        corefile.fill_hosts(|file| data.get(file).map(String::as_str));
        corefile
    }))
}

/// The keys of `coredns-custom` that a pattern matches; none where it is of another folder, or the
/// ConfigMap was not read.
fn custom_files(
    view: &ClusterView,
    namespace: &str,
    pattern: &str,
) -> Option<Vec<(String, String)>> {
    let (folder, pattern) = pattern.rsplit_once('/')?;
    if folder.rsplit('/').next() != Some("custom") {
        return None;
    }
    let Some(map) = view.config_maps.get(namespace, CUSTOM) else {
        let is_absent = view.lacks(Resource::ConfigMaps, namespace, CUSTOM);
        return is_absent.then(Vec::new);
    };
    let keys = map.data.iter().flatten();
    let matching = keys.filter(|(key, _)| import::matches(pattern, key));
    Some(
        matching
            .map(|(key, text)| (key.clone(), text.clone()))
            .collect(),
    )
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
        .or_else(|| maps.find(|map| !map.name().contains(NODE_CACHE)))
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
